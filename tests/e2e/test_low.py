"""A kit makes the low rung of its recordings by itself, but not while a lesson is live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.judge import probe
from tests.kit import Kit, running_kit, wait_until


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


def begin(kit: Kit, seconds: float) -> str:
    lesson = str(kit.api("POST", "lessons", {"title": "Les volcans"})["id"])
    wait_until(lambda: kit.api("GET", f"lessons/{lesson}")["duration_s"] > seconds, 30, "the lesson to be recorded")
    return lesson


def end(kit: Kit, lesson: str) -> None:
    kit.api("POST", f"lessons/{lesson}/stop")


def low(kit: Kit, lesson: str) -> Any:
    return json.loads(kit.request("GET", f"/lessons/{lesson}/timeline.json")[1])["low"]


def makers(kit: Kit) -> list[psutil.Process]:
    """The processes that make a low rung now."""
    found = []
    for process in kit.processes():
        try:
            if "lessons.low" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def test_recordings_get_a_low_rung_while_no_lesson_is_live(kit: Kit, tmp_path: Path) -> None:
    first = begin(kit, 12)
    end(kit, first)
    (maker,) = wait_until(lambda: makers(kit), 40, "the low rung to be begun")
    wait_until(lambda: maker.nice() == 19, 5, "it to be of the lowest priority")
    assert low(kit, first) is None
    second = begin(kit, 3)
    assert makers(kit) == [] and low(kit, first) is None
    end(kit, second)
    wait_until(lambda: low(kit, first) and low(kit, second), 120, "the low rungs")
    master = kit.request("GET", f"/lessons/{first}/master.m3u8")[1].decode()
    assert [line for line in master.splitlines() if line.endswith(".m3u8")] == ["index.m3u8", "low.m3u8"]
    small = tmp_path / "low.mp4"
    small.write_bytes(kit.request("GET", f"/lessons/{first}/low-0001.mp4")[1])
    found, whole = probe(small), probe(kit.download(first, tmp_path))
    assert (found.complaints, found.video_frames) == ("", whole.video_frames)
    assert found.duration_s == pytest.approx(whole.duration_s, abs=0.1)
    kit.api("DELETE", f"lessons/{first}")
    assert not (kit.data / "lessons" / first).exists()
