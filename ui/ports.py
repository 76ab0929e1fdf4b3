"""What the pages ask of the other services. `lessons.client` and `streaming.client` are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from appliance.messages import (
    Done,
    FindLessons,
    Lesson,
    LessonList,
    Marked,
    Quality,
    QualityChoice,
    Still,
    Visibility,
    Watching,
)


class Download(Protocol):
    """One whole MP4 of a lesson, as a range of bytes that need not exist as a file."""

    @property
    def length(self) -> int:
        """Bytes in all."""
        ...

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to, not including, `stop`."""
        ...


Listed = list[Lesson]  # within the class `list` is the method
Spans = Sequence[tuple[float, float, bool]]  # (start_s, duration_s, sound) on the lesson's timeline


class Timeline(Protocol):
    """What a replay shows along its time, in seconds."""

    @property
    def state(self) -> str: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def gaps(self) -> Sequence[tuple[float, float | None, str]]:
        """(at_s, seconds, reason)"""
        ...

    @property
    def chapters(self) -> Sequence[Chapter]: ...
    @property
    def stills(self) -> Collection[int]:
        """Places (ticks) of which there is a picture."""
        ...

    @property
    def strip(self) -> bool: ...

    @property
    def screen(self) -> Spans: ...
    @property
    def silent(self) -> Sequence[tuple[float, float | None]]:
        """(start_s, end_s)"""
        ...


class Lessons(Protocol):
    """Commands raise bus.CommandRefused or bus.BusError; disk reads raise LookupError for what is not there."""

    def start(
        self, title: str, code: str, minutes: float | None = None, subject: str = "", group: str = "", teacher: str = ""
    ) -> Lesson: ...
    def describe(
        self,
        id: str,
        title: str | None = None,
        subject: str | None = None,
        group: str | None = None,
        teacher: str | None = None,
        visibility: Visibility | None = None,
    ) -> Lesson: ...
    def stop(self, id: str) -> Lesson: ...
    def get(self, id: str) -> Lesson: ...
    def list(self) -> Listed: ...
    def find(self, wanted: FindLessons) -> LessonList: ...
    def delete(self, id: str) -> object: ...
    def mark(self, id: str, text: str = "", at_s: float | None = None) -> Marked: ...
    def change_mark(self, id: str, mark: str, text: str | None = None, at_s: float | None = None) -> Marked: ...
    def remove_mark(self, id: str, mark: str) -> object: ...
    def chapters(self, id: str) -> Sequence[Chapter]: ...
    def chapters_vtt(self, id: str, title: Callable[[Any], str]) -> str: ...
    def put_track(
        self, id: str, kind: Literal["captions", "chapters"], language: str, label: str, text: str
    ) -> object: ...
    def remove_track(self, id: str, kind: Literal["captions", "chapters"], language: str) -> object: ...
    def captions(self, id: str) -> Sequence[tuple[str, str]]:
        """(language, label) of each."""
        ...

    def captions_path(self, id: str, language: str) -> Path: ...
    def playlist(self, id: str, source: str = "camera") -> str: ...
    def spans(self, id: str, source: str) -> Spans: ...
    def timeline(self, id: str) -> Timeline: ...
    def part_path(self, id: str, name: str) -> Path: ...
    def thumbnail_path(self, id: str) -> Path: ...
    def strip_path(self, id: str) -> Path: ...
    def sheet_path(self, id: str, name: str) -> Path: ...
    def stills(self, id: str) -> set[int]: ...
    def still_path(self, id: str, at: int) -> Path: ...
    def stills_pdf(self, id: str, title: str, name: Callable[[Any], str]) -> Iterator[bytes]: ...
    def download(self, id: str, source: str = "camera") -> Download: ...


class Chapter(Protocol):
    """A mark of a lesson at `at_s` seconds; `place` (ticks) names its still, `number` counts those of its kind from 1,
    `text` may be empty."""

    @property
    def id(self) -> str: ...
    @property
    def place(self) -> int: ...
    @property
    def at_s(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def kind(self) -> Literal["teacher", "board", "screen"]: ...
    @property
    def number(self) -> int: ...


class Streaming(Protocol):
    """Every method raises bus.CommandRefused or bus.BusError."""

    def watch(
        self,
        *,
        viewer: str,
        name: str,
        role: Literal["pupil", "teacher"],
        offer: str,
        peer: str,
        source: str = "camera",
        quality: QualityChoice = "automatic",
    ) -> Watching: ...

    def publish(self, source: str, *, viewer: str, name: str, offer: str, peer: str) -> Watching: ...

    def patch(self, session: str, *, viewer: str, etag: str, fragment: str, peer: str) -> Watching | Done | None:
        """Watching when ICE was restarted."""
        ...

    def quality(self, session: str, *, viewer: str, choice: QualityChoice | None = None) -> Quality:
        """Take the choice (None: only ask)."""
        ...

    def close(self, session: str, *, viewer: str) -> object: ...
    def close_viewers(self) -> object: ...


class Capture(Protocol):
    """Raises bus.CommandRefused or bus.BusError."""

    def still(self) -> Still: ...
