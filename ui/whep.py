"""WHEP signalling (draft-ietf-wish-whep): carries SDP between browsers and the streaming service, nothing else.

Pupils are let in while a lesson is live, the teacher always (the preview). A session belongs to the viewer who
opened it: streaming answers `not_found` to anybody else.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.messages import Watching
from ui.auth import refuse_cross_site
from ui.context import here
from ui.problems import Problem

blueprint = Blueprint("whep", __name__)
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"  # RFC 8840
SESSION = "/whep/<string(maxlength=64):session>"


@blueprint.before_request
def same_origin() -> None:
    refuse_cross_site()


def read_text(media_type: str, accept_header: str) -> str:
    """The body, which must be `media_type`. Raises Problem 415 or 400."""
    if request.mimetype != media_type:
        raise Problem(415, f"the body must be {media_type}", {accept_header: media_type})
    try:
        text = request.get_data().decode()
    except UnicodeDecodeError:
        raise Problem(400, "the body is not UTF-8") from None
    if not text.strip():
        raise Problem(400, "the body is empty")
    return text


def quoted(etag: str) -> str:
    return '"' + etag.strip('"') + '"'


@blueprint.route("/whep", methods=["OPTIONS"], provide_automatic_options=False)
def options() -> Response:
    return Response(status=204, headers={"Accept-Post": SDP, "Allow": "POST, OPTIONS"})


@blueprint.route("/whep", methods=["POST"], provide_automatic_options=False)
def watch() -> Response:
    context = here()
    identity = context.require("teacher", "pupil")
    offer = read_text(SDP, "Accept-Post")
    if identity.role == "pupil" and context.state.live is None:
        raise Problem(409, "no lesson is live")
    watching = context.streaming.watch(
        viewer=identity.viewer, name=identity.name, role=identity.role, offer=offer, peer=request.remote_addr or ""
    )
    return Response(
        watching.answer,
        201,
        {"Location": f"/whep/{watching.session}", "ETag": quoted(watching.etag), "Cache-Control": "no-store"},
        content_type=SDP,
    )


@blueprint.patch(SESSION)
def patch(session: str) -> Response:
    context = here()
    identity = context.require("teacher", "pupil")
    fragment = read_text(FRAGMENT, "Accept-Patch")
    etag = request.headers.get("If-Match")
    if etag is None:
        raise Problem(428, "If-Match is needed: the session's entity tag, or * to restart ICE")
    outcome = context.streaming.patch(
        session,
        viewer=identity.viewer,
        etag=etag.strip().removeprefix("W/").strip('"'),
        fragment=fragment,
        peer=request.remote_addr or "",
    )
    if isinstance(outcome, Watching):
        return Response(outcome.answer, 200, {"ETag": quoted(outcome.etag)}, content_type=FRAGMENT)
    return Response(status=204)


@blueprint.delete(SESSION)
def close(session: str) -> Response:
    context = here()
    identity = context.require("teacher", "pupil")
    context.streaming.close(session, viewer=identity.viewer)
    return Response(status=200)
