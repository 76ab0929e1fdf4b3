"""What two lessons are as one: the lines that the first one's journal needs so that the second follows. Pure, no I/O.

The second one's files keep their bytes, and with them their times; `PartOpened.moved` says how much later they play.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from appliance.bus import CommandRefused
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Visibility
from lessons import stills
from lessons.journal import (
    CAMERA,
    JOINED,
    Described,
    Gap,
    Interrupted,
    Mark,
    MarkRemoved,
    PartClosed,
    Record,
    SourceRecord,
    Stopped,
    Trimmed,
)
from lessons.recording import Part, Recording
from lessons.vtt import Cue

NARROWEST: tuple[Visibility, ...] = ("teacher", "class", "school")


class Moved(NamedTuple):
    """A part of the second lesson, the file that it has in the first one's folder, and how many ticks later it plays
    there."""

    source: str
    part: Part
    number: int
    file: str
    by: int


def check(first: Recording, second: Recording) -> None:
    """Raises CommandRefused for two that cannot be one."""
    if not first.end or not second.end:
        raise CommandRefused("conflict", "there is nothing recorded in one of them")
    if first.trim[1] is not None or second.trim[0] is not None:
        raise CommandRefused("conflict", "what is cut off would stand in the middle: show all of both first")


def moved(first: Recording, second: Recording) -> list[Moved]:
    """Where the second one's parts are to be: the camera's right behind the first lesson, others as far behind theirs,
    never before what of the same source is there already."""
    placed = []
    for source in (CAMERA, *second.beside):
        strand = first.strand(source)
        number = max((part.opened.number for part in strand.parts), default=0)
        end = strand.end
        for part in second.strand(source).parts:
            if not part.fragments:
                continue
            number += 1
            by = max(first.end, end - part.opened.start)
            stem = part.opened.file.rpartition("-")[0]
            placed.append(Moved(source, part, number, f"{stem}-{number:04d}.mp4", by))
            end = part.end + by
    return placed


def lines(
    first: Recording, second: Recording, places: Iterable[Moved], said: Iterable[Record], wall: float
) -> list[Record]:  # fmt: skip
    """The lines for the first one's journal. `said` is what the second one's journal says, also of what is no more;
    `wall` in Unix seconds."""
    records: list[Record] = [Gap(0.0, JOINED)]
    holes = list(zip(second.holes, second.gaps, strict=True))
    for place in places:
        if place.source == CAMERA:
            while holes and holes[0][0].at <= place.part.opened.start:
                hole, gap = holes.pop(0)
                records.append(Gap(hole.seconds, gap.reason))
        records += _part(place)
    by = first.end
    records += _marks(first, second, said, by)
    records += _about(first, second, by, wall)
    end = Interrupted if second.state == "interrupted" else Stopped
    return [*records, end(second.last_at)]  # last, so that a start finds it at the journal's end


def _part(place: Moved) -> Iterator[Record]:
    opened = place.part.opened
    parts: list[Record] = [
        replace(
            opened, number=place.number, file=place.file, start=opened.start + place.by, moved=opened.moved + place.by
        )
    ]
    parts += [replace(one, part=place.number, start=one.start + place.by) for one in place.part.fragments]
    if place.part.closed is not None:
        parts.append(PartClosed(place.number, place.part.closed))
    if place.source == CAMERA:
        yield from parts
    else:
        for one in parts:
            yield SourceRecord(place.source, one)  # type: ignore[arg-type]


def _marks(first: Recording, second: Recording, said: Iterable[Record], by: int) -> Iterator[Record]:
    """The second one's marks, later; pages that were found have the ids that they would be found under again, also
    those that nobody wanted."""
    taken = first.marks.keys() | first.removed_marks
    for mark in second.marks.values():
        yield _mark(mark, by, second.created.id, taken)
    gone = {one.id: one for one in said if isinstance(one, Mark) and one.id in second.removed_marks}
    for mark in gone.values():
        if mark.kind != "teacher":
            yield MarkRemoved(_mark(mark, by, second.created.id, taken).id)


def _mark(mark: Mark, by: int, lesson: str, taken: Iterable[str]) -> Mark:
    if mark.kind != "teacher":
        return replace(mark, at=mark.at + by, id=stills.page_mark(mark.kind, mark.at + by, 0.0).id)
    other = hashlib.sha256(f"{lesson} {mark.id}".encode()).hexdigest()[:8]
    return replace(mark, at=mark.at + by, id=other if mark.id in taken else mark.id)


def _about(first: Recording, second: Recording, by: int, wall: float) -> Iterator[Record]:
    """Whoever may not see one of them may not see both, and what was to be deleted sooner still is."""
    visibility = min(first.about.visibility, second.about.visibility, key=NARROWEST.index)
    if visibility == "class" and first.created.code != second.created.code:
        visibility = "teacher"
    dates = [one.about.ends_at for one in (first, second) if one.about.ends_at is not None]
    described = Described(wall, visibility=visibility, ends_at=min(dates, default=None))
    if first.about.corrected(described) != first.about:
        yield described
    start, end = first.trim[0], second.trim[1]
    if (start, end) != (None, None):
        yield Trimmed(start, None if end is None else end + by, wall)


def captions(first: Iterable[Cue], second: Iterable[Cue], by: int) -> list[Cue]:
    """The cues of both, the second one's `by` ticks later."""
    later = by * 1000 // VIDEO_TIMESCALE
    return [*first, *(Cue(cue.start_ms + later, cue.end_ms + later, cue.text) for cue in second)]
