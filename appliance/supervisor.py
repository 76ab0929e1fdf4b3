"""Starts the services and starts again what dies: what systemd does on the image, for `preau run`.

One thread. Children get SIGTERM from the kernel when the supervisor dies, so a kit is never half there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from appliance import process_names
from appliance.lifetime import EXIT_CONFIGURATION
from appliance.restarts import RestartPolicy

log = structlog.get_logger()

SERVICES = ("lessons", "capture", "streaming", "ui")
POLL_S = 0.02
STOP_S = 5.0


class ServiceMisconfigured(Exception):
    """A service said that restarting will not help; it has printed why."""


@dataclass
class _Child:
    name: str
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    due_s: float = 0.0


class Supervisor:
    """Holds the processes of one kit, by their names. `environ` is what they are started with."""

    def __init__(self, environ: Mapping[str, str], names: Sequence[str] = SERVICES) -> None:
        self._environ = {**environ, "PREAU_SUPERVISOR_PID": str(os.getpid())}
        self._children = [_Child(name) for name in names]

    def run(self, stopping: threading.Event, tick: Callable[[], None]) -> None:
        """Keep the services running until `stopping` is set, calling `tick` every POLL_S seconds; then end them.

        Raises ServiceMisconfigured when a service exits with EX_CONFIG.
        """
        try:
            while not stopping.wait(POLL_S):
                for child in self._children:
                    self._watch(child, time.monotonic())
                tick()
        finally:
            self._stop()

    def pids(self) -> dict[str, int]:
        """Those that run now."""
        return {child.name: child.process.pid for child in self._children if child.process}

    def _watch(self, child: _Child, now_s: float) -> None:
        if child.process is None:
            if now_s >= child.due_s:
                self._start(child, now_s)
            return
        status = child.process.poll()
        if status is None:
            return
        child.process = None
        if status == EXIT_CONFIGURATION:
            raise ServiceMisconfigured(child.name)
        delay_s = child.policy.died(now_s - child.started_s)
        child.due_s = now_s + delay_s
        log.warning("service died", died=child.name, status=status, restart_in_s=delay_s)

    def _start(self, child: _Child, now_s: float) -> None:
        environ = {**self._environ, "PREAU_RESTARTS": str(child.policy.restarts)}
        number = process_names.number(child.name)
        command = [sys.executable, "-m", process_names.service(child.name), *([str(number)] if number > 1 else [])]
        # Its own group: a Ctrl-C on the terminal reaches the supervisor alone, which ends the others in order.
        child.process = subprocess.Popen(command, env=environ, process_group=0)
        child.started_s = now_s

    def _stop(self) -> None:
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
