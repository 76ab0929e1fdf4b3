from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.fmp4 import VIDEO_TIMESCALE, Video
from lessons.journal import Fragment, PartOpened
from lessons.recording import Part, Strand
from lessons.strip import SHEET, TILE_S, Keyframe, cues, keyframes, tiles
from lessons.vtt import parse, render

OPENED = PartOpened(1, "part-0001.mp4", 700, 1, "boot", 0, 0, "avc1", Video(4, 2, (), ()), None)


def at(seconds: float, keyframe: bool = True) -> Fragment:
    start = round(seconds * VIDEO_TIMESCALE)
    return Fragment(1, 0, 1, start, VIDEO_TIMESCALE, keyframe, 0, 0, None, None, None, 0.0)


def shown(places: list[float], end_s: float) -> list[float]:
    pictures = [Keyframe(OPENED, at(place)) for place in places]
    return [one.at / VIDEO_TIMESCALE for one in tiles(pictures, round(end_s * VIDEO_TIMESCALE))]


def test_only_fragments_that_begin_with_a_keyframe_can_be_shown() -> None:
    strand = Strand([Part(OPENED, [at(0), at(1, keyframe=False)]), Part(OPENED, [at(2)])])
    assert [one.at for one in keyframes(strand)] == [0, 2 * VIDEO_TIMESCALE]


@pytest.mark.parametrize(
    ("places", "end_s", "expected"),
    [
        ([], 0, []),
        ([0.0], 1, [0.0]),
        ([0.0, 9.0, 10.0], 11, [0.0, 10.0]),
        ([0.0, 9.0, 12.5, 14.0], 15, [0.0, 12.5]),
        ([0.0, 9.0], 19, [0.0]),
        ([0.0, 9.0], 20, [0.0, 9.0]),
        ([0.0, 9.0, 31.0], 32, [0.0, 9.0, 9.0, 31.0]),
    ],
)
def test_the_picture_of_each_tile(places: list[float], end_s: float, expected: list[float]) -> None:
    assert shown(places, end_s) == expected


@given(gaps=st.lists(st.integers(3, 400), max_size=60), cut=st.integers(0, 60))
def test_what_a_tile_shows_never_changes(gaps: list[int], cut: int) -> None:
    """`gaps` in tenths of a second."""
    places = [tenths / 10 for tenths in accumulate(gaps, initial=0)]
    earlier = places[: cut + 1]
    early, whole = shown(earlier, earlier[-1] + 0.2), shown(places, places[-1] + 0.2)
    assert whole[: len(early)] == early
    assert len(whole) == int(places[-1] // TILE_S) + 1


def test_the_index_of_a_sheet_and_a_bit() -> None:
    found = cues(SHEET + 2)
    assert found[0] == (0, 10_000, "strip/0001.jpg?25#xywh=0,0,160,90")
    assert found[6] == (60_000, 70_000, "strip/0001.jpg?25#xywh=160,90,160,90")
    assert found[26] == (260_000, 270_000, "strip/0002.jpg?2#xywh=160,0,160,90")
    assert parse(render(found).encode()) == found
    assert cues(0) == []
