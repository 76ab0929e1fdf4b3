from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.losses import HEARD_KEPT, LEAST_PACKETS, NUMBERS_KEPT, Asked, Losses
from streaming.signs import Signs

MS = 1_000_000


def reported(*reports: tuple[int, int, int]) -> Losses:
    """After reports of (milliseconds, highest number, lost)."""
    losses = Losses()
    for at_ms, highest, lost in reports:
        losses.report(at_ms * MS, highest, lost)
    return losses


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], 0.0),
        ([(0, 1000, 50)], 0.0),
        ([(0, 1000, 50), (1000, 1100, 75)], 0.25),
        ([(0, 1000, 0), (5000, 1100, 25)], 0.25),  # reports further apart than the window
        ([(0, 1000, 0), (1000, 1100, 50), (2000, 1200, 50)], 0.0),  # what was before the window is over
        ([(0, 1000, 0), (600, 1100, 10), (900, 1200, 20), (1100, 1300, 30)], 0.1),
        ([(0, 1000, 0), (50, 1002, 1)], 1 / LEAST_PACKETS),  # one of two
        ([(0, 1000, 0), (200, 1040, 39)], 39 / LEAST_PACKETS),
        ([(0, 1000, 5), (1000, 1100, 3)], 0.0),  # what was late came after all
        ([(0, 1000, 0), (1000, 1100, 5000)], 1.0),
        ([(0, 1000, 0), (1000, 10, 0), (2000, 110, 11)], 0.11),  # another sender, another count
    ],
)
def test_the_fraction_of_the_last_second(reports: list[tuple[int, int, int]], expected: float) -> None:
    assert reported(*reports).fraction() == pytest.approx(expected)


def test_the_fraction_of_the_last_four_seconds_needs_four_seconds() -> None:
    seconds = [(1000 * second, 150 * second, 30 * second) for second in range(9)]
    assert [reported(*seconds[:count]).long_fraction() for count in (0, 1, 4)] == [0.0] * 3
    assert reported(*seconds[:5]).long_fraction() == pytest.approx(0.2)
    assert reported(*seconds, (9000, 1500, 240)).long_fraction() == pytest.approx(0.12)
    repairs = reported((0, 0, 0), (4000, 24, 12))
    assert repairs.long_fraction() == pytest.approx(12 / (4 * LEAST_PACKETS))


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 2**32), st.integers(-(2**23), 2**23)), max_size=60))
def test_nobody_s_reports_break_it(reports: list[tuple[int, int, int]]) -> None:
    losses, now_ns = Losses(), 0
    for wait_ns, highest, lost in reports:
        now_ns += wait_ns
        losses.report(now_ns, highest, lost)
        assert 0 <= losses.fraction() <= 1 and 0 <= losses.long_fraction() <= 1


def test_a_flood_of_feedback_is_not_kept() -> None:
    losses, signs = Losses(), Signs(0)
    for number in range(5000):
        losses.report(number * MS // 10, number, number)
        signs.sent(number * MS // 10, number, number)
        signs.nacked(number * MS // 10, 1)
    assert [len(kept) for kept in (losses._reports, signs._sent, signs._nacked)] == [HEARD_KEPT] * 3
    assert losses.fraction() == 1.0


def test_what_is_asked_for_again_and_again_counts_once() -> None:
    asked = Asked()
    assert [asked.first_time(numbers) for numbers in ([5, 6, 7], [6, 7, 8], [5, 5], [])] == [3, 1, 0, 0]


@given(st.lists(st.lists(st.integers(0, 65535), max_size=500), max_size=20))
def test_numbers_are_forgotten_in_time(floods: list[list[int]]) -> None:
    asked = Asked()
    for numbers in floods:
        assert asked.first_time(numbers) <= len(set(numbers))
        assert len(asked._known) <= NUMBERS_KEPT
