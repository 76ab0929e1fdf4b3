from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.messages import AudioFormat, Packet
from lessons.assembler import KEYFRAME_LIMIT_S, SECOND, Append, Assembler, Close, Order
from lessons.journal import Created, Gap, PartOpened, Record, Stopped
from lessons.recording import Recording, fold
from tests.lessons.media import arrivals, film, moved, pictures, sounds

CREATED = Created("20261123-081502-4f2a", "", "", 0.0, "boot")


def run(packets: Iterable[Packet], assembler: Assembler | None = None, end: str | None = "stopped") -> list[Order]:
    assembler = assembler or Assembler(1, 0, "boot")
    orders = [order for packet in packets for order in assembler.push(packet, 0.0)]
    return orders + assembler.finish(0.0, end)


def journal(orders: Iterable[Order]) -> list[Record]:
    records: list[Record] = []
    for order in orders:
        records += order.records if isinstance(order, Append) else (order.record,)
    return records


def told(orders: Iterable[Order]) -> Recording:
    recording = fold([CREATED, *journal(orders)])
    assert recording is not None
    return recording


def test_a_fragment_a_second_each_from_its_keyframe() -> None:
    recording = told(run(film(4)))
    fragments = recording.parts[0].fragments
    assert [one.duration for one in fragments] == [90_000] * 4
    assert all(one.keyframe for one in fragments)
    assert recording.parts[0].opened.audio is not None
    assert recording.gaps == []


def test_without_keyframes_a_fragment_ends_after_a_second_anyway() -> None:
    once = [one for one in pictures(3) if one.seq < 30 or not one.keyframe]
    video = [msgspec.structs.replace(one, seq=number) for number, one in enumerate(once)]
    durations = [one.duration / 90_000 for one in told(run(arrivals(video, sounds(3)))).parts[0].fragments]
    assert all(duration <= 1.1 for duration in durations)


def test_a_forced_keyframe_cuts_only_after_300_ms() -> None:
    for at, count in ((5, 1), (10, 2)):
        video = [msgspec.structs.replace(one, keyframe=one.keyframe or one.seq == at) for one in pictures(1)]
        assert len(told(run(arrivals(video, sounds(1)))).parts[0].fragments) == count


def test_a_keyframe_inside_a_keyless_fragment_cuts_at_once() -> None:
    video = [msgspec.structs.replace(one, keyframe=one.seq in (0, 33)) for one in pictures(2)]
    video[33] = msgspec.structs.replace(video[33], data=pictures(2)[30].data)
    fragments = told(run(arrivals(video, sounds(2)))).parts[0].fragments
    assert [(one.keyframe, one.duration) for one in fragments][:2] == [(True, 90_000), (False, 9_000)]
    assert fragments[2].keyframe


def test_recording_begins_with_the_first_keyframe() -> None:
    assembler = Assembler(1, 0, "boot")
    late = [one for one in film(3) if one.codec == "aac" or one.seq >= 7]
    recording = told(run(late, assembler))
    assert recording.parts[0].opened.origin_ns == pictures(3)[30].pts_ns
    assert recording.duration_s == pytest.approx(2.0, abs=0.001)


def test_a_missing_picture_ends_the_part_and_the_next_goes_on_where_it_ended() -> None:
    holed = [one for one in film(4) if one.codec == "aac" or one.seq not in (40, 41)]
    assembler = Assembler(1, 0, "boot")
    orders = run(holed, assembler)
    recording = told(orders)
    first, second = recording.parts
    assert first.closed == "loss"
    assert second.opened.start == first.end == 40 * 3000
    assert recording.gaps[0].seconds == pytest.approx(20 / 30, abs=0.001)
    assert assembler.missing == 2
    assert recording.duration_s == pytest.approx(100 / 30, abs=0.001)


def test_missing_sound_alone_opens_no_part() -> None:
    holed = [one for one in film(4) if one.codec == "h264" or not 60 <= one.seq < 80]
    recording = told(run(holed))
    assert len(recording.parts) == 1
    assert recording.gaps == []
    last = recording.parts[0].fragments[-1]
    assert last.audio_end == pytest.approx(4 * 48_000, abs=5_000)


def test_a_restarted_capture_is_a_gap_of_known_length() -> None:
    recording = told(run([*film(2), *moved(film(2), epoch=2, by_s=5.0)]))
    assert [part.closed for part in recording.parts] == ["epoch", "stopped"]
    assert recording.gaps[0].seconds == pytest.approx(3.0, abs=0.01)
    assert recording.duration_s == pytest.approx(4.0, abs=0.01)


def test_another_picture_size_is_a_part_without_a_gap() -> None:
    larger = [
        msgspec.structs.replace(one, seq=one.seq + 60, pts_ns=one.pts_ns + 2 * SECOND) for one in pictures(2, 320, 240)
    ]
    recording = told(run(arrivals([*pictures(2), *larger], sounds(4))))
    assert [part.opened.video and part.opened.video.width for part in recording.parts] == [160, 320]
    assert recording.gaps == []
    assert recording.parts[1].opened.start == 2 * 90_000


def test_without_a_microphone_the_part_has_pictures_only() -> None:
    orders = run(pictures(2))
    recording = told(orders)
    assert recording.parts[0].opened.audio is None
    assert recording.parts[0].opened.codecs.startswith("avc1.42")
    assert "," not in recording.parts[0].opened.codecs


def test_a_microphone_plugged_in_later_brings_a_new_part_without_a_gap() -> None:
    late = [one for one in sounds(4) if one.pts_ns > pictures()[0].pts_ns + 1.5 * SECOND]
    recording = told(run(arrivals(pictures(4), late)))
    assert [part.opened.audio is not None for part in recording.parts] == [False, True]
    assert recording.gaps == []
    assert recording.duration_s == pytest.approx(4.0, abs=0.01)


def test_sound_of_another_rate_brings_a_new_part() -> None:
    other = [msgspec.structs.replace(one, epoch=2, pts_ns=one.pts_ns + 2 * SECOND) for one in sounds(2, 32_000)]
    recording = told(run(arrivals(pictures(4), [*sounds(2), *other])))
    assert [part.opened.audio.rate for part in recording.parts if part.opened.audio] == [48_000, 32_000]


def test_pictures_that_stay_away_end_the_part() -> None:
    video = [*pictures(4)[:45], *pictures(20)[400:]]
    video = [msgspec.structs.replace(one, seq=number) for number, one in enumerate(video)]
    recording = told(run(arrivals(video, sounds(20))))
    assert recording.parts[0].closed == "stall"
    assert recording.parts[0].end / 90_000 >= 1.5 + 2.0
    assert recording.gaps[0].seconds is not None and recording.gaps[0].seconds > 5


def test_what_comes_twice_is_dropped() -> None:
    packets = film(3)
    assert journal(run([*packets[:100], *packets[20:100], *packets[100:]])) == journal(run(packets))


def test_two_assemblers_write_what_one_would() -> None:
    packets = film(4)
    whole = run(packets)
    for at in (70, 130, 200):
        early = Assembler(1, 0, "boot")
        before = [order for packet in packets[:at] for order in early.push(packet, 0.0)]
        recording = told(before)
        if not recording.parts:
            continue
        after = run(packets, Assembler.resume(recording.parts[-1], "boot"))
        assert journal([*before, *after]) == journal(whole)
        assert [o.data for o in [*before, *after] if isinstance(o, Append)] == [
            o.data for o in whole if isinstance(o, Append)
        ]


def test_a_resumed_part_is_closed_when_packets_are_missing() -> None:
    packets = film(4)
    early = Assembler(1, 0, "boot")
    recording = told([order for packet in packets[:150] for order in early.push(packet, 0.0)])
    late = [one for one in packets if one.codec == "aac" or one.seq > recording.parts[0].fragments[-1].video_seq + 1]
    orders = run(late, Assembler.resume(recording.parts[-1], "boot"))
    assert isinstance(orders[0], Close)
    assert isinstance(journal(orders)[1], Gap)
    assert isinstance(journal(orders)[2], PartOpened)


def test_a_keyframe_without_parameter_sets_starts_nothing() -> None:
    bare = msgspec.structs.replace(pictures()[1], keyframe=True, seq=0)
    assembler = Assembler(1, 0, "boot")
    assert assembler.push(bare, 0.0) == []
    assert assembler.waiting


def test_sound_without_its_configuration_is_left_out() -> None:
    bare = [msgspec.structs.replace(one, format=AudioFormat(48_000, 1)) for one in sounds(2)]
    assert told(run(arrivals(pictures(2), bare))).parts[0].opened.audio is None


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), loss=st.sampled_from([0.0, 0.01, 0.1]), stall=st.integers(0, 200))
def test_whatever_is_lost_the_timeline_has_no_holes(seed: int, loss: float, stall: int) -> None:
    chance = random.Random(seed)
    packets = [one for one in film(8) if chance.random() >= loss]
    packets = packets[:stall] + moved(packets[stall:], epoch=1, by_s=chance.choice([0, 0, 2.5, 6]))
    orders = run(packets)
    recording = told([*orders])
    recording.apply(Stopped(0.0))
    place = 0
    for part in recording.parts:
        assert part.opened.start == place
        place = part.end
        offset = part.opened.init_length
        for before, after in pairwise(part.fragments):
            assert before.start + before.duration == after.start
        for one in part.fragments:
            assert one.offset == offset
            offset += one.length
        assert part.fragments[0].keyframe
        keys = [one.start for one in part.fragments if one.keyframe] + [part.end]
        assert all(after - before <= (KEYFRAME_LIMIT_S + 0.1) * 90_000 for before, after in pairwise(keys))
    written = sum(len(order.data) for order in orders if isinstance(order, Append))
    assert recording.bytes == written
