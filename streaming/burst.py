"""A frame as the datagrams of a burst: headers and payloads at their places, made once for all viewers whose headers
look alike.

Pure. The numbers are the history's own: who has missed nothing gets the same bytes as everybody else, and only their
encryption is a viewer's own. `Burst.numbered` sets other numbers for those who have. (RFC 3550 section 5.1 asks for
random ones against known plaintext, which the ciphers of DTLS-SRTP do not fear.) Packets of a burst are of one length
(the last may be shorter) and lie end to end once they are encrypted, so that the kernel can take the whole burst in one
call (UDP_SEGMENT, udp(7)).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct, pack
from typing import NamedTuple, Protocol

# Packets that leave in one call. The kernel takes 64; more than this at once is a burst that a weak link's queue loses.
MOST_PACKETS = 16
TICKS_MASK = 0xFFFFFFFF
_EXTENSION_PROFILE = 0xBEDE  # RFC 8285 section 4.2, one-byte headers
_LARGEST_ONE_BYTE_ID = 14
# At least 0, at most 10 s, in steps of 10 ms, 12 bits each: a page may show a frame as soon as it is whole.
_PLAYOUT_DELAY = (0 << 12 | 1000).to_bytes(3)
_FIXED = Struct("!BBHIIHH")
_OWN = Struct("!HI")  # at byte 2 of a packet: sequence number and timestamp


class Times(NamedTuple):
    """Of a frame: `sent` as abs-send-time has it (24 bits), `captured` as NTP time (64 bits)."""

    sent: int
    captured: int


class Layout(NamedTuple):
    """What SDP and DTLS settled about a track's packets. Extension ids are 0 where the offer had none; `trailer` is how
    many bytes encryption adds to a packet."""

    ssrc: int
    payload_type: int
    mid: str
    mid_id: int
    abs_send_time_id: int
    capture_time_id: int
    playout_delay_id: int
    trailer: int

    def head(self, times: Times, *, marker: bool) -> bytes:
        """A packet's header without sequence number and timestamp (RFC 3550 section 5.1, RFC 8285 section 4.2).

        The extension bit is set always: an extension of no words is as valid as one of three.
        """
        outline, sent_at, captured_at = _outline(self)
        head = bytearray(outline)
        if marker:
            head[1] |= 0x80
        if sent_at:
            head[sent_at : sent_at + 3] = times.sent.to_bytes(3)
        if captured_at:
            head[captured_at : captured_at + 8] = times.captured.to_bytes(8)
        return bytes(head)


@lru_cache(maxsize=64)  # a room's viewers have few layouts, and a frame's packets one
def _outline(layout: Layout) -> tuple[bytes, int, int]:
    """A header without its times, and where abs-send-time and abs-capture-time go; 0 for nowhere."""
    elements, places = b"", {}
    for identifier, data in (
        (layout.abs_send_time_id, bytes(3)),
        (layout.mid_id, layout.mid.encode()),
        (layout.capture_time_id, bytes(8)),
        (layout.playout_delay_id, _PLAYOUT_DELAY),
    ):
        if 0 < identifier <= _LARGEST_ONE_BYTE_ID:
            elements += bytes([identifier << 4 | len(data) - 1])
            places[identifier] = _FIXED.size + len(elements)
            elements += data
    elements += bytes(-len(elements) % 4)
    fixed = _FIXED.pack(0x90, layout.payload_type, 0, 0, layout.ssrc, _EXTENSION_PROFILE, len(elements) // 4)
    return fixed + elements, places.get(layout.abs_send_time_id, 0), places.get(layout.capture_time_id, 0)


class Burst:
    """`count` packets, the payloads of the history from number `first` on, of a frame at `ticks` (32 bits). `stride` is
    what lies between their beginnings: a datagram's length, encrypted. `lengths` are theirs before encryption, as C
    ints, `total` the bytes of all datagrams, `octets` of all payloads. `prepared` is whatever a path wants to find
    again when it sends the burst to the next viewer."""

    __slots__ = ("_data", "_seq", "count", "first", "lengths", "octets", "prepared", "stride", "ticks", "total")

    def __init__(self, packets: Sequence[bytes], trailer: int, octets: int, first: int, ticks: int) -> None:
        room = bytes(trailer)
        self.first, self.ticks, self._seq = first, ticks, first & 0xFFFF
        self.count = len(packets)
        self.stride = len(packets[0]) + trailer
        self.lengths = pack(f"={len(packets)}i", *map(len, packets))
        self._data = self._with(room.join([*packets, b""]), self._seq, ticks)
        self.total = len(self._data)
        self.prepared: object = None
        self.octets = octets

    def numbered(self, seq: int, ticks: int) -> bytes:
        """The packets, the first numbered `seq` (16 bits), with room for encryption after each."""
        if seq == self._seq and ticks == self.ticks:
            return self._data
        return self._with(self._data, seq, ticks)

    def _with(self, packets: bytes, seq: int, ticks: int) -> bytes:
        result = bytearray(packets)
        for number in range(self.count):
            _OWN.pack_into(result, 2 + number * self.stride, (seq + number) & 0xFFFF, ticks)
        return bytes(result)


class Path(Protocol):
    """The encrypted way to one viewer. With `joint`, bursts may go to it together with those to others."""

    joint: bool

    def send(self, burst: Burst, seq: int, ticks: int) -> int:
        """Send a burst; how many of its packets went, fewer than it has when the socket is full."""

    def send_packet(self, packet: bytes) -> bool:
        """Send one RTP packet; False when the socket is full."""


def packet(layout: Layout, payload: bytes, times: Times, *, marker: bool, own: tuple[int, int]) -> bytes:
    """One RTP packet by itself; `own` is sequence number and timestamp."""
    head = bytearray(layout.head(times, marker=marker))
    _OWN.pack_into(head, 2, *own)
    return bytes(head) + payload


def bursts(
    payloads: Sequence[bytes], layout: Layout, times: Times, *, first: int, ticks: int, marker: bool
) -> list[Burst]:
    """A frame's packets, in order, in as few bursts as their lengths allow: payload number `first` and those after it,
    at `ticks`. `marker` marks the last one."""
    head = layout.head(times, marker=False)
    last = layout.head(times, marker=marker)
    result: list[Burst] = []
    begin = 0
    for end in range(1, len(payloads) + 1):
        size = len(payloads[begin])
        more = end < len(payloads) and end - begin < MOST_PACKETS
        if more and len(payloads[end - 1]) == size and len(payloads[end]) <= size:
            continue
        group = payloads[begin:end]
        heads = [head] * (end - begin) if end < len(payloads) else [head] * (end - begin - 1) + [last]
        packets = [first + rest for first, rest in zip(heads, group, strict=True)]
        octets = sum(map(len, group))
        result.append(Burst(packets, layout.trailer, octets, first + begin, ticks & TICKS_MASK))
        begin = end
    return result
