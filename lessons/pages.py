"""Where the board or the screen changes page. Pure: small grey pictures in, places on the timeline out.

A picture is cut into cells; a page begins where many cells are suddenly different from the picture that stood there
before, and stay as they then are. What changes little by little (handwriting, daylight) is followed without a page,
what only moves up or down (a text that is scrolled) as well, and while much moves (a film) there is no page at all.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.seen import State

WIDTH, HEIGHT = 160, 90
CELL = 10
STILL_S = 2.0
APART_S = 20.0
SHORTEST_OVERLAP = HEIGHT // 3
CONTRAST = 40.0  # to which pictures are stretched where light does not count
LEAST_CONTRAST = 8.0
FINER = 4
UNEXPLAINED = 0.5

Grey = NDArray[np.uint8]
Levels = NDArray[np.float32]
Cells = NDArray[np.bool_]


class Rules(NamedTuple):
    """How a source's pages are told. A cell has changed when its pixels differ by more than `level` on average; `share`
    of all cells must have, and `of_full` of those where there is something to see. Up to `calm` may in a picture that
    counts as still. Pictures are medians of `samples`, so that who walks by is not seen; with `lit`, brightness and
    contrast count as little as for the eye. `opens`: the first page is told at once, else only when there is
    another."""

    share: float
    of_full: float
    level: float
    calm: float
    samples: int
    lit: bool
    opens: bool


RULES = {
    # Slides are mostly empty: one replaces another in a third of the cells, a further line of text in a tenth.
    "screen": Rules(share=0.12, of_full=0.55, level=8.0, calm=0.10, samples=1, lit=False, opens=True),
    "board": Rules(share=0.40, of_full=0.55, level=12.0, calm=0.15, samples=5, lit=True, opens=False),
}


class Pages:
    """Feed it a picture about every second with `push`; `state` is what another one left off with."""

    def __init__(self, rules: Rules, state: State | None = None) -> None:
        self._rules = rules
        self._recent = deque(((at, _picture(data)) for at, data in state.recent) if state else (), rules.samples)
        self._before = _levels(state.before) if state else None
        self._page = _levels(state.page) if state else None
        self._began, self._last, self._first = (state.began, state.last, state.first) if state else (0, None, None)
        self._follows = bool(state and state.follows)

    def state(self) -> State:
        recent = [(at, picture.tobytes()) for at, picture in self._recent]
        return State(
            recent, _bytes(self._before), _bytes(self._page), self._began, self._last, self._first, self._follows
        )

    def push(self, at: int, picture: Grey) -> list[int]:
        """Take the next picture (HEIGHT x WIDTH, grey), captured at `at` (ticks). Returns where pages begin that are
        known by now, mostly none."""
        self._recent.append((at, picture))
        now = self._seen()
        before, self._before = self._before, now
        if before is None or self._differ(before, now).mean() > self._rules.calm:
            self._began = self._recent[len(self._recent) // 2][0]
            self._follows = self._follows and before is not None and self._page is not None and scrolled(before, now)
            if self._follows:
                self._page = now
            return []
        if at - self._began < STILL_S * VIDEO_TIMESCALE:
            return []
        return self._judge(at, now)

    def _judge(self, at: int, now: Levels) -> list[int]:
        """What to say of a picture that stands still."""
        if self._page is None:
            self._page, self._follows, self._first = now, True, self._began
            return self._tell(self._began) if self._rules.opens else []
        if not self._another(self._page, now):
            self._page, self._follows = now, True
            return []
        if self._last is not None and at - self._last < APART_S * VIDEO_TIMESCALE:
            return []
        self._page, self._follows = now, True
        return self._tell(self._began)

    def _tell(self, place: int) -> list[int]:
        opening = [self._first] if self._last is None and self._first is not None and self._first < place else []
        self._last = place if self._last is None else max(place, self._last + int(APART_S * VIDEO_TIMESCALE))
        return [*opening, self._last]

    def _seen(self) -> Levels:
        """The picture without who walks by, and without its light."""
        now: Levels = np.median(np.array([picture for _, picture in self._recent]), axis=0).astype(np.float32)
        if self._rules.lit:
            contrast = np.float32(CONTRAST / max(LEAST_CONTRAST, float(now.std())))
            now = ((now - now.mean()) * contrast + np.float32(128)).clip(0, 255).round()
        return now

    def _differ(self, one: Levels, other: Levels | np.float32) -> Cells:
        pixels = np.abs(one - other).reshape(HEIGHT // CELL, CELL, WIDTH // CELL, CELL)
        cells: Cells = pixels.mean(axis=(1, 3)) > self._rules.level
        return cells

    def _another(self, one: Levels, other: Levels) -> bool:
        """Whether the second is another page than the first."""
        changed = self._differ(one, other)
        full = changed | self._differ(one, np.median(one)) | self._differ(other, np.median(other))
        if changed.mean() < self._rules.share or changed.sum() < full.sum() * self._rules.of_full:
            return False
        return not scrolled(one, other)


def scrolled(one: Levels, other: Levels) -> bool:
    """Whether the second is the first, moved up or down: where they overlap there is as much to see as in the whole,
    and little that moving does not explain."""
    paper = np.median(other)
    found = float(np.abs(other - paper).mean())
    for part in range(FINER):  # of a row: a text's lines are thinner than that
        weight = np.float32(part / FINER)
        first = one[:-1] * (1 - weight) + one[1:] * weight if part else one
        second = other[: len(first)]
        for rows in range(SHORTEST_OVERLAP - HEIGHT, HEIGHT - SHORTEST_OVERLAP):
            after = second[max(0, rows) : len(second) + min(0, rows)]
            seen = float(np.abs(after - paper).mean())
            before = first[max(0, -rows) : len(first) - max(0, rows)]
            if seen > found / 2 and float(np.abs(after - before).mean()) < seen * UNEXPLAINED:
                return True
    return False


def _picture(data: bytes) -> Grey:
    return np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH)


def _levels(data: bytes) -> Levels | None:
    return _picture(data).astype(np.float32) if data else None


def _bytes(levels: Levels | None) -> bytes:
    return b"" if levels is None else levels.astype(np.uint8).tobytes()
