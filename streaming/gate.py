"""Which datagrams that reach a media socket are looked at (RFC 7983). Pure: times and what is known are arguments.

Whoever finds the port can send to it. Media, DTLS and most of STUN come in only from addresses that ICE knows; what a
stranger may send is the connectivity check that makes its address known, and that names the session it is for.
"""

from __future__ import annotations

NS = 1_000_000_000
LARGEST_DATAGRAM = 1500
# Addresses that a browser may have in all (RFC 8445 section 19.5.1 says 100 pairs): each costs a check of ours.
MOST_ADDRESSES = 64
# Datagrams that wait for DTLS: more than a handshake or a keyframe has.
MOST_WAITING = 256
# A browser under heavy loss sends some hundred compound packets a second, and a few checks.
FEEDBACK_PER_S = 200
CHECKS_PER_S = 200
MEDIA_PER_S = 4000
_BINDING_REQUEST = b"\x00\x01"
_COOKIE = b"\x21\x12\xa4\x42"


class Budget:
    """So many in a second, spread or at once (a token bucket)."""

    def __init__(self, per_second: int) -> None:
        self._cost_ns = NS // per_second
        self._full_ns = 0  # when the bucket is full again

    def take(self, now_ns: int) -> bool:
        """Whether one more is within the budget."""
        full_ns = max(self._full_ns, now_ns) + self._cost_ns
        if full_ns - now_ns > NS:
            return False
        self._full_ns = full_ns
        return True


def is_stun(data: bytes) -> bool:
    return data[0] < 4


def is_media(data: bytes) -> bool:
    """DTLS, or RTP and RTCP."""
    return 19 < data[0] < 64 or 127 < data[0] < 192


def introduces(data: bytes, username: str) -> bool:
    """Whether a datagram is a connectivity check (RFC 8445 section 7.2.4) for the session of the ICE user name.

    Judged without parsing, so that a flood of others costs little and is not answered. Whether the check is genuine is
    for ICE to say.
    """
    return data[:2] == _BINDING_REQUEST and data[4:8] == _COOKIE and username.encode() + b":" in data
