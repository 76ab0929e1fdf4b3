"""WHEP signalling (draft-ietf-wish-whep, and RFC 9725 where it refers to it): carries SDP between browsers and the
streaming service, nothing else.

Players of other sites may use it with a Bearer token (CORS); cookies count for the kit's own pages only. Pupils are let
in while a lesson is live, the teacher always (the preview). A session belongs to the viewer who opened it: streaming
answers `not_found` to anybody else. ``?source=screen`` asks for the shared screen instead of the camera,
``?quality=`` for a picture that the line carries (ui.quality). GET tells nothing, not even whether there is such a
session, but succeeds (RFC 9725 section 4.1); other methods are for later versions of the standards (405).
"""

from __future__ import annotations

import time
from typing import Literal, cast

from flask import Blueprint, Response, request

from appliance.bus import CommandRefused
from appliance.messages import Watching
from ui import ice, quality
from ui.auth import Identity, identify, refuse_cross_site
from ui.context import Context, here
from ui.problems import Problem

blueprint = Blueprint("whep", __name__)
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"  # RFC 8840
ACCEPT_PATCH = f"{FRAGMENT}, {quality.JSON}"
SESSION = "/whep/<string(maxlength=64):session>"
ENDPOINT_METHODS = "GET, HEAD, OPTIONS, POST"
SESSION_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH"
RETRY_AFTER_S = 2
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match"
EXPOSED_HEADERS = "Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After"
PREFLIGHT_AGE_S = 600


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


@blueprint.after_request
def allow_other_sites(response: Response) -> Response:
    """CORS for requests with a Bearer token: "*" makes browsers leave cookies out (Fetch, section 3.2.5)."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    return response


def no_representation(_who: Identity) -> Response:
    """What GET and HEAD say of an endpoint or session, to those who may use it."""
    return Response(status=204, headers={"Cache-Control": "no-store"})


def options_response(allowed: str, accepted: dict[str, str]) -> Response:
    preflight = {
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_AGE_S),
    }
    return Response(status=204, headers={"Allow": allowed, "Cache-Control": "no-store", **accepted, **preflight})


def offer_ice_servers(context: Context, identity: Identity, response: Response) -> Response:
    """Add the STUN and TURN servers (RFC 9725 section 4.6), with credentials of this viewer's own."""
    settings = context.settings
    for server in ice.servers(settings.ice_servers, settings.turn_secret, identity.viewer, time.time()):
        response.headers.add("Link", ice.link(server))
    return response


def entity_tag() -> str:
    """The If-Match header's one strong tag, or "*". Raises Problem 428 or 412."""
    if "If-Match" not in request.headers:
        raise Problem(428, "If-Match is needed: the session's entity tag, or * to restart ICE")
    tags = request.if_match
    if tags.star_tag:
        return "*"
    strong = tags.as_set()
    if len(strong) != 1 or not (tag := next(iter(strong))):
        raise Problem(412, "If-Match must hold the session's one, strong entity tag")
    return tag


@blueprint.route("/whep", methods=["GET"], provide_automatic_options=False)
@blueprint.route(SESSION, methods=["GET"], provide_automatic_options=False)
def nothing(session: str | None = None) -> Response:
    return no_representation(here().require("teacher", "pupil"))


@blueprint.route("/whep", methods=["OPTIONS"], provide_automatic_options=False)
def options() -> Response:
    """Who shows a token learns the ICE servers before making an offer: browsers cannot take them in later."""
    context = here()
    response = options_response(ENDPOINT_METHODS, {"Accept-Post": SDP})
    identity = identify(context.tokens)
    return offer_ice_servers(context, identity, response) if identity else response


@blueprint.route(SESSION, methods=["OPTIONS"], provide_automatic_options=False)
def session_options(session: str) -> Response:
    return options_response(SESSION_METHODS, {"Accept-Patch": ACCEPT_PATCH})


@blueprint.route("/whep", methods=["POST"], provide_automatic_options=False)
def watch() -> Response:
    context = here()
    identity = context.require("teacher", "pupil")
    offer = read_text(SDP, "Accept-Post")
    if identity.role == "pupil" and context.state.live is None:
        raise not_yet("no lesson is live")
    context.openings.take(identity.viewer, request.remote_addr or "")
    try:
        watching = context.streaming.watch(
            viewer=identity.viewer,
            name=identity.name,
            role=cast("Literal['pupil', 'teacher']", identity.role),
            offer=offer,
            peer=request.remote_addr or "",
            source=request.args.get("source", "camera"),
            quality=quality.read_query(),
        )
    except CommandRefused as error:
        raise not_yet(error.detail) if error.kind == "conflict" else error from None
    return opened(identity, "/whep", watching)


def not_yet(detail: str) -> Problem:
    """Nothing to watch at the moment (draft-ietf-wish-whep-03 section 4.2)."""
    return Problem(409, detail, {"Retry-After": str(RETRY_AFTER_S)})


@blueprint.route(SESSION, methods=["PATCH"], provide_automatic_options=False)
def patch(session: str) -> Response:
    identity = here().require("teacher", "pupil")
    return quality.choose(session, identity) if request.mimetype == quality.JSON else patch_session(session, identity)


@blueprint.route(SESSION, methods=["DELETE"], provide_automatic_options=False)
def close(session: str) -> Response:
    return close_session(session, here().require("teacher", "pupil"))


def opened(identity: Identity, where: str, answer: Watching) -> Response:
    """201 for a new session below `where`."""
    headers = {
        "Location": f"{where}/{answer.session}",
        "ETag": quoted(answer.etag),
        "Accept-Patch": FRAGMENT,
        "Cache-Control": "no-store",
    }
    return offer_ice_servers(here(), identity, Response(answer.answer, 201, headers, content_type=SDP))


def patch_session(session: str, identity: Identity) -> Response:
    """Trickled candidates or an ICE restart (RFC 9725 section 4.3)."""
    fragment = read_text(FRAGMENT, "Accept-Patch")
    etag = entity_tag()
    outcome = here().streaming.patch(
        session,
        viewer=identity.viewer,
        etag=etag,
        fragment=fragment,
        peer=request.remote_addr or "",
    )
    if isinstance(outcome, Watching):
        headers = {"ETag": quoted(outcome.etag), "Cache-Control": "no-store"}
        return Response(outcome.answer, 200, headers, content_type=FRAGMENT)
    return Response(status=204)


def close_session(session: str, identity: Identity) -> Response:
    """Also 200 when the session is over already: programs hang up first, and then say so, and sessions end with their
    streaming process. 404 for another viewer's, and for what is no session's id. If-Match counts for nothing here
    (RFC 9725 section 4.3.1)."""
    here().streaming.close(session, viewer=identity.viewer)
    return Response(status=200)
