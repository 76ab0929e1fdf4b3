"""How long the disk can still take lessons."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from appliance.messages import Lesson
from lessons.space import Rate, expected_rate, judge, look

MIB = 1 << 20
LESSON = Lesson("20261123-081502-4f2a", "123456", "", "live", 0.0, 0.0, 0, 1, 0, False)


@pytest.mark.parametrize(
    ("free_bytes", "read_only", "minutes", "incident"),
    [
        (1000 * MIB, False, 100, ""),
        (100 * MIB, False, 10, ""),
        (99 * MIB, False, 9.9, "disk_low"),
        (9 * MIB, False, 0.9, "disk_full"),
        (0, False, 0, "disk_full"),
        (1000 * MIB, True, 0, "disk_read_only"),
    ],
)
def test_what_a_disk_can_take(free_bytes: int, read_only: bool, minutes: float, incident: str) -> None:
    state = judge(free_bytes, 10 * MIB, read_only=read_only)
    assert state.minutes == pytest.approx(minutes) and state.incident == incident


def test_the_settings_say_what_a_minute_takes() -> None:
    assert expected_rate(1_500_000) == pytest.approx(12.3e6, rel=0.01)


def test_a_lesson_that_takes_more_is_believed_after_a_minute() -> None:
    rate = Rate(10.0)
    sizes = [(second, 2 * second) for second in range(0, 200, 5)]
    rates = [rate.note(msgspec.structs.replace(LESSON, bytes=size), second) for second, size in sizes]
    assert rates[:12] == [10.0] * 12
    assert rates[12:] == pytest.approx([120.0] * (len(sizes) - 12))
    other = msgspec.structs.replace(LESSON, id="20261123-091502-4f2a", bytes=10_000)
    assert rate.note(other, 200) == 10.0
    assert rate.note(None, 260) == 10.0


def test_a_real_disk_answers(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    state = look(tmp_path, 10 * MIB)
    assert state.free_bytes == pytest.approx(found.f_bavail * found.f_frsize, abs=500 * MIB)
    assert look(tmp_path / "nothing", 10 * MIB).incident == "disk_error"
