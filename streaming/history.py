"""What was sent lately, shared by all viewers of a track: it answers NACKs and starts latecomers.

Pure. Payloads are numbered through (`Frame.first` is the number of a frame's first one); a viewer remembers only
which of its sequence numbers stands for which payload.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field

from streaming.burst import Burst, Layout, Times, bursts

NS = 1_000_000_000
WINDOW_NS = 2 * NS
BURSTS_KEPT = 15  # frames: half a second of picture, which viewers who join share too


@dataclass(slots=True, eq=False)
class Frame:
    """One packet of the bus, cut into RTP payloads. Never changed (a frozen dataclass is made at four times the cost).

    `number` counts frames, `first` is the running number of the first payload, `ticks` the RTP time (not yet reduced
    to 32 bits), `times` what all viewers' header extensions say (so a resent datagram is the same to the last bit:
    SRTP with GCM must never encrypt two different packets under one sequence number).
    """

    number: int
    first: int
    ticks: int
    times: Times
    at_ns: int
    keyframe: bool
    payloads: list[bytes]
    marker: bool
    made: dict[str, list[Burst]] = field(default_factory=dict, repr=False, compare=False)

    def bursts(self, key: str, layout: Layout) -> list[Burst]:
        """The frame as datagrams, made once for all viewers whose packets look alike: those with the same `key`."""
        result = self.made.get(key)
        if result is None:
            result = bursts(self.payloads, layout, self.times, first=self.first, ticks=self.ticks, marker=self.marker)
            self.made[key] = result
        return result


class History:
    """The frames of the last `window_ns` nanoseconds. Payload numbers begin at `first`."""

    def __init__(self, window_ns: int = WINDOW_NS, first: int = 0) -> None:
        self._window_ns = window_ns
        self._frames: deque[Frame] = deque()
        self._next_first = first
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(
        self, payloads: list[bytes], *, ticks: int, times: Times, at_ns: int, keyframe: bool, marker: bool
    ) -> Frame:
        """Number a frame, keep it, and forget those older than the window before `at_ns`."""
        frame = Frame(self._next_number, self._next_first, ticks, times, at_ns, keyframe, payloads, marker)
        self._next_number += 1
        self._next_first += len(payloads)
        self._frames.append(frame)
        if len(self._frames) > BURSTS_KEPT:
            self._frames[-BURSTS_KEPT - 1].made.clear()
        while self._frames[0].at_ns < at_ns - self._window_ns:
            self._frames.popleft()
        return frame

    def find(self, index: int) -> tuple[Frame, int] | None:
        """The frame that holds payload number `index`, and where in it; None when it is gone or not yet sent."""
        position = bisect_right(self._frames, index, key=lambda frame: frame.first) - 1
        if position < 0:
            return None
        frame = self._frames[position]
        offset = index - frame.first
        return (frame, offset) if offset < len(frame.payloads) else None

    def group_of_pictures(self) -> list[Frame]:
        """The frames from the newest keyframe on; empty when the history holds none."""
        result: list[Frame] = []
        for frame in reversed(self._frames):
            result.append(frame)
            if frame.keyframe:
                return result[::-1]
        return []

    def bits_per_second(self, now_ns: int) -> int:
        """Of payload, within the window before `now_ns`; 0 when what there is of it is short or broken off."""
        recent = [frame for frame in self._frames if frame.at_ns >= now_ns - self._window_ns]
        if not recent or recent[0].at_ns > now_ns - self._window_ns // 2 or recent[-1].at_ns < now_ns - NS // 2:
            return 0
        octets = sum(len(payload) for frame in recent for payload in frame.payloads)
        return octets * 8 * NS // (now_ns - recent[0].at_ns)

    def clear(self) -> None:
        """Forget everything (nothing after a break refers to it); numbering goes on."""
        self._frames.clear()
