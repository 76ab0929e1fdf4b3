"""What of one stream got lost lately, by its receiver. Pure; times in ns, monotonic.

Browsers send a report with every piece of feedback, many a second in bad moments: each speaks of a handful of packets,
and its own fraction says nothing. So the running totals of the reports are compared over a while.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

NS = 1_000_000_000
WINDOW_NS = NS
LONG_NS = 4 * NS
LEAST_PACKETS = 80  # of fewer a fraction says nothing: it is taken of as many, of four times as many over LONG_NS
NUMBERS_KEPT = 2048
HEARD_KEPT = 512  # more than a browser sends within any window here; of a flood, none is costlier than the one before


class Losses:
    """Report blocks of one stream (RFC 3550 section 6.4.1)."""

    def __init__(self) -> None:
        self._reports: deque[tuple[int, int, int]] = deque(maxlen=HEARD_KEPT)

    def report(self, now_ns: int, highest: int, lost: int) -> None:
        """Take in the extended highest sequence number received, and the cumulative number of packets lost."""
        reports = self._reports
        if reports and highest < reports[-1][1]:
            reports.clear()
        reports.append((now_ns, highest, lost))
        while len(reports) > 2 and reports[1][0] <= now_ns - LONG_NS:
            reports.popleft()

    def fraction(self) -> float:
        """What was lost within WINDOW_NS, or since the last report but one if that is longer; 0 to 1."""
        return self._since(self._reports[-1][0] - WINDOW_NS, LEAST_PACKETS) if self._reports else 0.0

    def long_fraction(self) -> float:
        """The same over LONG_NS; 0 before it has passed."""
        if not self._reports or self._reports[-1][0] - self._reports[0][0] < LONG_NS:
            return 0.0
        return self._since(self._reports[0][0], LEAST_PACKETS * LONG_NS // WINDOW_NS)

    def _since(self, begin_ns: int, least: int) -> float:
        *before, (_, highest, lost) = self._reports
        if not before:
            return 0.0
        _, first, lost_before = next((each for each in reversed(before) if each[0] <= begin_ns), before[0])
        return min(1.0, max(0.0, (lost - lost_before) / max(highest - first, least)))


class Asked:
    """Sequence numbers asked for again. Browsers repeat a NACK while it is not answered."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, None] = OrderedDict()

    def first_time(self, numbers: Iterable[int]) -> int:
        """How many of `numbers` were not asked for lately."""
        new = 0
        for number in numbers:
            if number not in self._known:
                self._known[number] = None
                new += 1
        while len(self._known) > NUMBERS_KEPT:
            self._known.popitem(last=False)
        return new
