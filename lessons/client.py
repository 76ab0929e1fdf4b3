"""What `ui` may use of this service: commands over the bus, and (`LessonFiles`) the lesson folders on disk.

Safe from any thread.
"""

from __future__ import annotations

import secrets
from typing import Literal

from appliance import bus
from appliance.messages import (
    Command,
    DeleteLesson,
    DescribeLesson,
    Event,
    FindLessons,
    GetLesson,
    JoinLessons,
    KeepLesson,
    Lesson,
    LessonList,
    LessonState,
    ListLessons,
    Marked,
    MarkLesson,
    PutTrack,
    RecordTalk,
    RemoveMark,
    RemoveTrack,
    Reply,
    StartLesson,
    StopLesson,
    TrimLesson,
    TrimmedLesson,
    Visibility,
)
from appliance.settings import Settings
from lessons.reader import LessonFiles

STOP_TIMEOUT_S = 15.0

Lessons = list[Lesson]  # within the class `list` is the method
TrackKind = Literal["captions", "chapters"]


class LessonsClient(LessonFiles):
    """Commands raise bus.CommandRefused or bus.BusError."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.lessons)
        self._bus = settings.bus

    def start(
        self, title: str, code: str, minutes: float | None = None, subject: str = "", group: str = "", teacher: str = ""
    ) -> Lesson:
        """Begin a lesson of so many planned minutes. Refused with `conflict` while one is live."""
        return self._lesson(StartLesson(title, code, minutes, subject, group, teacher))

    def describe(
        self,
        id: str,
        title: str | None = None,
        subject: str | None = None,
        group: str | None = None,
        teacher: str | None = None,
        visibility: Visibility | None = None,
    ) -> Lesson:
        """Other words for a lesson, or others who may see it. Refused with `not_found`, `invalid` or `unavailable`.
        Idempotent."""
        return self._lesson(DescribeLesson(id, title, subject, group, teacher, visibility))

    def join(self, id: str, next: str) -> Lesson:
        """Let the recording of `next` follow that of `id`, as one lesson; `next` is no more. Refused with `not_found`,
        `invalid`, `conflict` or `unavailable`."""
        return self._lesson(JoinLessons(id, next), STOP_TIMEOUT_S)

    def stop(self, id: str) -> Lesson:
        """End a lesson; returns when all of it is durable. Idempotent."""
        return self._lesson(StopLesson(id), STOP_TIMEOUT_S)

    def get(self, id: str) -> Lesson:
        """Refused with `not_found`."""
        return self._lesson(GetLesson(id))

    def list(self) -> Lessons:
        """All lessons, newest first."""
        reply = self._call(ListLessons())
        if not isinstance(reply, LessonList):
            raise bus.BusError(f"the lessons service answered with {type(reply).__name__}")
        return reply.lessons

    def find(self, wanted: FindLessons) -> LessonList:
        """The lessons that are looked for."""
        reply = self._call(wanted)
        if not isinstance(reply, LessonList):
            raise bus.BusError(f"the lessons service answered with {type(reply).__name__}")
        return reply

    def delete(self, id: str) -> None:
        """Erase a lesson, on the teacher's word. Refused with `not_found`, `conflict` while it is live, or
        `unavailable` when the disk refuses."""
        self._call(DeleteLesson(id, "teacher"))
        self.forget(id)

    def keep(self, id: str, ends_at: float) -> Lesson:
        """Have a lesson deleted at `ends_at` (Unix seconds). Refused with `not_found`, `invalid` or `unavailable`."""
        self._call(KeepLesson(id, ends_at))
        return self.get(id)

    def note(self, event: Event) -> None:
        """Hear of what happens: a lesson that is gone is forgotten."""
        if isinstance(event, LessonState) and event.state == "deleted":
            self.forget(event.id)

    def mark(self, id: str, text: str = "", at_s: float | None = None) -> Marked:
        """A new mark at `at_s` seconds of the lesson, where the live lesson is now without. Refused with `not_found`,
        `invalid` or `unavailable`."""
        return self._marked(MarkLesson(id, secrets.token_hex(4), text, at_s))

    def change_mark(self, id: str, mark: str, text: str | None = None, at_s: float | None = None) -> Marked:
        """Other words or another place (seconds) for a mark. Refused as `mark`."""
        return self._marked(MarkLesson(id, mark, text, at_s, new=False))

    def remove_mark(self, id: str, mark: str) -> None:
        """Refused with `not_found` or `unavailable`. Idempotent."""
        self._call(RemoveMark(id, mark))

    def put_track(self, id: str, kind: TrackKind, language: str, label: str, text: str) -> None:
        """Captions in a language, or chapters instead of all marks, from WebVTT. Refused with `not_found`, `invalid` or
        `unavailable`. Idempotent."""
        self._call(PutTrack(id, kind, language, label, text))

    def remove_track(self, id: str, kind: TrackKind, language: str) -> None:
        """Refused with `not_found` or `unavailable`. Idempotent."""
        self._call(RemoveTrack(id, kind, language))

    def trim(self, id: str, start_s: float | None = None, end_s: float | None = None) -> TrimmedLesson:
        """Show only what lies between two places of the whole lesson (seconds; None: from its beginning, to its end).
        Refused with `not_found`, `conflict` while it is live, `invalid` or `unavailable`. Idempotent."""
        reply = self._call(TrimLesson(id, start_s, end_s))
        if not isinstance(reply, TrimmedLesson):
            raise bus.BusError(f"the lessons service answered with {type(reply).__name__}")
        return reply

    def record_talk(self, id: str, on: bool) -> None:
        """Whether pupils' voices go into the live lesson's recording. Refused with `not_found`, `conflict` or
        `unavailable`. Idempotent."""
        self._call(RecordTalk(id, on))

    def _lesson(self, command: Command, timeout_s: float = 5.0) -> Lesson:
        reply = self._call(command, timeout_s)
        if not isinstance(reply, Lesson):
            raise bus.BusError(f"the lessons service answered with {type(reply).__name__}")
        return reply

    def _marked(self, command: MarkLesson) -> Marked:
        reply = self._call(command)
        if not isinstance(reply, Marked):
            raise bus.BusError(f"the lessons service answered with {type(reply).__name__}")
        return reply

    def _call(self, command: Command, timeout_s: float = 5.0) -> Reply:
        return bus.call(self._bus, "lessons", command, timeout_s=timeout_s)
