"""A lesson's chapters: its marks in order, as lists and as WebVTT. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.recording import Recording
from lessons.vtt import Cue, plain, render


class Chapter(NamedTuple):
    """From `at` on (ticks of the shown lesson, never behind its durable end; `place` is where it was set in the whole).
    `number` counts those of its kind from 1; `text` is a person's words, maybe none."""

    id: str
    at: int
    text: str
    kind: Literal["teacher", "board", "screen"]
    number: int
    place: int

    @property
    def at_s(self) -> float:
        return self.at / VIDEO_TIMESCALE


def chapters(recording: Recording, shift: int = 0) -> list[Chapter]:
    """The marks by their place in a recording that begins `shift` ticks into the whole one. A mark set a moment ago may
    stand ahead of what is durable: it is shown at the end."""
    counted = {"teacher": 0, "board": 0, "screen": 0}
    found = []
    for mark in sorted(recording.marks.values(), key=lambda mark: (mark.at, mark.wall, mark.id)):
        counted[mark.kind] += 1
        at, number = min(mark.at, recording.end), counted[mark.kind]
        found.append(Chapter(mark.id, at, mark.text, mark.kind, number, mark.at + shift))
    return found


def to_vtt(found: Iterable[Chapter], duration_s: float, title: Callable[[Chapter], str]) -> str:
    """WebVTT for ``<track kind="chapters">``: each chapter lasts until the next. `title` names one that has no words.
    Where two stand in one place the last counts; one at the very end, which has no time yet, is left out."""
    listed = list(found)
    ends = [*(round(one.at_s * 1000) for one in listed[1:]), round(duration_s * 1000)]
    return render(
        Cue(start, end, plain(one.text) or plain(title(one)))
        for one, end in zip(listed, ends, strict=False)
        if (start := round(one.at_s * 1000)) < end
    )
