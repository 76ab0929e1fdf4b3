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

from appliance.bus import CommandServer, Publisher
from appliance.messages import (
    SCREEN_MAIN,
    Command,
    Done,
    GetHistory,
    History,
    Packet,
    Reply,
    RequestKeyframe,
    WantRung,
)
from tests.kit import wait_until
from tests.lessons.media import FRAME_NS, ORIGIN_NS, film, moved, pictures, shared_sounds
from ui.auth import Identity
from ui.broadcast import QUEUE, Broadcast, House, Seat
from ui.feeds import FEEDS, Wanted, wanted
from ui.segments import SECOND, Head, Segment, Segmenter, SoundSegmenter

PUPIL = Identity("pupil", "Zoé", "v", "123456")
HEAD = Head("type", b"init")


def made(
    packets: list[Packet], origin_ns: int | None = None, kind: type[Segmenter | SoundSegmenter] = Segmenter
) -> list[Segment]:
    segmenter = kind(origin_ns)
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


def test_pictures_alone_are_played_too_from_the_first_on() -> None:
    segments = made(list(pictures(3)))
    assert "mp4a" not in segments[0].head.type
    seen = times(segments, "video")
    assert seen[0] == 0 and len(seen) > 80


def test_a_screen_comes_with_its_opus() -> None:
    screen = sorted([*pictures(4, 320, 180), *shared_sounds()], key=lambda packet: packet.pts_ns)
    segments = made(screen)
    assert segments[0].head.type.endswith(',opus"')
    seen, heard = times(segments, "video"), times(segments, "audio")
    assert seen == pytest.approx([number / 30 for number in range(len(seen))], abs=0.001)
    assert heard == pytest.approx([number / 50 for number in range(len(heard))], abs=0.001)
    assert 4 - seen[-1] < 0.2 and abs(heard[-1] - seen[-1]) < 0.15


def test_a_still_screen_keeps_its_sound() -> None:
    """One picture a second: each is sent when the next has come, with all the sound beside it."""
    still = [
        msgspec.structs.replace(packet, seq=number)
        for number, packet in enumerate(packet for packet in pictures(4) if packet.keyframe)
    ]
    segments = made(sorted([*still, *shared_sounds()], key=lambda packet: packet.pts_ns))
    assert times(segments, "video") == pytest.approx([0, 1, 2], abs=0.001)
    assert times(segments, "audio") == pytest.approx([number / 50 for number in range(150)], abs=0.001)


def test_the_zero_of_the_timeline_can_be_given() -> None:
    """Feeds share it, so that a viewer can go from one to another."""
    origin_ns = ORIGIN_NS - 100 * SECOND
    seen, heard = (times(made(film(2), origin_ns), kind) for kind in ("video", "audio"))
    assert seen[0] == pytest.approx(100, abs=0.001) and heard[0] == pytest.approx(100, abs=0.03)


def test_sound_alone_keeps_its_place_on_the_timeline() -> None:
    origin_ns = ORIGIN_NS - 100 * SECOND
    sounds = [packet for packet in film(4) if packet.codec == "aac"]
    alone = made(film(4), origin_ns, SoundSegmenter)
    assert alone[0].head.type == 'audio/mp4; codecs="mp4a.40.2"' and all(segment.start for segment in alone)
    assert len({id(segment.head) for segment in alone}) == 1
    heard = times(alone, "audio")
    assert heard[0] == pytest.approx((sounds[0].pts_ns - origin_ns) / SECOND, abs=0.001)
    assert 0 <= (sounds[-1].pts_ns - origin_ns) / SECOND - heard[-1] < 0.15
    steps = [after - before for before, after in zip(heard, heard[1:], strict=False)]
    assert max(steps) < 0.03
    assert 30 <= len(alone) <= 40  # about 100 ms each
    size = sum(len(segment.data) for segment in alone)
    assert size < sum(len(packet.data) for packet in sounds) * 1.5


def test_a_screens_sound_alone() -> None:
    alone = made([*pictures(1), *shared_sounds()], kind=SoundSegmenter)
    assert alone[0].head.type == 'audio/mp4; codecs="opus"'
    assert times(alone, "audio") == pytest.approx([number / 50 for number in range(195)], abs=0.001)


def test_a_hole_in_sound_alone_stays_one() -> None:
    sounds = [packet for packet in film(4) if packet.codec == "aac"]
    heard = times(made([*sounds[:40], *sounds[90:]], kind=SoundSegmenter), "audio")
    (hole,) = [after - before for before, after in zip(heard, heard[1:], strict=False) if after - before > 0.1]
    assert hole == pytest.approx(51 * 1024 / 48_000, abs=0.03)


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


class Kit:
    """The side of the bus that makes packets; answers its commands on a thread of its own."""

    def __init__(self, folder: Path, service: str, history: list[Packet]) -> None:
        self.asked: list[Command] = []
        self.publisher = Publisher(folder, service)
        self._history, self._stopping = history, threading.Event()
        server = CommandServer(folder, service, self._handle)
        self._thread = threading.Thread(target=server.serve, args=(self._stopping,))
        self._thread.start()

    def _handle(self, command: Command) -> Reply:
        self.asked.append(command)
        return History(self._history) if isinstance(command, GetHistory) else Done()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        self.publisher.close()


def run(broadcast: Broadcast, folder: Path) -> tuple[threading.Thread, threading.Event]:
    stopping = threading.Event()
    thread = threading.Thread(target=broadcast.run, args=(folder, stopping))
    thread.start()
    return thread, stopping


def test_the_bus_is_read_once_for_all(tmp_path: Path) -> None:
    changes: list[int] = []
    broadcast = Broadcast(FEEDS["camera"], lambda: changes.append(len(broadcast.sitting())), ORIGIN_NS)
    capture = Kit(tmp_path, "capture", [])
    thread, stopping = run(broadcast, tmp_path)
    seats = [broadcast.sit(PUPIL), broadcast.sit(PUPIL)]
    found: list[list[object]] = [[], []]

    def arrived() -> bool:
        for packet in film(2):
            capture.publisher.send(packet)
        for seat, own in zip(seats, found, strict=True):
            own.extend(items(seat))
        return all(len(own) > 3 for own in found)

    wait_until(arrived, 10, "segments")
    assert isinstance(found[0][0], Head)
    late = broadcast.sit(PUPIL)
    assert isinstance(late.take(1), Head)
    for seat in (*seats, late, late):
        broadcast.leave(seat)
    assert changes == [1, 2, 3, 2, 1, 0, 0]
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()
    capture.close()


def test_the_first_viewer_begins_with_what_was_there_before(tmp_path: Path) -> None:
    """One packet is enough: the rest comes from capture's history, once."""
    *before, last = film(3)
    capture = Kit(tmp_path, "capture", [*before, last])
    broadcast = Broadcast(FEEDS["camera"], lambda: None, ORIGIN_NS)
    thread, stopping = run(broadcast, tmp_path)
    seat = broadcast.sit(PUPIL)
    found: list[object] = []

    def arrived() -> bool:
        capture.publisher.send(last)
        found.extend(items(seat))
        return len(found) > 20

    wait_until(arrived, 10, "the segments of the history")
    assert sum(isinstance(command, GetHistory) for command in capture.asked) == 1
    stopping.set()
    thread.join(5)
    capture.close()


@pytest.mark.parametrize(
    ("feed", "service", "wish"),
    [("saving", "capture", WantRung("camera/360p")), ("screen", "streaming", RequestKeyframe(SCREEN_MAIN))],
)
def test_what_a_feed_wishes_for(tmp_path: Path, feed: Any, service: str, wish: Command) -> None:
    kit = Kit(tmp_path, service, [])
    broadcast = Broadcast(FEEDS[feed], lambda: None, ORIGIN_NS)
    thread, stopping = run(broadcast, tmp_path)
    assert kit.asked == []
    seat = broadcast.sit(PUPIL)
    wait_until(lambda: wish in kit.asked, 5, "the wish")
    seat.close()
    stopping.set()
    thread.join(5)
    kit.close()


def test_keyframes_are_asked_for_when_they_stay_away() -> None:
    screen, saving, camera = (FEEDS[name] for name in ("screen", "saving", "camera"))
    assert screen.wish(float("inf")) == RequestKeyframe(SCREEN_MAIN)
    assert screen.wish(1.0) is None and camera.wish(1.0) is None
    assert saving.wish(0.1) == WantRung("camera/360p")
    assert FEEDS["sound"].wish(float("inf")) is None and FEEDS["screen sound"].wish(float("inf")) is None


def test_who_watches_camera_and_screen_counts_once() -> None:
    told: list[list[str]] = []
    house = House(Gauge("test_house", "x", registry=None), lambda watching: told.append([one.name for one in watching]))
    camera, screen = house["camera"].sit(PUPIL), house["screen"].sit(PUPIL)
    saving = house["saving"].sit(PUPIL)
    house["camera"].leave(camera)
    sound, screen_sound = house["sound"].sit(PUPIL), house["screen sound"].sit(PUPIL)
    house["saving"].leave(saving)
    house["sound"].leave(sound)
    assert told == [["Zoé"]] * 7 + [[]]
    saving = house["saving"].sit(PUPIL)
    house.close_screen()
    assert screen.closed and screen_sound.closed and not saving.closed
    house.close_pupils()
    assert saving.closed


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (("camera", "automatic", "yes"), Wanted("camera", "automatic", True)),
        (("screen", "saving", "no"), Wanted("screen", "saving", False)),
        (("attic", "automatic", "yes"), None),
        (("camera", "best", "yes"), None),
        (("camera", "automatic", "loud"), None),
        (("screen", "sound", "yes"), Wanted("screen", "sound", True)),
        (("screen", "sound", "no"), None),
    ],
)
def test_what_can_be_asked_for(query: tuple[str, str, str], found: Wanted | None) -> None:
    assert wanted(*query) == found


def test_what_is_sent_of_the_screen() -> None:
    asked = (("automatic", "yes"), ("saving", "no"), ("sound", "yes"))
    found = [wanted("screen", *one) for one in asked]
    assert [one and one.screen_feed for one in found] == ["screen", "silent screen", "screen sound"]
