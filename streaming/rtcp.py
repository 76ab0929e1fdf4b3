"""RTCP as far as a sender needs it: reports out, feedback in (RFC 3550 section 6, RFC 4585 section 6, RFC 5104).

Pure: bytes to structs and back. What a viewer may send but we do not use is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, pack

_SR, _RR, _SDES, _BYE, _RTPFB, _PSFB = 200, 201, 202, 203, 205, 206
_NACK = 1
_PLI, _FIR, _APPLICATION = 1, 4, 15
_CNAME = 1
_HEADER = Struct("!BBH")
_WORD = Struct("!I")
_NACK_ITEM = Struct("!HH")
_REPORT = Struct("!IIIIII")
# Up to 17 packets each: what more a viewer has lost, it asks for again.
MOST_NACK_ITEMS = 64


class RtcpError(ValueError):
    """The bytes from the other side are not RTCP."""


@dataclass(frozen=True, slots=True)
class Nack:
    """Lost sequence numbers of `ssrc` (RFC 4585 section 6.2.1)."""

    ssrc: int
    lost: list[int]


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """PLI (RFC 4585 section 6.3.1) or FIR (RFC 5104 section 4.3.1) for `ssrc`."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Reception:
    """A report block (RFC 3550 section 6.4.1): `loss` is the fraction lost since the last one, 0 to 1; `last_report`
    and `delay` are LSR and DLSR, in 1/65536 s; `highest` and `lost` are the extended highest sequence number received
    and the cumulative number of packets lost (which duplicates make negative)."""

    ssrc: int
    loss: float
    jitter: int
    last_report: int
    delay: int
    highest: int
    lost: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """REMB: the viewer thinks that `bits_per_second` get through in all (draft-alvestrand-rmcat-remb)."""

    bits_per_second: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    pass


Feedback = Nack | KeyframeWanted | Reception | Estimate | Goodbye


def packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, count and body of each packet in a compound datagram. Raises RtcpError on foreign bytes."""
    position = 0
    while position < len(data):
        if len(data) < position + 4:
            raise RtcpError("truncated header")
        first, kind, words = _HEADER.unpack_from(data, position)
        body = data[position + 4 : position + 4 + 4 * words]
        if first >> 6 != 2 or len(body) != 4 * words:
            raise RtcpError("wrong version or length")
        position += 4 + 4 * words
        yield kind, first & 0x1F, body


def parse(data: bytes) -> list[Feedback]:
    """What a compound RTCP datagram says, in order. Raises RtcpError, and nothing else, on foreign bytes."""
    return [item for kind, count, body in packets(data) for item in _parse_one(kind, count, body)]


def _parse_one(kind: int, count: int, body: bytes) -> list[Feedback]:
    if kind == _SR:
        return _receptions(body[24:], count)
    if kind == _RR:
        return _receptions(body[4:], count)
    if kind == _BYE:
        return [Goodbye()]
    if kind in (_RTPFB, _PSFB):
        if len(body) < 8:
            raise RtcpError("truncated feedback")
        ssrc, details = _WORD.unpack_from(body, 4)[0], body[8:]
        return _transport(count, ssrc, details) if kind == _RTPFB else _payload_specific(count, ssrc, details)
    return []


def _receptions(blocks: bytes, count: int) -> list[Feedback]:
    if len(blocks) < _REPORT.size * count:
        raise RtcpError("truncated report")
    return [
        Reception(ssrc, (loss >> 24) / 256, jitter, last_report, delay, highest, _signed(loss & 0xFFFFFF))
        for ssrc, loss, highest, jitter, last_report, delay in _REPORT.iter_unpack(blocks[: _REPORT.size * count])
    ]


def _signed(number: int) -> int:
    """A number of 24 bits in two's complement."""
    return number - (number >> 23 << 24)


def _transport(kind: int, ssrc: int, details: bytes) -> list[Feedback]:
    if kind != _NACK:
        return []
    lost: list[int] = []
    for first, mask in _NACK_ITEM.iter_unpack(details[: MOST_NACK_ITEMS * _NACK_ITEM.size]):
        lost.append(first)
        lost.extend((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
    return [Nack(ssrc, lost)]


def _payload_specific(kind: int, ssrc: int, details: bytes) -> list[Feedback]:
    if kind == _PLI:
        return [KeyframeWanted(ssrc)]
    if kind == _FIR:
        # The SSRC in the header is unused here (RFC 5104 section 4.3.1.2): each entry names its own.
        return [KeyframeWanted(_WORD.unpack_from(details, start)[0]) for start in range(0, len(details) - 7, 8)]
    if kind == _APPLICATION and details[:4] == b"REMB" and len(details) >= 8:
        exponent, mantissa = details[5] >> 2, (details[5] & 3) << 16 | details[6] << 8 | details[7]
        return [Estimate(mantissa << exponent)]
    return []


def sender_report(ssrc: int, cname: str, *, ntp: int, ticks: int, packets: int, octets: int) -> bytes:
    """SR and SDES (RFC 3550 sections 6.4.1 and 6.5). `ntp` (64 bits) and `ticks` are the same instant."""
    report = pack("!IQIII", ssrc, ntp, ticks & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    name = cname.encode()
    chunk = _WORD.pack(ssrc) + bytes([_CNAME, len(name)]) + name
    chunk += bytes(4 - len(chunk) % 4)
    return packet(_SR, 0, report) + packet(_SDES, 1, chunk)


def goodbye(ssrcs: list[int]) -> bytes:
    """An empty receiver report and BYE (RFC 3550 section 6.6): compound packets begin with a report."""
    return packet(_RR, 0, _WORD.pack(ssrcs[0])) + packet(_BYE, len(ssrcs), b"".join(map(_WORD.pack, ssrcs)))


def packet(kind: int, count: int, body: bytes) -> bytes:
    """One RTCP packet around a body of whole words."""
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body
