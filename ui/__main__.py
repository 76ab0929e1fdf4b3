"""The web service's process: a gunicorn master that holds the port and one worker that does the work.

Service, bus and threads are made in the worker: ZeroMQ contexts and threads do not survive a fork. The worker dies
with its master, whatever kills it, so that a master started afresh finds the port free.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from appliance import logs
from appliance.lifetime import EXIT_CONFIGURATION, die_with, die_with_supervisor
from appliance.secrets import load_or_create
from appliance.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from flask import Flask

    from appliance.service import Service

GRACE_S = 1  # open pages never finish by themselves; they reconnect


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
        """Runs in the worker, after the fork; what it imports, the master never holds."""
        from ui import worker

        self.service = worker.begin_keeping_handlers()
        return worker.build(self.service)


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
    """In the worker: SIGTERM would let it finish its requests, and hold the port, for as long as they last."""
    die_with(arbiter.pid, signal.SIGKILL)
    os.environ.pop("PREAU_SUPERVISOR_PID", None)  # names the master's parent, not the worker's


def end_service(arbiter: Any, worker: Any) -> None:
    """In the worker, when the requests are done: let the threads end, so that discovery withdraws the kit."""
    if worker.app.service:
        worker.app.service.join(GRACE_S)


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
