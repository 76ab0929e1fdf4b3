"""The writer: the only thread that touches the disk of a live lesson.

It takes from the lesson's backlog and lets its `Session` write. A disk that stalls holds up this thread and nothing
else; others see the lesson as `Live.view` had it last, which is replaced whole.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from appliance.bus import CommandRefused
from appliance.messages import Lesson, LessonState, Packet
from lessons.backlog import Backlog, Item, Note, Overflow
from lessons.session import Session

WAIT_S = 0.2


class View(NamedTuple):
    """A lesson as it was when something of it had last become durable, or had failed to."""

    state: LessonState
    lesson: Lesson


class Live:
    """A lesson being recorded: what waits for it, and how it looks. `closed` is set when the writer has let go of it.

    Of the session itself, other threads may use what it says to be safe.
    """

    def __init__(self, session: Session, backlog: Backlog) -> None:
        self.session = session
        self.backlog = backlog
        self.view = View(session.state(), session.info())
        self.closed = threading.Event()
        self._version = session.version

    def refresh(self) -> None:
        """Renew the view where there is news. The writer's."""
        if self._version != self.session.version:
            self._version = self.session.version
            self.view = View(self.session.state(), self.session.info())


class Writer:
    """`changed` is told the id of a lesson that is over, when all of it is on the disk."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._lessons: queue.SimpleQueue[Live | None] = queue.SimpleQueue()

    def begin(self, live: Live) -> None:
        """Write `live` from now on, after those before it."""
        self._lessons.put(live)

    def end(self) -> None:
        """Let `run` return when the lessons begun are closed."""
        self._lessons.put(None)

    def run(self) -> None:
        """The thread: writes one lesson after the other, until `end`."""
        while live := self._lessons.get():
            while not live.closed.is_set():
                item = live.backlog.take(WAIT_S)
                if item:
                    self._carry_out(live, item)

    def _carry_out(self, live: Live, item: Item) -> None:
        session, (what, now_ns, at) = live.session, item
        match what:
            case Packet():
                session.feed(what, now_ns, at)
            case Overflow(lost):
                session.overflow(lost, now_ns, at)
            case Note():
                _write(what, session, now_ns)
            case "end_screen":
                session.end_screen(now_ns, at)
            case "end_talk":
                session.end_talk(now_ns, at)
            case "watch":
                session.watch(now_ns, at)
            case "suspend":
                session.suspend(now_ns, at)
            case "stop":
                session.stop(now_ns, at)
                self._changed(session.id)
        live.refresh()
        if what in ("stop", "suspend"):
            for late in live.backlog.close():
                if isinstance(late.what, Note):
                    _refuse(late.what, over=what == "stop")
            live.closed.set()


def _write(note: Note, session: Session, now_ns: int) -> None:
    try:
        session.note(note.make(session, now_ns), now_ns)
    except (OSError, CommandRefused) as error:
        note.done.set_exception(error)
    else:
        note.done.set_result(True)


def _refuse(note: Note, *, over: bool) -> None:
    """Who asked may write it beside a lesson that is `over`; one that goes on is another process's by then."""
    if over:
        note.done.set_result(False)
    else:
        note.done.set_exception(CommandRefused("unavailable", "the kit is being stopped"))
