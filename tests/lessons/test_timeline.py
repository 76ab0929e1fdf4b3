"""What the replay shows along its time, from real journals and from made ones."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from appliance.fmp4 import Audio
from appliance.settings import Settings
from lessons import edition, timeline
from lessons.client import LessonsClient
from lessons.journal import Gap, Stopped
from lessons.reader import UnknownLesson
from lessons.recording import Recording
from lessons.timeline import Timeline
from tests.lessons.media import arrivals, film, moved, pictures, sounds
from tests.lessons.room import AT, ID, begin, feed, record
from tests.lessons.test_playlist import CREATED, fragment, opened


def recording(*records: object) -> Recording:
    found = Recording(CREATED)
    for one in records:
        found.apply(one)  # type: ignore[arg-type]
    return found


def test_an_encoder_that_began_anew_leaves_one_gap_of_known_length(tmp_path: Path) -> None:
    live = begin(tmp_path / "lessons")
    feed(live, film(2))
    feed(live, moved(film(2), epoch=2, by_s=5.0))
    reader = LessonsClient(Settings(data_dir=tmp_path))
    assert reader.timeline(ID).state == "live"
    live.stop(0, AT + 60)
    found = reader.timeline(ID)
    assert found.state == "ended" and found.duration_s == pytest.approx(4.0, abs=0.1)
    [gap] = found.gaps
    assert gap.at_s == pytest.approx(2.0, abs=0.1) and gap.reason == "epoch"
    assert gap.seconds == pytest.approx(3.0, abs=0.1)
    assert found.screen == [] and found.chapters == []


def test_a_whole_lesson_has_no_gap(tmp_path: Path) -> None:
    record(tmp_path / "lessons", film(2))
    reader = LessonsClient(Settings(data_dir=tmp_path))
    assert reader.timeline(ID).gaps == []
    with pytest.raises(UnknownLesson):
        reader.timeline("20261123-081502-0000")


@pytest.mark.parametrize(("later", "seconds"), [(131.0, 130.0), (0.5, None), (8 * 86_400.0, None)])
def test_over_a_reboot_the_times_of_writing_tell_how_long(later: float, seconds: float | None) -> None:
    before, after = fragment(1, 700, 0, 1.0), fragment(2, 700, 90_000, 1.0)
    after = msgspec.structs.replace(after, at=10.0 + later)
    before = msgspec.structs.replace(before, at=10.0)
    records = (opened(1, 0), before, Gap(None, "boot"), opened(2, 90_000), after)
    assert timeline.of(edition.of(recording(*records))).gaps == [(1.0, seconds, "boot")]
    assert timeline.of(edition.of(recording(*records[:4]))).gaps == []  # nothing behind it: the lesson may be over
    assert timeline.of(edition.of(recording(*records, Stopped(20.0)))) == Timeline(
        "ended", 2.0, [timeline.Gap(1.0, seconds, "boot")], [], [], []
    )


def test_only_the_first_fragment_behind_a_gap_says_how_long_it_was() -> None:
    first = fragment(1, 700, 0, 1.0)
    found = recording(opened(1, 0), first, Gap(None, "boot"), opened(2, 90_000))
    found.apply(fragment(2, 700, 90_000, 1.0))
    assert found.holes[0].seconds is None  # never written before: the wall clock says 0 for both


def test_sound_that_comes_late_or_goes_makes_stretches(tmp_path: Path) -> None:
    late = [one for one in sounds(8) if one.pts_ns - pictures(8)[0].pts_ns > 3_000_000_000]
    record(tmp_path / "lessons", arrivals(pictures(8), late))
    [silence] = LessonsClient(Settings(data_dir=tmp_path)).timeline(ID).silent
    assert silence.start_s == 0.0 and silence.end_s == pytest.approx(4.0, abs=1.1)


SOUND = Audio(48_000, 1, b"\x11\x90")


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("", []),
        ("..", []),
        ("aa", []),
        (".a", [(0.0, 1.0)]),
        ("a.", [(1.0, None)]),
        ("..a..a", [(0.0, 2.0), (3.0, 5.0)]),
    ],
)
def test_stretches_without_sound(heard: str, expected: list[tuple[float, float | None]]) -> None:
    records: list[object] = []
    for number, one in enumerate(heard):
        start = number * 90_000
        part = msgspec.structs.replace(opened(number + 1, start), audio=SOUND if one == "a" else None)
        records += [part, fragment(number + 1, 700, start, 1.0)]
    assert timeline.of(edition.of(recording(*records))).silent == expected
