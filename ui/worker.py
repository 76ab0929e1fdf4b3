"""What the web service's worker runs: the service, its threads and the application. Only the worker imports this
module, so that gunicorn's master, which merely waits, stays small.
"""

from __future__ import annotations

import signal
from typing import Any

from flask import Flask

from appliance import process_names
from appliance.discovery import Advertiser
from appliance.secrets import load_or_create
from appliance.service import Service, begin
from lessons.client import LessonsClient
from streaming.client import StreamingClient
from ui.app import create_app
from ui.context import KEY
from ui.state import SERVICES, KitState

HANDLED = (signal.SIGTERM, signal.SIGINT)


def build(service: Service) -> Flask:
    """The threads and the application of the worker's service."""
    settings = service.settings
    lessons = LessonsClient(settings)
    streaming = StreamingClient(settings)
    state = KitState(process_names.named(SERVICES, settings.streaming_processes))
    state.on_event(streaming.note)
    state.on_event(lessons.note)
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
