"""Which rung of the camera a viewer's TCP line carries. Pure; the time (s) is an argument.

A queue that overflowed is proof that it does not carry the sharp one. After a calm while that is tried again; each
trial that fails soon doubles the wait for the next.
"""

from __future__ import annotations

from appliance.messages import QualityChoice
from ui.feeds import FeedName

CALM_S = 60.0
TRIAL_S = 30.0
LONGEST_CALM_S = 16 * 60.0


class Line:
    """`feed` is what to send now."""

    def __init__(self, quality: QualityChoice, now: float) -> None:
        self._free = quality == "automatic"
        self.feed: FeedName = "camera" if quality in ("automatic", "sharp") else "saving"
        self._since = now
        self._calm_s = CALM_S
        self._tried = False
        self._drops = 0

    def see(self, drops: int, now: float) -> FeedName:
        """Take in how often the queue of this feed has overflowed by now; gives the feed to send from now on."""
        before, self._drops = self._drops, drops
        if drops > before:
            self._overflowed(now)
        elif self._free and self.feed == "saving" and now - self._since >= self._calm_s:
            self._change("camera", now)
            self._tried = True
        return self.feed

    def _overflowed(self, now: float) -> None:
        if self._free and self.feed == "camera":
            failed = self._tried and now - self._since < TRIAL_S
            self._calm_s = min(LONGEST_CALM_S, 2 * self._calm_s) if failed else CALM_S
            self._change("saving", now)
        self._since = now

    def _change(self, feed: FeedName, now: float) -> None:
        self.feed, self._since, self._drops = feed, now, 0
