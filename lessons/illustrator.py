"""Has lessons illustrated, one process at a time with low priority: `lessons.illustrate` does the work.

Decoders stay out of the recorder's process, where their memory would never be given back. The live lesson goes first;
those of before, which a power cut or an older program left without pictures, come while none is live. A lesson without
pictures is no incident.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from appliance.bus import CommandRefused
from lessons import idle, strip
from lessons.catalogue import ID
from lessons.journal import Record
from lessons.recording import Recording
from lessons.seen import found, read_seen
from lessons.stills import unknown

log = structlog.get_logger()

LIMIT_S = 900.0  # three hours of a lesson take about three minutes
LOOK_S = 0.2

Write = Callable[[str, Callable[[Recording, int | None], Sequence[Record]]], None]


class Illustrator:
    """`live` says which lesson is live, `write` writes marks (`lessons.marks.Marks.write`), `look` whether pages are to
    be looked for. `ask` may be called from any thread."""

    def __init__(self, root: Path, live: Callable[[], str | None], write: Write, *, look: bool) -> None:
        self._root = root
        self._live = live
        self._write = write
        self._look = look
        self._wake = threading.Condition()
        self._asked: list[str] = []
        self._old: list[str] = []

    def ask(self, folder: Path) -> None:
        """Illustrate the lesson in `folder` soon: the live one, or the one that has just ended."""
        with self._wake:
            if folder.name not in self._asked:
                self._asked.append(folder.name)
            self._wake.notify()

    def run(self, stopping: threading.Event) -> None:
        """The thread."""
        self._old = self._without_pictures()
        while not stopping.is_set():
            id = self._next()
            if id is None:
                with self._wake:
                    self._wake.wait_for(lambda: bool(self._asked), LOOK_S)
            else:
                self.illustrate(id, partial(self._must_end, id, stopping))

    def illustrate(self, id: str, must_end: Callable[[], bool]) -> None:
        """Have a lesson's pictures made, then write the marks of the pages that were found."""
        folder = self._root / id
        arguments = [str(folder), *(["--pages"] if self._look else [])]
        try:
            status = idle.run("lessons.illustrate", arguments, must_end, LIMIT_S)
        except OSError as error:
            log.warning("lesson not illustrated", lesson=id, error=str(error))
            return
        if status is None:
            log.info("illustration put off", lesson=id)
        elif status == 0:
            self._mark(id)
        elif folder.exists():
            log.warning("lesson not illustrated", lesson=id, status=status)

    def _mark(self, id: str) -> None:
        pages = found(read_seen(self._root / id), time.time()) if self._look else []
        if not pages:
            return
        try:
            self._write(id, lambda recording, now: unknown(recording, pages))
        except CommandRefused as error:
            log.warning("pages not marked", lesson=id, reason=error.detail)

    def _without_pictures(self) -> list[str]:
        folders = self._root.iterdir() if self._root.is_dir() else ()
        return sorted(folder.name for folder in folders if ID.fullmatch(folder.name) and outdated(folder))

    def _next(self) -> str | None:
        with self._wake:
            if self._asked:
                return self._asked.pop(0)
            return self._old.pop() if self._old and self._live() is None else None

    def _must_end(self, id: str, stopping: threading.Event) -> bool:
        """Whether the service ends, or a lesson of before has to give way; that one comes again."""
        if stopping.is_set():
            return True
        with self._wake:
            if self._live() in (None, id):
                return False
            if id not in self._old:
                self._old.append(id)
            return True


def outdated(folder: Path) -> bool:
    """Whether a lesson has no strip, or was recorded on since: a power cut leaves one so."""
    try:
        made = (folder / strip.FOLDER / strip.NAME).stat().st_mtime_ns
        return any(part.stat().st_mtime_ns > made for part in folder.glob("part-*.mp4"))
    except FileNotFoundError:
        return True
