"""The library of recordings over the API: what is said of a lesson, and who may see it."""

from __future__ import annotations

import msgspec
import structlog
from flask import Response, jsonify

from appliance.messages import Visibility
from ui import api
from ui.context import here
from ui.problems import Problem
from ui.views import LONGEST_TITLE, clean_text, lesson_view

log = structlog.get_logger()


class Description(msgspec.Struct, frozen=True):
    """What is left out, or null, stays."""

    title: str | None = None
    subject: str | None = None
    group: str | None = None
    teacher: str | None = None
    visibility: Visibility | None = None


@api.blueprint.patch(f"/lessons/{api.LESSON}")
def describe_lesson(id: str) -> Response:
    context = here()
    context.require("teacher")
    asked = api.read_body(Description)
    title = asked.title
    if title is not None:
        title = clean_text(title, LONGEST_TITLE)
        if title is None:
            raise Problem(400, f"title: 1 to {LONGEST_TITLE} characters, no control characters")
    said = {name: getattr(asked, name) for name in ("subject", "group", "teacher")}
    words = {name: text if text is None else api.words(name, text) for name, text in said.items()}
    lesson = context.lessons.describe(id, title, **words, visibility=asked.visibility)
    log.info("lesson described", lesson=id, visibility=lesson.visibility)
    last = context.state.lesson
    if last and last.id == id and last.state != "live":  # of a live one the recorder tells
        context.state.note_lesson(lesson)
    return api.private(jsonify(lesson_view(lesson)))
