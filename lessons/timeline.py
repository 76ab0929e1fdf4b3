"""What a replay shows along its time: how long the lesson is, what is missing, and where the screen belongs.

A pure function of the journal. Times are seconds from the lesson's first picture on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.chapters import Chapter, chapters
from lessons.edition import Edition
from lessons.journal import SCREEN, TALK
from lessons.low_rung import LOW
from lessons.playlist import Span, spans
from lessons.recording import Part


class Gap(NamedTuple):
    """At `at_s` about `seconds` were not recorded (None: nobody can know); `reason` as the journal has it."""

    at_s: float
    seconds: float | None
    reason: str


class Silence(NamedTuple):
    """From `start_s` to `end_s` (None: to the end) the recording has no track of sound, while it has one elsewhere:
    players cannot go from one to the other."""

    start_s: float
    end_s: float | None


class Timeline(NamedTuple):
    """One lesson as its replay shows it now. `stills` are the places (ticks) of which there is a picture, `strip`
    whether there are some for the seek bar, `talk` is where pupils' voices are recorded, `low` whether there is a low
    rung, `trimmed_s` how much its teacher cut off, `sound` whether there is any."""

    state: Literal["live", "ended", "interrupted"]
    duration_s: float
    gaps: list[Gap]
    chapters: list[Chapter]
    screen: list[Span]
    silent: list[Silence]
    stills: Collection[int] = ()
    strip: bool = False
    talk: Sequence[Span] = ()
    low: bool = False
    trimmed_s: float = 0.0
    sound: bool = False


def of(edition: Edition, stills: Collection[int] = (), *, strip: bool = False) -> Timeline:
    """Gaps that nothing was recorded behind are left out: whether they are gaps is not known yet."""
    recording = edition.shown
    return Timeline(
        recording.state,
        recording.duration_s,
        [
            Gap(hole.at / VIDEO_TIMESCALE, hole.seconds, hole.reason)
            for hole in recording.holes
            if hole.at < recording.end
        ],
        chapters(recording, edition.shift),
        spans(recording, SCREEN),
        silent(recording.parts),
        stills,
        strip,
        tuple(spans(recording, TALK)),
        LOW in recording.beside,
        (edition.whole.end - recording.end) / VIDEO_TIMESCALE,
        any(part.opened.audio and part.fragments for part in recording.parts),
    )


def silent(parts: Sequence[Part]) -> list[Silence]:
    """The runs of parts without sound; none when no part has any."""
    played = [part.opened for part in parts if part.fragments]
    if all(opened.audio is None for opened in played):
        return []
    runs = [(quiet, next(run).start / VIDEO_TIMESCALE) for quiet, run in groupby(played, lambda one: one.audio is None)]
    ends = [*(start for _, start in runs[1:]), None]
    return [Silence(start, end) for (quiet, start), end in zip(runs, ends, strict=True) if quiet]
