"""The web service's process: a gunicorn master that holds the port and one worker that does the work.

Service, bus and threads are made in the worker: ZeroMQ contexts and threads do not survive a fork. The worker dies
with its master, whatever kills it, so that a master started afresh finds the port free.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from appliance import logs, processes
from appliance.discovery import Advertiser
from appliance.secrets import load_or_create
from appliance.service import EXIT_CONFIGURATION, Service, begin, die_with_supervisor
from appliance.settings import Settings, SettingsError, load
from lessons.client import LessonsClient
from streaming.client import StreamingClient
from ui.app import create_app
from ui.context import KEY
from ui.state import SERVICES, KitState

GRACE_S = 1  # open pages never finish by themselves; they reconnect
_PR_SET_PDEATHSIG = 1
HANDLED = (signal.SIGTERM, signal.SIGINT)


class PlainLogger(Logger):  # type: ignore[misc]
    """gunicorn's warnings and errors through the project's own handlers; no access log, no chatter at the start."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
            log.setLevel(logging.WARNING)


class WebServer(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by the kit's settings and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.service: Service | None = None
        super().__init__()

    def load_config(self) -> None:
        for key, value in options(self._settings).items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        """Runs in the worker, after the fork."""
        self.service = begin_keeping_handlers()
        return build(self.service)


def bind_address(host: str, port: int) -> str:
    """gunicorn's form of an address; IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def options(settings: Settings) -> dict[str, Any]:
    return {
        "bind": bind_address(settings.http_host, settings.http_port),
        "workers": 1,
        "worker_class": "gthread",
        "threads": settings.http_threads,
        "preload_app": False,
        "control_socket_disable": True,
        "graceful_timeout": GRACE_S,
        "keepalive": 15,
        "logger_class": PlainLogger,
        "post_fork": die_with_master,
        "worker_exit": end_service,
        "proc_name": "preau-ui",
    }


def die_with_master(arbiter: Any, worker: Any) -> None:
    """In the worker: ask the kernel for SIGKILL when the master dies (prctl(2)).

    SIGTERM would let the worker finish its requests, and hold the port, for as long as they last.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != arbiter.pid:
        raise SystemExit(1)
    os.environ.pop("PREAU_SUPERVISOR_PID", None)  # names the master's parent, not the worker's


def end_service(arbiter: Any, worker: Any) -> None:
    """In the worker, when the requests are done: let the threads end, so that discovery withdraws the kit."""
    if worker.app.service:
        worker.app.service.join(GRACE_S)


def build(service: Service) -> Flask:
    """The threads and the application of the worker's service."""
    settings = service.settings
    lessons = LessonsClient(settings)
    streaming = StreamingClient(settings)
    state = KitState(processes.named(SERVICES, settings.streaming_processes))
    state.on_event(streaming.note)
    app = create_app(settings, load_or_create(settings), lessons, streaming, state, registry=service.registry)
    service.start()
    service.spawn("state", state.run, settings.bus, service.stopping, lessons)
    for name, run in app.extensions[KEY].house.runs().items():
        service.spawn(name, run, settings.bus, service.stopping)
    if settings.discovery:
        advertiser = Advertiser(settings, lambda: state.live is not None)
        state.on_lesson_change(lambda _: advertiser.lesson_changed())
        service.spawn("discovery", advertiser.run, service.stopping)
    return app


def begin_keeping_handlers() -> Service:
    """Begin the service; a signal then sets `stopping` and goes on to gunicorn's own handler."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    service = begin("ui")

    def both(number: int, frame: Any) -> None:
        service.on_signal(number, frame)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in HANDLED:
        signal.signal(number, both)
    return service


def main() -> None:
    die_with_supervisor()
    try:
        settings = load()
        load_or_create(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    logs.configure("ui", settings)
    WebServer(settings).run()


if __name__ == "__main__":
    main()
