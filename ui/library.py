"""The library of recordings over the API: found by what is said of them, and corrected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, cast

import msgspec
import structlog
from flask import Response, jsonify, request

from appliance.messages import FindLessons, Visibility
from ui import api
from ui.auth import Identity
from ui.context import here
from ui.problems import Problem
from ui.views import LONGEST_TITLE, clean_text, lesson_view

log = structlog.get_logger()


SORTS = ("date", "title", "length")
ORDERS = ("asc", "desc")
LONGEST_QUERY = 200
MOST = 1000


class Description(msgspec.Struct, frozen=True):
    """What is left out, or null, stays."""

    title: str | None = None
    subject: str | None = None
    group: str | None = None
    teacher: str | None = None
    visibility: Visibility | None = None


@api.blueprint.patch(f"/lessons/{api.LESSON}")
def describe_lesson(id: str) -> Response:
    context = here()
    context.require("teacher")
    asked = api.read_body(Description)
    title = asked.title
    if title is not None:
        title = clean_text(title, LONGEST_TITLE)
        if title is None:
            raise Problem(400, f"title: 1 to {LONGEST_TITLE} characters, no control characters")
    said = {name: getattr(asked, name) for name in ("subject", "group", "teacher")}
    words = {name: text if text is None else api.words(name, text) for name, text in said.items()}
    lesson = context.lessons.describe(id, title, **words, visibility=asked.visibility)
    log.info("lesson described", lesson=id, visibility=lesson.visibility)
    last = context.state.lesson
    if last and last.id == id and last.state != "live":  # of a live one the recorder tells
        context.state.note_lesson(lesson)
    return api.private(jsonify(lesson_view(lesson, teacher=True)))


class JoinRequest(msgspec.Struct, frozen=True):
    next: str


@api.blueprint.post(f"/lessons/{api.LESSON}/join")
def join_lessons(id: str) -> Response:
    """The recording of another lesson follows this one's; the other is no more."""
    context = here()
    context.require("teacher")
    asked = api.read_body(JoinRequest)
    lesson = context.lessons.join(id, asked.next)
    log.info("lessons joined", lesson=id, next=asked.next)
    return api.private(jsonify(lesson_view(lesson, teacher=True)))


@api.blueprint.get("/lessons")
def find_lessons() -> Response:
    context = here()
    identity = context.require("teacher", "pupil")
    found = context.lessons.find(wanted(request.args, identity))
    return api.private(
        jsonify(
            lessons=[lesson_view(lesson, teacher=identity.role == "teacher") for lesson in found.lessons],
            total=found.total,
            subjects=found.subjects,
            groups=found.groups,
            teachers=found.teachers,
        )
    )


def wanted(args: Mapping[str, str], identity: Identity) -> FindLessons:
    """What the parameters of an address ask for; what is left out or empty is any. Raises Problem 400."""
    words = {name: args.get(name, "")[:LONGEST_QUERY] for name in ("q", "subject", "group", "teacher")}
    sort = _one_of(args, "sort", SORTS)
    order = _one_of(args, "order", ORDERS) if args.get("order") else "asc" if sort == "title" else "desc"
    limit = _number(args, "limit", 1, MOST) if args.get("limit") else None
    return FindLessons(
        words["q"], words["subject"], words["group"], words["teacher"],
        since=_moment(args, "since", 0), until=_moment(args, "until", 1),
        sort=cast(Literal["date", "title", "length"], sort), descending=order == "desc",
        limit=limit, offset=_number(args, "offset", 0, 10**9),
        code=None if identity.role == "teacher" else identity.code,
    )  # fmt: skip


def _one_of(args: Mapping[str, str], name: str, known: Sequence[str]) -> str:
    value = args.get(name) or known[0]
    if value not in known:
        raise Problem(400, f"{name}: one of {', '.join(known)}")
    return value


def _number(args: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = args.get(name) or str(least)
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise Problem(400, f"{name}: {least} to {most}")
    return int(text)


def _moment(args: Mapping[str, str], name: str, days: int) -> float | None:
    """Unix seconds from a number of them, or from the beginning of a day (2026-11-26) of the kit's time zone, `days`
    later."""
    text = args.get(name)
    if not text:
        return None
    try:
        if re.fullmatch(r"[0-9]{1,11}([.][0-9]{1,9})?", text):
            return float(text)
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return (datetime.fromisoformat(text) + timedelta(days=days)).timestamp()
    except (ValueError, OverflowError):
        raise Problem(400, f"{name}: seconds of Unix time, or a day such as 2026-11-26") from None
