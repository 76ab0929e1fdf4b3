"""H.264 access units to RTP payloads (RFC 6184, packetization-mode 1), once for all viewers.

Pure functions. Parameter sets travel together in one STAP-A (5.7.1); a NAL unit that does not fit is cut into FU-A
fragments of equal size (5.8), so that a frame makes datagrams of one length.
"""

from __future__ import annotations

# With 12 bytes of RTP header, 12 of extensions and 16 of SRTP tag a datagram stays within 1200 bytes, which
# passes tunnels and mobile networks.
MAX_PAYLOAD = 1160

_START_CODE = b"\x00\x00\x01"
_STAP_A = 24
_FU_A = 28
_FU_START = 0x80
_FU_END = 0x40
# SEI, SPS, PPS: small, and useless without each other.
_AGGREGATED = frozenset({6, 7, 8})


def nal_units(access_unit: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream (H.264 annex B), without start codes, in order.

    Raises ValueError when the bytes do not begin with a start code.
    """
    head, *rest = access_unit.split(_START_CODE)
    if head.strip(b"\x00") or not rest:
        raise ValueError("not an Annex B byte stream")
    # A NAL unit never ends in a zero byte (7.4.1): zeros there belong to the next start code.
    return [unit for part in rest if (unit := part.rstrip(b"\x00"))]


def payloads(access_unit: bytes, limit: int = MAX_PAYLOAD) -> list[bytes]:
    """The RTP payloads of one access unit, each of at most `limit` bytes, in sending order."""
    result: list[bytes] = []
    group: list[bytes] = []
    for unit in nal_units(access_unit):
        if unit[0] & 0x1F in _AGGREGATED and len(unit) + 3 <= limit:
            if _aggregate_size(group) + 2 + len(unit) > limit:
                result.append(_aggregate(group))
                group = []
            group.append(unit)
            continue
        if group:
            result.append(_aggregate(group))
            group = []
        result.extend([unit] if len(unit) <= limit else _fragments(unit, limit))
    if group:
        result.append(_aggregate(group))
    return result


def _aggregate_size(group: list[bytes]) -> int:
    return 1 + sum(2 + len(unit) for unit in group)


def _aggregate(group: list[bytes]) -> bytes:
    if len(group) == 1:
        return group[0]
    forbidden = max(unit[0] & 0x80 for unit in group)
    importance = max(unit[0] & 0x60 for unit in group)
    return bytes([forbidden | importance | _STAP_A]) + b"".join(len(unit).to_bytes(2) + unit for unit in group)


def _fragments(unit: bytes, limit: int) -> list[bytes]:
    body = unit[1:]
    count = -(-len(body) // (limit - 2))
    size = -(-len(body) // count)
    indicator = unit[0] & 0xE0 | _FU_A
    kind = unit[0] & 0x1F
    result = []
    for start in range(0, len(body), size):
        mark = (_FU_START if start == 0 else 0) | (_FU_END if start + size >= len(body) else 0)
        result.append(bytes([indicator, mark | kind]) + body[start : start + size])
    return result
