"""Spreads the padding of a probe over its time. Pure; times in ns, monotonic."""

from __future__ import annotations

NS = 1_000_000_000
EVERY_NS = NS // 100  # how often to look
MOST_AT_ONCE = 12  # a late look must not make a burst
WAY_BYTES = 28  # of IPv4 and UDP


class Budget:
    """How many packets of `packet_bytes`, their own headers included, are due."""

    def __init__(self, now_ns: int, packet_bytes: int) -> None:
        self._last_ns = now_ns
        self._packet_bits = 8 * (packet_bytes + WAY_BYTES)
        self._bits = 0.0

    def due(self, now_ns: int, bits_per_second: int) -> int:
        """Packets to send now. What was missed for long is not made up for."""
        self._bits += bits_per_second * (now_ns - self._last_ns) / NS
        self._last_ns = now_ns
        count = int(self._bits // self._packet_bits)
        self._bits -= count * self._packet_bits
        return min(count, MOST_AT_ONCE)
