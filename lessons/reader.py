"""The lesson folders as `ui` reads them, straight from disk: that works while the service is down.

Safe from any thread.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from appliance.messages import Visibility
from lessons import low_rung, pdf, playlist, receipts, stills, strip, timeline
from lessons.chapters import Chapter, chapters, to_vtt
from lessons.journal import CAMERA, NAME, parse
from lessons.receipts import Receipt
from lessons.recording import Recording, Strand, fold

if TYPE_CHECKING:
    from lessons.progressive import Progressive

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
PART = re.compile(r"(part|screen|talk|low)-\d{4,6}\.mp4")
SHEET = re.compile(r"\d{4}\.jpg")
STILL = re.compile(r"\d{1,15}\.jpg")
REMEMBERED = 8
REMEMBERED_AUDIENCES = 4000
COMPARED_BYTES = 64


class UnknownLesson(LookupError):
    """There is no such lesson, or it has no such file."""


class _Remembered:
    """A journal read so far; it only grows, so only what is new is read again.

    Recovery may cut lines whose media is lost: the last bytes read are compared, and on a difference all is read.
    """

    def __init__(self) -> None:
        self._recording: Recording | None = None
        self._good = 0
        self._next_line = 1
        self._last = b""
        self._low: tuple[tuple[int, int], Strand] | None = None

    def update(self, path: Path) -> Recording | None:
        with path.open("rb") as file:
            file.seek(self._good - len(self._last))
            if file.read(len(self._last)) != self._last:
                self._recording, self._good, self._next_line = None, 0, 1
                file.seek(0)
            data = file.read()
        parsed = parse(data, self._next_line)
        if self._recording is None:
            self._recording = fold(parsed.records)
        else:
            for record in parsed.records:
                self._recording.apply(record)
        if parsed.good:
            self._last = data[max(0, parsed.good - COMPARED_BYTES) : parsed.good]
        self._good, self._next_line = self._good + parsed.good, parsed.next_line
        if self._recording:
            self._add_low_rung(path.parent, self._recording)
        return self._recording

    def _add_low_rung(self, folder: Path, recording: Recording) -> None:
        """As one more source beside the camera, while it is whole: the journal does not know it."""
        recording.beside.pop(low_rung.LOW, None)
        if recording.state == "live":
            return
        try:
            found = (folder / low_rung.INDEX).stat()
        except FileNotFoundError:
            return
        key = found.st_mtime_ns, found.st_size
        if self._low is None or self._low[0] != key:
            self._low = key, low_rung.read(folder)
        if low_rung.complete(recording, self._low[1]):
            recording.beside[low_rung.LOW] = self._low[1]


class Audience(NamedTuple):
    """Who may see a lesson: `visibility`, the `code` that pupils of its class joined with, and whether it is live."""

    code: str
    visibility: Visibility
    live: bool


Spans = list[playlist.Span]
Chapters = list[Chapter]
Receipts = list[Receipt]
Captions = list[tuple[str, str]]


class LessonFiles:
    """Every method raises UnknownLesson or OSError."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._journals: OrderedDict[str, _Remembered] = OrderedDict()
        self._audiences: OrderedDict[str, tuple[tuple[int, int, int], Audience]] = OrderedDict()

    def audience(self, id: str) -> Audience:
        """Asked for every file of every viewer: a journal that is as it was is not read again, and those of a list do
        not drive out those of who watches."""
        folder = self._folder(id)
        status = (folder / NAME).stat()
        version = status.st_ino, status.st_size, status.st_mtime_ns
        with self._lock:
            known = self._audiences.pop(id, None)
            if known is None or known[0] != version:
                known = version, self._read_audience(folder)
            self._audiences[id] = known
            while len(self._audiences) > REMEMBERED_AUDIENCES:
                self._audiences.popitem(last=False)
            return known[1]

    def _read_audience(self, folder: Path) -> Audience:
        watched = folder.name in self._journals
        recording = self._recording(folder) if watched else fold(parse((folder / NAME).read_bytes()).records)
        if recording is None:
            raise UnknownLesson(f"lesson {folder.name} has no usable journal")
        return Audience(recording.created.code, recording.about.visibility, recording.state == "live")

    def forget(self, id: str) -> None:
        """Keep nothing of a lesson that is gone in memory."""
        with self._lock:
            self._journals.pop(id, None)
            self._audiences.pop(id, None)

    def receipts(self) -> Receipts:
        """The receipts of what was erased, oldest first."""
        return receipts.read(self._root.parent)

    def captions(self, id: str) -> Captions:
        """(language, label) of the caption tracks, by language."""
        folder = self._folder(id)
        with self._lock:
            tracks = self._recording(folder).tracks
            return [(language, tracks[language].label) for language in sorted(tracks)]

    def captions_path(self, id: str, language: str) -> Path:
        """The WebVTT of a caption track."""
        folder = self._folder(id)
        with self._lock:
            track = self._recording(folder).tracks.get(language)
        return self._file(id, track.file) if track else self._absent(id, f"captions in {language}")

    def chapters(self, id: str) -> Chapters:
        """The lesson's marks, by their place."""
        folder = self._folder(id)
        with self._lock:
            return chapters(self._recording(folder))

    def chapters_vtt(self, id: str, title: Callable[[Chapter], str]) -> str:
        """The same as WebVTT; `title` names a mark that has no words."""
        folder = self._folder(id)
        with self._lock:
            recording = self._recording(folder)
            return to_vtt(chapters(recording), recording.duration_s, title)

    def playlist(self, id: str, source: str = CAMERA) -> str:
        """The HLS media playlist, which grows while the lesson is live. UnknownLesson for a screen that was never
        recorded."""
        folder = self._folder(id)
        with self._lock:
            recording = self._recording(folder)
            if source != CAMERA and not recording.strand(source).parts:
                return self._absent(id, source)
            return playlist.render(recording, source)

    def master(self, id: str) -> str:
        """The HLS playlist of the rungs there are: the camera's, and the low one when all of it is made."""
        folder = self._folder(id)
        with self._lock:
            recording = self._recording(folder)
            rungs = {CAMERA: "index.m3u8", **({low_rung.LOW: "low.m3u8"} if low_rung.LOW in recording.beside else {})}
            return playlist.master(recording, rungs)

    def spans(self, id: str, source: str) -> Spans:
        """Where the source's recording belongs on the lesson's timeline; its playlist has no holes."""
        folder = self._folder(id)
        with self._lock:
            return playlist.spans(self._recording(folder), source)

    def timeline(self, id: str) -> timeline.Timeline:
        """What the replay shows along its time."""
        folder, there = self._folder(id), self.stills(id)
        with_strip = (folder / strip.FOLDER / strip.NAME).exists()
        with self._lock:
            return timeline.of(self._recording(folder), there, strip=with_strip)

    def part_path(self, id: str, name: str) -> Path:
        """A part file that the playlist names."""
        return self._file(id, name) if PART.fullmatch(name) else self._absent(id, name)

    def thumbnail_path(self, id: str) -> Path:
        return self._file(id, "thumbnail.jpg")

    def strip_path(self, id: str) -> Path:
        """The WebVTT of the strip over the seek bar; its cues name sheets."""
        return self._file(id, f"{strip.FOLDER}/{strip.NAME}")

    def sheet_path(self, id: str, name: str) -> Path:
        return self._file(id, f"{strip.FOLDER}/{name}") if SHEET.fullmatch(name) else self._absent(id, name)

    def stills(self, id: str) -> set[int]:
        """The places (ticks) of which there is a picture."""
        folder = self._folder(id) / stills.FOLDER
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        return {int(name[:-4]) for name in names if STILL.fullmatch(name)}

    def still_path(self, id: str, at: int) -> Path:
        """The picture of a mark's place (ticks)."""
        return self._file(id, f"{stills.FOLDER}/{stills.name(at)}")

    def stills_pdf(self, id: str, title: str, name: Callable[[Chapter], str]) -> Iterator[bytes]:
        """The stills as PDF, a page a mark; `title` is the document's, `name` makes a page's. UnknownLesson while there
        is none."""
        there = self.stills(id)
        listed = [chapter for chapter in self.chapters(id) if chapter.place in there]
        if not listed:
            return self._absent(id, "stills")
        folder = self._folder(id) / stills.FOLDER
        pages = (
            pdf.Page((folder / stills.name(one.place)).read_bytes(), name(one), pdf.clock(one.at_s)) for one in listed
        )
        return pdf.write(title, pages)

    def download(self, id: str, source: str = CAMERA) -> Progressive:
        """The whole lesson as one MP4 that can be read at any range, on the lesson's timeline. UnknownLesson while
        nothing is recorded, MalformedBoxes when it would not be as long as the lesson."""
        from lessons import progressive  # numpy only in the process that serves a download

        folder = self._folder(id)
        with self._lock:
            recording = self._recording(folder)
            sources = progressive.sources(recording.strand(source), folder)
        if not sources:
            return self._absent(id, f"recording of the {source}")
        return progressive.open_plan(sources)

    def _absent(self, id: str, name: str) -> NoReturn:
        raise UnknownLesson(f"lesson {id} has no {name}")

    def _folder(self, id: str) -> Path:
        if not ID.fullmatch(id) or not (self._root / id).is_dir():
            raise UnknownLesson(f"there is no lesson {id}")
        return self._root / id

    def _file(self, id: str, name: str) -> Path:
        path = self._folder(id) / name
        return path if path.is_file() else self._absent(id, name)

    def _recording(self, folder: Path) -> Recording:
        """The journal's fold; the caller holds the lock."""
        remembered = self._journals.pop(folder.name, None) or _Remembered()
        try:
            recording = remembered.update(folder / NAME)
        except FileNotFoundError:
            recording = None
        if recording is None:
            raise UnknownLesson(f"lesson {folder.name} has no usable journal")
        self._journals[folder.name] = remembered
        while len(self._journals) > REMEMBERED:
            self._journals.popitem(last=False)
        return recording
