from __future__ import annotations

import pytest

from tests import witness
from tests.witness import Tick


def tick(at: float, **noted: float | str) -> Tick:
    usual = {"quiet": 0.0, "played": 100.0, "concealed": 0.0, "events": 0, "frames": 3, "freezes": 0, "frozen": 0.0}
    return Tick(at=at, **{**usual, "shown": "1280", **noted})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ([{}, {}], 0),
        ([{"concealed": 30.0, "events": 1}, {}], 30),
        ([{}, {"concealed": 60.0, "events": 1}, {"concealed": 100.0}, {"concealed": 40.0}, {}], 200),
        ([{}, {"concealed": 20.0, "events": 1}, {}, {"concealed": 30.0, "events": 2}, {}], 30),
        # Stretches in ticks that follow each other: the second may have begun in the first tick.
        ([{}, {"concealed": 20.0, "events": 1}, {"concealed": 30.0, "events": 1}, {"concealed": 5.0, "events": 1}], 50),
        ([{}, {"quiet": 250.0}, {}], 250),
        ([{"played": 0.0, "quiet": 0.0}, {"played": 60.0, "concealed": 60.0, "events": 1}, {}], 0),  # before the first
        ([{}, {"played": 0.0, "quiet": 400.0}], 400),
    ],
)
def test_the_longest_gap(noted: list[dict[str, float]], expected: float) -> None:
    assert witness.longest_gap([tick(100.0 * number, **each) for number, each in enumerate(noted)]) == expected


def test_what_was_settled_on_is_what_lasted() -> None:
    shown = ["nothing"] * 5 + ["1280"] * 20 + ["640"] * 30 + ["still"] * 150 + ["640"] * 100
    ticks = [tick(100.0 * number, shown=each) for number, each in enumerate(shown)]
    assert witness.settled(ticks) == (5500.0, "still")
    assert witness.settled(ticks[:60]) == (5500.0, "still")
    assert witness.settled(ticks[:4]) == (0.0, "nothing")


def test_the_first_frame_after_an_outage() -> None:
    ticks = [tick(100.0 * number, frames=frames) for number, frames in enumerate([3, 0, 0, 2, 3])]
    assert witness.first_frame_after(ticks, 100.0) == 300.0
    assert witness.first_frame_after(ticks, 400.0) == float("inf")
    assert [each.at for each in witness.between(ticks, 100.0, 300.0)] == [100.0, 200.0, 300.0]


def test_the_first_sound_after_an_outage() -> None:
    noted = [{}, {"concealed": 100.0}, {"played": 0.0}, {"concealed": 50.0}, {"quiet": 900.0}, {"concealed": 40.0}, {}]
    ticks = [tick(100.0 * number, **each) for number, each in enumerate(noted)]
    assert witness.first_sound_after(ticks, 0.0) == 500.0
    assert witness.first_sound_after(ticks, 600.0) == float("inf")


def test_what_a_page_notes_is_read() -> None:
    noted = {
        "at": 5.0, "elapsed": 100.0, "quiet": 0, "state": "live", "showing": "video", "width": 640,
        "concealedSamples": 480, "concealmentEvents": 1, "totalSamplesReceived": 4800, "framesDecoded": 3,
        "freezeCount": 0, "totalFreezesDuration": 0.25,
    }  # fmt: skip
    (read,) = witness.read([noted])
    assert (read.concealed, read.played, read.frozen, read.shown) == (10.0, 100.0, 250.0, "640")
    assert witness.read([{**noted, "state": "waiting"}])[0].shown == "nothing"
    assert witness.read([{**noted, "showing": "still"}])[0].shown == "still"
