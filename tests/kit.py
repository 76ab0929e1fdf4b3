"""A whole kit for tests and benchmarks: `preau run` as a process of its own, with its own data folder.

On loopback, unless its settings name the address of a network namespace that the run has made.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from appliance import process_names

PIN = "271828"
SERVICES = ("capture", "streaming", "lessons", "ui")


class Problem(Exception):
    """An HTTP error of the kit, with its problem document."""

    def __init__(self, status: int, document: dict[str, Any], headers: dict[str, str]) -> None:
        super().__init__(f"{status} {document}")
        self.status = status
        self.document = document
        self.headers = headers


class Kit:
    """Started by `with`; killed, with everything it started, at the end."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        host = settings.get("http_host", "127.0.0.1")
        self.port = free_port(host)
        self.url = f"http://{host}:{self.port}"
        self.output: list[str] = []
        self.token = ""
        self._environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PREAU_")},
            "PREAU_DATA_DIR": str(data),
            "PREAU_HTTP_HOST": "127.0.0.1",
            "PREAU_HTTP_PORT": str(self.port),
            "PREAU_ICE_INTERFACES": "lo",
            "PREAU_TEACHER_PIN": PIN,
            "PREAU_CAMERA": "demo",
            "PREAU_MICROPHONE": "demo",
            "PREAU_DISCOVERY": "false",
            **{f"PREAU_{key.upper()}": value for key, value in settings.items()},
        }
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread()

    def __enter__(self) -> Kit:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is not None:
            sys.stderr.write("".join(self.output[-120:]))

    def start(self) -> None:
        """Start the kit and wait until it has printed its addresses; sign in as the teacher."""
        command = [sys.executable, "-m", "appliance", "run"]
        self._process = subprocess.Popen(
            command, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process, ready))
        self._reader.start()
        if not ready.wait(40):
            self.kill()
            raise AssertionError("the kit did not start:\n" + "".join(self.output))
        self.token = self.api("POST", "session", {"pin": PIN})["token"]

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
                if "Ctrl-C" in line:
                    ready.set()

    def stop(self) -> None:
        """Ctrl-C, and wait."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
            self._reader.join()

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        assert self._process
        supervisor = psutil.Process(self._process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def kill(self) -> None:
        """kill -9 of everything at once: what a power cut does to the processes."""
        assert self._process
        victims = self.processes()
        for act in (psutil.Process.suspend, psutil.Process.kill):  # frozen first, so that none sees another die
            for process in victims:
                with suppress(psutil.NoSuchProcess):  # a thumbnail has been made
                    act(process)
        self._process.wait()
        wait_until(lambda: all(map(dead, victims)), 5, "the kit to be dead")
        self._reader.join()

    def service(self, name: str) -> psutil.Process:
        """One process, by its name, as the supervisor started it."""
        assert self._process
        number = process_names.number(name)
        arguments = ["-m", process_names.service(name), *([str(number)] if number > 1 else [])]
        for process in psutil.Process(self._process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it has died since, and will be replaced
                if process.cmdline()[1:] == arguments:
                    return process
        raise LookupError(name)

    def kill_service(self, name: str) -> None:
        """kill -9 of one service; returns when the supervisor has started the next."""
        victim = self.service(name)
        victim.kill()
        wait_until(lambda: self._replaced(name, victim.pid), 10, f"{name} to be restarted")

    def _replaced(self, name: str, old: int) -> bool:
        try:
            return bool(self.service(name).pid != old)
        except (LookupError, psutil.Error):
            return False

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
        """One HTTP request with the teacher's token unless `Authorization` is given. Raises Problem on 4xx and 5xx."""
        request = urllib.request.Request(f"{self.url}{path}", data=body, method=method)
        for name, value in {"Authorization": f"Bearer {self.token}", **headers}.items():
            if value:
                request.add_header(name.replace("_", "-"), value)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as response:
                return response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            raw = error.read()
            document = json.loads(raw) if "json" in error.headers.get("Content-Type", "") else {"raw": raw}
            raise Problem(error.code, document, dict(error.headers)) from None

    def download(self, lesson: str, folder: Path) -> Path:
        """The lesson as one MP4 in `folder`."""
        file = folder / f"{lesson}.mp4"
        file.write_bytes(self.request("GET", f"/lessons/{lesson}/lesson.mp4")[1])
        return file

    def api(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        _, answer, _ = self.request(method, f"/api/v1/{path}", data, Content_Type="application/json")
        return json.loads(answer) if answer else None

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples at /metrics that have these labels; 0 when there is none."""
        text = self.request("GET", "/metrics")[1].decode()
        samples = re.findall(rf"^{name}(?:{{([^}}]*)}})? (\S+)$", text, re.MULTILINE)
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        return sum(float(value) for found, value in samples if wanted <= set(found.split(",")))


def dead(process: psutil.Process) -> bool:
    """Whether nothing of it is left but its number: it holds no file, lock or port. An orphan's number stays until init
    takes note, which may be seconds later."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1
    except (psutil.NoSuchProcess, FileNotFoundError):
        return True


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> Any:
    """Poll a fact of another process until it is true; return its value. Fails naming `what`."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        pause.wait(0.05)
    return value


def running_kit(data: Path, **settings: str) -> Iterator[Kit]:
    with Kit(data, **settings) as kit:
        yield kit
