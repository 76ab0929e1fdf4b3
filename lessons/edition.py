"""A lesson as it is shown: what is left of it when its teacher cut the beginning or the end. Pure, no I/O.

Not a byte of the recording changes: the shown lesson is another `Recording`, with the fragments inside the cut and its
times counted from the first of them. Whatever is made of a recording (playlist, download, timeline, captions) is made
of that one, so that all of it agrees.
"""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from lessons.journal import Fragment
from lessons.low_rung import LOW
from lessons.recording import Part, Recording, Strand

Cut = tuple[int | None, int | None]  # as `Recording.trim`


class Edition(NamedTuple):
    """`shown` begins at 0, which is `shift` ticks into the timeline of `whole`; they are one while nothing is cut."""

    shown: Recording
    shift: int
    whole: Recording


def of(recording: Recording) -> Edition:
    """The recording as it is shown: itself while nothing is cut, or while it is live."""
    untouched = recording.state == "live" or recording.trim == (None, None)
    start, end = (None, None) if untouched else snap(recording, *recording.trim)
    if (start, end) == (None, None):
        return Edition(recording, 0, recording)
    begin = start or 0
    finish = recording.end if end is None else end
    # What other sources recorded behind the camera's end is as it was while the end is not cut.
    last = max(recording.end, *(one.end for one in recording.beside.values()), 0) if end is None else end
    shown = copy.copy(recording)
    shown.trim = None, None
    shown.camera = _restricted(recording.camera, begin, finish)
    shown.beside = {name: _restricted(one, begin, last) for name, one in recording.beside.items()}
    if LOW in shown.beside:
        # Never behind the camera's end, and never where a damaged picture has made it differ from the camera's.
        shown.beside[LOW] = _restricted(recording.beside[LOW], begin, finish)
        if _places(shown.beside[LOW]) != _places(shown.camera):
            del shown.beside[LOW]
    inside = [index for index, hole in enumerate(recording.holes) if begin < hole.at < finish]
    shown.gaps = [recording.gaps[index] for index in inside]
    shown.holes = [recording.holes[index]._replace(at=recording.holes[index].at - begin) for index in inside]
    shown.marks = {
        id: replace(mark, at=mark.at - begin)
        for id, mark in recording.marks.items()
        if begin <= mark.at and (end is None or mark.at < end)
    }
    return Edition(shown, begin, recording)


def snap(recording: Recording, start: int | None, end: int | None) -> Cut:
    """The cut (ticks) that is made when `start` to `end` is asked for: from the keyframe at or before `start` to the
    end of the fragment that holds `end`, None where nothing is cut off. Something is always left."""
    fragments = [one for part in recording.parts for one in part.fragments]
    if not fragments:
        return None, None
    keyframes = [one.start for one in fragments if one.keyframe]
    ends = [one.start + one.duration for one in fragments]
    begin = keyframes[max(0, bisect_right(keyframes, start) - 1)] if start is not None and keyframes else 0
    last = len(ends) - 1
    if end is not None:
        # Never before the first picture that is shown.
        last = min(last, max(bisect_left(ends, end), bisect_right(ends, begin)))
    return begin or None, ends[last] if last < len(ends) - 1 else None


def _restricted(strand: Strand, begin: int, end: int) -> Strand:
    """The fragments that lie between `begin` and `end` whole, each part from a keyframe on, `begin` ticks earlier."""
    parts = []
    for part in strand.parts:
        found = list(_inside(part, begin, end))
        if not found:
            continue
        shown = [replace(one, start=one.start - begin) for one in found]
        opened = replace(part.opened, start=shown[0].start, moved=part.opened.moved - begin)
        parts.append(Part(opened, shown, part.closed))
    return Strand(parts, strand.last_at)


def _places(strand: Strand) -> list[tuple[int, int]]:
    """Where its fragments begin, and how long they are."""
    return [(one.start, one.duration) for part in strand.parts for one in part.fragments]


def _inside(part: Part, begin: int, end: int) -> Iterator[Fragment]:
    begun = False
    for one in part.fragments:
        begun = begun or (one.start >= begin and one.keyframe)
        if begun and one.start + one.duration <= end:
            yield one
