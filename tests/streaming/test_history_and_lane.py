from __future__ import annotations

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from streaming.burst import Burst, Times
from streaming.history import Frame, History
from streaming.lane import MAX_RESENDS, PADDING_BYTES, ROUND_TRIP_NS, Lane, Negotiated

SECOND = 1_000_000_000
MID, ABS = "urn:ietf:params:rtp-hdrext:sdes:mid", "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


def add(history: History, number: int, *, size: int = 3, keyframe: bool = False) -> Frame:
    return history.add(
        [bytes([number % 256, part]) for part in range(size)],
        ticks=3000 * number, times=Times(number, number), at_ns=number * SECOND // 30, keyframe=keyframe, marker=True,
    )  # fmt: skip


def lane(kind: str = "video", mid_id: int = 4, abs_id: int = 3, repair: int = 0) -> Lane:
    negotiated = Negotiated(
        kind, 0xABCD, 102, 90_000, "cname", "0", mid_id, abs_id, 0, repair_ssrc=0xDCBA, repair_payload_type=repair
    )
    return Lane(negotiated, first_seq=65530)


def resend(viewer: Lane, seq: int, history: History, now_ns: int = 0) -> bytes | None:
    return viewer.resend(seq, history, now_ns, 99)


class Collect:
    """A path without encryption to a socket with room for so many packets in all."""

    joint = False

    def __init__(self, into: list[bytes], room: int = 10**6) -> None:
        self._into, self._room = into, room

    def send(self, burst: Burst, seq: int, ticks: int) -> int:
        buffer = burst.numbered(seq, ticks)
        packets = [bytes(buffer[at : at + burst.stride]) for at in range(0, burst.total, burst.stride)]
        went = [packet for packet in packets if self.send_packet(packet)]
        return len(went)

    def send_packet(self, packet: bytes) -> bool:
        if len(self._into) >= self._room:
            return False
        self._into.append(packet)
        return True


def parse(packet: bytes, mid_id: int = 4, abs_id: int = 3) -> RtpPacket:
    known = HeaderExtensionsMap()
    extensions = [RTCRtpHeaderExtensionParameters(id=key, uri=uri) for key, uri in ((mid_id, MID), (abs_id, ABS))]
    known.configure(RTCRtpParameters(headerExtensions=extensions))
    return RtpPacket.parse(packet, known)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=300))
def test_the_history_finds_what_it_holds_and_nothing_else(sizes: list[int]) -> None:
    history = History()
    frames = [add(history, number, size=size) for number, size in enumerate(sizes)]
    oldest = frames[-1].at_ns - 2 * SECOND
    for frame in frames:
        for offset in range(len(frame.payloads)):
            expected = (frame, offset) if frame.at_ns >= oldest else None
            assert history.find(frame.first + offset) == expected
    assert history.find(frames[-1].first + len(frames[-1].payloads)) is None
    assert history.find(-1) is None


def test_the_group_of_pictures_begins_at_the_newest_keyframe() -> None:
    history = History()
    assert history.group_of_pictures() == []
    for number in range(20):
        add(history, number, keyframe=number in (3, 12))
    assert [frame.number for frame in history.group_of_pictures()] == list(range(12, 20))


def test_packets_parse_elsewhere_and_count_on() -> None:
    history, out, viewer = History(), list[bytes](), lane()
    for number in range(4):
        assert viewer.send(add(history, number, keyframe=number == 1), Collect(out))
    packets = [parse(packet) for packet in out]
    assert [packet.sequence_number for packet in packets] == [(65530 + n) % 65536 for n in range(9)]
    assert [packet.timestamp for packet in packets[::3]] == [3000, 6000, 9000]
    assert [packet.marker for packet in packets[:3]] == [0, 0, 1]
    assert {(packet.ssrc, packet.payload_type, packet.extensions.mid) for packet in packets} == {(0xABCD, 102, "0")}
    assert packets[0].extensions.abs_send_time == 1
    assert packets[0].payload == b"\x01\x00"
    assert (viewer.sent, viewer.octets) == (9, 18)


@pytest.mark.parametrize(("mid_id", "abs_id"), [(0, 0), (4, 0), (0, 3), (15, 20)])
def test_extensions_that_were_not_negotiated_are_absent(mid_id: int, abs_id: int) -> None:
    out: list[bytes] = []
    lane(mid_id=mid_id, abs_id=abs_id).send(add(History(), 1, keyframe=True), Collect(out))
    packet = parse(out[0])
    assert packet.extensions.mid == ("0" if mid_id == 4 else None)
    assert packet.extensions.abs_send_time == (1 if abs_id == 3 else None)
    assert packet.payload == b"\x01\x00"


def test_a_full_socket_costs_the_frames_to_the_next_keyframe() -> None:
    history, out, viewer = History(), list[bytes](), lane()
    viewer.send(add(history, 0, keyframe=True), Collect(out))
    assert not viewer.send(add(history, 1), Collect(out, room=4))
    assert viewer.send(add(history, 2), Collect(out))
    assert len(out) == 4
    viewer.send(add(history, 3, keyframe=True), Collect(out))
    packets = [parse(packet) for packet in out]
    assert [packet.payload[0] for packet in packets] == [0, 0, 0, 1, 3, 3, 3]
    assert [(packet.sequence_number - 65530) % 65536 for packet in packets] == list(range(7))
    for packet, sent in zip(packets, out, strict=True):
        assert resend(viewer, packet.sequence_number, history) == sent


def test_catching_up_ends_at_the_present() -> None:
    history, out, viewer = History(), list[bytes](), lane()
    frames = [add(history, number, size=1, keyframe=number == 0) for number in range(5)]
    viewer.catch_up(frames, Collect(out))
    viewer.send(add(history, 5, size=1), Collect(out))
    assert [parse(packet).timestamp - 12_000 for packet in out] == [-360, -270, -180, -90, 0, 3000]
    assert [resend(viewer, parse(packet).sequence_number, history) for packet in out] == out


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 8)), min_size=1, max_size=50))
def test_resent_packets_are_the_same_to_the_last_bit(frames: list[tuple[int, bool, int]]) -> None:
    history, out, viewer = History(), list[bytes](), lane()
    for number, (size, keyframe, room) in enumerate(frames):
        viewer.send(add(history, number, size=size, keyframe=keyframe or number == 0), Collect(out, len(out) + room))
    assert len(out) == viewer.sent
    for packet in out:
        assert resend(viewer, parse(packet).sequence_number, history) in (packet, None)
    for packet in out[-20:]:
        seq = parse(packet).sequence_number
        assert resend(viewer, (seq + len(out) + 1) & 0xFFFF, history) != packet


def test_a_packet_is_resent_three_times_at_most_and_not_twice_within_a_round_trip() -> None:
    history, out, viewer = History(), list[bytes](), lane()
    viewer.send(add(history, 0, keyframe=True), Collect(out))
    times = [0, ROUND_TRIP_NS - 1, ROUND_TRIP_NS, 2 * ROUND_TRIP_NS, 3 * ROUND_TRIP_NS]
    assert [resend(viewer, 65531, history, now_ns) for now_ns in times] == [out[1], None, out[1], out[1], None]
    assert viewer.resent == MAX_RESENDS
    assert resend(viewer, 65529, history) is None
    assert resend(viewer, 65533, history) is None
    viewer.round_trip_ns = 10
    assert [resend(viewer, 65530, history, now_ns) for now_ns in (0, 9, 10)] == [out[0], None, out[0]]


def test_rtx_carries_the_original_number_on_its_own_stream() -> None:
    history, out, viewer = History(), list[bytes](), lane(repair=103)
    viewer.send(add(history, 0, keyframe=True), Collect(out))
    for repaired, lost in enumerate((2, 0)):
        sent = resend(viewer, 65530 + lost, history)
        assert sent is not None
        packet, original = parse(sent), parse(out[lost])
        assert (packet.ssrc, packet.payload_type, packet.sequence_number) == (0xDCBA, 103, repaired)
        assert packet.payload == (65530 + lost).to_bytes(2) + original.payload
        assert (packet.timestamp, packet.marker) == (original.timestamp, original.marker)
        assert packet.extensions.abs_send_time == 99


@given(st.lists(st.sampled_from(["resend", "pad"]), min_size=1, max_size=40))
def test_padding_and_what_is_resent_share_one_count(kinds: list[str]) -> None:
    """SRTP must never encrypt two packets under one number of a stream."""
    history, out, viewer = History(), list[bytes](), lane(repair=103)
    for number in range(20):
        viewer.send(add(history, number, keyframe=number == 0), Collect(out))
    sent = []
    for number, kind in enumerate(kinds):
        if kind == "pad":
            packet = viewer.padding(3000 * number, Times(77, 5))
            assert parse(packet).extensions.abs_send_time == 77
        else:
            resent = resend(viewer, (65530 + number) & 0xFFFF, history)
            assert resent is not None
            packet = resent
        sent.append(parse(packet))
    assert [packet.sequence_number for packet in sent] == list(range(len(kinds)))
    assert {(packet.ssrc, packet.payload_type) for packet in sent} == {(0xDCBA, 103)}
    sizes = [(each.padding_size, len(each.payload)) for each in sent]
    assert sizes == [(PADDING_BYTES, 0) if kind == "pad" else (0, 4) for kind in kinds]
    assert (viewer.padded, viewer.resent) == (kinds.count("pad"), kinds.count("resend"))


def test_padding_before_the_first_picture_leaves_no_jump_in_the_stream_of_rtx() -> None:
    """The picture takes the numbers that its payloads have by then."""
    history, out, viewer = History(), list[bytes](), Lane(lane(repair=103).negotiated)
    padded = [parse(viewer.padding(0, Times(0, 0))).sequence_number for _ in range(3)]
    add(history, 0, size=200)
    viewer.send(add(history, 1, keyframe=True), Collect(out))
    first = parse(out[0]).sequence_number
    resent = resend(viewer, first, history)
    assert resent is not None
    assert (first, padded, parse(resent).sequence_number) == (200, [0, 1, 2], 3)


def test_a_padded_packet_is_as_long_as_is_told() -> None:
    viewer = lane(repair=103)
    assert len(viewer.padding(0, Times(0, 0))) == viewer.overhead + PADDING_BYTES


def test_the_history_tells_the_rate_while_it_lasts() -> None:
    history = History()
    for number in range(150):
        at_ns = number * SECOND // 30
        if number < 30:
            assert history.bits_per_second(at_ns) == 0
        add(history, number, size=10)
    assert history.bits_per_second(at_ns) == pytest.approx(30 * 10 * 2 * 8, rel=0.03)
    assert history.bits_per_second(at_ns + SECOND) == 0


def test_sound_does_not_wait_for_keyframes() -> None:
    history, out = History(), list[bytes]()
    viewer = lane("audio")
    viewer.send(add(history, 0), Collect(out, room=1))
    assert viewer.send(add(history, 1), Collect(out))
    assert len(out) == 4
