"""The lesson folders as `ui` reads them, straight from disk: that works while the service is down.

Safe from any thread.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from appliance.fmp4 import VIDEO_TIMESCALE, init_segment
from appliance.messages import TrimmedLesson, Visibility
from lessons import edition, low_rung, pdf, playlist, receipts, stills, strip, timeline, vtt
from lessons.chapter_track import Title
from lessons.chapters import Chapter, Naming, chapters, titles, to_vtt
from lessons.edition import Edition
from lessons.journal import CAMERA, NAME, parse
from lessons.receipts import Receipt
from lessons.recording import Part, Recording, Strand, fold

if TYPE_CHECKING:
    from lessons.progressive import Progressive

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
PART = re.compile(r"(part|screen|talk|low)-\d{4,6}\.mp4")
SHEET = re.compile(r"\d{4}\.jpg")
STILL = re.compile(r"\d{1,15}\.jpg")
REMEMBERED = 8
PLANNED = 2  # 6 MB for three hours; players ask for one range after the other
SOUND = "sound"
REMEMBERED_AUDIENCES = 4000
COMPARED_BYTES = 64


class UnknownLesson(LookupError):
    """There is no such lesson, or it has no such file."""


class _Remembered:
    """A journal read so far, and the lesson as it is shown by that; a journal only grows, so only what is new is read
    again.

    Recovery may cut lines whose media is lost: the last bytes read are compared, and on a difference all is read.
    """

    def __init__(self) -> None:
        self._recording: Recording | None = None
        self.edition: Edition | None = None
        self.texts: dict[str, str] = {}  # playlists of it
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
        changed = self._recording is None or parsed.good > 0
        if self._recording is None:
            self._recording = fold(parsed.records)
        else:
            for record in parsed.records:
                self._recording.apply(record)
        if parsed.good:
            self._last = data[max(0, parsed.good - COMPARED_BYTES) : parsed.good]
        self._good, self._next_line = self._good + parsed.good, parsed.next_line
        if self._recording and (self._add_low_rung(path.parent, self._recording) or changed):
            self.edition = edition.of(self._recording)
            self.texts = {}
        return self._recording

    def _add_low_rung(self, folder: Path, recording: Recording) -> bool:
        """As one more source beside the camera, while it is whole: the journal does not know it. Returns whether that
        changed anything."""
        before = recording.beside.pop(low_rung.LOW, None)
        low = self._low_rung(folder) if recording.state != "live" else None
        if low and low_rung.complete(recording, low):
            recording.beside[low_rung.LOW] = low
        return recording.beside.get(low_rung.LOW) is not before

    def _low_rung(self, folder: Path) -> Strand | None:
        try:
            found = (folder / low_rung.INDEX).stat()
        except FileNotFoundError:
            return None
        key = found.st_mtime_ns, found.st_size
        if self._low is None or self._low[0] != key:
            self._low = key, low_rung.read(folder)
        return self._low[1]


class Audience(NamedTuple):
    """Who may see a lesson: `visibility`, the `code` that pupils of its class joined with, and whether it is live."""

    code: str
    visibility: Visibility
    live: bool


Spans = list[playlist.Span]
Chapters = list[Chapter]
Receipts = list[Receipt]
Captions = list[tuple[str, str]]
Ranges = list[tuple[int, int]]
PlanKey = tuple[str, str, tuple[Title, ...]]


class LessonFiles:
    """Every method raises UnknownLesson or OSError. Times are of the lesson as it is shown (`lessons.edition`)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._journals: OrderedDict[str, _Remembered] = OrderedDict()
        self._plans: OrderedDict[PlanKey, tuple[Edition, Progressive]] = OrderedDict()
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
            for key in [key for key in self._plans if key[0] == id]:
                del self._plans[key]

    def receipts(self) -> Receipts:
        """The receipts of what was erased, oldest first."""
        return receipts.read(self._root.parent)

    def captions(self, id: str) -> Captions:
        """(language, label) of the caption tracks, by language."""
        folder = self._folder(id)
        with self._lock:
            tracks = self._recording(folder).tracks
            return [(language, tracks[language].label) for language in sorted(tracks)]

    def captions_vtt(self, id: str, language: str) -> str:
        """The WebVTT of a caption track."""
        folder = self._folder(id)
        with self._lock:
            shown = self._shown(folder)
        track = shown.shown.tracks.get(language)
        return _shifted(self._file(id, track.file), shown) if track else self._absent(id, f"captions in {language}")

    def chapters(self, id: str) -> Chapters:
        """The lesson's marks, by their place."""
        folder = self._folder(id)
        with self._lock:
            found = self._shown(folder)
            return chapters(found.shown, found.shift)

    def chapters_vtt(self, id: str, title: Callable[[Chapter], str]) -> str:
        """The same as WebVTT; `title` names a mark that has no words."""
        folder = self._folder(id)
        with self._lock:
            found = self._shown(folder)
            return to_vtt(chapters(found.shown, found.shift), found.shown.duration_s, title)

    def playlist(self, id: str, source: str = CAMERA) -> str:
        """The HLS media playlist, which grows while the lesson is live. UnknownLesson for a screen that was never
        recorded."""
        folder = self._folder(id)
        with self._lock:
            recording = self._shown(folder).shown
            if source != CAMERA and not recording.strand(source).parts:
                return self._absent(id, source)
            return self._text(folder, source, lambda: playlist.render(recording, source))

    def master(self, id: str) -> str:
        """The HLS playlist of the rungs there are: the camera's, and the low one when all of it is made."""
        folder = self._folder(id)
        with self._lock:
            recording = self._shown(folder).shown
            rungs = {CAMERA: "index.m3u8", **({low_rung.LOW: "low.m3u8"} if low_rung.LOW in recording.beside else {})}
            return playlist.master(recording, rungs)

    def spans(self, id: str, source: str) -> Spans:
        """Where the source's recording belongs on the lesson's timeline; its playlist has no holes."""
        folder = self._folder(id)
        with self._lock:
            return playlist.spans(self._shown(folder).shown, source)

    def timeline(self, id: str) -> timeline.Timeline:
        """What the replay shows along its time."""
        folder, there = self._folder(id), self.stills(id)
        with_strip = (folder / strip.FOLDER / strip.NAME).exists()
        with self._lock:
            return timeline.of(self._shown(folder), there, strip=with_strip)

    def trimmed(self, id: str) -> TrimmedLesson:
        """What is shown of the lesson, in seconds of the whole."""
        folder = self._folder(id)
        with self._lock:
            shown, shift, _ = self._shown(folder)
        begin, length = shift / VIDEO_TIMESCALE, shown.end / VIDEO_TIMESCALE
        return TrimmedLesson(begin, (shift + shown.end) / VIDEO_TIMESCALE, length)

    def part_path(self, id: str, name: str) -> Path:
        """A part file that the playlist names."""
        return self._file(id, name) if PART.fullmatch(name) else self._absent(id, name)

    def part_ranges(self, id: str, name: str) -> Ranges | None:
        """(start, stop) of the bytes of a part file that are shown; None: all of them."""
        folder = self._folder(id)
        with self._lock:
            shown, _, whole = self._shown(folder)
        if shown is whole:
            return None
        parts = [part for one in (shown.camera, *shown.beside.values()) for part in one.parts]
        return [
            span
            for part in parts
            if part.opened.file == name
            for span in ((0, part.opened.init_length), (part.fragments[0].offset, part.length))
        ]

    def thumbnail_path(self, id: str) -> Path:
        return self._file(id, "thumbnail.jpg")

    def strip_vtt(self, id: str) -> str:
        """The WebVTT of the strip over the seek bar; its cues name sheets."""
        folder = self._folder(id)
        with self._lock:
            shown = self._shown(folder)
        return _shifted(self._file(id, f"{strip.FOLDER}/{strip.NAME}"), shown)

    def sheet_path(self, id: str, name: str) -> Path:
        return self._file(id, f"{strip.FOLDER}/{name}") if SHEET.fullmatch(name) else self._absent(id, name)

    def stills(self, id: str) -> set[int]:
        """The places (ticks of the whole lesson) of which there is a picture, as far as they are shown."""
        folder = self._folder(id)
        with self._lock:
            shown, shift, whole = self._shown(folder)
        names = (path.name for path in (folder / stills.FOLDER).iterdir()) if (folder / stills.FOLDER).is_dir() else ()
        there = {int(name[:-4]) for name in names if STILL.fullmatch(name)}
        return there if shown is whole else {at for at in there if shift <= at < shift + shown.end}

    def still_path(self, id: str, at: int) -> Path:
        """The picture of a mark's place (ticks)."""
        name = f"{stills.FOLDER}/{stills.name(at)}"
        return self._file(id, name) if at in self.stills(id) else self._absent(id, name)

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

    def sound_playlist(self, id: str) -> str:
        """The HLS media playlist of the sound alone. UnknownLesson where none is recorded."""
        from lessons import sound

        folder = self._folder(id)
        with self._lock:
            recording = self._shown(folder).shown
            if not sound.has_sound(recording):
                return self._absent(id, "sound")
            return self._text(folder, SOUND, lambda: sound.render(recording))

    def sound_init(self, id: str, number: int) -> bytes:
        """What comes before the sound of a part."""
        audio = self._part(id, number).opened.audio
        return init_segment(None, audio) if audio else self._absent(id, "sound")

    def sound_segment(self, id: str, number: int, first: int, last: int) -> bytes:
        """The sound of a part's fragments from the one at byte `first` to the one at byte `last`."""
        from lessons import sound

        part = self._part(id, number)
        found = [one for one in part.fragments if first <= one.offset <= last]
        if not (found and (found[0].offset, found[-1].offset) == (first, last) and part.opened.audio):
            return self._absent(id, f"sound from {first} to {last}")
        path = self._file(id, part.opened.file)
        with path.open("rb") as file:

            def read_at(_: Path, offset: int, length: int) -> bytes:
                return os.pread(file.fileno(), length, offset)

            return sound.segment(path, found, part.opened.moved, read_at)

    def _part(self, id: str, number: int) -> Part:
        folder = self._folder(id)
        with self._lock:
            parts = self._shown(folder).shown.parts
            found = next((part for part in parts if part.opened.number == number and part.fragments), None)
        return found or self._absent(id, f"part {number}")

    def download(self, id: str, source: str = CAMERA, naming: Naming | None = None) -> Progressive:
        """The whole lesson as one MP4 that can be read at any range, on the lesson's timeline, with its chapters named
        by `naming` (None: without them); `sound` is the camera's without its picture. UnknownLesson while nothing is
        recorded, MalformedBoxes when it would not be as long as the lesson."""
        from lessons import progressive  # numpy only in the process that serves a download

        folder = self._folder(id)
        with self._lock:
            found = self._shown(folder)
            recording, shift, _ = found
            sources = progressive.sources(recording.strand(CAMERA if source == SOUND else source), folder)
            listed = titles(chapters(recording, shift), recording.duration_s, naming) if naming else []
            key = id, source, tuple(listed)
            planned_of, plan = self._plans.pop(key, (None, None))
        if not sources:
            return self._absent(id, f"recording of the {source}")
        if plan is None or planned_of is not found:
            plan = progressive.open_plan(sources, listed, sound_only=source == SOUND)
        with self._lock:
            self._plans[key] = found, plan
            while len(self._plans) > PLANNED:
                self._plans.popitem(last=False)
        return plan

    def _absent(self, id: str, name: str) -> NoReturn:
        raise UnknownLesson(f"lesson {id} has no {name}")

    def _folder(self, id: str) -> Path:
        if not ID.fullmatch(id) or not (self._root / id).is_dir():
            raise UnknownLesson(f"there is no lesson {id}")
        return self._root / id

    def _file(self, id: str, name: str) -> Path:
        path = self._folder(id) / name
        return path if path.is_file() else self._absent(id, name)

    def _text(self, folder: Path, name: str, render: Callable[[], str]) -> str:
        """A playlist, made once for all who ask while the journal stays as it is; the caller holds the lock."""
        texts = self._journals[folder.name].texts
        if name not in texts:
            texts[name] = render()
        return texts[name]

    def _shown(self, folder: Path) -> Edition:
        """The lesson as it is shown; the caller holds the lock."""
        self._recording(folder)
        found = self._journals[folder.name].edition
        assert found is not None
        return found

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


def _shifted(path: Path, edition: Edition) -> str:
    """A WebVTT file of the whole lesson's times with those of the shown one."""
    text = path.read_text(encoding="utf-8")
    if edition.shown is edition.whole:
        return text
    cues = vtt.moved(
        vtt.parse(text.encode()),
        -round(edition.shift * 1000 / VIDEO_TIMESCALE),
        round(edition.shown.end * 1000 / VIDEO_TIMESCALE),
    )
    return vtt.render(cues)
