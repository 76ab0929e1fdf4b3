"""What picture a viewer gets: its choice (JSON on the WHEP session), and stills for lines that carry no moving one."""

from __future__ import annotations

import hashlib
from typing import cast, get_args

import msgspec
from flask import Blueprint, Response, jsonify, request

from appliance.messages import QualityChoice
from ui.auth import Identity
from ui.context import here
from ui.problems import Problem

blueprint = Blueprint("quality", __name__)
JSON = "application/json"


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object only asks."""

    quality: QualityChoice | None = None


def read_query() -> QualityChoice:
    """``?quality=`` of a new session. Raises Problem 400."""
    asked = request.args.get("quality", "automatic")
    if asked not in get_args(QualityChoice):
        raise Problem(400, f"quality is one of {', '.join(get_args(QualityChoice))}")
    return cast("QualityChoice", asked)


def choose(session: str, identity: Identity) -> Response:
    """PATCH with application/json: take the viewer's choice, and tell what it gets."""
    try:
        choice = msgspec.json.decode(request.get_data() or b"{}", type=Choice)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"the body is not what this call takes: {error}") from None
    got = here().streaming.quality(session, viewer=identity.viewer, choice=choice.quality)
    response = jsonify(quality=got.quality, showing=got.showing)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/api/v1/still")
def still() -> Response:
    """The camera's picture of now. Pupils see it while a lesson is live, as they see the moving one."""
    context = here()
    identity = context.require("teacher", "pupil")
    if identity.role == "pupil" and context.state.live is None:
        raise Problem(409, "no lesson is live")
    picture = context.capture.still()
    response = Response(picture.data, content_type="image/jpeg")
    response.set_etag(hashlib.sha256(picture.data).hexdigest()[:24])
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response
