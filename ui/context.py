"""What every request handler needs, gathered once by the application factory."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from threading import BoundedSemaphore
from typing import cast

from flask import current_app
from prometheus_client import CollectorRegistry, Counter, Gauge

from appliance.secrets import Secrets
from appliance.settings import Settings
from ui.auth import Guard, Identity, Openings, Role, Tokens, require
from ui.broadcast import House
from ui.ports import Capture, Lessons, Streaming
from ui.state import KitState

KEY = "preau"
PIN_LIMIT = "5/minute"
CODE_LIMIT = "20/minute"
# Sessions that never connect stay for 15 s: one address, a whole school's perhaps, cannot fill the kit with them.
VIEWER_OPENINGS = "60/10 seconds"
ADDRESS_OPENINGS = "300/10 seconds"


class Counters:
    """The web service's own counters."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.responses = Counter("preau_ui_responses", "Responses by status.", ["status"], registry=registry)
        self.joins = Counter("preau_ui_joins", "Pupils who joined.", registry=registry)
        self.streamed = Gauge("preau_ui_streamed_viewers", "Viewers on a WebSocket.", registry=registry)
        self.stream_drops = Counter("preau_ui_stream_drops", "Times a slow WebSocket lost pictures.", registry=registry)
        self.refusals = Counter("preau_ui_refusals", "Wrong PINs and codes.", ["secret"], registry=registry)


@dataclass(frozen=True)
class Context:
    settings: Settings
    secrets: Secrets
    lessons: Lessons
    streaming: Streaming
    capture: Capture
    state: KitState
    tokens: Tokens
    pin_guard: Guard
    code_guard: Guard
    openings: Openings
    counters: Counters
    house: House
    places: BoundedSemaphore  # threads that whoever stays (pages, viewers on WebSockets) may hold
    version: str

    def require(self, *roles: Role) -> Identity:
        return require(self.tokens, *roles)


def here() -> Context:
    """The context of the application that handles this request."""
    return cast(Context, current_app.extensions[KEY])


def project_version() -> str:
    """The installed version, or `development` from a working copy."""
    try:
        return version("preau")
    except PackageNotFoundError:
        return "development"
