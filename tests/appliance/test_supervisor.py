"""Services are started, started again when they die, and end with their supervisor. They only wait here."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from appliance import process_names
from appliance.lifetime import EXIT_CONFIGURATION
from appliance.supervisor import SERVICES, ServiceMisconfigured, Supervisor
from tests.kit import wait_until

WAITS = "import signal; signal.pause()"


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder with a module for each service that waits for its end."""
    for name in SERVICES:
        (tmp_path / f"{name}.py").write_text(WAITS)
    return tmp_path


@contextmanager
def running(supervisor: Supervisor) -> Iterator[threading.Event]:
    stopping = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(stopping, lambda: None))
    thread.start()
    try:
        yield stopping
    finally:
        stopping.set()
        thread.join()


def over(modules: Path, names: Sequence[str] = SERVICES) -> Supervisor:
    return Supervisor({**os.environ, "PYTHONPATH": str(modules), "PYTHONSAFEPATH": "1"}, names)


def test_what_dies_is_started_again_and_all_end_together(modules: Path) -> None:
    supervisor = over(modules)
    with running(supervisor):
        wait_until(lambda: set(supervisor.pids()) == set(SERVICES), 5, "all services")
        first = supervisor.pids()
        os.kill(first["streaming"], signal.SIGKILL)
        wait_until(lambda: supervisor.pids().get("streaming", first["streaming"]) != first["streaming"], 5, "the next")
        last = supervisor.pids()
        assert {name: pid for name, pid in last.items() if name != "streaming"} == {
            name: pid for name, pid in first.items() if name != "streaming"
        }
        assert psutil.Process(last["streaming"]).environ()["PREAU_RESTARTS"] == "1"
    assert not [pid for pid in last.values() if psutil.pid_exists(pid)]


def test_streaming_processes_are_started_by_number_and_die_alone(modules: Path) -> None:
    supervisor = over(modules, process_names.named(("capture", "streaming"), 3))
    with running(supervisor):
        wait_until(lambda: len(supervisor.pids()) == 4, 5, "all processes")
        first = supervisor.pids()
        assert {name: psutil.Process(pid).cmdline()[1:] for name, pid in first.items()} == {
            "capture": ["-m", "capture"],
            "streaming": ["-m", "streaming"],
            "streaming-2": ["-m", "streaming", "2"],
            "streaming-3": ["-m", "streaming", "3"],
        }
        os.kill(first["streaming-2"], signal.SIGKILL)
        wait_until(
            lambda: supervisor.pids().get("streaming-2", first["streaming-2"]) != first["streaming-2"], 5, "the next"
        )
        last = supervisor.pids()
        assert {name for name in first if last[name] != first[name]} == {"streaming-2"}
        assert psutil.Process(last["streaming-2"]).environ()["PREAU_RESTARTS"] == "1"


def test_a_service_that_will_not_end_is_ended(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.supervisor.STOP_S", 0.2)
    deaf = modules / "deaf"
    (modules / "lessons.py").write_text(
        f"import pathlib, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\npathlib.Path({str(deaf)!r}).touch()\n"
        "while True: signal.pause()"
    )
    supervisor = over(modules)
    with running(supervisor):
        wait_until(deaf.exists, 5, "the deaf service")
        pid = supervisor.pids()["lessons"]
    assert not psutil.pid_exists(pid)


def test_a_misconfigured_service_stops_everything(modules: Path) -> None:
    (modules / "capture.py").write_text(f"raise SystemExit({EXIT_CONFIGURATION})")
    supervisor = over(modules)
    with pytest.raises(ServiceMisconfigured, match="capture"):
        supervisor.run(threading.Event(), lambda: None)
    assert not [pid for pid in supervisor.pids().values() if psutil.pid_exists(pid)]
