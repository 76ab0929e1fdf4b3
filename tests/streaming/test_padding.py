from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.padding import EVERY_NS, MOST_AT_ONCE, NS, WAY_BYTES, Budget

PACKET_BYTES = 297
BITS = 8 * (PACKET_BYTES + WAY_BYTES)


def test_packets_are_spread_over_the_time() -> None:
    budget = Budget(0, PACKET_BYTES)
    due = [budget.due(look * EVERY_NS, 1_040_000) for look in range(1, 101)]
    assert set(due) == {4}
    assert sum(due) * BITS == 1_040_000


@given(st.lists(st.tuples(st.integers(1, NS // 20), st.integers(0, 2_000_000)), max_size=200))
def test_no_more_than_the_rate_is_sent(looks: list[tuple[int, int]]) -> None:
    budget, now_ns, allowed, sent = Budget(0, PACKET_BYTES), 0, 0.0, 0
    for wait_ns, rate in looks:
        now_ns += wait_ns
        allowed += rate * wait_ns / NS
        sent += budget.due(now_ns, rate)
        assert sent * BITS <= allowed + 1e-3


@pytest.mark.parametrize("late_ns", [NS, 3600 * NS])
def test_a_late_look_makes_no_burst(late_ns: int) -> None:
    budget = Budget(0, PACKET_BYTES)
    assert budget.due(late_ns, 1_500_000) == MOST_AT_ONCE
    assert budget.due(late_ns + EVERY_NS, 1_500_000) <= 6
