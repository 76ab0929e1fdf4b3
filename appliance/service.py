"""The skeleton of a service process: settings, logs, signals, counters, health once a second, sd_notify.

A service's ``__main__`` builds a `Service`, starts its threads or loop, and waits on `stopping`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import structlog
from prometheus_client import CollectorRegistry, Gauge

from appliance import exposition, logs, process_names, threads
from appliance.bus import Publisher
from appliance.lifetime import EXIT_CONFIGURATION, die_with_supervisor
from appliance.messages import Health
from appliance.settings import Settings, SettingsError, load

HEALTH_INTERVAL_S = 1.0


class Service:
    """What every service process has. `name` is the process's own (appliance.process_names); `stopping` is set by
    SIGTERM or SIGINT; `publisher` is its PUB socket."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.stopping = threading.Event()
        self.registry = CollectorRegistry()
        self.publisher = Publisher(settings.bus, name)
        self.started_ns = time.monotonic_ns()
        self.restarts = int(os.environ.get("PREAU_RESTARTS", "0"))
        self._threads: list[threading.Thread] = []
        self._seen_kinds: set[str] = set()
        shared = process_names.service(name) == process_names.STREAMING and settings.streaming_processes > 1
        self._labels = {"service": name} if shared else {}
        prefix = f"preau_{process_names.service(name)}"
        self._memory = Gauge(f"{prefix}_resident_bytes", "Resident memory (VmRSS).", registry=self.registry)
        self._cpu = Gauge(f"{prefix}_cpu_seconds", "User and system time used.", registry=self.registry)
        self._kinds = Gauge(f"{prefix}_threads", "Threads by name, without numbers.", ["kind"], registry=self.registry)
        restarts = Gauge(f"{prefix}_restarts", "Times the service was started again.", registry=self.registry)
        restarts.set(self.restarts)

    def start(self) -> None:
        """Start the health thread and tell systemd that the service is ready."""
        self.spawn("health", self._report)
        notify_systemd("READY=1")

    def spawn(self, name: str, run: object, *arguments: object) -> threading.Thread:
        """Start a thread of the service; when its function raises, the service stops and is started afresh."""
        thread = threading.Thread(target=self._guard, args=(run, arguments), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _guard(self, run: object, arguments: tuple[object, ...]) -> None:
        try:
            run(*arguments)  # type: ignore[operator]
        except Exception:  # the root of a thread: a half-dead service is worse than a restarted one
            structlog.get_logger().exception("thread failed", thread=threading.current_thread().name)
            os._exit(1)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping.set()

    def join(self, timeout_s: float = 5.0) -> None:
        """Wait for the threads to end, `timeout_s` in all, then close the publisher. Idempotent."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.publisher.close()

    def _report(self) -> None:
        while True:
            self._memory.set(resident_bytes())
            self._cpu.set(time.process_time())
            self._count_threads()
            text = exposition.expose(self.registry, self._labels)
            self.publisher.send(Health(self.name, os.getpid(), self.started_ns, self.restarts, text))
            notify_systemd("WATCHDOG=1")
            if self.stopping.wait(HEALTH_INTERVAL_S):
                return

    def _count_threads(self) -> None:
        found = threads.by_kind()
        self._seen_kinds.update(found)
        for kind in self._seen_kinds:
            self._kinds.labels(kind).set(found[kind])


def begin(name: str) -> Service:
    """What a service's main function calls first. Exits with a clear message when the settings are wrong."""
    die_with_supervisor()
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    logs.configure(name, settings)
    settings.bus.mkdir(mode=0o700, parents=True, exist_ok=True)
    service = Service(name, settings)
    signal.signal(signal.SIGTERM, service.on_signal)
    signal.signal(signal.SIGINT, service.on_signal)
    return service


def resident_bytes() -> int:
    """Resident memory of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def notify_systemd(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing happens where it did not start the process."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    target = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.sendto(state.encode(), target)
