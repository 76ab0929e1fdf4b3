"""RTP packets as they come out of SRTP (RFC 3550 section 5.1). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

_HEADER = Struct("!BBHII")
_EXTENSION = Struct("!HH")


class RtpError(ValueError):
    """The bytes from the other side are not an RTP packet."""


@dataclass(frozen=True, slots=True)
class Packet:
    """`seq` has 16 bits, `ticks` (the timestamp) 32; header extensions, CSRCs and padding are taken off."""

    payload_type: int
    marker: bool
    seq: int
    ticks: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> Packet:
    """One RTP packet. Raises RtpError, and nothing else, on foreign bytes."""
    if len(data) < _HEADER.size:
        raise RtpError("truncated header")
    first, second, seq, ticks, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise RtpError("wrong version")
    start, end = _HEADER.size + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if end < start + _EXTENSION.size:
            raise RtpError("truncated extension")
        start += _EXTENSION.size + 4 * _EXTENSION.unpack_from(data, start)[1]
    if first & 0x20:
        end -= data[-1] or len(data)
    if end < start:
        raise RtpError("header and padding are longer than the packet")
    return Packet(second & 0x7F, bool(second & 0x80), seq, ticks, ssrc, data[start:end])


class Unwrapped:
    """Numbers of `bits` bits that wrap, made into ones that do not (RFC 3711 appendix A)."""

    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._last: int | None = None

    def take(self, number: int) -> int:
        """`number` with the wraps before it: the nearest to the newest one seen. The first is taken as it is."""
        if self._last is None:
            self._last = number
            return number
        half = self._size >> 1
        whole = self._last + (number - self._last + half) % self._size - half
        self._last = max(self._last, whole)
        return whole
