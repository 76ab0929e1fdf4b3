"""The beginning and the end that a teacher cuts off a lesson: a line in its journal, which another takes back."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path

from appliance.bus import CommandRefused
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import TrimLesson, TrimmedLesson
from lessons import edition
from lessons.amendments import Amendments
from lessons.folder import THUMBNAIL
from lessons.handlers import Handlers
from lessons.journal import Record, Trimmed
from lessons.recording import Recording

SHORTEST_S = 1.0


class Trims:
    """`wall` is the clock, in Unix seconds; `illustrate` is told the folder of a lesson that needs other pictures."""

    def __init__(
        self, root: Path, amendments: Amendments, wall: Callable[[], float], illustrate: Callable[[Path], None]
    ) -> None:
        self._root = root
        self._amendments = amendments
        self._wall = wall
        self._illustrate = illustrate

    def handlers(self) -> Handlers:
        return {TrimLesson: self.trim}

    def trim(self, command: TrimLesson) -> TrimmedLesson:
        """Raises CommandRefused."""
        made: list[tuple[TrimmedLesson, bool]] = []

        def decide(recording: Recording, now: int | None) -> list[Record]:
            if now is not None or recording.state == "live":
                raise CommandRefused("conflict", "the lesson is live")
            start, end = decided(command, recording)
            changes = (start, end) != edition.snap(recording, *recording.trim)
            made.append((told(recording, start, end), changes))
            return [Trimmed(start, end, self._wall())] if changes else []

        self._amendments.write(command.id, decide)
        answer, changed = made[-1]
        if changed:
            # The first picture that is shown is another one.
            with contextlib.suppress(OSError):
                (self._root / command.id / THUMBNAIL).unlink()
            self._illustrate(self._root / command.id)
        return answer


def decided(command: TrimLesson, recording: Recording) -> edition.Cut:
    """Where the lesson is cut (ticks). Raises CommandRefused."""
    asked = [place for place in (command.start_s, command.end_s) if place is not None]
    if not all(math.isfinite(place) and place >= 0 for place in asked):
        raise CommandRefused("invalid", "a lesson is cut at 0 s or later")
    start, end = _ticks(command.start_s), _ticks(command.end_s)
    wanted = min(recording.end, recording.end if end is None else end) - (start or 0)
    if asked and wanted < SHORTEST_S * VIDEO_TIMESCALE:
        raise CommandRefused("invalid", f"less than {SHORTEST_S:g} s would be left of the lesson")
    return edition.snap(recording, start, end)


def _ticks(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * VIDEO_TIMESCALE)


def told(recording: Recording, start: int | None, end: int | None) -> TrimmedLesson:
    """The cut in seconds of the whole lesson."""
    begin, finish = start or 0, recording.end if end is None else end
    return TrimmedLesson(*(ticks / VIDEO_TIMESCALE for ticks in (begin, finish, finish - begin)))
