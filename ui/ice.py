"""The STUN and TURN servers that pages are given, with short-lived TURN credentials. Pure.

The credentials are those of coturn's shared secret (`use-auth-secret`): the user name is the time until which it is
valid and whom it was given to, the password its HMAC under the secret that kit and relay share. Nothing is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import NamedTuple

TURN_LIFE_S = 4 * 3600  # longer than a lesson: the relay looks at it again whenever the browser renews its allocation
_QUOTED = re.compile(r"[^\x21\x23-\x5b\x5d-\x7e]")


class IceServer(NamedTuple):
    """`username` and `credential` are empty for STUN."""

    url: str
    username: str = ""
    credential: str = ""


def servers(urls: Sequence[str], secret: str | None, viewer: str, now: float) -> list[IceServer]:
    """What a page may use from `now` (Unix seconds) on; `viewer` shows in the relay's log."""
    return [credentials(url, secret or "", viewer, now) if url.startswith("turn") else IceServer(url) for url in urls]


def credentials(url: str, secret: str, viewer: str, now: float) -> IceServer:
    username = f"{int(now) + TURN_LIFE_S}:{viewer}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return IceServer(url, username, base64.b64encode(digest).decode())


def link(server: IceServer) -> str:
    """The Link header's value for a server (RFC 9725 section 4.6, RFC 8288)."""
    value = f'<{server.url}>; rel="ice-server"'
    if server.username:
        username = _QUOTED.sub("", server.username)
        value += f'; username="{username}"; credential="{server.credential}"; credential-type="password"'
    return value
