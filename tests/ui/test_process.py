"""The real process: gunicorn, its worker, WebSockets; how it ends and how it comes back."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import simple_websocket

from tests.ui.conftest import PIN
from tests.websocket import Client

ROOT = Path(__file__).parents[2]


class Process:
    """`python -m ui` on a free port of 127.0.0.1."""

    def __init__(self, folder: Path, threads: int = 8) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("PREAU_")} | {
            "PYTHONPATH": str(ROOT),
            "PREAU_DATA_DIR": str(folder / "data"),
            "PREAU_RUNTIME_DIR": str(folder / "run"),
            "PREAU_HTTP_HOST": "127.0.0.1",
            "PREAU_HTTP_PORT": str(self.port),
            "PREAU_TEACHER_PIN": PIN,
            "PREAU_HTTP_THREADS": str(threads),
            "PREAU_SUPERVISOR_PID": str(os.getpid()),
        }
        self.log = (folder / "log").open("ab")
        self.start()

    def start(self) -> None:
        self.master = subprocess.Popen([sys.executable, "-m", "ui"], env=self._environment, stderr=self.log, cwd=ROOT)
        wait_for(lambda: self.request("GET", "/healthz")[0] in (200, 503), 15)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def worker(self) -> int:
        children = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text()
        return int(children.split()[0])

    def open_page(self) -> Client:
        """A Socket.IO connection (Engine.IO 4 over WebSocket), as an open page has one."""
        token = json.loads(self.request("POST", "/api/v1/session", {"pin": PIN})[1])["token"]
        page = Client(f"ws://127.0.0.1:{self.port}/socket.io/?EIO=4&transport=websocket")
        assert page.receive(5).startswith("0")
        page.send("40" + json.dumps({"token": token}))
        while not page.receive(5).startswith("40"):  # what is new is told first
            pass
        return page

    def close(self) -> None:
        if self.master.poll() is None:
            self.master.kill()
        self.master.wait(10)
        self.log.close()


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.close()


def test_a_master_that_is_killed_takes_its_worker_along_and_its_successor_finds_the_port(process: Process) -> None:
    page, worker = process.open_page(), process.worker()
    os.kill(process.master.pid, signal.SIGKILL)
    process.master.wait(5)
    wait_for(lambda: not is_running(worker), 1)
    began = time.monotonic()
    process.start()
    assert time.monotonic() - began < 10
    with pytest.raises(simple_websocket.ConnectionClosed):
        while page.receive(2) is not None:
            pass


def test_it_ends_within_three_seconds_with_pages_open(process: Process) -> None:
    page = process.open_page()
    began = time.monotonic()
    process.master.terminate()
    assert process.master.wait(10) == 0
    assert time.monotonic() - began < 3.5
    with contextlib.suppress(simple_websocket.ConnectionClosed):
        page.close()
