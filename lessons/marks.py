"""Marks: set, changed and removed, in a lesson that is live or over. People name places of the lesson as it is shown,
the journal those of the whole."""

from __future__ import annotations

import re
from collections.abc import Callable

from appliance.bus import CommandRefused
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Done, Marked, MarkLesson, RemoveMark
from lessons import edition
from lessons.amendments import Amendments
from lessons.handlers import Handlers
from lessons.journal import Mark, MarkRemoved, Record
from lessons.recording import Recording

LONGEST_TEXT = 200
MOST = 2000
MARK_ID = re.compile(r"[0-9a-f]{8}")


class Marks:
    """`wall` is the clock, in Unix seconds."""

    def __init__(self, amendments: Amendments, wall: Callable[[], float]) -> None:
        self._amendments = amendments
        self._wall = wall

    def handlers(self) -> Handlers:
        return {MarkLesson: self.mark, RemoveMark: self.remove}

    def mark(self, command: MarkLesson) -> Marked:
        """Raises CommandRefused."""
        check(command)
        kept: list[tuple[Mark, int]] = []

        def decide(recording: Recording, now: int | None) -> list[Record]:
            known = recording.marks.get(command.mark)
            mark = decided(command, recording, known, now, self._wall())
            kept.append((mark, edition.of(recording).shift))
            return [] if mark == known else [mark]

        self._amendments.write(command.id, decide)
        mark, shift = kept[-1]
        return Marked(mark.id, (mark.at - shift) / VIDEO_TIMESCALE, mark.text, mark.kind)

    def remove(self, command: RemoveMark) -> Done:
        """Raises CommandRefused."""

        def decide(recording: Recording, now: int | None) -> list[Record]:
            if command.mark in recording.marks:
                return [MarkRemoved(command.mark)]
            if command.mark in recording.removed_marks:
                return []
            raise CommandRefused("not_found", f"there is no mark {command.mark}")

        self._amendments.write(command.id, decide)
        return Done()


def check(command: MarkLesson) -> None:
    """Raises CommandRefused for what no lesson takes."""
    if not MARK_ID.fullmatch(command.mark):
        raise CommandRefused("invalid", "a mark's id is eight hex digits")
    if command.text is not None and len(command.text) > LONGEST_TEXT:
        raise CommandRefused("invalid", f"the text is longer than {LONGEST_TEXT} characters")
    if command.at_s is not None and not 0 <= command.at_s < float("inf"):
        raise CommandRefused("invalid", "a mark stands at 0 s or later")


def decided(command: MarkLesson, recording: Recording, known: Mark | None, now: int | None, wall: float) -> Mark:
    """The mark as it is to be. Raises CommandRefused."""
    if known is None:
        return _created(command, recording, now, wall)
    if command.new:  # asked again
        return known
    text = known.text if command.text is None else command.text
    at = known.at if command.at_s is None else _place(command.at_s, recording, now)
    if (at, text) == (known.at, known.text):
        return known
    return Mark(known.id, at, text, known.kind, wall)


def _created(command: MarkLesson, recording: Recording, now: int | None, wall: float) -> Mark:
    if not command.new:
        raise CommandRefused("not_found", f"there is no mark {command.mark}")
    if len(recording.marks) >= MOST:
        raise CommandRefused("invalid", f"the lesson has {MOST} marks")
    if command.at_s is not None:
        at = _place(command.at_s, recording, now)
    elif now is not None:
        at = now
    else:
        raise CommandRefused("invalid", "the lesson is over: a mark needs its place")
    return Mark(command.mark, at, command.text or "", "teacher", wall)


def _place(at_s: float, recording: Recording, now: int | None) -> int:
    shown, shift, _ = edition.of(recording)
    at = round(at_s * VIDEO_TIMESCALE)
    if at > max(shown.end, now or 0):
        raise CommandRefused("invalid", "the lesson is not that long")
    return at + shift
