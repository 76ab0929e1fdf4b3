"""Which rung a TCP line carries: a table of overflows and calm."""

from __future__ import annotations

import pytest

from appliance.messages import QualityChoice
from ui.line import CALM_S, LONGEST_CALM_S, MOST_REMEMBERED, REMEMBERED_S, Line, Lines


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


@pytest.mark.parametrize(("quality", "feed"), [("sharp", "camera"), ("saving", "saving"), ("sound", "sound")])
def test_a_choice_by_hand_stays(quality: QualityChoice, feed: str) -> None:
    line = Line(quality, 0.0)
    assert [line.see(drops, now) for drops, now in ((0, 1.0), (1, 2.0), (2, 500.0))] == [feed] * 3


def test_who_leaves_twice_with_something_in_the_queue_gets_the_saving_rung() -> None:
    lines = Lines()
    first = lines.take("v", "automatic", 0.0)
    again = lines.take("v", "automatic", 7.0)  # before the old connection is known to be over
    lines.leave("v", first, 8.0, behind=True)
    assert again.see(0, 9.0) == "camera"
    lines.leave("v", again, 14.0, behind=True)
    assert lines.take("v", "automatic", 15.0).see(0, 16.0) == "saving"
    assert lines.take("w", "automatic", 15.0).see(0, 16.0) == "camera"


def test_a_line_that_was_cut_once_is_no_thin_one() -> None:
    lines = Lines()
    for began in (0.0, 20.0, 40.0):
        lines.leave("v", lines.take("v", "automatic", began), began + 5, behind=True)
        lines.leave("v", lines.take("v", "automatic", began + 6), began + 19, behind=False)
    assert lines.take("v", "automatic", 60.0).feed == "camera"


def test_a_line_is_known_for_a_while_and_for_one_choice() -> None:
    lines = Lines()
    line = lines.take("v", "automatic", 0.0)
    assert line.see(1, 1.0) == "saving"
    lines.leave("v", line, 2.0, behind=False)
    assert lines.take("v", "sharp", 3.0).feed == "camera"
    lines.leave("v", line, 4.0, behind=False)  # the old connection ends late
    assert lines.take("v", "sharp", 5.0).feed == "camera"
    line = lines.take("w", "automatic", 0.0)
    line.see(1, 1.0)
    lines.leave("w", line, 2.0, behind=False)
    assert lines.take("w", "automatic", 2.0 + REMEMBERED_S).see(0, 63.0) == "camera"  # a calm minute later
    line.see(1, 70.0)
    lines.leave("w", line, 71.0, behind=False)
    assert lines.take("w", "automatic", 72.0 + REMEMBERED_S).feed == "camera"


def test_few_lines_are_remembered() -> None:
    lines = Lines()
    for number in range(2 * MOST_REMEMBERED):
        lines.take(f"v{number}", "automatic", 0.0)
    assert len(lines._known) == MOST_REMEMBERED
