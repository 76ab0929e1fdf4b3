from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import Packet
from streaming import rtp_h264
from tests.streaming import depacketise

SPS, PPS, SEI = b"\x67\x42\xc0\x1f\x8c", b"\x68\xce\x3c\x80", b"\x06\x05\x01\x80"
LONG_START, SHORT_START = b"\x00\x00\x00\x01", b"\x00\x00\x01"


def annex_b(*units: bytes) -> bytes:
    return b"".join(LONG_START + unit for unit in units)


def unit_of(header: int, body: bytes) -> bytes:
    """A NAL unit of that body: emulated start codes broken and the stop bit set, as an encoder does."""
    return bytes([header]) + body.replace(b"\x00", b"\x03") + b"\x80"


nal = st.builds(unit_of, st.sampled_from([0x65, 0x41, 0x01, 0x06, 0x67, 0x68]), st.binary(min_size=1, max_size=5000))


@given(st.lists(nal, min_size=1, max_size=8), st.integers(16, 1400), st.sampled_from([LONG_START, SHORT_START]))
def test_every_unit_comes_back(units: list[bytes], limit: int, start: bytes) -> None:
    payloads = rtp_h264.payloads(b"".join(start + unit for unit in units), limit)
    assert all(0 < len(payload) <= limit for payload in payloads)
    assert depacketise.nal_units(payloads) == units


@pytest.mark.parametrize(
    ("units", "kinds"),
    [
        ((SPS, PPS, unit_of(0x65, b"i" * 50)), [24, 5]),
        ((SEI, SPS, PPS, unit_of(0x65, b"i" * 3000)), [24, 28, 28, 28]),
        ((unit_of(0x41, b"p" * 50),), [1]),
        ((SPS, unit_of(0x65, b"i" * 50)), [7, 5]),
    ],
)
def test_layout(units: tuple[bytes, ...], kinds: list[int]) -> None:
    assert [payload[0] & 0x1F for payload in rtp_h264.payloads(annex_b(*units))] == kinds


def test_golden_stap_a() -> None:
    assert rtp_h264.payloads(annex_b(SPS, PPS)) == [b"\x78\x00\x05\x67\x42\xc0\x1f\x8c\x00\x04\x68\xce\x3c\x80"]


@given(st.integers(100, 60_000))
def test_fragments_are_of_one_size(length: int) -> None:
    sizes = [len(payload) for payload in rtp_h264.payloads(annex_b(unit_of(0x65, b"x" * length)), 1000)]
    assert len(set(sizes[:-1])) <= 1
    assert sizes[-1] <= sizes[0]
    assert sizes[0] - sizes[-1] < max(2, len(sizes))


@pytest.mark.parametrize("data", [b"", b"\x65abc", b"abc\x00\x00\x01\x65", b"\x00\x00\x00"])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="Annex B"):
        rtp_h264.payloads(data)


def test_what_x264_makes_comes_back(video: list[Packet]) -> None:
    for packet in video[:35]:
        units = rtp_h264.nal_units(packet.data)
        assert depacketise.nal_units(rtp_h264.payloads(packet.data)) == units
        assert packet.keyframe == any(unit[0] & 0x1F == 5 for unit in units)
