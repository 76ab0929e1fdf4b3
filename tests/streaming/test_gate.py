"""What gets in at a media port."""

from __future__ import annotations

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from streaming.gate import NS, Budget, introduces, is_media, is_stun
from tests.streaming.hostility import check


@given(per_second=st.integers(1, 1000), steps=st.lists(st.integers(0, NS // 3), max_size=300))
def test_a_budget_holds_in_every_second(per_second: int, steps: list[int]) -> None:
    budget, now_ns, taken = Budget(per_second), NS, list[int]()
    for step in steps:
        now_ns += step
        if budget.take(now_ns):
            taken.append(now_ns)
    for number, at_ns in enumerate(taken):
        assert sum(at_ns <= other < at_ns + NS for other in taken[number:]) <= 2 * per_second


def test_a_budget_refills() -> None:
    budget = Budget(5)
    assert [budget.take(0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [budget.take(NS // 5) for _ in range(2)] == [True, False]
    assert [budget.take(3 * NS) for _ in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    ("data", "stun", "media"),
    [
        (b"\x00", True, False),
        (b"\x03", True, False),
        (b"\x04", False, False),  # RFC 7983 section 7: what follows STUN is nobody's
        (b"\x13", False, False),
        (b"\x14", False, True),  # DTLS
        (b"\x3f", False, True),
        (b"\x40", False, False),  # TURN channels
        (b"\x7f", False, False),
        (b"\x80", False, True),  # RTP and RTCP
        (b"\xbf", False, True),
        (b"\xc0", False, False),
    ],
)
def test_first_bytes(data: bytes, stun: bool, media: bool) -> None:
    assert (is_stun(data), is_media(data)) == (stun, media)


def test_who_may_introduce_an_address() -> None:
    assert introduces(bytes(check("abcd:efgh")), "abcd")
    assert not introduces(bytes(check("efgh:abcd")), "abcd")
    assert not introduces(bytes(check("abcd:efgh", stun.Class.RESPONSE)), "abcd")
    assert not introduces(bytes(check("abcd:efgh"))[:4] + bytes(4) + b"abcd:", "abcd")
    assert not introduces(b"\x00", "abcd")
    assert not introduces(b"\x16\xfe\xfd" + b"abcd:", "abcd")
