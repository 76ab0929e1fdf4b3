"""Compound RTCP: parsed, or RtcpError; nothing else, and never more than the datagram can hold."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from streaming import rtcp
from tests.fuzz import FUZZ


@st.composite
def compound(draw: st.DrawFn) -> bytes:
    """Packets of the types that are read, with lengths and counts that may lie, and then damaged."""
    data = bytearray()
    for _ in range(draw(st.integers(1, 5))):
        body = draw(st.binary(max_size=120)) + draw(st.sampled_from([b"", b"REMB", bytes(8)]))
        body += bytes(-len(body) % 4)
        words = draw(st.just(len(body) // 4) | st.integers(0, 0xFFFF))
        data += bytes([0x80 | draw(st.integers(0, 31)), draw(st.integers(198, 208))]) + words.to_bytes(2, "big") + body
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


@given(data=st.binary(max_size=1500) | compound())
@FUZZ
def test_compound_packets(data: bytes) -> None:
    with suppress(rtcp.RtcpError):
        items = rtcp.parse(data)
        assert len(items) <= len(data)
        assert all(not isinstance(item, rtcp.Nack) or len(item.lost) <= 17 * len(data) // 4 for item in items)
