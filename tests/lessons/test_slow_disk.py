"""A disk that does not answer for a while: only recording waits for it, and everybody is told."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from appliance.bus import CommandRefused
from appliance.settings import Settings
from lessons.backlog import PACKET_BYTES, Backlog
from lessons.client import LessonsClient
from tests.lessons.media import film, probe
from tests.lessons.room import read
from tests.lessons.service import Capture, Lessons, until, watched
from tests.lessons.test_service import capture, settings

__all__ = ["capture", "settings"]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set: the disk syncs. Clear: it holds every sync up."""
    well = threading.Event()
    well.set()
    sync = os.fdatasync

    def patient(descriptor: int) -> None:
        assert well.wait(30)
        sync(descriptor)

    monkeypatch.setattr("appliance.durable.os.fdatasync", patient)
    yield well
    well.set()


def test_a_stall_is_told_and_costs_nothing(settings: Settings, capture: Capture, disk: threading.Event) -> None:
    lessons = Lessons(settings)
    try:
        client = LessonsClient(settings)
        id = client.start("", "7Q2F").id
        watched(capture, lessons)
        packets = film(6)
        capture.send(packets[:150])
        until(lambda: client.get(id).duration_s >= 1, "a second on disk")
        disk.clear()
        capture.send(packets[150:300])
        until(lambda: lessons.states[-1].incident == "disk_slow", "the slow disk told")
        told, elapsed_s = len(lessons.states), lessons.states[-1].elapsed_s
        until(lambda: len(lessons.states) > told, "the state told on")
        assert lessons.states[-1].elapsed_s > elapsed_s
        assert client.get(id).state == "live"
        disk.set()
        until(lambda: lessons.states[-1].incident == "", "a disk that has caught up")
        capture.send(packets[300:])
        assert client.stop(id).duration_s == pytest.approx(6.0, abs=0.05)
        recording = read(settings.lessons / id)
        assert (len(recording.parts), recording.gaps) == (1, [])
        probe(client.part_path(id, "part-0001.mp4"))
    finally:
        disk.set()
        lessons.close()


def test_stop_does_not_wait_for_a_disk_that_stalls(settings: Settings, capture: Capture, disk: threading.Event) -> None:
    lessons = Lessons(settings)
    try:
        client = LessonsClient(settings)
        id = client.start("", "7Q2F").id
        watched(capture, lessons)
        capture.send(film(4))
        until(lambda: client.get(id).duration_s >= 1, "a second on disk")
        disk.clear()
        with ThreadPoolExecutor(1) as another:
            stopping = another.submit(client.stop, id)
            while not stopping.done():  # nobody else waits with them
                assert [one.state for one in client.list()] == ["live"]
            with pytest.raises(CommandRefused) as refused:
                stopping.result()
        assert refused.value.kind == "unavailable"
        disk.set()
        until(lambda: lessons.states[-1].state == "ended", "the end told")
        assert client.get(id).duration_s == pytest.approx(4.0, abs=0.05)
        assert client.start("", "7Q2F").state == "live"
    finally:
        disk.set()
        lessons.close()


def test_a_start_on_a_stalled_disk_holds_up_nobody(settings: Settings, capture: Capture, disk: threading.Event) -> None:
    lessons = Lessons(settings)
    try:
        client = LessonsClient(settings)
        disk.clear()
        with ThreadPoolExecutor(1) as another:
            starting = another.submit(client.start, "", "7Q2F")
            until(lambda: any(settings.lessons.iterdir()), "the start begun")
            with pytest.raises(CommandRefused) as refused:
                client.start("", "7Q2F")
            assert refused.value.kind == "conflict"
            assert client.list() == []
            disk.set()
            assert starting.result().state == "live"
        assert [one.state for one in client.list()] == ["live"]
    finally:
        disk.set()
        lessons.close()


def test_a_clock_that_jumps_changes_nothing(settings: Settings, capture: Capture) -> None:
    year_s = 365 * 86_400.0
    jump_s = 0.0
    lessons = Lessons(settings, wall=lambda: time.time() + jump_s)
    try:
        client = LessonsClient(settings)
        id = client.start("", "7Q2F").id
        watched(capture, lessons)
        packets = film(6)
        capture.send(packets[:154])
        until(lambda: client.get(id).duration_s >= 1, "a second on disk")
        jump_s = year_s
        capture.send(packets[154:308])
        until(lambda: client.get(id).duration_s >= 3, "two more seconds")
        jump_s = -year_s
        capture.send(packets[308:])
        stopped = client.stop(id)
        assert stopped.duration_s == pytest.approx(6.0, abs=0.1)
        recording = read(settings.lessons / id)
        assert (len(recording.parts), recording.gaps) == (1, [])
        elapsed = [state.elapsed_s for state in lessons.states if state.state == "live"]
        assert elapsed == sorted(elapsed) and elapsed[-1] < 60
        written = [one.at for one in recording.parts[0].fragments]
        assert max(written) - min(written) > year_s  # the clock did jump
    finally:
        lessons.close()


def test_what_found_no_room_is_a_marked_gap(settings: Settings, capture: Capture, disk: threading.Event) -> None:
    packets = film(10)
    four_seconds = sum(len(packet.data) + PACKET_BYTES for packet in packets[:310])
    lessons = Lessons(settings, lambda: Backlog(four_seconds))
    try:
        client = LessonsClient(settings)
        id = client.start("", "7Q2F").id
        watched(capture, lessons)
        capture.send(packets[:100])
        until(lambda: client.get(id).duration_s >= 1, "a second on disk")
        disk.clear()
        capture.send(packets[100:600])
        until(lambda: lessons.states[-1].incident == "overflow", "the overflow told")
        sounds, read_in = (
            sum(one.codec == "aac" for one in packets[:600]),
            lessons.metrics.packets.labels("microphone/aac"),
        )
        until(lambda: read_in._value.get() == sounds, "all of it read")
        capture.asked.clear()
        disk.set()
        assert capture.asked.wait(5)
        capture.send(packets[600:])
        until(lambda: lessons.states[-1].gaps == 1, "the gap told")
        assert lessons.states[-1].incident == "overflow"  # for a minute, so that it is seen
        client.stop(id)
        recording = read(settings.lessons / id)
        assert [gap.reason for gap in recording.gaps] == ["overflow"]
        assert len(recording.parts) == 2
        assert recording.duration_s + recording.lost_s == pytest.approx(10.0, abs=0.1)
        for part in recording.parts:
            probe(client.part_path(id, part.opened.file))
        assert lessons.metrics.overflows._value.get() == 1
    finally:
        disk.set()
        lessons.close()
