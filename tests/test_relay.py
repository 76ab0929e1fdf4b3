"""The weak line itself, by its own clock; and its shell between two sockets."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit import wait_until
from tests.relay import NS, Line, Relay, Way

MS = NS // 1000
DESCRIPTORS = Path("/proc/self/fd")


def sent(way: Way, count: int, *, size: int = 100, every_ns: int = MS) -> list[tuple[int, int]]:
    """Number and arrival time of what arrives of `count` packets, in order of arrival."""
    for number in range(count):
        way.put(number.to_bytes(4) + bytes(size - 4), number * every_ns)
    arrived = []
    while (due_ns := way.due_ns()) is not None:
        assert way.take(due_ns - 1) == []
        arrived += [(int.from_bytes(packet[:4]), due_ns) for packet in way.take(due_ns)]
    return arrived


def test_a_line_that_does_nothing_passes_all_at_once() -> None:
    assert sent(Way(Line(), 1), 5) == [(number, number * MS) for number in range(5)]


def test_the_rate_spreads_packets_and_the_delay_comes_on_top() -> None:
    way = Way(Line(rate=80_000, delay_ns=5 * MS), 1)  # 100 bytes take 10 ms
    assert sent(way, 4) == [(number, (15 + 10 * number) * MS) for number in range(4)]


def test_a_full_queue_takes_no_more_but_a_packet_that_fits() -> None:
    way = Way(Line(rate=80_000, queue_bytes=250), 1)
    for packet in (b"a" * 100, b"b" * 100, b"c" * 100, b"d" * 50):
        way.put(packet, 0)
    arrived = way.take(NS)
    assert [packet[:1] for packet in arrived] == [b"a", b"b", b"d"]
    assert (way.passed, way.lost, way.overflowed) == (3, 0, 1)


@given(
    st.integers(1000, 10**7),
    st.integers(0, 10**5),
    st.lists(st.tuples(st.integers(0, NS), st.integers(1, 1500)), max_size=60),
)
def test_nothing_overtakes_and_the_queue_never_holds_more_than_it_may(
    rate: int, queue: int, packets: list[tuple[int, int]]
) -> None:
    way, now_ns = Way(Line(rate=rate, queue_bytes=queue), 1), 0
    for number, (wait_ns, size) in enumerate(packets):
        now_ns += wait_ns
        way.put(number.to_bytes(4) + bytes(size), now_ns)
        last_ns = way._under_way[-1][0] if way._under_way else now_ns
        assert (max(now_ns, last_ns) - now_ns) * rate / (8 * NS) <= queue + 1
    numbers = [int.from_bytes(packet[:4]) for packet in way.take(1 << 62)]
    assert numbers == sorted(numbers)
    assert len(numbers) + way.overflowed == len(packets)


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 4.0), (0.05, 1.0), (0.3, 10.0), (0.0, 3.0)])
def test_losses_come_in_bursts(loss: float, burst: float) -> None:
    count = 100_000
    arrived = {number for number, _ in sent(Way(Line(loss=loss, burst=burst), 7), count)}
    runs = [len(list(run)) for here, run in itertools.groupby(range(count), arrived.__contains__) if not here]
    assert sum(runs) == pytest.approx(loss * count, rel=0.15)
    if loss:
        # Of independent losses two follow each other by chance.
        assert sum(runs) / len(runs) == pytest.approx(max(burst, 1 / (1 - loss)), rel=0.1)


def test_equal_seeds_lose_equal_packets() -> None:
    line = Line(loss=0.2, burst=3)
    one, same, other = (sent(Way(line, seed), 500) for seed in (1, 1, 2))
    assert one == same != other


Ends = tuple[socket.socket, socket.socket, Relay]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Two hosts and the line between them."""
    near, near_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, near_end, far, far_end, Relay(near_end.fileno(), far_end.fileno(), Line(delay_ns=MS)) as relay:
        yield near, far, relay


def test_packets_pass_both_ways(ends: Ends) -> None:
    near, far, relay = ends
    for number in range(20):
        near.send(bytes([number]))
        far.send(bytes([number, 0]))
    assert [far.recv(10) for _ in range(20)] == [bytes([number]) for number in range(20)]
    assert [near.recv(10) for _ in range(20)] == [bytes([number, 0]) for number in range(20)]
    assert (relay.to_far.passed, relay.to_near.passed) == (20, 20)


def test_a_cut_line_passes_nothing_until_it_is_mended(ends: Ends) -> None:
    near, far, relay = ends
    relay.cut()
    near.send(b"lost")
    wait_until(lambda: relay.to_far.lost == 1, 5, "the packet to be lost")
    relay.mend()
    near.send(b"passes")
    assert far.recv(10) == b"passes"


def test_a_relay_leaves_no_descriptor_behind() -> None:
    before = len(list(DESCRIPTORS.iterdir()))
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right, Relay(left.fileno(), right.fileno(), Line()):
        pass
    assert len(list(DESCRIPTORS.iterdir())) == before


def test_what_is_under_way_when_the_line_is_cut_is_lost() -> None:
    way = Way(Line(delay_ns=MS), 1)
    way.put(b"x", 0)
    way.cut = True
    assert (way.take(MS), way.lost, way.due_ns()) == ([], 1, None)
