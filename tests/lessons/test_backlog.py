"""What waits for the disk: bounded, in order, and honest about what found no room."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import Packet
from lessons.backlog import SECOND, Backlog, Item, Overflow
from tests.lessons.media import pictures

AT = 1.0


def packet(seq: int, keyframe: bool = False, size: int = 500) -> Packet:
    return msgspec.structs.replace(pictures()[0], seq=seq, keyframe=keyframe, data=bytes(size))


def drain(backlog: Backlog) -> list[Item]:
    items = []
    while item := backlog.take(0):
        items.append(item)
    return items


def test_what_comes_is_dropped_until_half_is_free_and_a_keyframe_comes() -> None:
    backlog = Backlog(most_bytes=10_000)
    for seq in range(12):
        backlog.put(packet(seq), 0, AT)
    assert backlog.overflowing and backlog.bytes == 10_000
    assert not backlog.wants_keyframe(0)
    backlog.put(packet(12, keyframe=True), 0, AT)  # no room yet
    taken = [backlog.take(0) for _ in range(6)]
    assert backlog.wants_keyframe(0)
    backlog.put(packet(13), 0, AT)
    backlog.put(packet(14, keyframe=True), 0, AT)
    items = [item for item in taken if item] + drain(backlog)
    whats = [item.what.seq if isinstance(item.what, Packet) else item.what for item in items]
    assert whats == [*range(10), Overflow(4), 14]


def test_time_bounds_it_too() -> None:
    backlog = Backlog(most_s=2.0)
    backlog.put(packet(1), 0, AT)
    assert backlog.age_s(SECOND) == 1.0
    backlog.put(packet(2), 2 * SECOND, AT)
    backlog.put(packet(3), 2 * SECOND + 1, AT)
    assert backlog.overflowing


def test_a_stop_comes_through_a_full_backlog_and_says_what_is_missing_before_it() -> None:
    backlog = Backlog(most_bytes=1000)
    for seq in range(3):
        backlog.put(packet(seq), 0, AT)
    backlog.signal("watch", 0, AT)
    backlog.signal("stop", 0, AT)
    assert [item.what for item in drain(backlog)][1:] == [Overflow(2), "stop"]


def test_one_reminder_waits_at_a_time() -> None:
    backlog = Backlog()
    for _ in range(3):
        backlog.signal("watch", 0, AT)
    assert [item.what for item in drain(backlog)] == ["watch"]
    assert backlog.take(0) is None and backlog.age_s(5) == 0


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 4000), st.booleans())), max_size=60))
def test_order_is_kept_and_nothing_is_lost_unsaid(steps: list[tuple[int, bool] | None]) -> None:
    backlog = Backlog(most_bytes=12_000)
    put, out = 0, list[Item]()
    for step in steps:
        if step is None:
            out += [item] if (item := backlog.take(0)) else []
        else:
            backlog.put(packet(put, step[1], step[0]), 0, AT)
            put += 1
        assert backlog.bytes <= 12_000
    backlog.signal("stop", 0, AT)
    expected, missing = 0, False
    for item in out + drain(backlog):
        if isinstance(item.what, Overflow):
            expected += item.what.lost
            missing = True
        elif isinstance(item.what, Packet):
            assert item.what.seq == expected
            assert not missing or item.what.keyframe
            expected += 1
            missing = False
        else:
            assert expected == put
