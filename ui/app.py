"""The application factory: puts the parts together. Knows no process, no bus and no clock of its own."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path

import structlog
from flask import Flask, Response, request
from prometheus_client import CollectorRegistry

import ui.library  # noqa: F401  # its routes stand on the blueprints of api and media
import ui.marks  # noqa: F401  # as well
import ui.retention  # noqa: F401  # as well
import ui.sound  # noqa: F401  # as well
import ui.talk  # noqa: F401  # as well
import ui.tracks  # noqa: F401  # as well
import ui.trim  # noqa: F401  # as well
from appliance.bus import BusError, CommandRefused
from appliance.messages import LessonState
from appliance.secrets import Secrets
from appliance.settings import Settings
from capture.client import CaptureClient
from ui import api, health, i18n, media, pages, problems, push, quality, stream, whep, whip
from ui.auth import Guard, Openings, Tokens
from ui.broadcast import House
from ui.context import ADDRESS_OPENINGS, CODE_LIMIT, KEY, PIN_LIMIT, VIEWER_OPENINGS, Context, Counters, project_version
from ui.modules import modules
from ui.ports import Capture, Lessons, Streaming
from ui.state import Change, KitState

log = structlog.get_logger()

LARGEST_BODY = 64 * 1024
A_YEAR = "public, max-age=31536000, immutable"
STATIC = Path(__file__).with_name("static")
_HOST = re.compile(r"[0-9A-Za-z.:\[\]-]+")


def create_app(
    settings: Settings,
    secrets: Secrets,
    lessons: Lessons,
    streaming: Streaming,
    state: KitState,
    registry: CollectorRegistry | None = None,
    capture: Capture | None = None,
) -> Flask:
    """The web application. Starts no thread; `state` is fed by whoever owns it."""
    # The version stands in the path, not in a query, so that modules importing each other keep it.
    app = Flask("ui", static_folder=str(STATIC), static_url_path=f"/static/{static_version()}")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["modules"] = modules
    app.jinja_env.globals["relays"] = " data-relays" if settings.ice_servers else ""
    counters = Counters(registry or CollectorRegistry())
    house = House(
        counters.streamed,
        lambda seated: state.note_streamed(stream.viewers(seated)),
        most=max(1, settings.http_threads // 2),
    )
    context = Context(
        settings,
        secrets,
        lessons,
        streaming,
        capture or CaptureClient(settings),
        state,
        Tokens(secrets),
        Guard(secrets.teacher_pin, PIN_LIMIT),
        Guard(secrets.room_code, CODE_LIMIT),
        Openings(VIEWER_OPENINGS, ADDRESS_OPENINGS),
        counters,
        house,
        threading.BoundedSemaphore(settings.http_threads - max(2, settings.http_threads // 8)),
        project_version(),
    )
    app.extensions[KEY] = context
    problems.install(app)
    i18n.install(app, settings.language)
    for part in (api, whep, whip, quality, stream, media, pages, health):
        app.register_blueprint(part.blueprint)
    app.after_request(lambda response: finish(context, response))
    push.install(app, context)
    state.on_lesson_change(lambda live: close_pupils(streaming, live))
    state.on_lesson_change(lambda live: house.close_pupils() if live is None else None)
    state.on_change(lambda changes: close_screen(house, state, changes))
    return app


def close_pupils(streaming: Streaming, live: LessonState | None) -> None:
    """End the pupils' sessions when a lesson ends; on a thread, because whoever brings the news must not wait."""
    if live is None:
        threading.Thread(target=_close_pupils, args=(streaming,), name="close-pupils", daemon=True).start()


def close_screen(house: House, state: KitState, changes: set[Change]) -> None:
    """End who watches a screen that nobody shares any more."""
    if "sources" in changes and "screen" not in state.sources:
        house.close_screen()


def _close_pupils(streaming: Streaming) -> None:
    try:
        streaming.close_viewers()
    except (BusError, CommandRefused) as error:
        # Their pages hang up by themselves when they hear that the lesson is over.
        log.warning("pupils not closed", reason=str(error))


def static_version() -> str:
    """A digest of every static file."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def finish(context: Context, response: Response) -> Response:
    """Count the response and give it the headers that every one carries."""
    context.counters.responses.labels(str(response.status_code)).inc()
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(self)"
    headers["Content-Security-Policy"] = content_policy(request.host, request.endpoint or "")
    if request.endpoint == "static":
        headers["Cache-Control"] = A_YEAR if response.status_code < 400 else "no-store"
    elif response.mimetype == "text/html":
        headers.setdefault("Cache-Control", "no-store")
        headers["Vary"] = "Cookie, Accept-Language"
    return response


def content_policy(host: str, endpoint: str) -> str:
    """The Content-Security-Policy (CSP 3) of a page served as `host`."""
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    # media-chrome's elements carry their style in their shadow trees; only the player's page has them.
    style = "'self' 'unsafe-inline'" if endpoint == "pages.lesson" else "'self'"
    return (
        f"default-src 'self'; style-src {style}; img-src 'self' data: blob:; media-src 'self' blob:; "
        f"connect-src 'self'{sockets}; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
