"""Segments for Media Source Extensions: judged by a decoder, whole and after losses."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Gauge

from appliance.bus import Publisher
from appliance.messages import Packet
from tests.kit import wait_until
from tests.lessons.media import FRAME_NS, film, moved, pictures
from ui.auth import Identity
from ui.broadcast import QUEUE, Broadcast, Seat
from ui.segments import Head, Segment, Segmenter

PUPIL = Identity("pupil", "Zoé", "v", "123456")
HEAD = Head("type", b"init")


def made(packets: list[Packet]) -> list[Segment]:
    segmenter = Segmenter()
    return [segment for packet in packets for segment in segmenter.push(packet)]


def times(segments: list[Segment], kind: str) -> list[float]:
    """Presentation times of the decoded frames, in seconds."""
    data = segments[0].head.data + b"".join(segment.data for segment in segments)
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0] if kind == "video" else container.streams.audio[0]
        frames: Any = container.decode(stream)
        return [float(frame.pts * frame.time_base) for frame in frames]


def test_a_film_arrives_whole_and_in_sync() -> None:
    segments = made(film(4))
    assert segments[0].start and segments[0].head.type.startswith('video/mp4; codecs="avc1.42')
    assert segments[0].head.type.endswith(',mp4a.40.2"')
    assert len({id(segment.head) for segment in segments}) == 1
    assert sum(segment.start for segment in segments) == 4
    seen, heard = times(segments, "video"), times(segments, "audio")
    assert seen[0] == 0 and seen == pytest.approx([number / 30 for number in range(len(seen))], abs=0.001)
    assert 0 <= heard[0] < 0.03 and abs(heard[-1] - seen[-1]) < 0.15
    # Held back at most: a fragment and the frame that ends it.
    assert 4 - seen[-1] < 0.2


def test_nothing_refers_to_what_was_lost() -> None:
    packets = [one for one in film(4) if not (one.codec == "h264" and one.seq == 40)]
    segments = made(packets)
    seen = times(segments, "video")
    assert max(later - earlier for earlier, later in zip(seen, seen[1:], strict=False)) < 0.9
    assert pytest.approx(min(moment for moment in seen if moment > 1.4), abs=0.001) == 60 / 30


def test_a_restarted_capture_goes_on_with_the_timeline() -> None:
    segments = made([*film(2), *moved(film(2), epoch=2, by_s=3)])
    seen = times(segments, "video")
    assert seen == sorted(seen) and seen[-1] > 4.5


def test_other_parameters_make_another_head() -> None:
    small = pictures(2)
    large = [
        msgspec.structs.replace(one, seq=one.seq + 60, pts_ns=one.pts_ns + 60 * FRAME_NS)
        for one in pictures(2, 320, 240)
    ]
    heads = {segment.head for segment in made([*small, *large])}
    assert len(heads) == 2


def test_pictures_alone_are_played_too() -> None:
    segments = made(list(pictures(3)))
    assert "mp4a" not in segments[0].head.type
    assert len(times(segments, "video")) > 40


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_loss_leaves_what_can_be_decoded(data: st.DataObject) -> None:
    kept = [one for one in film(3) if data.draw(st.integers(0, 19)) or one.seq == 0]
    segments = made(kept)
    if segments:
        assert segments[0].start
        seen = times(segments, "video")
        assert seen == sorted(set(seen))


def items(seat: Seat) -> list[object]:
    found: list[object] = []
    while (item := seat.take(0)) is not None:
        found.append(item)
    return found


def test_a_slow_seat_loses_pictures_and_goes_on_at_a_keyframe() -> None:
    seat = Seat(PUPIL)
    seat.put(Segment(HEAD, b"before any keyframe", False))
    assert items(seat) == []
    seat.put(Segment(HEAD, b"0", True))
    for number in range(1, QUEUE + 5):
        seat.put(Segment(HEAD, b"%d" % number, False))
    assert items(seat) == [] and seat.drops == 1
    seat.put(Segment(HEAD, b"key", True))
    seat.put(Segment(HEAD, b"next", False))
    assert items(seat) == [HEAD, b"key", b"next"]
    seat.close()
    assert seat.closed and seat.take(5) is None


def test_the_bus_is_read_once_for_all(tmp_path: Path) -> None:
    counts: list[int] = []
    broadcast = Broadcast(Gauge("test_seats", "x", registry=None), lambda seated: counts.append(len(seated)))
    stopping = threading.Event()
    publisher = Publisher(tmp_path, "capture")
    thread = threading.Thread(target=broadcast.run, args=(tmp_path, stopping))
    thread.start()
    seats = [broadcast.sit(PUPIL), broadcast.sit(PUPIL)]
    found: list[list[object]] = [[], []]

    def arrived() -> bool:
        for packet in film(2):
            publisher.send(packet)
        for seat, own in zip(seats, found, strict=True):
            own.extend(items(seat))
        return all(len(own) > 3 for own in found)

    wait_until(arrived, 10, "segments")
    assert isinstance(found[0][0], Head)
    late = broadcast.sit(PUPIL)
    assert isinstance(late.take(1), Head)
    for seat in (*seats, late, late):
        broadcast.leave(seat)
    assert counts == [1, 2, 3, 2, 1, 0, 0]
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()
    publisher.close()
