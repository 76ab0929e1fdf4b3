"""When to ask capture for a keyframe: at once, but never twice within a second. Pure; times in ns, monotonic."""

from __future__ import annotations

INTERVAL_NS = 1_000_000_000
ON_ITS_WAY_NS = 100_000_000  # capture makes it of its next picture


class KeyframeRequests:
    """The wishes of all viewers of a track, made into few requests.

    A wish that comes too soon after a request waits; a keyframe that passes meanwhile fulfils it.
    """

    def __init__(self, interval_ns: int = INTERVAL_NS) -> None:
        self._interval_ns = interval_ns
        self._asked_ns: int | None = None
        self.wanted = False

    def want(self, now_ns: int) -> bool:
        """A viewer needs a keyframe. True when the request is to be sent now."""
        self.wanted = True
        return self.due(now_ns)

    def due(self, now_ns: int) -> bool:
        """True when a waiting wish is to be sent now (which then counts as sent)."""
        if not self.wanted or (self._asked_ns is not None and now_ns - self._asked_ns < self._interval_ns):
            return False
        self._asked_ns = now_ns
        return True

    def on_its_way(self, now_ns: int) -> bool:
        """Whether one was asked for so lately that it is about to come."""
        return self.wanted and self._asked_ns is not None and now_ns - self._asked_ns < ON_ITS_WAY_NS

    def arrived(self) -> None:
        """A keyframe passed: everybody has what they wished for."""
        self.wanted = False
