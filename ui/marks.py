"""A lesson's marks over the API, and as the chapters of its replay."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from flask import Response, jsonify

from appliance.messages import Marked
from ui import api, media
from ui.context import here
from ui.ports import Chapter
from ui.problems import Problem
from ui.timeline import chapter_title
from ui.views import clean_text, file_name

LONGEST_TEXT = 200
MARKS = f"/lessons/{api.LESSON}/marks"
MARK = f"{MARKS}/<string(maxlength=64):mark>"


class MarkRequest(msgspec.Struct, frozen=True):
    text: str | None = None
    at_s: Annotated[float, msgspec.Meta(ge=0)] | None = None


@api.blueprint.get(MARKS)
def list_marks(id: str) -> Response:
    context = media.reader()
    with media.known("lesson"):
        found, stills = context.lessons.chapters(id), context.lessons.stills(id)
    return api.private(
        jsonify(
            marks=[
                mark_view(one, f"/lessons/{id}/stills/{one.place}.jpg" if one.place in stills else None)
                for one in found
            ]
        )
    )


@api.blueprint.post(MARKS)
def add_mark(id: str) -> Response:
    context = here()
    context.require("teacher")
    asked = api.read_body(MarkRequest)
    made = context.lessons.mark(id, wanted_text(asked.text) or "", asked.at_s)
    response = api.private(jsonify(mark_view(made)), 201)
    response.headers["Location"] = f"/api/v1/lessons/{id}/marks/{made.id}"
    return response


@api.blueprint.patch(MARK)
def change_mark(id: str, mark: str) -> Response:
    context = here()
    context.require("teacher")
    asked = api.read_body(MarkRequest)
    return api.private(jsonify(mark_view(context.lessons.change_mark(id, mark, wanted_text(asked.text), asked.at_s))))


@api.blueprint.delete(MARK)
def remove_mark(id: str, mark: str) -> Response:
    context = here()
    context.require("teacher")
    context.lessons.remove_mark(id, mark)
    return api.private(Response(), 204)


@media.blueprint.get("/chapters.vtt")
def chapters(id: str) -> Response:
    context = media.reader()
    with media.known("lesson"):
        text = context.lessons.chapters_vtt(id, chapter_title)
    return vtt_response(text)


@media.blueprint.get("/strip.vtt")
def strip(id: str) -> Response:
    context = media.reader()
    with media.known("strip"):
        text = context.lessons.strip_vtt(id)
    return vtt_response(text)


@media.blueprint.get("/strip/<string:name>.jpg")
def sheet(id: str, name: str) -> Response:
    context = media.reader()
    with media.known("picture"):
        return media.picture(context.lessons.sheet_path(id, f"{name}.jpg"))


@media.blueprint.get("/stills/<int:at>.jpg")
def still(id: str, at: int) -> Response:
    context = media.reader()
    with media.known("picture"):
        return media.picture(context.lessons.still_path(id, at))


@media.blueprint.get("/stills.pdf")
def stills(id: str) -> Response:
    """The stills with what was said of them, a page each; sent while it is being made."""
    context = media.reader()
    lesson = context.lessons.get(id)
    with media.known("picture"):
        pieces = context.lessons.stills_pdf(
            id, lesson.title, lambda one: f"{lesson.title} · {one.text or chapter_title(one)}"
        )
    response = Response(pieces, content_type="application/pdf")
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Content-Disposition"] = media.attachment(file_name(lesson.title, lesson.started_at, ".pdf"))
    return response


def vtt_response(text: str) -> Response:
    response = Response(text, content_type="text/vtt; charset=utf-8")
    response.headers["Vary"] = "Cookie, Accept-Language"
    return media.fresh(response)


def mark_view(mark: Marked | Chapter, still: str | None = None) -> dict[str, Any]:
    return {"id": mark.id, "at_s": mark.at_s, "text": mark.text, "kind": mark.kind, "still": still}


def wanted_text(text: str | None) -> str | None:
    """Raises Problem 400."""
    if not text or not text.strip():
        return text and ""
    cleaned = clean_text(text, LONGEST_TEXT)
    if cleaned is None:
        raise Problem(400, f"text: at most {LONGEST_TEXT} characters, no control characters")
    return cleaned
