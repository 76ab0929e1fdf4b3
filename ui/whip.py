"""WHIP signalling (RFC 9725): the teacher's screen and, later, pupils' voices come in by it.

Carries SDP between publishers (a page of the kit, OBS) and the streaming service. A source has one publisher at a time:
who comes second is told 409. Sessions are patched and ended as WHEP's are.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from ui.auth import Identity, identify, refuse_cross_site
from ui.context import here
from ui.whep import (
    ENDPOINT_METHODS,
    FRAGMENT,
    SDP,
    SESSION_METHODS,
    allow_other_sites,
    close_session,
    no_representation,
    offer_ice_servers,
    opened,
    options_response,
    patch_session,
    read_text,
)

blueprint = Blueprint("whip", __name__)
SOURCE = "/whip/<string(maxlength=32):source>"
SESSION = f"{SOURCE}/<string(maxlength=64):session>"

blueprint.before_request(refuse_cross_site)
blueprint.after_request(allow_other_sites)


def publisher(source: str) -> Identity:
    """Who may publish: the teacher, and for the screen whoever holds the token that is made for OBS.

    Raises Problem 401 or 403.
    """
    context = here()
    return context.require("teacher", "presenter") if source == "screen" else context.require("teacher")


@blueprint.route(SOURCE, methods=["GET"], provide_automatic_options=False)
@blueprint.route(SESSION, methods=["GET"], provide_automatic_options=False)
def nothing(source: str, session: str | None = None) -> Response:
    return no_representation(publisher(source))


@blueprint.route(SOURCE, methods=["OPTIONS"], provide_automatic_options=False)
def options(source: str) -> Response:
    """Who shows a token learns the ICE servers (RFC 9725 section 4.6)."""
    context = here()
    response = options_response(ENDPOINT_METHODS, {"Accept-Post": SDP})
    identity = identify(context.tokens)
    return offer_ice_servers(context, identity, response) if identity else response


@blueprint.route(SESSION, methods=["OPTIONS"], provide_automatic_options=False)
def session_options(source: str, session: str) -> Response:
    return options_response(SESSION_METHODS, {"Accept-Patch": FRAGMENT})


@blueprint.route(SOURCE, methods=["POST"], provide_automatic_options=False)
def publish(source: str) -> Response:
    identity = publisher(source)
    offer = read_text(SDP, "Accept-Post")
    peer = request.remote_addr or ""
    here().openings.take(identity.viewer, peer)
    answer = here().streaming.publish(source, viewer=identity.viewer, name=identity.name, offer=offer, peer=peer)
    return opened(identity, f"/whip/{source}", answer)


@blueprint.route(SESSION, methods=["PATCH"], provide_automatic_options=False)
def patch(source: str, session: str) -> Response:
    return patch_session(session, publisher(source))


@blueprint.route(SESSION, methods=["DELETE"], provide_automatic_options=False)
def close(source: str, session: str) -> Response:
    return close_session(session, publisher(source))
