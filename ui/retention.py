"""What becomes of lessons in the end, for the teacher: their dates, and the receipts of those that were erased."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import msgspec
import structlog
from babel.dates import format_date
from flask import Response, jsonify
from flask_babel import gettext as _

from appliance.bus import BusError, CommandRefused
from appliance.messages import WARNING_S, Lesson
from ui import api
from ui.context import Context, here
from ui.ports import Receipt
from ui.views import lesson_view

log = structlog.get_logger()

DAY_S = 86_400.0
LONGEST_S = 3649 * DAY_S  # the service takes ten years, by its own clock


class End(msgspec.Struct, frozen=True):
    """Unix seconds."""

    ends_at: float


@api.blueprint.put(f"/lessons/{api.LESSON}/end")
def set_end(id: str) -> Response:
    context = here()
    context.require("teacher")
    lesson = context.lessons.keep(id, api.read_body(End).ends_at)
    log.info("lesson ends", lesson=id, ends_at=lesson.ends_at)
    return api.private(jsonify(lesson_view(lesson, teacher=True)))


@api.blueprint.get("/receipts")
def list_receipts() -> Response:
    context = here()
    context.require("teacher")
    return api.private(jsonify(receipts=[receipt_view(one) for one in context.lessons.receipts()]))


def receipt_view(receipt: Receipt) -> dict[str, Any]:
    """One erasure. `told_at` is when an uplink had deleted its copy, null while it is still to."""
    what = receipt.erasing
    return {
        "number": receipt.number,
        "id": what.id,
        "what": what.what,
        "why": what.why,
        "by": what.by,
        "wall": what.wall,
        "erased_at": receipt.erased_at,
        "started_at": what.started_at,
        "duration_s": what.duration_s,
        "bytes": what.bytes,
        "files": what.files,
        "sha256": what.sha256,
        "uplinks": [{"name": name, "told_at": receipt.told.get(name)} for name in what.uplinks],
    }


def is_going(lesson: Lesson) -> bool:
    """Whether the teacher is to be warned: it was not sent, and will be deleted."""
    return lesson.warned_at is not None and not lesson.sent


def going(context: Context) -> int:
    """How many such lessons there are; none while nobody can say."""
    try:
        return sum(is_going(lesson) for lesson in context.lessons.list())
    except (BusError, CommandRefused) as error:
        log.info("lessons not known", reason=str(error))
        return 0


def goes_at(lesson: Lesson, now: float) -> float:
    """When a lesson with a date is deleted at the earliest, in Unix seconds."""
    ends_at = lesson.ends_at or now
    if not lesson.sent:
        ends_at = max(ends_at, (now if lesson.warned_at is None else lesson.warned_at) + WARNING_S)
    return max(ends_at, now)


def ending_text(lesson: Lesson, now: float, locale: str) -> str:
    """The same as the teacher reads it."""
    at = goes_at(lesson, now)
    if not is_going(lesson):
        sentence = _("Sent; will be deleted on {date}") if lesson.sent else _("Will be deleted on {date}")
        return str(sentence).format(date=format_date(datetime.fromtimestamp(at).astimezone(), "long", locale=locale))
    days = math.ceil((at - now) / DAY_S)
    if days == 0:
        return str(_("Will be deleted today, not sent"))
    if days == 1:
        return str(_("Will be deleted within a day, not sent"))
    return str(_("Will be deleted in {count} days, not sent")).format(count=days)


def kept_until(lesson: Lesson, days: int, now: float) -> float:
    """The date (Unix seconds) of a lesson that is kept the school's `days` longer."""
    return float(round(min(max(lesson.ends_at or now, now) + days * DAY_S, now + LONGEST_S)))
