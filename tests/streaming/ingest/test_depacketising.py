"""From RTP payloads to access units: what goes through whole, and what a loss or a stranger's bytes leave."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import Packet as BusPacket
from appliance.messages import VideoFormat
from streaming import rtp_h264
from streaming.ingest import opus, parameter_sets, rtp
from streaming.ingest.h264 import AccessUnit, Depacketiser
from streaming.ingest.rtp import Packet

SSRC = 0x1234


def packetised(pictures: list[BusPacket], limit: int = 600) -> list[Packet]:
    """The pictures as RTP packets, 3000 ticks apart, the sequence number about to wrap."""
    result: list[Packet] = []
    for number, picture in enumerate(pictures):
        payloads = rtp_h264.payloads(picture.data, limit)
        for position, payload in enumerate(payloads):
            seq = (65_500 + len(result)) & 0xFFFF
            result.append(Packet(96, position == len(payloads) - 1, seq, 3000 * number, SSRC, payload))
    return result


def fed(packets: list[tuple[Packet, int]]) -> tuple[list[AccessUnit], Depacketiser]:
    depacketiser = Depacketiser()
    return [unit for packet, lost in packets for unit in depacketiser.push(packet, 0, lost)], depacketiser


def units(data: bytes) -> list[bytes]:
    return rtp_h264.nal_units(data)


@pytest.mark.parametrize("limit", [100, 600, 1160, 60_000])
def test_what_was_cut_comes_back_whole(video: list[BusPacket], limit: int) -> None:
    found, depacketiser = fed([(packet, 0) for packet in packetised(video, limit)])
    assert [units(unit.data) for unit in found] == [units(picture.data) for picture in video]
    assert [unit.keyframe for unit in found] == [picture.keyframe for picture in video]
    assert {(unit.width, unit.height) for unit in found} == {(320, 240)}
    assert not depacketiser.wanting and depacketiser.malformed == 0


@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.01, 0.05, 0.3]))
def test_after_a_loss_nothing_comes_until_a_keyframe(video: list[BusPacket], seed: int, share: float) -> None:
    chance = random.Random(seed)
    packets: list[tuple[Packet, int]] = []
    missing, whole = 0, set(range(len(video)))
    for packet in packetised(video):
        if chance.random() < share:
            missing += 1
            whole.discard(packet.ticks // 3000)
        else:
            packets.append((packet, missing))
            missing = 0
    expected: list[int] = []
    intact = False
    for number, picture in enumerate(video):
        intact = number in whole and (intact or picture.keyframe)
        expected += [number] if intact else []
    found, _ = fed(packets)
    shown = [unit.ticks // 3000 for unit in found]
    # What is shown can be decoded; a keyframe whose predecessor's end was lost may cost one group more, never less.
    assert set(shown) <= set(expected)
    assert shown == sorted(shown)
    for unit in found:
        assert units(unit.data) == units(video[unit.ticks // 3000].data)
    for before, after in zip([-1, *shown], shown, strict=False):
        assert after == before + 1 or video[after].keyframe


def test_a_keyframe_gets_the_parameter_sets_of_the_one_before(video: list[BusPacket]) -> None:
    sps, pps, *_ = units(video[0].data)
    bare = b"".join(b"\x00\x00\x01" + unit for unit in units(video[30].data) if unit[0] & 31 not in (7, 8))
    second = BusPacket("s", "r", "h264", 1, 2, 0, 1, True, VideoFormat(1, 1), bare)
    found, _ = fed([(packet, 0) for packet in packetised([video[0], second])])
    assert units(found[1].data)[:2] == [sps, pps]
    assert found[1].keyframe
    alone, depacketiser = fed([(packet, 0) for packet in packetised([second])])
    assert alone == [] and depacketiser.wanting


@pytest.mark.parametrize(
    "payload",
    [
        b"\x18\x00",  # STAP-A without a whole size
        b"\x18\x00\x05\x65",  # with a unit that is cut short
        b"\x18\x00\x00",
        b"\x1c\x85",  # FU-A without a body
        b"\x1c\x05body",  # which never began
        b"\x19\x00\x00\x00\x00",  # STAP-B
        b"\x1d\x85\x00\x00body",  # FU-B
        b"\x00\x01",
        b"\xe5\x01",  # forbidden bit
        b"\x1f\x01",
    ],
)
def test_malformed_payloads_cost_their_picture(video: list[BusPacket], payload: bytes) -> None:
    good = packetised(video[:2])
    bad = Packet(96, True, 0, 6000, SSRC, payload)
    later = [Packet(96, one.marker, one.seq, one.ticks + 3000, SSRC, one.payload) for one in packetised(video[28:32])]
    depacketiser = Depacketiser()
    found = [unit for packet in (*good, bad, *later) for unit in depacketiser.push(packet, 0, 0)]
    assert depacketiser.malformed == 1
    assert [unit.keyframe for unit in found] == [True, False, True, False]


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans(), st.integers(0, 3), st.integers(0, 1))))
def test_strangers_bytes_raise_nothing(payloads: list[tuple[bytes, bool, int, int]]) -> None:
    depacketiser = Depacketiser()
    for payload, marker, ticks, lost in payloads:
        depacketiser.push(Packet(96, marker, 0, ticks, SSRC, payload), 0, lost)


def test_an_endless_access_unit_is_given_up(video: list[BusPacket]) -> None:
    depacketiser = Depacketiser()
    begin, middle = b"\x1c\x85" + bytes([1] * 60_000), b"\x1c\x05" + bytes([1] * 60_000)
    for number in range(100):
        depacketiser.push(Packet(96, False, number, 0, SSRC, middle if number else begin), 0, 0)
    assert depacketiser.malformed == 1
    assert sum(map(len, depacketiser._units)) + len(depacketiser._fragment or b"") < 5_000_000


@given(st.binary(max_size=80))
def test_rtp_from_strangers(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except rtp.RtpError:
        return
    assert len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    ("head", "payload"),
    [
        ("80e0 0001 00000002 00000003", b"ab"),
        ("90e0 0001 00000002 00000003 bede0001 10aa0000", b"ab"),
        ("82e0 0001 00000002 00000003 00000004 00000005", b"ab"),
    ],
)
def test_rtp_headers(head: str, payload: bytes) -> None:
    assert rtp.parse(bytes.fromhex(head) + payload) == Packet(96, True, 1, 2, 3, payload)


def test_rtp_padding() -> None:
    packet = bytes.fromhex("a0e0 0001 00000002 00000003") + b"ab\x00\x00\x03"
    assert rtp.parse(packet).payload == b"ab"
    for wrong in (b"\x00", b"\x63"):
        with pytest.raises(rtp.RtpError):
            rtp.parse(packet[:-1] + wrong)


@pytest.mark.parametrize(
    ("sps", "size"),
    [
        # x264 of 320x240 and 1920x1080 (cropped) in baseline, 1280x720 in high profile.
        ("6742c00dda0507e840000003004000000f23c50aa8", (320, 240)),
        ("6742c028da01e0089f961000000300100000030320f1832a", (1920, 1080)),
        ("6764001facd9405005bb011000000300100000030320f1831960", (1280, 720)),
    ],
)
def test_picture_sizes(sps: str, size: tuple[int, int]) -> None:
    assert parameter_sets.size(bytes.fromhex(sps)) == size


@given(st.binary(max_size=60))
def test_parameter_sets_of_strangers(data: bytes) -> None:
    try:
        width, height = parameter_sets.picture_size(data, [data], [data])
    except parameter_sets.ParameterError:
        return
    assert 0 < width <= parameter_sets.LARGEST_SIDE and 0 < height <= parameter_sets.LARGEST_SIDE


@pytest.mark.parametrize(
    ("packet", "milliseconds"),
    [
        (b"\x08", 20),  # SILK, narrow band, one frame
        (b"\x18", 60),
        (b"\x60", 10),  # hybrid
        (b"\x78\x00", 20),
        (b"\xf8", 20),  # CELT
        (b"\xe0", 2.5),
        (b"\xf9", 40),  # two frames
        (b"\xfb\x03", 60),  # three frames
    ],
)
def test_how_long_opus_plays(packet: bytes, milliseconds: float) -> None:
    assert opus.duration_ns(packet) == milliseconds * 1_000_000


@pytest.mark.parametrize("packet", [b"", b"\xfb", b"\xfb\x00", b"\xfb\x3f"])
def test_what_is_no_opus(packet: bytes) -> None:
    with pytest.raises(opus.OpusError):
        opus.duration_ns(packet)
