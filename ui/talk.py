"""Pupils' voices: the teacher's switch over the API, and what was recorded of them for the replay."""

from __future__ import annotations

import msgspec
import structlog
from flask import Response, jsonify
from flask_babel import gettext as _

from ui import api, media
from ui.context import here

log = structlog.get_logger()


class TalkRequest(msgspec.Struct, frozen=True):
    record: bool


@api.blueprint.put(f"/lessons/{api.LESSON}/talk")
def record_talk(id: str) -> Response:
    context = here()
    context.require("teacher")
    asked = api.read_body(TalkRequest)
    context.lessons.record_talk(id, asked.record)
    log.info("pupils' voices", lesson=id, recorded=asked.record)
    return api.private(jsonify(record=asked.record))


@media.blueprint.get("/talk.m3u8")
def talk_playlist(id: str) -> Response:
    return media.playlist_of(id, "talk")


@media.blueprint.get("/talk.mp4")
def whole_talk(id: str) -> Response:
    return media.whole_of(id, "talk", f" ({_('Voices of the pupils')})")
