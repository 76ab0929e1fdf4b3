"""Lanes in step: viewers who get the same packets of a track under the same numbers, which is nearly everybody nearly
always. They are served together, so that what Python does for a frame does not grow with their number.

Pure: what sends is an argument. A cohort never changes: whatever changes for one of its lanes dissolves it, and the
next frame finds other cohorts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from streaming.burst import MOST_PACKETS, Burst
from streaming.history import Frame
from streaming.lane import MOST_BACKLOG, Lane


class Paths(Protocol):
    """The encrypted ways to many viewers."""

    def send(self, burst: Burst, seq: int, ticks: int) -> dict[int, int]:
        """Send a burst to each. Those to whom fewer packets went than the burst has, by their places, and how many."""


class Cohort:
    """`lanes`, all of one `Lane.step`, and the `paths` to their viewers in the same order.

    `backlog` is what is left of frames of more than one burst; everything later waits behind it.
    """

    def __init__(self, lanes: Sequence[Lane], paths: Paths) -> None:
        self.lanes = list(lanes)
        self.backlog: deque[Burst] = deque()
        self.dissolved = False
        self._paths = paths
        self._lead = lanes[0]
        self._shift, self._next = self._lead.shift, self._lead.next
        self._sent = self._octets = 0
        for lane in lanes:
            lane.cohort = self

    @property
    def sent(self) -> int:
        """Packets sent to each since the lanes came together."""
        return self._sent

    @property
    def octets(self) -> int:
        """Bytes of payload sent to each since then."""
        return self._octets

    def send(self, frame: Frame) -> list[Lane]:
        """Send a live frame, or its first burst. Returns the lanes whose sockets were full: they wait for the next
        keyframe, and the cohort is dissolved."""
        if len(self.backlog) > MOST_BACKLOG:
            for lane in self.dissolve():
                lane.give_up()
            return self.lanes
        bursts = self._lead.bursts(frame)
        if self.backlog:
            self.backlog.extend(bursts)
            return []
        if len(bursts) > 1:
            self.backlog.extend(bursts[1:])
        return self._send(bursts[0])

    def proceed(self) -> list[Lane]:
        """Send as much of the backlog as may leave at once. Returns what `send` does."""
        packets, stopped = 0, list[Lane]()
        while self.backlog and packets < MOST_PACKETS and not stopped:
            burst = self.backlog.popleft()
            packets += burst.count
            stopped = self._send(burst)
        return stopped

    def _send(self, burst: Burst) -> list[Lane]:
        short = self._paths.send(burst, burst.first + self._shift & 0xFFFF, burst.ticks)
        if short:
            self.dissolve(burst)
            for place, went in short.items():
                self.lanes[place].stopped(burst, went)
            return [self.lanes[place] for place in short]
        self._sent += burst.count
        self._octets += burst.octets
        self._next = burst.first + burst.count
        return []

    def dissolve(self, burst: Burst | None = None) -> list[Lane]:
        """Let each lane go on by itself from here; when it was sent meanwhile, from behind `burst`. Idempotent."""
        if not self.dissolved:
            self.dissolved = True
            for lane in self.lanes:
                lane.leave(self._sent, self._octets, self._next, self.backlog)
                if burst is not None:
                    lane.passed(burst)
            self.backlog.clear()
        return self.lanes
