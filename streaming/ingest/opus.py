"""Opus packets out of RTP (RFC 7587 section 4.2: a payload is one packet) and how long they play (RFC 6716). Pure."""

from __future__ import annotations

from streaming.clock import AUDIO_RATE, NS

_SILK_SAMPLES = (480, 960, 1920, 2880)
_HYBRID_SAMPLES = (480, 960)
_CELT_SAMPLES = (120, 240, 480, 960)
LONGEST_SAMPLES = 5760  # 120 ms (RFC 6716 section 3.2.5)


class OpusError(ValueError):
    """The bytes from the other side are no Opus packet."""


def duration_ns(packet: bytes) -> int:
    """How long an Opus packet plays (RFC 6716 section 3.1). Raises OpusError."""
    if not packet:
        raise OpusError("an empty packet")
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        samples = _SILK_SAMPLES[configuration & 3]
    elif configuration < 16:
        samples = _HYBRID_SAMPLES[configuration & 1]
    else:
        samples = _CELT_SAMPLES[configuration & 3]
    if code == 3 and len(packet) < 2:
        raise OpusError("the number of frames is missing")
    count = {0: 1, 1: 2, 2: 2}[code] if code < 3 else packet[1] & 0x3F
    if not 0 < samples * count <= LONGEST_SAMPLES:
        raise OpusError("a packet of no possible length")
    return samples * count * NS // AUDIO_RATE


def channels(packet: bytes) -> int:
    """1 or 2, by the packet's table of contents."""
    return 2 if packet[0] & 4 else 1
