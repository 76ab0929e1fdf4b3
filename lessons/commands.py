"""Lessons begun, ended, listed and deleted. Called on several threads at a time."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from appliance.bus import CommandRefused
from appliance.messages import (
    DeleteLesson,
    Done,
    FindLessons,
    GetLesson,
    Lesson,
    LessonList,
    ListLessons,
    StartLesson,
    StopLesson,
    Visibility,
)
from lessons import session
from lessons.catalogue import Catalogue
from lessons.erase import Eraser
from lessons.folder import incident_of
from lessons.handlers import Handlers
from lessons.journal import Created, Described
from lessons.library import check
from lessons.metrics import Metrics
from lessons.recorder import Recorder
from lessons.retention import dated

log = structlog.get_logger()

LONGEST_MINUTES = 24 * 60


class Commands:
    """What the service does when asked. `boot_id` names this boot of the machine, `minutes` is how long a lesson is
    planned when nobody says, `days` how long one is kept, `visibility` who may see a new one, `talk` whether the school
    allows pupils' voices in recordings."""

    def __init__(
        self, root: Path, boot_id: str, recorder: Recorder, catalogue: Catalogue, metrics: Metrics,
        eraser: Eraser, minutes: float, days: float, visibility: Visibility = "class", *, talk: bool = False,
    ) -> None:  # fmt: skip
        self._root = root
        self._boot_id = boot_id
        self._recorder = recorder
        self._catalogue = catalogue
        self._metrics = metrics
        self._eraser = eraser
        self._minutes = minutes
        self._visibility = visibility
        self._days = days
        self._talk = talk
        self._starting = threading.Lock()

    def handlers(self) -> Handlers:
        return {
            StartLesson: self.start,
            StopLesson: self.stop,
            GetLesson: self.get,
            ListLessons: self.list,
            FindLessons: self.find,
            DeleteLesson: self.delete,
        }

    def start(self, command: StartLesson) -> Lesson:
        """Raises CommandRefused."""
        check(command)
        minutes = self._minutes if command.minutes is None else command.minutes
        if not 0 < minutes <= LONGEST_MINUTES:
            raise CommandRefused("invalid", f"a lesson has at most {LONGEST_MINUTES} minutes")
        if not self._starting.acquire(blocking=False):
            raise CommandRefused("conflict", "a lesson is being started")
        try:
            return self._begin(command, minutes)
        finally:
            self._starting.release()

    def _begin(self, asked: StartLesson, minutes: float) -> Lesson:
        if self._recorder.live:
            raise CommandRefused("conflict", "a lesson is live")
        at = time.time()
        id = f"{datetime.fromtimestamp(at):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        created = Created(id, asked.title, asked.code, at, self._boot_id, at + minutes * 60)
        described = Described(at, None, asked.subject, asked.group, asked.teacher, self._visibility)
        live = session.create(self._root, created, self._metrics, time.monotonic_ns(), described, talk=self._talk)
        info = live.info()  # before the writer has it
        self._recorder.start(live)
        self._catalogue.refresh(id)
        log.info("lesson started", lesson=id)
        return dated(info, self._days)

    def stop(self, command: StopLesson) -> Lesson:
        """Raises CommandRefused."""
        id = command.id
        try:
            stopped = self._recorder.stop(id)
        except TimeoutError:
            raise CommandRefused("unavailable", "disk_slow: the lesson is being closed") from None
        if stopped:
            log.info("lesson stopped", lesson=id)
        return dated(stopped, self._days) if stopped else self._known(id)

    def get(self, command: GetLesson) -> Lesson:
        """Raises CommandRefused."""
        return self._known(command.id)

    def list(self, command: ListLessons) -> LessonList:
        """Every lesson, newest first."""
        lessons = [self._current(lesson) for lesson in self._catalogue.all()]
        live = self._recorder.live
        if live and all(live.id != lesson.id for lesson in lessons):  # the disk has not taken it yet
            lessons.insert(0, dated(live, self._days))
        return LessonList(lessons, len(lessons))

    def find(self, command: FindLessons) -> LessonList:
        """What is looked for; where any lesson is, also one that is live and that the disk has not taken yet."""
        found = self._catalogue.find(command, self._recorder.live_id())
        lessons, total = [self._current(lesson) for lesson in found.lessons], found.total
        live = self._recorder.live
        if live and _any(command, live.code) and self._catalogue.get(live.id) is None:
            lessons, total = ([] if command.offset else [dated(live, self._days)]) + lessons, total + 1
        return msgspec.structs.replace(found, lessons=lessons, total=total)

    def _known(self, id: str) -> Lesson:
        live = self._recorder.live
        lesson = live if live and live.id == id else self._catalogue.get(id)
        if lesson is None:
            raise CommandRefused("not_found", f"there is no lesson {id}")
        return self._current(lesson)

    def _current(self, lesson: Lesson) -> Lesson:
        """The catalogue's entry, corrected for what only the recorder knows: which lesson is live, and how long; with
        the date that holds for it."""
        live = self._recorder.live
        if live and live.id == lesson.id:
            return dated(live, self._days)
        known = msgspec.structs.replace(lesson, state="interrupted") if lesson.state == "live" else lesson
        return dated(known, self._days)

    def delete(self, command: DeleteLesson) -> Done:
        """Raises CommandRefused."""
        id = command.id
        live = self._recorder.live
        if live and live.id == id:
            raise CommandRefused("conflict", "the lesson is live")
        try:
            self._eraser.erase(id, "hand", command.by)
        except LookupError:
            raise CommandRefused("not_found", f"there is no lesson {id}") from None
        except OSError as error:
            raise CommandRefused("unavailable", incident_of(error)) from None
        return Done()


def _any(wanted: FindLessons, code: str) -> bool:
    """Whether any lesson of this code is looked for."""
    return (
        wanted.code in (None, code)
        and msgspec.structs.replace(wanted, sort="date", descending=True, limit=None, offset=0, code=None)
        == FindLessons()
    )
