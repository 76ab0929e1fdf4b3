"""A disk that stalls, fills or dies under a live kit: it costs recording at worst, and the teacher knows.

On a real ext4 of its own, on a loop device.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import simple_websocket

from tests import disks
from tests.judge import probe
from tests.kit import Kit, Problem, wait_until
from tests.websocket import Client

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]

STALL_S = 10.0
LIVE_PAUSE_S = 1.0  # what a viewer on a loaded machine may see anyway


class Viewer:
    """One who watches over /stream, as pages without UDP do: the longest pause between two segments."""

    def __init__(self, kit: Kit) -> None:
        self._link = Client(f"ws{kit.url.removeprefix('http')}/stream")
        self._link.send(kit.token)
        self._thread = threading.Thread(target=self._watch)
        self.segments = 0
        self.longest_s = 0.0
        self._last = time.monotonic()
        self._thread.start()

    def _watch(self) -> None:
        try:
            while True:
                self._link.receive()
                now = time.monotonic()
                self.longest_s, self._last = max(self.longest_s, now - self._last), now
                self.segments += 1
        except simple_websocket.ConnectionClosed:
            return

    def forget(self) -> None:
        self.longest_s = 0.0

    def close(self) -> None:
        self._link.close()
        self._thread.join()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[disks.Disk]:
    disks.require()
    with disks.Disk(tmp_path, 128) as disk:
        yield disk


@contextmanager
def lesson_on(disk: disks.Disk) -> Iterator[tuple[Kit, str, Viewer]]:
    """A kit whose data is on `disk`, in a lesson, watched by one viewer."""
    with Kit(disk.folder / "data") as kit:
        id = kit.api("POST", "lessons", {"title": "Sur un mauvais disque"})["id"]
        viewer = Viewer(kit)
        try:
            wait_until(lambda: viewer.segments > 20 and live(kit)["recorded_s"] > 2, 20, "a lesson that is watched")
            viewer.forget()
            yield kit, id, viewer
        finally:
            disk.thaw()
            viewer.close()


def live(kit: Kit) -> dict[str, Any]:
    lesson: dict[str, Any] = kit.api("GET", "kit")["lesson"]
    return lesson


def test_a_stalled_disk_costs_nothing(disk: disks.Disk, tmp_path: Path, state: Callable[[str], None]) -> None:
    with lesson_on(disk) as (kit, id, viewer):
        frames = kit.metric("preau_capture_frames_total")
        began = time.monotonic()
        with disk.frozen():
            wait_until(lambda: live(kit)["incident"] == "disk_slow", 5, "the slow disk told")
            elapsed = [live(kit)["elapsed_s"]]
            slowest_s = 0.0
            while time.monotonic() - began < STALL_S:
                asked = time.monotonic()
                assert [one["id"] for one in kit.api("GET", "lessons")["lessons"]] == [id]
                slowest_s = max(slowest_s, time.monotonic() - asked)
                elapsed.append(live(kit)["elapsed_s"])
                threading.Event().wait(0.5)
            stalled_s = time.monotonic() - began
            taken = kit.metric("preau_capture_frames_total") - frames
        wait_until(lambda: not live(kit)["incident"], 10, "a disk that has caught up")
        assert viewer.longest_s < LIVE_PAUSE_S
        assert elapsed == sorted(elapsed) and elapsed[-1] - elapsed[0] > STALL_S - 5
        assert taken / stalled_s > 25
        assert slowest_s < 1.0
        assert live(kit)["gaps"] == 0
        stopped = kit.api("POST", f"lessons/{id}/stop")
        assert (stopped["gaps"], stopped["parts"]) == (0, 1)
        verdict = probe(kit.download(id, tmp_path))
        assert verdict.complaints == "" and abs(verdict.duration_s - stopped["duration_s"]) < 0.2
        assert stopped["duration_s"] > STALL_S + 2
        state(
            f"disk stalled for {stalled_s:.1f} s: a viewer's longest pause {viewer.longest_s:.2f} s, camera "
            f"{taken / stalled_s:.1f} pictures/s, slowest GET lessons {slowest_s * 1000:.0f} ms, gaps {stopped['gaps']}"
        )


def test_stop_on_a_stalled_disk(disk: disks.Disk, tmp_path: Path) -> None:
    with lesson_on(disk) as (kit, id, viewer):
        with disk.frozen():
            asked = time.monotonic()
            with pytest.raises(Problem) as refused:
                kit.api("POST", f"lessons/{id}/stop")
            assert refused.value.status == 503 and "disk_slow" in refused.value.document["detail"]
            assert time.monotonic() - asked < 4
            assert live(kit)["state"] == "live"
        wait_until(lambda: kit.api("GET", "kit")["lesson"] is None, 10, "the lesson to end")
        assert viewer.longest_s < LIVE_PAUSE_S
        assert kit.api("GET", f"lessons/{id}")["state"] == "ended"
        assert probe(kit.download(id, tmp_path)).complaints == ""


def test_a_full_disk_closes_the_part_and_recording_goes_on_when_there_is_room(disk: disks.Disk, tmp_path: Path) -> None:
    with lesson_on(disk) as (kit, id, viewer):
        with disk.full():
            told = wait_until(lambda: live(kit) if live(kit)["incident"] == "disk_full" else None, 10, "disk_full told")
            assert told["recorded_s"] > 2
            assert kit.api("GET", f"lessons/{id}")["duration_s"] >= told["recorded_s"]
            playlist = kit.request("GET", f"/lessons/{id}/index.m3u8")[1].decode()
            listed_s = sum(map(float, re.findall(r"#EXTINF:([\d.]+)", playlist)))
            assert listed_s == pytest.approx(told["recorded_s"], abs=0.05)  # to the last fragment, while it lasts
        wait_until(lambda: not live(kit)["incident"] and live(kit)["gaps"] == 1, 15, "recording to go on")
        wait_until(lambda: live(kit)["recorded_s"] > told["recorded_s"] + 2, 10, "two seconds more")
        assert viewer.longest_s < LIVE_PAUSE_S
        stopped = kit.api("POST", f"lessons/{id}/stop")
        assert (stopped["gaps"], stopped["parts"]) == (1, 2)
        assert probe(kit.download(id, tmp_path)).complaints == ""


def test_a_full_disk_takes_the_stop(disk: disks.Disk, tmp_path: Path) -> None:
    with lesson_on(disk) as (kit, id, _), disk.full():
        wait_until(lambda: live(kit)["incident"] == "disk_full", 10, "disk_full told")
        assert kit.api("POST", f"lessons/{id}/stop")["state"] == "ended"
        wait_until(lambda: kit.api("GET", "kit")["disk"]["incident"] == "disk_full", 10, "the full disk told")


def test_a_lesson_begun_on_a_full_disk_is_recorded_when_there_is_room(disk: disks.Disk, tmp_path: Path) -> None:
    with Kit(disk.folder / "data") as kit:
        with disk.full():
            id = kit.api("POST", "lessons", {"title": "Sans place"})["id"]
            viewer = Viewer(kit)
            wait_until(lambda: viewer.segments > 20, 20, "a lesson that is watched")
            wait_until(lambda: live(kit)["incident"] == "disk_full", 5, "disk_full told")
            assert live(kit)["recorded_s"] == 0
            viewer.forget()
        wait_until(lambda: live(kit)["recorded_s"] > 2 and not live(kit)["incident"], 20, "a recording")
        assert viewer.longest_s < LIVE_PAUSE_S
        viewer.close()
        stopped = kit.api("POST", f"lessons/{id}/stop")
        assert (stopped["state"], stopped["gaps"]) == ("ended", 1)
        assert probe(kit.download(id, tmp_path)).complaints == ""


def test_a_disk_that_turns_read_only(disk: disks.Disk, tmp_path: Path) -> None:
    with lesson_on(disk) as (kit, id, viewer):
        disk.die()
        told = wait_until(
            lambda: live(kit) if live(kit)["incident"] in ("disk_read_only", "disk_error") else None, 10, "it told"
        )
        assert told["recorded_s"] > 2 and told["state"] == "live"
        asked = time.monotonic()
        wait_until(lambda: time.monotonic() - asked > 2, 5, "two seconds of live")
        assert viewer.longest_s < LIVE_PAUSE_S
    disk.repair()
    with Kit(disk.folder / "data") as kit:
        again = kit.api("GET", f"lessons/{id}")
        assert again["state"] == "live" and again["duration_s"] >= told["recorded_s"] - 0.1
        wait_until(lambda: live(kit)["recorded_s"] > told["recorded_s"] + 2, 20, "the lesson to go on")
        kit.api("POST", f"lessons/{id}/stop")
        assert probe(kit.download(id, tmp_path)).complaints == ""
