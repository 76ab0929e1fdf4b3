"""When keyframes are made, by table and by property."""

from hypothesis import given
from hypothesis import strategies as st

from capture.keyframes import INTERVAL_NS, LEAST_FORCED_NS, KeyframePolicy

MS = 1_000_000
FRAME = 33_333_333


def test_the_first_frame_and_then_one_a_second() -> None:
    policy = KeyframePolicy()
    assert [n for n in range(91) if policy.decide(n * FRAME)] == [0, 30, 60, 90]


def test_a_request_is_served_at_once_then_once_a_second() -> None:
    policy = KeyframePolicy()
    made = []
    for n in range(60):
        if n in (5, 8, 20):
            policy.request()
        if policy.decide(n * FRAME):
            made.append(n)
    assert made == [0, 5, 35]
    assert policy.forced == 1


def test_an_urgent_request_does_not_wait() -> None:
    policy = KeyframePolicy()
    made = []
    for n in range(30):
        if n in (5, 8, 20):
            policy.request(urgent=n == 20)
        if policy.decide(n * FRAME):
            made.append(n)
    assert made == [0, 5, 20]


@given(st.lists(st.booleans(), min_size=1, max_size=400))
def test_no_gap_over_a_second_and_no_storm(requests: list[bool]) -> None:
    policy = KeyframePolicy()
    made = []
    for n, asked in enumerate(requests):
        if asked:
            policy.request()
        if policy.decide(n * FRAME):
            made.append(n * FRAME)
    gaps = [b - a for a, b in zip(made, made[1:], strict=False)]
    assert all(gap <= INTERVAL_NS + FRAME for gap in gaps)
    elapsed_s = len(requests) * FRAME / LEAST_FORCED_NS
    assert policy.forced <= elapsed_s + 1
