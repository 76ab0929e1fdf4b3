"""Has the low rungs of recordings made in idle time: while no lesson is live, and the disk has room for it.

One lesson at a time, the newest first, each in a process of its own (`lessons.low`) that is killed when a lesson
starts. A lesson without a low rung is no incident.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from lessons import idle, low_rung, space
from lessons.catalogue import ID

log = structlog.get_logger()

LIMIT_S = 6 * 3600.0  # three hours of a lesson take about half an hour of a whole core
LOOK_S = 1.0
QUIET_S = 20.0  # no lesson has been live for so long: at the bell pupils replay, and the next lesson may begin
KEPT_MINUTES = 60.0  # of lessons, for which the disk keeps room beside


class Lowering:
    """`live` says which lesson is live, `bit_rate` (bits per second) is the rung's, `bytes_per_minute` what a lesson
    takes. `ask` may be called from any thread."""

    def __init__(self, root: Path, live: Callable[[], str | None], bit_rate: int, bytes_per_minute: float) -> None:
        self._root = root
        self._live = live
        self._bit_rate = bit_rate
        self._bytes_per_minute = bytes_per_minute
        self._lock = threading.Lock()
        self._waiting: list[str] = []

    def ask(self, id: str) -> None:
        """Make the low rung of a lesson once it is over."""
        with self._lock:
            self._waiting = [*(one for one in self._waiting if one != id), id]

    def run(self, stopping: threading.Event) -> None:
        """The thread."""
        folders = self._root.iterdir() if self._root.is_dir() else ()
        for folder in folders:
            if ID.fullmatch(folder.name) and low_rung.outdated(folder):
                self.ask(folder.name)
        since = time.monotonic()
        while not stopping.wait(LOOK_S):
            if self._live() is not None:
                since = time.monotonic()
            elif time.monotonic() - since >= QUIET_S and (id := self._next()):
                self.make(id, partial(self._must_end, id, stopping))

    def make(self, id: str, must_end: Callable[[], bool]) -> None:
        """Have one made. What was put off is asked for again."""
        folder = self._root / id
        try:
            status = idle.run("lessons.low", [str(folder), str(self._bit_rate)], must_end, LIMIT_S)
        except OSError as error:
            log.warning("no low rung", lesson=id, error=str(error))
            return
        if status is None:
            log.info("low rung put off", lesson=id)
            if folder.exists():
                self.ask(id)
        elif status == 0:
            log.info("low rung made", lesson=id)
        elif folder.exists():
            log.warning("no low rung", lesson=id, status=status)

    def _next(self) -> str | None:
        """The newest that waits and for which there is room."""
        with self._lock:
            for id in sorted(self._waiting, reverse=True):
                folder = self._root / id
                if not folder.exists():
                    self._waiting.remove(id)
                elif self._has_room(folder):
                    self._waiting.remove(id)
                    return id
            return None

    def _has_room(self, folder: Path) -> bool:
        """Whether lessons keep their room beside what is to be written, which is less than half of what there is."""
        wanted = sum(path.stat().st_size for path in folder.glob("part-*.mp4")) // 2
        return (
            space.look(self._root, self._bytes_per_minute).free_bytes - wanted > KEPT_MINUTES * self._bytes_per_minute
        )

    def _must_end(self, id: str, stopping: threading.Event) -> bool:
        return stopping.is_set() or self._live() is not None or not (self._root / id).exists()
