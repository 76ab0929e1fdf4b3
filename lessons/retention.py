"""When lessons end: their dates, the warning before, and the thread that lets them go.

A lesson that an uplink has goes at its date. One that was not sent goes a week after its teacher was warned, at the
earliest; a warning counts for the date it was given for, and has to be given anew after a pause in which nobody could
read it. Nothing goes to make room, and nothing while the clock is in doubt (`lessons.clock`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from appliance.bus import CommandRefused
from appliance.messages import WARNING_S, Done, KeepLesson, Lesson
from lessons.amendments import Amendments
from lessons.catalogue import Catalogue
from lessons.clock import Clock, Known
from lessons.erase import Eraser
from lessons.handlers import Handlers
from lessons.journal import NAME, Described, Record, Warned, parse
from lessons.receipts import Receipts
from lessons.recording import Recording, fold
from lessons.summary import describe

log = structlog.get_logger()

DAY_S = 86_400.0
EARLIEST = 1_735_689_600.0  # 2025: a lesson from before this program is one of a kit whose clock was wrong
LONGEST_DAYS = 3650
FIRST_S, EVERY_S = 600.0, 3600.0  # what sets the clock after a start has had its time


@dataclass(frozen=True)
class Warn:
    """The teacher is to be told that the lesson will be deleted."""

    id: str


@dataclass(frozen=True)
class Erase:
    """The lesson is to be deleted now."""

    id: str


def dated(lesson: Lesson, days: float, since: float = 0.0) -> Lesson:
    """The lesson with the date that holds for it: its own, else `days` after its start, else none. A warning that was
    given for another date, or before Unix time `since`, is none."""
    ends_at = lesson.ends_at
    if ends_at is None and lesson.started_at >= EARLIEST:
        ends_at = lesson.started_at + days * DAY_S
    warned_at = lesson.warned_at
    if warned_at is not None and (ends_at is None or warned_at < max(ends_at - WARNING_S, since)):
        warned_at = None
    return msgspec.structs.replace(lesson, ends_at=ends_at, warned_at=warned_at)


def plan(lessons: Iterable[Lesson], now: float, *, trusted: bool) -> list[Warn | Erase]:
    """What is due at Unix time `now` among `lessons` (as `dated` gives them). Nothing while the clock is not
    trusted."""
    if not trusted:
        return []
    steps = (_due(lesson, now) for lesson in lessons)
    return [step for step in steps if step is not None]


def _due(lesson: Lesson, now: float) -> Warn | Erase | None:
    if lesson.ends_at is None or lesson.state == "live":
        return None
    if lesson.sent:
        return Erase(lesson.id) if now >= lesson.ends_at else None
    if lesson.warned_at is None:
        return Warn(lesson.id) if now >= lesson.ends_at - WARNING_S else None
    return Erase(lesson.id) if now >= max(lesson.ends_at, lesson.warned_at + WARNING_S) else None


class Retention:
    """`days` is the school's setting, `live` says which lesson is live."""

    def __init__(
        self, root: Path, catalogue: Catalogue, amendments: Amendments, eraser: Eraser, receipts: Receipts,
        clock: Clock, days: int, live: Callable[[], str | None],
    ) -> None:  # fmt: skip
        self._root = root
        self._catalogue = catalogue
        self._amendments = amendments
        self._eraser = eraser
        self._receipts = receipts
        self._clock = clock
        self._days = days
        self._live = live
        self._deciding = threading.Lock()  # a teacher who keeps a lesson does so before it goes, or after

    def handlers(self) -> Handlers:
        return {KeepLesson: self.keep}

    def keep(self, command: KeepLesson) -> Done:
        """Raises CommandRefused."""
        now = self._clock.now()
        if not now < command.ends_at <= now + LONGEST_DAYS * DAY_S:
            raise CommandRefused("invalid", f"a lesson ends later than now, at most {LONGEST_DAYS} days from now")

        def decide(recording: Recording, place: int | None) -> Sequence[Record]:
            known = recording.about.ends_at == command.ends_at
            return [] if known else [Described(now, ends_at=command.ends_at)]

        with self._deciding:
            self._amendments.write(command.id, decide)
        return Done()

    def run(self, stopping: threading.Event, first_s: float = FIRST_S, every_s: float = EVERY_S) -> None:
        """The thread."""
        self._eraser.finish()
        wait_s = first_s
        while not stopping.wait(wait_s):
            wait_s = every_s
            self.step()

    def step(self) -> None:
        """Look once: warn, erase, and finish what a disk did not let be erased before."""
        self._eraser.finish()
        try:
            lessons = self._catalogue.all()
            clock = self._clock.look(self._written(lessons))
        except OSError as error:
            log.warning("dates of lessons not looked at", error=str(error))
            return
        if clock.doubt:
            log.warning("no lesson is deleted by date: the clock is in doubt", why=clock.doubt)
        over = [dated(lesson, self._days, clock.since) for lesson in lessons if lesson.id != self._live()]
        for step in plan(over, clock.wall, trusted=not clock.doubt):
            with self._deciding:
                self._carry_out(step, clock)

    def _written(self, lessons: Sequence[Lesson]) -> float | None:
        """The newest time that was written down."""
        times = [lesson.started_at + lesson.duration_s for lesson in lessons]
        times += [lesson.warned_at for lesson in lessons if lesson.warned_at is not None]
        for receipt in self._receipts.all():
            times += [receipt.erasing.wall, receipt.erased_at or 0.0, *receipt.told.values()]
        return max(times, default=None)

    def _carry_out(self, step: Warn | Erase, clock: Known) -> None:
        """Decide once more by the journal, which is the truth, and do it."""
        try:
            if isinstance(step, Warn):
                told = Warned(clock.wall)
                self._amendments.write(step.id, lambda known, _: [told] if self._holds(step, known, clock) else [])
                log.info("lesson will be deleted in a week", lesson=step.id)
            elif self._holds(step, fold(parse((self._root / step.id / NAME).read_bytes()).records), clock):
                self._eraser.erase(step.id, "date", "")
        except (OSError, LookupError, CommandRefused) as error:
            log.warning("what is due for a lesson is not done", lesson=step.id, error=str(error))

    def _holds(self, step: Warn | Erase, recording: Recording | None, clock: Known) -> bool:
        if recording is None:
            return False
        lesson = dated(describe(recording, thumbnail=False), self._days, clock.since)
        return plan([lesson], clock.wall, trusted=True) == [step]
