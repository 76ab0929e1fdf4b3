"""Whether the clock can be believed: a table, and what holds for any clocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessons.clock import AWAY_S, FILE, STEADY_S, STEP_S, Clock, Doubt, Known, look

NOW = 1_790_000_000.0
DAY, HOUR = 86_400.0, 3600.0


def known(newest: float | None = NOW, *, ahead_s: float = NOW, stepped: bool = False, steady_s: float = 0.0) -> Known:
    """As seen at NOW, when the boot "a" began."""
    return Known("a", ahead_s, NOW, 0.0, NOW, newest, stepped, steady_s)


@pytest.mark.parametrize(
    ("before", "boot", "wall", "boot_s", "written", "doubt"),
    [
        (None, "a", NOW, 50.0, None, ""),
        (None, "a", NOW, 50.0, NOW - DAY, ""),
        (None, "a", NOW, 50.0, NOW + 1, "behind"),
        (None, "a", NOW, 50.0, NOW - 61 * DAY, "ahead"),
        (known(), "a", NOW + HOUR, HOUR, NOW, ""),
        (known(), "b", NOW + 59 * DAY, 50.0, NOW, ""),
        (known(), "b", NOW + 61 * DAY, 50.0, NOW, "ahead"),
        (known(), "b", NOW + 61 * DAY, 50.0, NOW + 61 * DAY - 10, "ahead"),  # what was recorded in doubt proves nothing
        (known(steady_s=STEADY_S), "b", NOW + 50 * DAY, 50.0, NOW, ""),
        (known(), "b", NOW - 1, 50.0, NOW - DAY, "behind"),
        (known(), "b", NOW + DAY, 50.0, NOW + 2 * DAY, "behind"),
        (known(), "a", NOW + HOUR + STEP_S - 1, HOUR, NOW, ""),
        (known(), "a", NOW + HOUR + STEP_S + 1, HOUR, NOW, "stepped"),
        (known(NOW - DAY), "a", NOW + HOUR - STEP_S - 1, HOUR, NOW - DAY, "stepped"),
        (known(stepped=True), "a", NOW + HOUR, HOUR, NOW, "stepped"),
        (known(stepped=True), "b", NOW + HOUR, HOUR, NOW, ""),
        (known(None), "a", NOW + 100 * DAY, 100 * DAY, None, ""),
    ],
)
def test_doubts(
    before: Known | None, boot: str, wall: float, boot_s: float, written: float | None, doubt: Doubt
) -> None:
    after = look(before, boot, wall, boot_s, written)
    assert after.doubt == doubt
    trusted = not doubt and (written is not None or (before is not None and before.newest is not None))
    assert after.newest == (wall if trusted else before.newest if before else written)


def test_after_long_holidays_a_day_of_steady_running_is_enough() -> None:
    state = look(known(), "b", NOW + 70 * DAY, 100.0, NOW)
    assert state.doubt == "ahead"
    state = look(state, "b", NOW + 70 * DAY + 20 * HOUR, 100.0 + 20 * HOUR, NOW)
    assert state.doubt == "ahead" and state.steady_s == 20 * HOUR
    state = look(state, "c", NOW + 71 * DAY, 10.0, NOW)  # the night counts for nothing
    assert state.doubt == "ahead" and state.steady_s == 20 * HOUR
    state = look(state, "c", NOW + 71 * DAY + 4 * HOUR, 10.0 + 4 * HOUR, NOW)
    assert state.doubt == "" and state.newest == NOW + 71 * DAY + 4 * HOUR


@pytest.mark.parametrize(
    ("boot", "wall", "boot_s"),
    [
        ("b", NOW + 75 * DAY, 100.0 + 20 * HOUR),  # it stepped
        ("c", NOW + 69 * DAY, 10.0),  # it came back earlier than it went
        ("c", NOW + 200 * DAY, 10.0),
    ],
)
def test_a_clock_that_jumps_begins_anew(boot: str, wall: float, boot_s: float) -> None:
    state = Known("b", NOW + 70 * DAY - 100, NOW + 70 * DAY, 100.0, NOW, NOW, steady_s=20 * HOUR)
    state = look(state, boot, wall, boot_s, NOW)
    assert state.doubt and state.steady_s == 0.0


looks = st.lists(
    st.tuples(st.booleans(), st.floats(0, 3 * DAY), st.floats(-400 * DAY, 400 * DAY) | st.just(0.0)), max_size=30
)


@given(looks)
def test_no_doubtful_clock_is_ever_believed(steps: list[tuple[bool, float, float]]) -> None:
    """Each step: whether the machine starts anew, how long it ran, by how much somebody set the clock."""
    wall, boot_s, boot = NOW, 0.0, 0
    state = look(None, "boot-0", wall, boot_s, NOW)
    newest, baseline, steady, stepped = NOW, NOW, 0.0, False
    for anew, ran_s, set_s in steps:
        wall, boot_s = wall + ran_s + set_s, boot_s + ran_s
        if anew:
            boot, boot_s = boot + 1, 5.0
            baseline, stepped = wall - boot_s, False
        stepped = stepped or abs(wall - boot_s - baseline) > STEP_S
        steady = steady + ran_s if not anew and not stepped else 0.0 if stepped else steady
        state = look(state, f"boot-{boot}", wall, boot_s, NOW)
        if state.doubt:
            continue
        assert wall >= newest and not stepped
        assert wall - newest <= AWAY_S or steady >= STEADY_S
        newest, steady = wall, 0.0


@pytest.mark.parametrize(("boot", "later", "begins"), [("a", 1, 0), ("b", 3, 0), ("b", 3.1, 3.1), ("b", -1, 0)])
def test_a_pause_between_looks(boot: str, later: float, begins: float) -> None:
    assert look(known(), boot, NOW + later * DAY, later * DAY if boot == "a" else 9.0, None).since == NOW + begins * DAY


def told(known: Known) -> tuple[float, Doubt]:
    return known.wall, known.doubt


def test_it_is_remembered_in_a_file(tmp_path: Path) -> None:
    wall, boot_s = NOW, 50.0
    clock = Clock(tmp_path, "a", lambda: wall, lambda: boot_s)
    assert told(clock.look(NOW - 1)) == (NOW, "")
    wall, boot_s = NOW + 2 * HOUR, 60.0  # and the service starts anew
    assert told(Clock(tmp_path, "a", lambda: wall, lambda: boot_s).look(NOW - 1)) == (wall, "stepped")
    wall = NOW - HOUR
    assert told(Clock(tmp_path, "b", lambda: wall, lambda: boot_s).look(NOW - 2 * HOUR)) == (wall, "behind")
    (tmp_path / FILE).write_bytes(b"garbled")
    assert told(Clock(tmp_path, "b", lambda: wall, lambda: boot_s).look(NOW - 2 * HOUR)) == (wall, "")
