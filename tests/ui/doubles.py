"""Small real stand-ins for the two services: lessons in memory and on disk, WHEP sessions in a dictionary."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from appliance.bus import BusError, CommandRefused
from appliance.messages import (
    Done,
    FindLessons,
    Lesson,
    LessonList,
    Marked,
    Quality,
    QualityChoice,
    Still,
    TrimmedLesson,
    Visibility,
    Watching,
)
from lessons.chapters import Chapter, to_vtt
from lessons.pdf import Page, write
from lessons.playlist import Span
from lessons.reader import Audience
from lessons.receipts import Erasing, Receipt
from lessons.search import key, words
from lessons.timeline import Gap, Timeline
from lessons.vtt import VttError, parse, render
from streaming.sharing import well_formed
from ui.access import pupil_may_see
from ui.ports import Naming

STARTED_AT = 1_795_420_800.0
WHOLE_S = 3725.0
PART = bytes(range(256)) * 40
ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"

Listed = list[Lesson]
Ranges = list[tuple[int, int]]
Chapters = list[Chapter]
Receipts = list[Receipt]
Captions = list[tuple[str, str]]
Spans = list[tuple[float, float, bool]]


class Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def length(self) -> int:
        return len(self._data)

    @property
    def tag(self) -> str:
        return hashlib.sha256(self._data).hexdigest()[:8]

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, 1000):
            yield self._data[at : min(stop, at + 1000)]


def found(lessons: Listed, wanted: FindLessons) -> LessonList:
    """As the catalogue answers; `lessons` are all, newest first."""
    listed = [
        one
        for one in lessons
        if wanted.code is None or pupil_may_see(wanted.code, one.code, one.visibility, one.state == "live")
    ]
    keys: dict[str, Callable[[Lesson], Any]] = {
        "date": lambda one: one.started_at,
        "title": lambda one: key(one.title),
        "length": lambda one: one.duration_s,
    }
    kept = [
        one
        for one in listed
        if all(word in key(f"{one.title} {one.subject} {one.group} {one.teacher}") for word in words(wanted.text))
        and all(key(getattr(wanted, name)) in ("", key(getattr(one, name))) for name in ("subject", "group", "teacher"))
        and (wanted.since is None or one.started_at >= wanted.since)
        and (wanted.until is None or one.started_at < wanted.until)
    ]
    kept.sort(key=keys[wanted.sort], reverse=wanted.descending)
    stop = None if wanted.limit is None else wanted.offset + wanted.limit
    names = [sorted({getattr(one, name) for one in listed} - {""}) for name in ("subject", "group", "teacher")]
    return LessonList(kept[wanted.offset : stop], len(kept), *names)


class MemoryLessons:
    """`silent` makes it a service that does not answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Lesson] = {}
        self.silent = False
        self.unsettled: set[str] = set()  # live, and refused by the disk
        self.minutes: float | None = None
        self.marks: dict[str, Marked] = {}
        self.tracks: dict[str, str] = {}
        self.cuts: dict[str, TrimmedLesson] = {}
        self.erased: list[Receipt] = []
        self.talk_allowed = self.records_talk = False
        self.spoken: dict[str, Spans] = {}
        self.lowered: set[str] = set()
        (folder / "part-0001.mp4").write_bytes(PART)

    def add(
        self,
        title: str,
        state: Literal["live", "ended", "interrupted"],
        *,
        thumbnail: bool = False,
        screen_s: float = 0.0,
    ) -> Lesson:
        number = len(self.known) + 1
        id = f"20261123-0815{number:02d}-4f2a"
        lesson = Lesson(id, "123456", title, state, STARTED_AT + number, 3725.0, 734_000_000, 1, 0, thumbnail, screen_s)
        self.known[id] = lesson
        return lesson

    def start(
        self, title: str, code: str, minutes: float | None = None, subject: str = "", group: str = "", teacher: str = ""
    ) -> Lesson:
        self._answering()
        self.minutes = minutes
        if any(lesson.state == "live" for lesson in self.known.values()):
            raise CommandRefused("conflict", "a lesson is live")
        return self.describe(self.add(title, "live").id, None, subject, group, teacher)

    def describe(
        self,
        id: str,
        title: str | None = None,
        subject: str | None = None,
        group: str | None = None,
        teacher: str | None = None,
        visibility: Visibility | None = None,
    ) -> Lesson:
        said = {"title": title, "subject": subject, "group": group, "teacher": teacher, "visibility": visibility}
        changes = {name: value for name, value in said.items() if value is not None}
        self.known[id] = msgspec.structs.replace(self.get(id), **changes)
        return self.known[id]

    def join(self, id: str, next: str) -> Lesson:
        first, second = self.get(id), self.get(next)
        if "live" in (first.state, second.state):
            raise CommandRefused("conflict", "the lesson is live")
        if id == next:
            raise CommandRefused("invalid", "a lesson cannot follow itself")
        self.known[id] = msgspec.structs.replace(first, duration_s=first.duration_s + second.duration_s)
        del self.known[next]
        return self.known[id]

    def stop(self, id: str) -> Lesson:
        lesson = self.get(id)
        ended = msgspec.structs.replace(lesson, state="ended", duration_s=12.5, bytes=1000)
        self.known[id] = ended
        return ended

    def get(self, id: str) -> Lesson:
        self._answering()
        if id not in self.known:
            raise CommandRefused("not_found", f"there is no lesson {id}")
        return self.known[id]

    def list(self) -> Listed:
        self._answering()
        return sorted(self.known.values(), key=lambda lesson: lesson.id, reverse=True)

    def audience(self, id: str) -> Audience:
        if id not in self.known or id in self.unsettled:
            raise LookupError(id)
        lesson = self.known[id]
        return Audience(lesson.code, lesson.visibility, lesson.state == "live")

    def find(self, wanted: FindLessons) -> LessonList:
        return found(self.list(), wanted)

    def delete(self, id: str) -> None:
        if self.get(id).state == "live":
            raise CommandRefused("conflict", "the lesson is live")
        lesson = self.known.pop(id)
        number, at, sha256 = 2 * len(self.erased) + 1, lesson.started_at, hashlib.sha256(id.encode()).hexdigest()
        what = Erasing(
            id, "lesson", "hand", "teacher", at + 60, at, lesson.duration_s, lesson.bytes, 3, sha256, ["nuage"]
        )
        self.erased.append(Receipt(number, what, at + 61))

    def keep(self, id: str, ends_at: float) -> Lesson:
        if not STARTED_AT < ends_at < STARTED_AT + 1e9:
            raise CommandRefused("invalid", "a lesson ends later than now")
        self.known[id] = msgspec.structs.replace(self.get(id), ends_at=ends_at, warned_at=None)
        return self.known[id]

    def receipts(self) -> Receipts:
        return self.erased

    def mark(self, id: str, text: str = "", at_s: float | None = None) -> Marked:
        if self.get(id).state != "live" and at_s is None:
            raise CommandRefused("invalid", "the lesson is over: a mark needs its place")
        mark = Marked(f"{len(self.marks):08x}", 12.5 if at_s is None else at_s, text, "teacher")
        self.marks[mark.id] = mark
        return mark

    def change_mark(self, id: str, mark: str, text: str | None = None, at_s: float | None = None) -> Marked:
        known = self._marked(id, mark)
        changed = Marked(
            mark, known.at_s if at_s is None else at_s, known.text if text is None else text, "teacher"
        )  # fmt: skip
        self.marks[mark] = changed
        return changed

    def remove_mark(self, id: str, mark: str) -> None:
        del self.marks[self._marked(id, mark).id]

    def record_talk(self, id: str, on: bool) -> None:
        if on and not self.talk_allowed:
            raise CommandRefused("conflict", "the school does not allow pupils' voices in recordings (record_talk)")
        if self.get(id).state != "live":
            raise CommandRefused("conflict", "the lesson is over")
        self.records_talk = on

    def chapters(self, id: str) -> Chapters:
        self._there(id)
        found = []
        for number, one in enumerate(sorted(self.marks.values(), key=lambda mark: mark.at_s), 1):
            at = round(one.at_s * 90_000)
            found.append(Chapter(one.id, at, one.text, one.kind, number, at))
        return found

    def chapters_vtt(self, id: str, title: Callable[[Chapter], str]) -> str:
        return to_vtt(self.chapters(id), self.known[id].duration_s, title)

    def put_track(self, id: str, kind: Literal["captions", "chapters"], language: str, label: str, text: str) -> None:
        self.get(id)
        try:
            cues = parse(text.encode())
        except VttError as error:
            raise CommandRefused("invalid", str(error)) from None
        if kind == "captions":
            self.tracks[language] = label
            (self.folder / f"{language}.vtt").write_text(render(cues))
        else:
            self.marks = {}
            for cue in cues:
                self.mark(id, cue.text, cue.start_ms / 1000)

    def remove_track(self, id: str, kind: Literal["captions", "chapters"], language: str) -> None:
        self.get(id)
        if kind == "chapters":
            self.marks = {}
        else:
            self.tracks.pop(language, None)

    def captions(self, id: str) -> Captions:
        self._there(id)
        return sorted(self.tracks.items())

    def captions_vtt(self, id: str, language: str) -> str:
        self._there(id)
        if language not in self.tracks:
            raise LookupError(language)
        return (self.folder / f"{language}.vtt").read_text()

    def _marked(self, id: str, mark: str) -> Marked:
        self.get(id)
        if mark not in self.marks:
            raise CommandRefused("not_found", f"there is no mark {mark}")
        return self.marks[mark]

    def playlist(self, id: str, source: str = "camera") -> str:
        self._there(id, source)
        return "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n"

    def master(self, id: str) -> str:
        self._there(id)
        low = ["low.m3u8"] if id in self.lowered else []
        return "\n".join(["#EXTM3U", "#EXT-X-VERSION:7", "index.m3u8", *low, ""])

    def part_path(self, id: str, name: str) -> Path:
        self._there(id)
        if name != "part-0001.mp4":
            raise LookupError(name)
        return self.folder / name

    def part_ranges(self, id: str, name: str) -> Ranges | None:
        return [(0, 100), (1000, 3000)] if id in self.cuts else None

    def thumbnail_path(self, id: str) -> Path:
        self._there(id)
        return self.folder / "thumbnail.jpg"

    def strip_vtt(self, id: str) -> str:
        return self._made(id, "strip.vtt").read_text()

    def sheet_path(self, id: str, name: str) -> Path:
        return self._made(id, name)

    def stills(self, id: str) -> set[int]:
        self._there(id)
        return {int(path.stem) for path in (self.folder / "stills").glob("*.jpg")}

    def still_path(self, id: str, at: int) -> Path:
        return self._made(id, f"stills/{at}.jpg")

    def stills_pdf(self, id: str, title: str, name: Callable[[Chapter], str]) -> Iterator[bytes]:
        pages = [Page(self.still_path(id, one.place).read_bytes(), name(one), "") for one in self.chapters(id)]
        if not pages:
            raise LookupError(id)
        return write(title, pages)

    def _made(self, id: str, name: str) -> Path:
        self._there(id)
        if not (self.folder / name).exists():
            raise LookupError(name)
        return self.folder / name

    def sound_playlist(self, id: str) -> str:
        return self.playlist(id)

    def sound_init(self, id: str, number: int) -> bytes:
        return self.sound_segment(id, number, 0, 0)

    def sound_segment(self, id: str, number: int, first: int, last: int) -> bytes:
        self._there(id)
        if number != 1:
            raise LookupError(number)
        return PART[first : last + 1]

    def spans(self, id: str, source: str) -> Spans:
        self._there(id)
        return [(60.0, 120.0, True), (300.0, 30.0, False)] if self.known[id].screen_s else []

    def timeline(self, id: str) -> Timeline:
        self._there(id)
        lesson = self.known[id]
        gaps = [Gap(1200.0, 130.0, "power"), Gap(2400.0, None, "boot")]
        board = Chapter("c4", 900 * 90_000, "", "board", 1, 900 * 90_000)
        chapters = [Chapter("0a1b2c3d", 0, "Les volcans", "teacher", 1, 0), board]
        screen = [Span(*one) for one in self.spans(id, "screen")]
        talk = [Span(*one) for one in self.spoken.get(id, [])]
        with_strip = (self.folder / "strip.vtt").exists()
        return Timeline(
            lesson.state, lesson.duration_s, gaps, chapters, screen, [], {board.place}, strip=with_strip, talk=talk,
            low=id in self.lowered,
        )  # fmt: skip

    def trim(self, id: str, start_s: float | None = None, end_s: float | None = None) -> TrimmedLesson:
        lesson = self.get(id)
        if lesson.state == "live":
            raise CommandRefused("conflict", "the lesson is live")
        begin, end = start_s or 0.0, WHOLE_S if end_s is None else end_s
        if end - begin < 1:
            raise CommandRefused("invalid", "less than 1 s would be left of the lesson")
        self.cuts[id] = TrimmedLesson(begin, end, end - begin)
        return self.cuts[id]

    def trimmed(self, id: str) -> TrimmedLesson:
        self._there(id)
        return self.cuts.get(id, TrimmedLesson(0.0, WHOLE_S, WHOLE_S))

    def download(self, id: str, source: str = "camera", naming: Naming | None = None) -> Bytes:
        self._there(id, source)
        return Bytes(PART)

    def _there(self, id: str, source: str = "camera") -> None:
        if id not in self.known or (source == "screen" and not self.known[id].screen_s):
            raise LookupError(id)
        if id not in {"talk": self.spoken, "low": self.lowered}.get(source, self.known):
            raise LookupError(id)

    def _answering(self) -> None:
        if self.silent:
            raise BusError("the lessons service did not answer within 5 s")


class MemoryStreaming:
    """Remembers who watches; an offer that is not SDP is refused as the real service refuses it."""

    def __init__(self) -> None:
        self.sessions: dict[str, str] = {}
        self.opened: dict[str, str] = {}
        self.overloaded = False
        self.qualities: dict[str, QualityChoice] = {}
        self.published: dict[str, str] = {}
        self.peers: list[str] = []
        self.closed_pupils = threading.Event()

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
    ) -> Watching:
        if source not in ("camera", *self.published):
            raise CommandRefused("conflict", f"there is no {source} to watch")
        if not offer.startswith("v=0"):
            raise CommandRefused("invalid", "the offer cannot be used")
        if self.overloaded:
            raise CommandRefused("unavailable", "the kit already serves 500 viewers")
        session = f"s{len(self.opened) + 1}"
        self.sessions[session] = self.opened[session] = viewer
        self.qualities[session] = quality
        self.peers.append(peer)
        return Watching(session, "e1", ANSWER)

    def publish(self, source: str, *, viewer: str, name: str, offer: str, peer: str) -> Watching:
        if source not in ("screen", "talk"):
            raise CommandRefused("not_found", f"there is no source {source}")
        if source in self.published:
            raise CommandRefused("conflict", f"somebody publishes {source} already")
        watching = self.watch(viewer=viewer, name=name, role="teacher", offer=offer, peer=peer)
        self.published[source] = watching.session
        return watching

    def quality(self, session: str, *, viewer: str, choice: QualityChoice | None = None) -> Quality:
        if self.sessions.get(session) != viewer:
            raise CommandRefused("not_found", "there is no such session")
        kept = self.qualities[session] = choice or self.qualities[session]
        return Quality(kept, "none" if kept == "sound" else "low" if kept == "saving" else "high")

    def patch(self, session: str, *, viewer: str, etag: str, fragment: str, peer: str) -> Watching | Done | None:
        self._owned(session, viewer)
        if etag == "*":
            return Watching(session, "e2", "a=ice-ufrag:abcd\r\n")
        if etag != "e1":
            raise CommandRefused("precondition", "the entity tag is out of date")
        return Done()

    def close(self, session: str, *, viewer: str) -> None:
        known = session in self.opened or well_formed(session)
        if not known or self.sessions.get(session, viewer) != viewer:
            raise CommandRefused("not_found", "there is no such session")
        self.sessions.pop(session, None)
        self.published = {source: one for source, one in self.published.items() if one != session}

    def close_viewers(self) -> None:
        self.closed_pupils.set()

    def _owned(self, session: str, viewer: str) -> None:
        if self.sessions.get(session) != viewer:
            raise CommandRefused("not_found", "there is no such session")


class MemoryCapture:
    """One picture, or none yet."""

    def __init__(self) -> None:
        self.picture: bytes | None = b"\xff\xd8 a picture \xff\xd9"

    def still(self) -> Still:
        if self.picture is None:
            raise CommandRefused("unavailable", "there is no picture yet")
        return Still(1, self.picture)
