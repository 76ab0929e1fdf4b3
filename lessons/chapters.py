"""A lesson's chapters: its marks in order, as lists and as WebVTT. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.chapter_track import Title
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


Name = Callable[[Chapter], str]
Naming = tuple[str, Name]


def to_vtt(found: Iterable[Chapter], duration_s: float, title: Name) -> str:
    """WebVTT for ``<track kind="chapters">``. `title` names a chapter that has no words."""
    lasting = _lasting(found, duration_s)
    return render(Cue(start, end, plain(one.text) or plain(title(one))) for start, end, one in lasting)


def titles(found: Iterable[Chapter], duration_s: float, naming: Naming) -> list[Title]:
    """The same for the inside of a file; none when there is no chapter. Players want the first to begin at 0: `naming`
    says what comes before it, and how a chapter without words is called."""
    opening, name = naming
    listed = [Title(start, end, one.text or name(one)) for start, end, one in _lasting(found, duration_s)]
    before = [Title(0, listed[0].start_ms, opening)] if listed and listed[0].start_ms else []
    return [*before, *listed]


def _lasting(found: Iterable[Chapter], duration_s: float) -> Iterator[tuple[int, int, Chapter]]:
    """Each chapter from where to where (ms): until the next. Where two stand in one place the last counts; one at the
    very end, which has no time yet, is left out."""
    listed = list(found)
    ends = [*(round(one.at_s * 1000) for one in listed[1:]), round(duration_s * 1000)]
    for one, end in zip(listed, ends, strict=False):
        if (start := round(one.at_s * 1000)) < end:
            yield start, end, one
