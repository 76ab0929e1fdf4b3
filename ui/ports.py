"""What the pages ask of the other services. `lessons.client` and `streaming.client` are the real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from appliance.messages import Done, Lesson, Quality, QualityChoice, Still, Watching


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
    def chapters(self) -> Sequence[tuple[str, float, str, str, str | None]]:
        """(id, at_s, text, kind, still)"""
        ...

    @property
    def screen(self) -> Spans: ...
    @property
    def silent(self) -> Sequence[tuple[float, float | None]]:
        """(start_s, end_s)"""
        ...


class Lessons(Protocol):
    """Commands raise bus.CommandRefused or bus.BusError; disk reads raise LookupError for what is not there."""

    def start(self, title: str, code: str) -> Lesson: ...
    def stop(self, id: str) -> Lesson: ...
    def get(self, id: str) -> Lesson: ...
    def list(self) -> Listed: ...
    def delete(self, id: str) -> object: ...
    def playlist(self, id: str, source: str = "camera") -> str: ...
    def spans(self, id: str, source: str) -> Spans: ...
    def timeline(self, id: str) -> Timeline: ...
    def part_path(self, id: str, name: str) -> Path: ...
    def thumbnail_path(self, id: str) -> Path: ...
    def download(self, id: str, source: str = "camera") -> Download: ...


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
