"""The HTTP API, /api/v1. Bodies are JSON, errors are problem+json; ui/openapi.json describes it and is checked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from flask import Blueprint, Response, jsonify, request
from flask_babel import get_locale
from flask_babel import gettext as _

from appliance.network import reachable_addresses
from ui.access import reader
from ui.addresses import base_url
from ui.auth import CHALLENGE, clear_cookies, identify, new_viewer, refuse_cross_site, set_cookie
from ui.context import Context, here
from ui.problems import Problem
from ui.views import (
    LONGEST_NAME,
    LONGEST_TITLE,
    LONGEST_WORDS,
    capture_view,
    clean_text,
    disk_view,
    lesson_view,
    live_view,
    moment_text,
    services_view,
)

log = structlog.get_logger()
blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
DESCRIPTION = Path(__file__).with_name("openapi.json")
LESSON = "<string(maxlength=64):id>"

Body = TypeVar("Body")


class SessionRequest(msgspec.Struct, frozen=True):
    pin: str


class LessonRequest(msgspec.Struct, frozen=True):
    title: str = ""
    minutes: Annotated[float, msgspec.Meta(ge=1, le=1440)] | None = None
    subject: str = ""
    group: str = ""
    teacher: str = ""


class JoinRequest(msgspec.Struct, frozen=True):
    code: str
    name: str


def read_body(kind: type[Body]) -> Body:
    """The request's JSON as `kind`. Raises Problem 400 or 415."""
    body = request.get_data()
    if body and not request.is_json:
        raise Problem(415, "the body must be application/json")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"the body is not what this call takes: {error}") from None


def private(response: Response, status: int = 200) -> Response:
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def join_address(context: Context) -> str:
    """Where pupils join; what the QR code says."""
    settings = context.settings
    own = reachable_addresses(settings.http_host, settings.ice_interfaces)
    base = base_url(request.scheme, request.host, settings.http_port, own)
    return f"{base}/join/{context.secrets.room_code}"


@blueprint.before_request
def same_origin() -> None:
    refuse_cross_site()


@blueprint.post("/session")
def open_session() -> Response:
    context = here()
    body = read_body(SessionRequest)
    if not context.pin_guard.check(body.pin.strip(), request.remote_addr or ""):
        context.counters.refusals.labels("pin").inc()
        log.warning("wrong PIN", peer=request.remote_addr)
        raise Problem(401, "the PIN is wrong", {"WWW-Authenticate": CHALLENGE})
    token = context.tokens.issue("teacher", _("Teacher"), new_viewer())
    response = private(jsonify(token=token))
    set_cookie(response, "teacher", token)
    return response


@blueprint.delete("/session")
def close_session() -> Response:
    response = private(Response(), 204)
    clear_cookies(response)
    return response


@blueprint.get("/kit")
def get_kit() -> Response:
    context = here()
    identity = identify(context.tokens)
    teacher = identity is not None and identity.role == "teacher"
    kit: dict[str, Any] = {
        "room": context.settings.room,
        "kit_name": context.settings.kit_name,
        "languages": ["fr", "en"],
        "version": context.version,
        "lesson": live_view(context.state.live, context.state.lesson_age_s, recording=teacher),
        "services": services_view(context.state.statuses()),
        "capture": None,
    }
    if teacher:
        kit["capture"] = capture_view(context.state.capture)
        kit["disk"] = disk_view(context.state.disk)
        kit["join"] = {"code": context.secrets.room_code, "url": join_address(context)}
    return private(jsonify(kit))


@blueprint.post("/lessons")
def start_lesson() -> Response:
    context = here()
    context.require("teacher")
    asked = read_body(LessonRequest)
    now = time.time()
    title = clean_text(asked.title, LONGEST_TITLE) if asked.title.strip() else default_title(now)
    if title is None:
        raise Problem(400, f"title: 1 to {LONGEST_TITLE} characters, no control characters")
    about = [words(name, getattr(asked, name)) for name in ("subject", "group", "teacher")]
    lesson = context.lessons.start(title, context.secrets.room_code, asked.minutes, *about)
    context.state.note_lesson(lesson)
    log.info("lesson started", lesson=lesson.id)
    response = private(jsonify(lesson_view(lesson, teacher=True)), 201)
    response.headers["Location"] = f"/api/v1/lessons/{lesson.id}"
    return response


def words(name: str, text: str) -> str:
    """What is said of a lesson besides its title; may be empty. Raises Problem 400."""
    if not text.strip():
        return ""
    cleaned = clean_text(text, LONGEST_WORDS)
    if cleaned is None:
        raise Problem(400, f"{name}: at most {LONGEST_WORDS} characters, no control characters")
    return cleaned


def default_title(wall: float) -> str:
    return str(_("Lesson of %(moment)s", moment=moment_text(wall, str(get_locale() or "fr"))))


@blueprint.get(f"/lessons/{LESSON}")
def get_lesson(id: str) -> Response:
    context = reader()
    teacher = context.require("teacher", "pupil").role == "teacher"
    return private(jsonify(lesson_view(context.lessons.get(id), teacher=teacher)))


@blueprint.delete(f"/lessons/{LESSON}")
def delete_lesson(id: str) -> Response:
    context = here()
    context.require("teacher")
    context.lessons.delete(id)
    log.info("lesson deleted", lesson=id)
    return private(Response(), 204)


@blueprint.post(f"/lessons/{LESSON}/stop")
def stop_lesson(id: str) -> Response:
    """The pupils' sessions are closed by the application's listener on the lesson's end."""
    context = here()
    context.require("teacher")
    lesson = context.lessons.stop(id)
    context.state.note_lesson(lesson)
    log.info("lesson stopped", lesson=id)
    return private(jsonify(lesson_view(lesson, teacher=True)))


@blueprint.post("/join")
def join() -> Response:
    context = here()
    body = read_body(JoinRequest)
    name = clean_text(body.name, LONGEST_NAME)
    if name is None:
        raise Problem(400, f"name: 1 to {LONGEST_NAME} characters, no control characters")
    if not context.code_guard.check("".join(body.code.split()), request.remote_addr or ""):
        context.counters.refusals.labels("code").inc()
        raise Problem(404, "there is no lesson with this code")
    context.counters.joins.inc()
    viewer = new_viewer()
    token = context.tokens.issue("pupil", name, viewer)
    lesson = live_view(context.state.live, context.state.lesson_age_s)
    response = private(jsonify(token=token, viewer=viewer, lesson=lesson))
    set_cookie(response, "pupil", token)
    return response


@blueprint.get("/openapi.json")
def describe() -> Response:
    return Response(DESCRIPTION.read_bytes(), content_type="application/json")
