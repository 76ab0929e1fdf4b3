"""RTP time and the publisher's reports, made into CLOCK_MONOTONIC. Pure; the arrival of packets is an argument.

The publisher's clock and ours differ by an unknown offset, of which every arrival shows an upper bound: the quickest
packets are nearest to it. Sender reports (RFC 3550 section 6.4.1) put sound and picture on the publisher's one clock,
so that both share one offset; until a track's first report its own timestamps are that clock.
"""

from __future__ import annotations

from streaming.clock import NS
from streaming.ingest.rtp import Unwrapped

# How fast the offset may grow: more than crystals differ (100 ppm), too little to be seen.
DRIFT = 0.0005
# A packet that is later than this did not wait in a queue: the publisher's clock was set, or its timestamps jumped.
LARGEST_WAIT_NS = 5 * NS


class Offset:
    """Ours minus theirs, as the quickest packet of late showed it (ns)."""

    def __init__(self) -> None:
        self._offset: int | None = None
        self._at_ns = 0

    def see(self, theirs_ns: int, arrived_ns: int) -> int:
        """Take in one arrival; gives the offset to use for it."""
        seen = arrived_ns - theirs_ns
        if self._offset is None or seen - self._offset > LARGEST_WAIT_NS:
            self._offset = seen
        else:
            grown = self._offset + int(max(0, arrived_ns - self._at_ns) * DRIFT)
            self._offset = min(grown, seen)
        self._at_ns = arrived_ns
        return self._offset


class TrackClock:
    """One track's RTP timestamps of `rate` Hz; `shared` is the offset of the publisher's clock. Its times begin after
    `last_ns`, if that is given: the last one that was given out."""

    def __init__(self, rate: int, shared: Offset, last_ns: int | None = None) -> None:
        self._rate = rate
        self._shared = shared
        self._own = Offset()
        self._ticks = Unwrapped(32)
        self._report: tuple[int, int] | None = None
        self.last_ns = last_ns

    def report(self, ntp: int, ticks: int) -> None:
        """Take in a sender report: its 64-bit NTP time and RTP timestamp are one instant. All zeros mean none."""
        if ntp:
            self._report = self._ticks.take(ticks), (ntp >> 32) * NS + ((ntp & 0xFFFFFFFF) * NS >> 32)

    def pts_ns(self, ticks: int, arrived_ns: int) -> int:
        """When the frame of this timestamp was captured, at the latest; never before or at the one before it."""
        whole = self._ticks.take(ticks)
        if self._report is None:
            theirs, offset = whole * NS // self._rate, self._own
        else:
            at_ticks, at_ns = self._report
            theirs, offset = at_ns + (whole - at_ticks) * NS // self._rate, self._shared
        pts_ns = theirs + offset.see(theirs, arrived_ns)
        if self.last_ns is not None and pts_ns <= self.last_ns:
            pts_ns = self.last_ns + 1
        self.last_ns = pts_ns
        return pts_ns
