"""The pages: join and live view, teacher, lessons, replay, status."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import segno
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.wrappers import Response as BaseResponse

from appliance.messages import FindLessons, Lesson
from ui.access import check
from ui.api import join_address
from ui.auth import COOKIES, Identity, identify, new_viewer
from ui.context import Context, here
from ui.library import wanted
from ui.media import known
from ui.ports import Chapter
from ui.retention import ending_text, going, is_going, kept_until
from ui.timeline import chapter_title, timeline_view
from ui.tracks import own_name
from ui.views import clock_text, moment_text, size_text

blueprint = Blueprint("pages", __name__)
ON_A_PAGE = 60
CAPTION_LANGUAGES = ("fr", "en", "ar", "de", "es", "it", "pt", "tr", "uk", "zh")  # the page offers these, the API any
NEXT = re.compile(r"/lessons(/[0-9A-Za-z-]{1,64})?")


@blueprint.app_template_filter("clock")
def clock(seconds: float) -> str:
    return clock_text(seconds)


@blueprint.app_template_filter("moment")
def moment(wall: float, locale: str) -> str:
    return moment_text(wall, locale)


@blueprint.app_template_filter("size")
def size(number: int, locale: str) -> str:
    return size_text(number, locale)


@blueprint.app_template_filter("ending")
def ending(lesson: Lesson, locale: str) -> str:
    return ending_text(lesson, time.time(), locale)


@blueprint.app_template_test("going")
def on_its_way(lesson: Lesson) -> bool:
    return is_going(lesson)


@blueprint.app_template_filter("kept_until")
def until(lesson: Lesson) -> float:
    return kept_until(lesson, here().settings.retention_days, time.time())


@blueprint.get("/")
def index() -> str:
    return join_page("")


@blueprint.get("/join/<string(maxlength=12):code>")
def join(code: str) -> str:
    return join_page(code)


def join_page(code: str) -> str:
    """`next` is where to go after joining, for pages that asked for the code; only the kit's own lesson pages."""
    wanted = request.args.get("next", "")
    after = wanted if NEXT.fullmatch(wanted) else ""
    return render_template("join.html", room=here().settings.room, code=code, after=after)


@blueprint.get("/teacher")
def teacher() -> str:
    context = here()
    identity = identify(context.tokens)
    if identity is None or identity.role != "teacher":
        return render_template("pin.html", room=context.settings.room)
    address = join_address(context)
    code = segno.make(address, error="m").svg_inline(omitsize=True, border=2, dark="#000", light="#fff")
    return render_template(
        "teacher.html",
        room=context.settings.room,
        code=context.secrets.room_code,
        address=address.rsplit("/join/", 1)[0].split("://", 1)[1],
        join_url=address,
        qr=code,
        whip_url=f"{address.rsplit('/join/', 1)[0]}/whip/screen",
        going=going(context),
        whip_token=context.tokens.issue("presenter", "OBS", new_viewer()),
        record_talk=context.settings.record_talk,
    )


def visitor(context: Context) -> Identity | BaseResponse:
    """Whoever may see recordings, or the way to the page that asks for the code."""
    identity = identify(context.tokens)
    known = identity is not None and identity.role in COOKIES
    return identity if identity and known else redirect(url_for("pages.index", next=request.path))


@blueprint.get("/lessons")
def lessons() -> str | BaseResponse:
    context = here()
    who = visitor(context)
    if not isinstance(who, Identity):
        return who
    # The page has one field for sort and order.
    sort, _colon, order = request.args.get("sort", "").partition(":")
    asked = {**request.args, "sort": sort, "order": order, "limit": str(ON_A_PAGE)}
    query = wanted(asked, who)
    found = context.lessons.find(query)
    return render_template(
        "lessons.html",
        found=found,
        asked=request.args,
        query=query,
        turns=turns(query, found.total),
        teacher=who.role == "teacher",
        seen_by=seen_by(),
        days=context.settings.retention_days,
    )


def turns(query: FindLessons, total: int) -> dict[str, str]:
    """The addresses of the pages of the list before and after the present one."""
    offsets = {"before": max(0, query.offset - ON_A_PAGE), "after": query.offset + ON_A_PAGE}
    there = {"before": query.offset > 0, "after": offsets["after"] < total}
    kept = {name: value for name, value in request.args.items() if name != "offset" and value}
    return {
        which: f"/lessons?{urlencode({**kept, 'offset': offset})}" for which, offset in offsets.items() if there[which]
    }


def seen_by() -> dict[str, str]:
    """Who may see a recording, in words."""
    return {
        "class": _("The class: who joined with the code"),
        "teacher": _("The teacher only"),
        "school": _("All pupils of the school"),
    }


@blueprint.get("/lessons/<string(maxlength=64):id>")
def lesson(id: str) -> str | BaseResponse:
    context = here()
    who = visitor(context)
    if not isinstance(who, Identity):
        return who
    check(context, who, id)
    found = context.lessons.get(id)
    with known("lesson"):
        timeline = timeline_view(context.lessons.timeline(id))
        cutting = who.role == "teacher" and timeline["state"] != "live"
        trimmed = context.lessons.trimmed(id) if cutting else None
    # A screen may yet be shared in a lesson that is live: the page looks for it then.
    shown = bool(found.screen_s) or found.state == "live"
    return render_template(
        "lesson.html",
        lesson=found,
        timeline=timeline,
        trimmed=trimmed,
        teacher=who.role == "teacher",
        days=context.settings.retention_days,
        with_screen=shown,
        strip=timeline["strip"],
        stills=stills_of(context, id),
        chapters=chapters_of(context, id),
        chapter_title=chapter_title,
        captions=captions_of(context, id),
        caption_languages=[(language, own_name(language)) for language in CAPTION_LANGUAGES],
    )


def stills_of(context: Context, id: str) -> set[int]:
    """The places of which there is a picture by now."""
    try:
        return context.lessons.stills(id)
    except LookupError:
        return set()


def chapters_of(context: Context, id: str) -> Sequence[Chapter]:
    try:
        return context.lessons.chapters(id)
    except LookupError:
        return ()


def captions_of(context: Context, id: str) -> Sequence[tuple[str, str]]:
    """(language, label) of each caption track."""
    try:
        return context.lessons.captions(id)
    except LookupError:
        return ()


@blueprint.get("/status")
def status() -> Response:
    context = here()
    now_ns = time.monotonic_ns()
    services = [
        {"name": name, "status": known, "uptime_s": max(0, now_ns - known.started_ns) / 1e9}
        for name, known in context.state.statuses().items()
    ]
    page = render_template(
        "status.html",
        room=context.settings.room,
        kit_name=context.settings.kit_name,
        version=context.version,
        services=services,
        disk=disk(context.settings.data_dir),
        live=context.state.live,
        viewers=context.state.viewers,
        counters=counters(context.state.expositions()),
    )
    return Response(page, headers={"Cache-Control": "no-store"})


def disk(folder: Path) -> Any:
    """Total, used and free bytes where lessons are kept."""
    return shutil.disk_usage(folder if folder.exists() else folder.parent)


def counters(expositions: dict[str, bytes]) -> list[tuple[str, str, str]]:
    """(name with labels, value, help) of every sample the services report."""
    rows = []
    for text in expositions.values():
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    labels = ", ".join(f"{key}={value}" for key, value in sample.labels.items())
                    rows.append((f"{sample.name} {labels}".strip(), f"{sample.value:g}", family.documentation))
    return rows
