"""Socket.IO: what changes is pushed to open pages. Two rooms, `teacher` and `pupil`; pages send nothing but a token.

Runs on gunicorn's threads (one per page); pushes come from the `state` thread and only fill queues.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from flask_socketio import (
    ConnectionRefusedError,
    SocketIO,
    emit,
    join_room,
)

from appliance.messages import LessonState
from ui import engine
from ui.access import pupil_may_see
from ui.auth import Role, identify
from ui.context import Context
from ui.state import Change
from ui.views import capture_view, disk_view, live_view, services_view, viewers_view

ROLES: tuple[Role, ...] = ("teacher", "pupil")
MOST_PAGES = 16  # of one viewer: a teacher has several open


def messages(context: Context, changes: set[Change], role: Role) -> list[tuple[str, Any]]:
    """The (event, body) pairs that `role` is to hear about `changes`."""
    state = context.state
    said: list[tuple[str, Any]] = []
    if "lesson" in changes or ("recorded" in changes and role == "teacher"):
        view = live_view(state.lesson, state.lesson_age_s, recording=role == "teacher")
        said.append(("lesson", view if role == "teacher" else for_pupils(context, state.lesson, view)))
    if "viewers" in changes:
        said.append(("viewers", viewers_view(state.viewers, names=role == "teacher")))
    if "sources" in changes:
        said.append(("sources", {"live": sorted(state.sources)}))
    if "media" in changes:
        started = state.streaming_started_ns
        first = started[0] if started else None
        said.append(("media", {"streaming_started_ns": first, "processes_started_ns": started}))
    if role == "teacher" and "level" in changes:
        said.append(("level", capture_view(state.capture)))
    if role == "teacher" and "disk" in changes:
        said.append(("disk", disk_view(state.disk)))
    if role == "teacher" and "services" in changes:
        said.append(("services", services_view(state.statuses())))
    return said


def for_pupils(context: Context, lesson: LessonState | None, view: dict[str, Any] | None) -> dict[str, Any] | None:
    """Pupils who were in a lesson hear that it is over also when its recording is not for them, and no more of it."""
    if lesson is None or view is None:
        return None
    seen = pupil_may_see(context.secrets.room_code, lesson.code, lesson.visibility, lesson.state == "live")
    if seen and lesson.state != "deleted":
        return view
    return {**view, "title": "", "page": None}


def install(app: Flask, context: Context) -> SocketIO:
    """Attach Socket.IO to `app` and pushes to the state."""
    socketio = SocketIO(
        app, async_mode="threading", manage_session=False, max_http_buffer_size=engine.LONGEST_BODY, path="socket.io"
    )
    app.wsgi_app = engine.Door(app.wsgi_app, socketio.server, context.places)  # type: ignore[method-assign]

    def connect(auth: object = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        identity = context.tokens.read(token) if isinstance(token, str) else identify(context.tokens)
        if identity is None:
            raise ConnectionRefusedError("unauthorized")
        if not engine.welcome(socketio.server, request.environ, identity.viewer, MOST_PAGES):
            raise ConnectionRefusedError("too many pages")
        join_room(identity.role)
        everything: set[Change] = {"lesson", "viewers", "sources", "media", "level", "services", "disk"}
        for event, body in messages(context, everything, identity.role):
            if event == "lesson" and body and not body["page"]:
                body = None  # who was not in it hears nothing of it
            emit(event, (body,))  # a bare None would be sent as no argument at all

    def push(changes: set[Change]) -> None:
        for role in ROLES:
            for event, body in messages(context, changes, role):
                socketio.emit(event, (body,), to=role)

    socketio.on_event("connect", connect)
    context.state.on_change(push)
    return socketio
