"""Bursts: the same packets as one by one, at their places, encrypted in place, and cut apart by the kernel."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from streaming.burst import MOST_PACKETS, Burst, Layout, Times, bursts, packet
from streaming.srtp import TRAILERS, SrtpPath

LAYOUT = Layout(
    ssrc=0xABCD,
    payload_type=102,
    mid="0",
    mid_id=4,
    abs_send_time_id=3,
    capture_time_id=0,
    playout_delay_id=0,
    trailer=16,
)
TIMES = Times(sent=7, captured=0x0102_0304_0506_0708)
PROFILES = [
    (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44, b"SRTP_AEAD_AES_256_GCM"),
    (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28, b"SRTP_AEAD_AES_128_GCM"),
    (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30, b"SRTP_AES128_CM_SHA1_80"),
]


def payloads_of(sizes: list[int]) -> list[bytes]:
    return [bytes([number % 256]) * size for number, size in enumerate(sizes)]


def make(sizes: list[int], layout: Layout = LAYOUT, first: int = 0) -> list[Burst]:
    return bursts(payloads_of(sizes), layout, TIMES, first=first, ticks=90_000, marker=True)


def written(burst: Burst, trailer: int, seq: int) -> list[bytes]:
    buffer = burst.numbered(seq & 0xFFFF, 90_000)
    return [
        bytes(buffer[at : min(at + burst.stride, burst.total) - trailer]) for at in range(0, burst.total, burst.stride)
    ]


@given(
    st.lists(st.sampled_from([1, 20, 500, 1100, 1160]), min_size=1, max_size=60),
    st.integers(0, 65535),
    st.sampled_from([0, 7, 65535]),
)
def test_bursts_hold_the_packets_in_order_and_all_but_the_last_are_of_one_length(
    sizes: list[int], seq: int, off: int
) -> None:
    made, out = make(sizes, first=(3 << 16) + seq - off), list[bytes]()
    for burst in made:
        packets = written(burst, LAYOUT.trailer, seq + len(out))
        assert len(packets) == burst.count <= MOST_PACKETS
        assert {len(each) for each in packets[:-1]} <= {len(packets[0])}
        assert len(packets[-1]) <= len(packets[0])
        out += packets
    assert out == [
        packet(
            LAYOUT, payload, TIMES, marker=number == len(sizes) - 1,
            own=((seq + number) & 0xFFFF, 90_000),
        )
        for number, payload in enumerate(payloads_of(sizes))
    ]  # fmt: skip
    assert sum(burst.octets for burst in made) == sum(sizes)


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ([500], [1]),
        ([31, 1148, 1148, 1140], [1, 3]),
        ([1000] * 20 + [999], [16, 5]),
        ([100, 90, 100, 100], [2, 2]),
    ],
)
def test_a_frame_is_few_bursts(sizes: list[int], counts: list[int]) -> None:
    assert [burst.count for burst in make(sizes)] == counts


@pytest.mark.parametrize(
    ("ids", "elements"),
    [
        ((0, 0, 0, 0), ""),
        ((4, 3, 0, 0), "3200000740300000"),
        ((0, 0, 5, 6), "570102030405060708620003e8000000"),
        ((4, 3, 15, 99), "3200000740300000"),
    ],
)
def test_the_extensions_are_those_that_were_negotiated(ids: tuple[int, int, int, int], elements: str) -> None:
    mid, sent, captured, delay = ids
    layout = LAYOUT._replace(mid_id=mid, abs_send_time_id=sent, capture_time_id=captured, playout_delay_id=delay)
    words = f"{len(elements) // 8:04x}"
    assert layout.head(TIMES, marker=True).hex() == "90e6" + "00" * 6 + "0000abcd" + "bede" + words + elements


class Ends:
    """A sending and a receiving socket on lo."""

    def __init__(self) -> None:
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.receiver.setblocking(False)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect(self.receiver.getsockname())
        self.sender.setblocking(False)

    def path(self, profile: int, key_length: int, out: Any = None) -> tuple[SrtpPath, Session]:
        key = bytes(range(key_length))
        sending = Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        sending.allow_repeat_tx = True
        session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        return SrtpPath(Session(sending), out or self.sender), session

    def received(self, session: Session) -> list[bytes]:
        result = []
        while True:
            try:
                result.append(session.unprotect(self.receiver.recv(2048)))
            except BlockingIOError:
                return result


@pytest.fixture
def ends() -> Iterator[Ends]:
    result = Ends()
    yield result
    result.sender.close()
    result.receiver.close()


@pytest.mark.parametrize(("profile", "key_length", "name"), PROFILES)
def test_what_arrives_decrypts_to_what_was_sent(ends: Ends, profile: int, key_length: int, name: bytes) -> None:
    path, session = ends.path(profile, key_length)
    layout = LAYOUT._replace(trailer=TRAILERS[name])
    expected, seq = list[bytes](), 65530
    for burst in make([31, 1148, 1148, 1148, 1120, 7], layout):
        assert path.send(burst, seq & 0xFFFF, 90_000) == burst.count
        expected += written(burst, layout.trailer, seq)
        seq += burst.count
    single = packet(layout, b"alone", TIMES, marker=False, own=(seq & 0xFFFF, 90_000))
    assert path.send_packet(single)
    assert ends.received(session) == [*expected, single]


class Refusing:
    """A socket whose kernel answers bursts, or everything after `room` datagrams, with an error."""

    def __init__(self, out: socket.socket, burst_error: int, room: int = 100) -> None:
        self._out, self._error, self._room = out, burst_error, room

    def sendmsg(self, *arguments: Any) -> int:
        raise OSError(self._error, "bursts are refused")

    def send(self, data: memoryview) -> int:
        self._room -= 1
        if self._room < 0:
            raise BlockingIOError(errno.EAGAIN, "full")
        return self._out.send(data)


@pytest.mark.parametrize("error", [errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP])
def test_a_kernel_that_cannot_cut_gets_the_packets_one_by_one(ends: Ends, error: int) -> None:
    path, session = ends.path(*PROFILES[1][:2], out=Refusing(ends.sender, error, room=6))
    (burst,) = make([900, 900, 900, 100])
    assert path.send(burst, 10, 90_000) == 4
    assert path.send(burst, 14, 90_000) == 2
    assert [each[2:4] for each in ends.received(session)] == [(10 + n).to_bytes(2) for n in range(6)]


def test_a_full_socket_takes_nothing_of_a_burst(ends: Ends) -> None:
    path, session = ends.path(*PROFILES[1][:2], out=Refusing(ends.sender, errno.EAGAIN))
    (burst,) = make([900, 900])
    assert path.send(burst, 10, 90_000) == 0
    assert ends.received(session) == []


def test_what_icmp_said_of_an_earlier_packet_costs_no_other(ends: Ends) -> None:
    path, session = ends.path(*PROFILES[1][:2], out=Refusing(ends.sender, errno.ECONNREFUSED))
    (burst,) = make([900, 900])
    assert path.send(burst, 10, 90_000) == 2
    assert len(ends.received(session)) == 2
    assert path.joint
