"""Order, losses, times and feedback of one incoming stream."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import Packet as BusPacket
from streaming import rtcp
from streaming.clock import NS
from streaming.ingest import feedback
from streaming.ingest.reorder import LARGEST_JUMP, MOST_NACKS, Ordered, Reorder
from streaming.ingest.rtp import Packet, Unwrapped
from streaming.ingest.stream import Incoming, Stream
from streaming.ingest.timing import Offset, TrackClock
from tests.streaming.ingest.test_depacketising import packetised

MS = 1_000_000
WAIT_NS = 100 * MS


def packet(seq: int, ssrc: int = 1) -> Packet:
    return Packet(96, True, seq & 0xFFFF, seq * 3000 & 0xFFFFFFFF, ssrc, b"x")


@given(seed=st.integers(0, 2**32), first=st.integers(0, 65_535))
def test_shuffled_packets_come_back_in_order(seed: int, first: int) -> None:
    chance = random.Random(seed)
    numbers = [first] + sorted(range(first + 1, first + 60), key=lambda number: number + chance.uniform(0, 8))
    reorder = Reorder(WAIT_NS)
    found = [one for place, number in enumerate(numbers) for one in reorder.push(packet(number), place * MS)]
    assert [one.packet.seq for one in found] == [number & 0xFFFF for number in range(first, first + 60)]
    assert all(one.lost == 0 for one in found)
    assert (reorder.expected, reorder.received) == (60, 60)


@given(seed=st.integers(0, 2**32), first=st.integers(0, 65_535))
def test_losses_are_told_and_asked_for(seed: int, first: int) -> None:
    chance = random.Random(seed)
    present = [first + place for place in range(80) if place in (0, 79) or chance.random() > 0.2]
    reorder, asked = Reorder(WAIT_NS), list[int]()
    found: list[Ordered] = []
    for number in present:
        now_ns = (number - first) * 10 * MS
        found += reorder.push(packet(number), now_ns)
        asked += reorder.wanted(now_ns)
    found += reorder.expire(10 * NS)
    absent = [number & 0xFFFF for number in range(first, first + 80) if number not in present]
    assert [one.packet.seq for one in found] == [number & 0xFFFF for number in present]
    assert sum(one.lost for one in found) == len(absent) == reorder.expected - reorder.received
    assert set(asked) == set(absent)
    assert all(asked.count(number) <= MOST_NACKS for number in absent)


def test_a_resent_packet_mends_the_order_and_a_late_one_is_dropped() -> None:
    reorder = Reorder(WAIT_NS)
    list(reorder.push(packet(1), 0))
    assert list(reorder.push(packet(3), 0)) == []
    assert reorder.wanted(0) == [2] and reorder.wanted(10 * MS) == [] and reorder.wanted(60 * MS) == [2]
    assert [one.packet.seq for one in reorder.push(packet(2), 70 * MS)] == [2, 3]
    list(reorder.push(packet(5), 80 * MS))
    assert [(one.packet.seq, one.lost) for one in reorder.expire(80 * MS + WAIT_NS)] == [(5, 1)]
    assert list(reorder.push(packet(4), 200 * MS)) == [] and list(reorder.push(packet(5), 200 * MS)) == []


def test_a_far_jump_begins_anew() -> None:
    reorder = Reorder(WAIT_NS)
    list(reorder.push(packet(1), 0))
    list(reorder.push(packet(3), 0))
    found = list(reorder.push(packet(3 + LARGEST_JUMP + 100), 0))
    assert [one.packet.seq for one in found] == [3, 3 + LARGEST_JUMP + 100]
    assert all(one.lost for one in found) and reorder.wanted(0) == []


@given(st.lists(st.integers(-40_000, 40_000)), st.integers(0, 2**32 - 1))
def test_unwrapping(steps: list[int], number: int) -> None:
    unwrapped, true = Unwrapped(32), number
    assert unwrapped.take(number) == number
    for step in steps:
        true = max(true + step, 0)
        assert unwrapped.take(true & 0xFFFFFFFF) == true


def test_times_follow_the_quickest_packets() -> None:
    """Jitter of arrival does not reach pts; the publisher's clock may run 100 ppm off."""
    chance, clock = random.Random(4), TrackClock(90_000, Offset())
    errors = []
    for number in range(3000):
        captured = number * NS // 30
        arrived = 5 * NS + round(captured * 1.0001) + 2 * MS + round(chance.expovariate(1 / (5 * MS)))
        pts = clock.pts_ns((number * 3000 + 4_294_000_000) & 0xFFFFFFFF, arrived)
        assert pts <= arrived
        if number > 100:
            errors.append(pts - 5 * NS - round(captured * 1.0001))
    assert max(errors) - min(errors) < 5 * MS
    assert min(errors) > 0 and max(errors) < 8 * MS


def test_reports_put_sound_and_picture_on_one_clock() -> None:
    """The sound arrives 80 ms late, yet has the times of the picture captured with it."""
    shared = Offset()
    video, audio = TrackClock(90_000, shared), TrackClock(48_000, shared)
    ntp = (3_900_000_000 << 32) + (1 << 31)
    video.report(ntp, 1_000_000)
    audio.report(ntp, 77)
    picture = video.pts_ns(1_000_000 + 90_000, 10 * NS)
    sound = audio.pts_ns(77 + 48_000, 10 * NS + 80 * MS)
    assert abs(sound - picture) < MS


def test_a_clock_that_jumps_is_followed() -> None:
    clock = TrackClock(90_000, Offset())
    first = clock.pts_ns(0, NS)
    assert clock.pts_ns(90_000 * 100, 2 * NS) <= 2 * NS
    assert clock.pts_ns(90_000, 30 * NS) > first
    times = [clock.pts_ns(90_000 + 3000 * number, 31 * NS + number * NS // 30) for number in range(30)]
    assert times == sorted(set(times))


def stream(kind: str = "video") -> Stream:
    incoming = Incoming("video" if kind == "video" else "audio", frozenset({96}))
    return Stream(incoming, source="screen", rung="main", epoch=9, shared=Offset())


def test_a_stream_numbers_what_is_whole(video: list[BusPacket]) -> None:
    one = stream()
    found = [whole for number, each in enumerate(packetised(video)) for whole in one.push(each, NS + number * MS)]
    assert [packet.seq for packet in found] == list(range(1, len(video) + 1))
    assert {(packet.track, packet.epoch, packet.codec) for packet in found} == {("screen/main", 9, "h264")}
    assert one.keyframe_seen and not one.wanting and one.lost == 0
    # Another SSRC is a new stream: nothing until its keyframe, and the numbers go on.
    again = [Packet(96, each.marker, each.seq, each.ticks, 99, each.payload) for each in packetised(video[25:35])]
    more = [whole for each in again for whole in one.push(each, 10 * NS)]
    assert more[0].keyframe and [packet.seq for packet in more] == list(range(len(video) + 1, len(video) + 6))


def test_time_goes_on_when_a_stream_begins_anew() -> None:
    one, opus = stream("audio"), b"\xf8\xff\xfe"
    found = [
        one.push(Packet(96, False, 1, ticks, ssrc, opus), 10 * NS) for ssrc, ticks in ((7, 480_000), (8, 0), (9, 5))
    ]
    times = [packet.pts_ns for packets in found for packet in packets]
    assert len(set(times)) == 3 and times == sorted(times)


def test_a_lost_packet_is_resent_or_costs_the_group(video: list[BusPacket]) -> None:
    packets = packetised(video)
    gone = next(place for place, each in enumerate(packets) if each.ticks == 3000 * 10)
    one, found = stream(), []
    for each in packets[:gone] + packets[gone + 1 : gone + 4]:
        found += one.push(each, NS)
    assert one.missing(NS) == [packets[gone].seq] and len(found) == 10 and not one.wanting
    for each in packets[gone + 4 :]:
        found += one.push(each, 2 * NS)
    assert one.lost == 1
    assert [packet.keyframe for packet in found].count(True) == 3
    assert len(found) == len(video) - 20


def test_report_blocks() -> None:
    one = stream()
    assert one.block(NS) is None
    for number in (1, 2, 3, 5):
        one.push(packet(number), NS)
    one.reported(feedback.SenderReport(1, 0x1122334455667788, 3000), NS)
    block = one.block(2 * NS)
    assert block is not None
    assert (block.ssrc, block.highest, block.lost, block.loss) == (1, 5, 1, 256 // 5)
    assert (block.last_report, block.delay) == (0x33445566, 65_536)
    again = one.block(3 * NS)
    assert again is not None and again.loss == 0


def test_feedback_is_what_a_sender_reads() -> None:
    blocks = [feedback.Block(7, 128, 3, 99, 5, 1, 2)]
    compound = (
        feedback.receiver_report(1, blocks)
        + feedback.nack(1, 7, [65_530, 65_535, 0, 12, 400])
        + feedback.picture_loss(1, 7)
        + feedback.limit(1, 7, 4_000_000)
    )
    assert rtcp.parse(compound) == [
        rtcp.Reception(7, 0.5, 5, 1, 2, 99, 3),
        rtcp.Nack(7, [65_530, 65_535, 0, 12, 400]),
        rtcp.KeyframeWanted(7),
        rtcp.Estimate(4_000_000),
    ]


def test_sender_reports_are_read() -> None:
    compound = rtcp.sender_report(7, "me", ntp=5 << 32, ticks=90, packets=1, octets=2)
    assert feedback.sender_reports(compound) == [feedback.SenderReport(7, 5 << 32, 90)]
    with pytest.raises(rtcp.RtcpError):
        feedback.sender_reports(compound[:-1])


@given(st.binary(max_size=60))
def test_reports_of_strangers(data: bytes) -> None:
    try:
        feedback.sender_reports(data)
    except rtcp.RtcpError:
        return
