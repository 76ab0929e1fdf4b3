"""Which rung a TCP line carries: a table of overflows and calm."""

from __future__ import annotations

import pytest

from appliance.messages import QualityChoice
from ui.line import CALM_S, LONGEST_CALM_S, Line


def test_down_at_an_overflow_and_up_after_a_calm_while() -> None:
    line = Line("automatic", 0.0)
    assert line.see(0, 5.0) == "camera"
    assert line.see(1, 10.0) == "saving"
    # Another queue now, which has not overflowed.
    assert line.see(0, 10.0 + CALM_S - 1) == "saving"
    assert line.see(0, 10.0 + CALM_S) == "camera"


def test_an_overflow_of_the_saving_rung_puts_the_trial_off() -> None:
    line = Line("automatic", 0.0)
    line.see(1, 10.0)
    assert line.see(1, 50.0) == "saving"
    assert line.see(1, 10.0 + CALM_S) == "saving"
    assert line.see(1, 50.0 + CALM_S) == "camera"


def test_each_trial_that_fails_doubles_the_wait() -> None:
    line, now, waits = Line("automatic", 0.0), 10.0, []
    line.see(1, now)
    for _ in range(7):
        waited = 0.0
        while line.see(0, now) == "saving":
            now, waited = now + 1, waited + 1
        waits.append(waited)
        now += 5
        assert line.see(1, now) == "saving"
    assert waits == [min(LONGEST_CALM_S, CALM_S * 2**trial) for trial in range(7)]


def test_a_trial_that_lasted_begins_the_wait_anew() -> None:
    line = Line("automatic", 0.0)
    line.see(1, 10.0)
    assert line.see(0, 100.0) == "camera"
    assert line.see(1, 110.0) == "saving"  # failed: twice the wait
    assert line.see(0, 110.0 + 2 * CALM_S) == "camera"
    assert line.see(1, 1000.0) == "saving"  # had lasted
    assert line.see(0, 1000.0 + CALM_S) == "camera"


@pytest.mark.parametrize(("quality", "feed"), [("sharp", "camera"), ("saving", "saving"), ("sound", "saving")])
def test_a_choice_by_hand_stays(quality: QualityChoice, feed: str) -> None:
    line = Line(quality, 0.0)
    assert [line.see(drops, now) for drops, now in ((0, 1.0), (1, 2.0), (2, 500.0))] == [feed] * 3
