"""The other end of streaming.rtp_h264, for tests: RTP payloads back to NAL units (RFC 6184)."""

from __future__ import annotations


def nal_units(payloads: list[bytes]) -> list[bytes]:
    result: list[bytes] = []
    open_unit: bytes | None = None
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == 28:
            header = payload[1]
            if header & 0x80:
                assert open_unit is None
                open_unit = bytes([payload[0] & 0xE0 | header & 0x1F])
            assert open_unit is not None
            open_unit += payload[2:]
            if header & 0x40:
                result.append(open_unit)
                open_unit = None
            continue
        assert open_unit is None
        if kind == 24:
            position = 1
            while position < len(payload):
                size = int.from_bytes(payload[position : position + 2])
                result.append(payload[position + 2 : position + 2 + size])
                position += 2 + size
        else:
            result.append(payload)
    assert open_unit is None
    return result
