"""A small client of the kit's own HTTP API, for the command line."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from appliance import network
from appliance.secrets import load_or_create
from appliance.settings import Settings

CHUNK = 1 << 20


class ApiError(Exception):
    """The kit said no, or does not run; the message is for people."""


class KitApi:
    """Speaks as the teacher: reads the PIN from the data folder."""

    def __init__(self, settings: Settings) -> None:
        host = "127.0.0.1" if settings.http_host in network.ANY else settings.http_host
        self._base = network.page_url(host, settings.http_port, "")
        self._settings = settings
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token: str | None = None

    def call(self, method: str, path: str, body: object = None, *, signed_in: bool = True) -> Any:
        """Send one request below /api/v1 and return the decoded answer (None when it is empty)."""
        with self._open(method, f"/api/v1{path}", body, signed_in) as response:
            text = response.read()
        return json.loads(text) if text else None

    def download(self, path: str) -> Iterator[bytes]:
        """The body of a page such as /lessons/ID/lesson.mp4, in chunks."""
        with self._open("GET", path, None, True) as response:
            while chunk := response.read(CHUNK):
                yield chunk

    def _open(self, method: str, path: str, body: object, signed_in: bool) -> Any:
        request = urllib.request.Request(f"{self._base}{path}", method=method)
        if signed_in:
            request.add_header("Authorization", f"Bearer {self._sign_in()}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            return self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            raise ApiError(_detail(error)) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ApiError(f"no kit answers at {self._base} ({reason}); is `preau run` running?") from None

    def _sign_in(self) -> str:
        if self._token is None:
            pin = load_or_create(self._settings).teacher_pin
            self._token = str(self.call("POST", "/session", {"pin": pin}, signed_in=False)["token"])
        return self._token


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(error)
    except ValueError:
        return f"{error.code} {error.reason}"
    return f"{problem.get('title', error.reason)}: {problem.get('detail', '')}".rstrip(": ")
