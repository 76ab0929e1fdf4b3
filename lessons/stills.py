"""Which picture stands for a place of the lesson. Pure, no I/O."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import CAMERA, SCREEN, Mark
from lessons.recording import Recording
from lessons.strip import Keyframe, keyframes

FOLDER = "stills"
WIDTH, HEIGHT = 960, 540
THUMBNAIL_AT_S = 2.0


def name(at: int) -> str:
    """The file of the still of a place (ticks)."""
    return f"{at}.jpg"


def page_mark(kind: str, at: int, wall: float) -> Mark:
    """The mark of a page that was found. Found again it has the same id."""
    return Mark(f"{zlib.crc32(f'{kind} {at}'.encode()):08x}", at, "", "screen" if kind == "screen" else "board", wall)


def unknown(recording: Recording, found: Iterable[Mark]) -> list[Mark]:
    """Those marks that the lesson has not, and of which nobody has said that they are not wanted."""
    return [one for one in found if one.id not in recording.marks and one.id not in recording.removed_marks]


def thumbnail(recording: Recording) -> Keyframe | None:
    """The last keyframe within the first seconds; None when there is none at all."""
    found = keyframes(recording.camera)
    return found[max(0, _before(found, round(THUMBNAIL_AT_S * VIDEO_TIMESCALE)))] if found else None


def chosen(recording: Recording, marks: Collection[Mark]) -> dict[int, Keyframe]:
    """The picture of each mark's place: of the board the camera's, else the shared screen's while there is one. A mark
    of the live lesson that stands ahead of what is durable has to wait for its own."""
    marks = [mark for mark in marks if mark.at < recording.end or recording.state != "live"]
    camera, screen = keyframes(recording.strand(CAMERA)), keyframes(recording.strand(SCREEN))
    boards = {mark.at for mark in marks if mark.kind == "board"}
    others = {mark.at for mark in marks if mark.kind != "board"}
    pictures: dict[int, Keyframe] = {}
    for at in boards | others:
        shown = _shared(recording, screen, at) if at in others else None
        if shown is None and camera:
            shown = camera[max(0, _before(camera, at))]
        if shown is not None:
            pictures[at] = shown
    return pictures


def _shared(recording: Recording, screen: Sequence[Keyframe], at: int) -> Keyframe | None:
    if not any(part.fragments and part.opened.start <= at < part.end for part in recording.strand(SCREEN).parts):
        return None
    return screen[max(0, _before(screen, at))]


def _before(found: Sequence[Keyframe], at: int) -> int:
    """The index of the last keyframe at or before `at`, -1 when all come later."""
    return bisect_right(found, at, key=lambda keyframe: keyframe.at) - 1
