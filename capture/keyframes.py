"""When the encoder makes a keyframe: pure, one object per rung, owned by the encoder thread but asked by others."""

from __future__ import annotations

INTERVAL_NS = 1_000_000_000  # the recording's fragments and a latecomer's seek points
LEAST_FORCED_NS = 1_000_000_000  # a storm of joins costs one keyframe a second


class KeyframePolicy:
    """A keyframe at least every `interval_ns`, sooner on request, forced ones at most every `least_forced_ns`.

    A request that comes too early after a forced keyframe is kept and served when its time has come, unless it is
    urgent. `request` may be called from another thread: it only sets a flag.
    """

    def __init__(self, interval_ns: int = INTERVAL_NS, least_forced_ns: int = LEAST_FORCED_NS) -> None:
        self._interval_ns = interval_ns
        self._least_forced_ns = least_forced_ns
        self._last_ns: int | None = None
        self._last_forced_ns: int | None = None
        self._wanted = False
        self._urgent = False
        self.forced = 0

    def request(self, *, urgent: bool = False) -> None:
        self._urgent = self._urgent or urgent
        self._wanted = True

    def decide(self, pts_ns: int) -> bool:
        """Whether the frame at `pts_ns` shall be a keyframe. Called once per frame."""
        forced = self._wanted and (
            self._urgent or self._last_forced_ns is None or pts_ns - self._last_forced_ns >= self._least_forced_ns
        )
        due = self._last_ns is None or pts_ns - self._last_ns >= self._interval_ns - INTERVAL_NS // 100
        if not (due or forced):
            return False
        self._wanted = self._urgent = False
        if forced and not due:
            self._last_forced_ns = pts_ns
            self.forced += 1
        self._last_ns = pts_ns
        return True
