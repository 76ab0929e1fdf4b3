"""The sound of a recording alone: to listen to on a weak line, and to take along."""

from __future__ import annotations

from flask import Response
from flask_babel import gettext as _

from ui import media

KEPT = "private, max-age=300"  # as any part of a lesson that may be deleted


@media.blueprint.get("/sound.m3u8")
def sound_playlist(id: str) -> Response:
    context = media.reader()
    with media.known("sound"):
        text = context.lessons.sound_playlist(id)
    return media.fresh(Response(text, content_type=media.PLAYLIST))


@media.blueprint.get("/sound/<int:part>-init.mp4")
def sound_init(id: str, part: int) -> Response:
    context = media.reader()
    with media.known("sound"):
        return piece(context.lessons.sound_init(id, part))


@media.blueprint.get("/sound/<int:part>-<int:first>-<int:last>.m4s")
def sound_segment(id: str, part: int, first: int, last: int) -> Response:
    context = media.reader()
    with media.known("sound"):
        return piece(context.lessons.sound_segment(id, part, first, last))


@media.blueprint.get("/lesson.m4a")
def whole_sound(id: str) -> Response:
    name = _("Sound")
    return media.whole_of(id, "sound", f" ({name})", ".m4a", "audio/mp4")


def piece(data: bytes) -> Response:
    response = Response(data, content_type="audio/mp4")
    response.headers["Cache-Control"] = KEPT
    return response
