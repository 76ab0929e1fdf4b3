"""Which rung of the camera a viewer's TCP line carries. Pure; the time (s) is an argument.

A queue that overflowed is proof that it does not carry the sharp one. After a calm while that is tried again; each
trial that fails soon doubles the wait for the next. A page whose picture freezes connects anew, often before a queue
could overflow: who leaves twice with something in it counts as well, and what is known of a line outlives a connection.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from appliance.messages import QualityChoice
from ui.feeds import FeedName

CALM_S = 60.0
TRIAL_S = 30.0
LONGEST_CALM_S = 16 * 60.0
REMEMBERED_S = 60.0
MOST_REMEMBERED = 500


class Line:
    """`feed` is what to send now."""

    def __init__(self, quality: QualityChoice, now: float) -> None:
        self.quality = quality
        self._free = quality == "automatic"
        self._left_behind = False
        self.feed: FeedName = quality if quality in ("saving", "sound") else "camera"
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

    def resume(self) -> None:
        """The viewer is back, with an empty queue."""
        self._drops = 0

    def left(self, now: float, *, behind: bool) -> None:
        """The viewer has left, with something in the queue when `behind`. Once may be a line that was cut."""
        if behind and self._left_behind:
            self._overflowed(now)
        self._left_behind = behind

    def _overflowed(self, now: float) -> None:
        if self._free and self.feed == "camera":
            failed = self._tried and now - self._since < TRIAL_S
            self._calm_s = min(LONGEST_CALM_S, 2 * self._calm_s) if failed else CALM_S
            self._change("saving", now)
        self._since = now

    def _change(self, feed: FeedName, now: float) -> None:
        self.feed, self._since, self._drops = feed, now, 0


class Lines:
    """What is known of the lines of those who watch, or left lately. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Line, float]] = OrderedDict()

    def take(self, viewer: str, quality: QualityChoice, now: float) -> Line:
        """The line of a viewer who has come: as it was seen last, unless that is long ago or another choice was made.
        A page may come again before its old connection is known to be over: both have the same line."""
        with self._lock:
            line, seen = self._known.pop(viewer, (None, 0.0))
            if line is None or line.quality != quality or now - seen > REMEMBERED_S:
                line = Line(quality, now)
            line.resume()
            self._remember(viewer, line, now)
            return line

    def leave(self, viewer: str, line: Line, now: float, *, behind: bool) -> None:
        """The viewer has left; `behind` as in `Line.left`."""
        with self._lock:
            line.left(now, behind=behind)
            if self._known.get(viewer, (line, 0.0))[0] is line:
                self._remember(viewer, line, now)

    def _remember(self, viewer: str, line: Line, now: float) -> None:
        self._known[viewer] = line, now
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
