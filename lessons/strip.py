"""The strip of small pictures over the replay's seek bar: which picture stands where. Pure, no I/O.

Each `TILE_S` seconds of the lesson have a tile, `COLUMNS` times `ROWS` of them make a sheet (one JPEG). What a tile
shows depends on nothing that is still to be recorded: a sheet made again is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import Fragment, PartOpened
from lessons.recording import Strand
from lessons.vtt import Cue

TILE_S = 10
COLUMNS = ROWS = 5
WIDTH, HEIGHT = 160, 90
SHEET = COLUMNS * ROWS
FOLDER, NAME = "strip", "strip.vtt"


class Keyframe(NamedTuple):
    """A picture that can be decoded alone: the first of `fragment`."""

    part: PartOpened
    fragment: Fragment

    @property
    def at(self) -> int:
        """Its place on the lesson's timeline, in ticks."""
        return self.fragment.start


def keyframes(strand: Strand) -> list[Keyframe]:
    """All of them, by their place."""
    return [Keyframe(part.opened, one) for part in strand.parts for one in part.fragments if one.keyframe]


def tiles(pictures: Sequence[Keyframe], end: int) -> list[Keyframe]:
    """The picture of each tile of a lesson that is recorded up to `end` (ticks): the first within the tile's time, else
    the last before. A tile whose picture may yet come is left out."""
    chosen: list[Keyframe] = []
    following = 0
    length = TILE_S * VIDEO_TIMESCALE
    while pictures:
        start = len(chosen) * length
        while following < len(pictures) and pictures[following].at < start:
            following += 1
        within = following < len(pictures) and pictures[following].at < start + length
        if not within and end < start + length:
            break
        chosen.append(pictures[following if within else max(0, following - 1)])
    return chosen


def sheet_name(number: int) -> str:
    """The file of a sheet, counted from 0."""
    return f"{number + 1:04d}.jpg"


def place(tile: int) -> tuple[int, int]:
    """Where a tile stands on its sheet, in pixels from the left and from the top."""
    row, column = divmod(tile % SHEET, COLUMNS)
    return column * WIDTH, row * HEIGHT


def cues(count: int) -> list[Cue]:
    """What `strip.vtt` says of so many tiles: for each time the address of a piece of a sheet, as players know it. A
    sheet's address changes with what is on it, so that one kept while the lesson was live is not taken for whole."""
    return [
        Cue(
            tile * TILE_S * 1000,
            (tile + 1) * TILE_S * 1000,
            f"{FOLDER}/{sheet_name(tile // SHEET)}?{min(SHEET, count - tile // SHEET * SHEET)}"
            f"#xywh={','.join(map(str, (*place(tile), WIDTH, HEIGHT)))}",
        )
        for tile in range(count)
    ]
