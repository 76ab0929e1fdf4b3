"""RTP payloads back to H.264 access units (RFC 6184, packetization-mode 1: single NAL unit, STAP-A, FU-A). Pure.

What comes out is what the bus promises: Annex B, SPS and PPS before every IDR, nothing that refers to something that
was lost. After a loss nothing comes out until the next keyframe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streaming.ingest import parameter_sets
from streaming.ingest.parameter_sets import ParameterError
from streaming.ingest.rtp import Packet

LARGEST_ACCESS_UNIT = 4 * 1024 * 1024
_START_CODE = b"\x00\x00\x00\x01"
_IDR, _SPS, _PPS, _DELIMITER = 5, 7, 8, 9
_SLICES = frozenset(range(1, 6))
_LARGEST_SINGLE, _STAP_A, _FU_A = 23, 24, 28
_FU_START, _FU_END = 0x80, 0x40


class PayloadError(ValueError):
    """The bytes from the other side are no H.264 payload that packetization-mode 1 allows."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """`ticks` is the RTP timestamp (32 bits), `data` Annex B; `width` and `height` are those of the last keyframe."""

    ticks: int
    arrived_ns: int
    data: bytes
    keyframe: bool
    width: int
    height: int


def aggregated(payload: bytes) -> Iterator[bytes]:
    """The NAL units of a STAP-A (section 5.7.1). Raises PayloadError."""
    position = 1
    while position < len(payload):
        size = int.from_bytes(payload[position : position + 2])
        unit = payload[position + 2 : position + 2 + size]
        if not size or len(unit) != size:
            raise PayloadError("an aggregated unit is cut short")
        yield unit
        position += 2 + size


class Depacketiser:
    """Feed it every packet in order. `wanting` is True while only a keyframe helps; `malformed` counts payloads."""

    def __init__(self) -> None:
        self.wanting = True
        self.malformed = 0
        self._ticks: int | None = None
        self._arrived_ns = 0
        self._units: list[bytes] = []
        self._fragment: bytearray | None = None
        self._bytes = 0
        self._broken = False
        self._sps: tuple[bytes, ...] = ()
        self._pps: tuple[bytes, ...] = ()
        self._size = (0, 0)

    def push(self, packet: Packet, arrived_ns: int, lost: int) -> list[AccessUnit]:
        """Take the next packet, before which `lost` never came; gives the access units that are complete now."""
        result: list[AccessUnit] = []
        if lost:
            self.wanting, self._ticks = True, None
        elif self._ticks not in (None, packet.ticks):
            result += self._finish()
        if self._ticks is None:
            self._ticks, self._units, self._fragment, self._bytes = packet.ticks, [], None, 0
            self._broken = bool(lost) and not _opens_keyframe(packet.payload)
        self._arrived_ns = arrived_ns
        try:
            self._take(packet.payload)
        except PayloadError:
            self.malformed += 1
            self._broken = True
        if packet.marker:
            result += self._finish()
        return result

    def _take(self, payload: bytes) -> None:
        self._bytes += len(payload)
        if not payload or self._broken:
            return  # senders pad with empty packets to probe the line
        if self._bytes > LARGEST_ACCESS_UNIT:
            raise PayloadError("the access unit is too large")
        kind = payload[0] & 0x1F
        if kind == _FU_A:
            self._take_fragment(payload)
        elif self._fragment is not None:
            raise PayloadError("a fragmented unit has no end")
        elif kind == _STAP_A:
            self._units += [_checked(unit) for unit in aggregated(payload)]
        else:
            self._units.append(_checked(payload))

    def _take_fragment(self, payload: bytes) -> None:
        """One fragment of a NAL unit (section 5.8)."""
        if len(payload) < 3:
            raise PayloadError("a fragment is cut short")
        mark = payload[1]
        if bool(mark & _FU_START) == (self._fragment is not None):
            raise PayloadError("a fragmented unit begins twice, or has no beginning")
        if self._fragment is None:
            self._fragment = bytearray([payload[0] & 0xE0 | mark & 0x1F])
        self._fragment += payload[2:]
        if mark & _FU_END:
            self._units.append(_checked(bytes(self._fragment)))
            self._fragment = None

    def _finish(self) -> list[AccessUnit]:
        """The access unit that ends here, if it can be decoded."""
        ticks, self._ticks = self._ticks, None
        if ticks is None or self._broken or self._fragment is not None:
            self.wanting = True
            return []
        slices = [unit for unit in self._units if unit[0] & 0x1F in _SLICES]
        sps = tuple(unit for unit in self._units if unit[0] & 0x1F == _SPS)
        pps = tuple(unit for unit in self._units if unit[0] & 0x1F == _PPS)
        self._sps, self._pps = sps or self._sps, pps or self._pps
        if not slices:
            return []
        keyframe = any(unit[0] & 0x1F == _IDR for unit in slices)
        if keyframe:
            try:
                self._size = parameter_sets.picture_size(slices[0], self._sps, self._pps)
            except ParameterError:
                self.malformed += 1
                self.wanting = True
                return []
            self.wanting = False
        elif self.wanting:
            return []
        others = [unit for unit in self._units if unit[0] & 0x1F not in (_SPS, _PPS, _DELIMITER)]
        units = [*self._sps, *self._pps, *others] if keyframe else others
        data = b"".join(_START_CODE + unit for unit in units)
        return [AccessUnit(ticks, self._arrived_ns, data, keyframe, *self._size)]


def _checked(unit: bytes) -> bytes:
    """A whole NAL unit, without zeros behind it (Annex B has none there). Raises PayloadError."""
    trimmed = unit.rstrip(b"\x00")
    if len(trimmed) < 2 or unit[0] & 0x80 or not 1 <= unit[0] & 0x1F <= _LARGEST_SINGLE:
        raise PayloadError("not a NAL unit of packetization-mode 1")
    return trimmed


def _opens_keyframe(payload: bytes) -> bool:
    """Whether an access unit that begins a group of pictures begins with this payload, whatever was lost before it."""
    first = payload[3:4] if payload[:1] and payload[0] & 0x1F == _STAP_A else payload[:1]
    return bool(first) and first[0] & 0x1F in (_SPS, _DELIMITER)
