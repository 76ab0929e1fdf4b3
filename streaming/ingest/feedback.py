"""What a receiver tells a publisher: reports, losses, keyframe wishes, a limit; and the sender reports it reads.

RFC 3550 section 6, RFC 4585 section 6, draft-alvestrand-rmcat-remb. Pure: structs to bytes and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, pack

from streaming import rtcp

_SR, _RR, _RTPFB, _PSFB = 200, 201, 205, 206
_NACK, _PLI, _APPLICATION = 1, 1, 15
_SENDER = Struct("!IQI")
MOST_NACK_ITEMS = 64


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` (64 bits) and `ticks` (RTP) are the same instant on the publisher's clocks."""

    ssrc: int
    ntp: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Block:
    """A report block; `loss` in 256ths since the last one, `lost` in all, `highest` with its wraps, `jitter` ticks."""

    ssrc: int
    loss: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


def sender_reports(data: bytes) -> list[SenderReport]:
    """The sender reports in a compound packet. Raises RtcpError, and nothing else, on foreign bytes."""
    return [
        SenderReport(*_SENDER.unpack_from(body))
        for kind, _, body in rtcp.packets(data)
        if kind == _SR and len(body) >= _SENDER.size
    ]


def receiver_report(own: int, blocks: Sequence[Block]) -> bytes:
    """RR (RFC 3550 section 6.4.2): the head of every compound packet that we send."""
    body = pack("!I", own)
    for block in blocks:
        lost = max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF
        body += pack(
            "!IIIIII",
            block.ssrc,
            (block.loss & 0xFF) << 24 | lost,
            block.highest & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_report,
            block.delay & 0xFFFFFFFF,
        )
    return rtcp.packet(_RR, len(blocks), body)


def nack(own: int, ssrc: int, lost: Sequence[int]) -> bytes:
    """Generic NACK (RFC 4585 section 6.2.1) for 16-bit sequence numbers in ascending order (wraps allowed)."""
    items: list[list[int]] = []
    for seq in lost:
        distance = (seq - items[-1][0]) & 0xFFFF if items else 0
        if items and 1 <= distance <= 16:
            items[-1][1] |= 1 << (distance - 1)
        else:
            items.append([seq, 0])
    body = b"".join(pack("!HH", first, mask) for first, mask in items[:MOST_NACK_ITEMS])
    return rtcp.packet(_RTPFB, _NACK, pack("!II", own, ssrc) + body)


def picture_loss(own: int, ssrc: int) -> bytes:
    """PLI (RFC 4585 section 6.3.1)."""
    return rtcp.packet(_PSFB, _PLI, pack("!II", own, ssrc))


def limit(own: int, ssrc: int, bits_per_second: int) -> bytes:
    """REMB: the publisher may send so much."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    body = pack("!II", own, 0) + b"REMB" + pack("!I", 1 << 24 | exponent << 18 | mantissa) + pack("!I", ssrc)
    return rtcp.packet(_PSFB, _APPLICATION, body)
