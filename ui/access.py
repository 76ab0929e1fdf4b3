"""Who may see a recording: the one place that decides, for pages, files and API.

A pupil is told of a lesson that is not for them just what they are told of one that does not exist.
"""

from __future__ import annotations

from flask import request

from appliance.messages import Visibility
from ui.auth import Identity
from ui.context import Context, here
from ui.problems import Problem


def may_see(identity: Identity, code: str, visibility: Visibility, live: bool) -> bool:
    """Whether a lesson of this code is for them. A teacher sees all."""
    if identity.role == "teacher":
        return True
    return identity.role == "pupil" and pupil_may_see(identity.code, code, visibility, live)


def pupil_may_see(code: str, of_lesson: str, visibility: Visibility, live: bool) -> bool:
    """`code` is what the pupil joined with, `of_lesson` the lesson's: those whose it is see it while it is live,
    whoever may see it later. A code is the kit's, not a school class's (docs/architecture.md)."""
    own = code == of_lesson
    return (own and (live or visibility == "class")) or visibility == "school"


def reader() -> Context:
    """The context, for whoever may see the lesson that this request's address names (`id`).

    Raises Problem 401 for nobody, 403 for a token that opens no recordings, 404 for all else.
    """
    context = here()
    identity = context.require("teacher", "pupil")
    check(context, identity, (request.view_args or {})["id"])
    return context


def check(context: Context, identity: Identity, id: str) -> None:
    """Raises Problem 404."""
    if identity.role == "teacher":
        return
    try:
        audience = context.lessons.audience(id)
        seen = may_see(identity, audience.code, audience.visibility, audience.live)
    except (LookupError, FileNotFoundError):
        live = context.state.live  # of which the disk may not have taken anything yet
        seen = live is not None and live.id == id and may_see(identity, live.code, live.visibility, True)
    if not seen:
        raise Problem(404, "there is no such lesson")
