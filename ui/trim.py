"""The beginning and the end that a teacher cuts off a lesson, over the API."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from flask import Response, jsonify

from appliance.messages import TrimmedLesson
from ui import api, media
from ui.context import here

TRIM = f"/lessons/{api.LESSON}/trim"
Place = Annotated[float, msgspec.Meta(ge=0)] | None


class TrimRequest(msgspec.Struct, frozen=True):
    start_s: Place = None
    end_s: Place = None


@api.blueprint.get(TRIM)
def get_trim(id: str) -> Response:
    context = media.reader()
    with media.known("lesson"):
        return api.private(jsonify(trim_view(context.lessons.trimmed(id))))


@api.blueprint.put(TRIM)
def put_trim(id: str) -> Response:
    context = here()
    context.require("teacher")
    asked = api.read_body(TrimRequest)
    return api.private(jsonify(trim_view(context.lessons.trim(id, asked.start_s, asked.end_s))))


@api.blueprint.delete(TRIM)
def delete_trim(id: str) -> Response:
    context = here()
    context.require("teacher")
    context.lessons.trim(id)
    return api.private(Response(), 204)


def trim_view(trimmed: TrimmedLesson) -> dict[str, Any]:
    return {"start_s": trimmed.start_s, "end_s": trimmed.end_s, "duration_s": trimmed.duration_s}
