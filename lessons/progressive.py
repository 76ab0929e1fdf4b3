"""The whole lesson as one MP4 that starts at once: no encoding, no temporary file, every byte range at hand.

The sample tables come from the moofs of the parts (one small read a fragment); the media stays where it is and
is read when asked for. The plan is pure given a function that reads; three hours are half a million samples, so
tables are numpy arrays. ISO/IEC 14496-12: 8.6 (times), 8.7 (places), 8.6.6 (edit list).
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from appliance.boxes import MalformedBoxes, box, find, full_box, large_header, media, movie_header, track_header, walk
from appliance.fmp4 import AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, audio_entry, video_entry
from lessons import chapter_track
from lessons.chapter_track import Title
from lessons.journal import Fragment, PartOpened
from lessons.recording import Recording, Strand

MOVIE_TIMESCALE = 1000
READ_BYTES = 256 * 1024
SOUND_BYTES = 16 * 1024  # the pictures between two pieces of sound are not read
MOOF_GUESS = 4096  # a second of both tracks needs about a kilobyte
_NOT_SYNC = 0x00010000

Integers = npt.NDArray[np.int64]
ReadAt = Callable[[Path, int, int], bytes]


class Source(NamedTuple):
    """One part: its file, how it opened, and its durable fragments."""

    path: Path
    opened: PartOpened
    fragments: list[Fragment]


class Span(NamedTuple):
    """`length` bytes of the download that begin at `place` and stand at `offset` of file `path`."""

    place: int
    path: Path
    offset: int
    length: int


class _Run(NamedTuple):
    """The samples of one track in one fragment; `table` has rows of duration, size, flags.

    `start` is in the track's timescale, `offset` counts from the moof's first byte.
    """

    track: int
    start: int
    offset: int
    table: npt.NDArray[np.uint32]

    @property
    def length(self) -> int:
        """Bytes of all samples."""
        return int(self.table[:, 1].sum())


class _Chunks:
    """One track of the download while it is being planned: a chunk per fragment."""

    def __init__(self, timescale: int) -> None:
        self.timescale = timescale
        self.entries: list[bytes] = []
        self.places: list[int] = []
        self.counts: list[int] = []
        self.descriptions: list[int] = []
        self.times: list[Integers] = []
        self.tables: list[npt.NDArray[np.uint32]] = []
        self.last_duration = 0

    def describe(self, entry: bytes) -> int:
        """The 1-based index of a sample entry in stsd."""
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry) + 1

    def add(self, run: _Run, place: int, description: int, rate: int) -> None:
        """Take in a chunk at byte `place` of the media; `rate` is the timescale of `run`."""
        durations = run.table[:, 0].astype(np.int64)
        times = run.start + np.concatenate((np.zeros(1, np.int64), np.cumsum(durations[:-1])))
        last = int(durations[-1])
        if rate != self.timescale:
            times, last = times * self.timescale // rate, last * self.timescale // rate
        self.places.append(place)
        self.counts.append(len(durations))
        self.descriptions.append(description)
        self.times.append(times)
        self.tables.append(run.table)
        self.last_duration = last


class Progressive:
    """The planned file: `length` bytes, of which `read` gives any range. `tag` changes with what is in them: the head
    says where each sample stands and how long it is."""

    def __init__(self, head: bytes, spans: Sequence[Span], ahead: int = READ_BYTES) -> None:
        self._ahead = ahead
        self._head = head
        self._spans = spans
        self._places = [span.place for span in spans]
        self.tag = f"{zlib.crc32(head):08x}"
        self.length: int = spans[-1].place + spans[-1].length

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to, not including, `stop`, in pieces of at most 256 KiB.

        Raises OSError, also when a part file is shorter than its journal says.
        """
        stop = self.length if stop is None else min(stop, self.length)
        start = max(0, start)
        if start < min(stop, len(self._head)):
            yield self._head[start:stop]
            start = len(self._head)
        index = max(0, bisect_right(self._places, start) - 1)
        while start < stop:
            path = self._spans[index].path
            with path.open("rb", buffering=self._ahead) as file:
                while start < stop and index < len(self._spans) and self._spans[index].path == path:
                    span = self._spans[index]
                    file.seek(span.offset + start - span.place)
                    end = min(stop, span.place + span.length)
                    while start < end:
                        data = file.read(min(READ_BYTES, end - start))
                        if not data:
                            raise OSError(f"{path} ends early")
                        start += len(data)
                        yield data
                    index += 1


def sources(recording: Recording | Strand, folder: Path) -> list[Source]:
    """The parts of a lesson that hold anything, as they are now."""
    return [
        Source(folder / part.opened.file, part.opened, list(part.fragments))
        for part in recording.parts
        if part.fragments
    ]


def open_plan(parts: Sequence[Source], titles: Sequence[Title] = (), *, sound_only: bool = False) -> Progressive:
    """`plan` with the parts' files. Raises OSError, MalformedBoxes when a file is not what it was."""
    with ExitStack() as stack:
        files = {path: stack.enter_context(path.open("rb")).fileno() for path, _, _ in parts}
        for path, _, fragments in parts:
            if os.fstat(files[path]).st_size < fragments[-1].offset + fragments[-1].length:
                raise MalformedBoxes(f"{path.name} is shorter than its journal says")

        def read_at(path: Path, offset: int, length: int) -> bytes:
            return os.pread(files[path], length, offset)

        return plan(parts, read_at, titles, sound_only=sound_only)


def plan(
    parts: Sequence[Source], read_at: ReadAt, titles: Sequence[Title] = (), *, sound_only: bool = False
) -> Progressive:
    """Lay out the download of at least one part. `read_at(path, offset, length)` gives bytes of a part's file. `titles`
    are the chapters, whose texts stand before all other media. Raises LookupError when there is nothing to play."""
    tracks, spans = _sound(parts, read_at) if sound_only else _lay_out(parts, read_at)
    if not spans:
        raise LookupError("nothing is recorded")
    # Chunk offsets have a fixed width: the size of moov is known before the offsets are.
    ahead = SOUND_BYTES if sound_only else READ_BYTES
    brand = b"M4A " if sound_only else b"isom"
    kind = box(b"ftyp", brand, struct.pack(">I", 0x200), brand, b"isom" if sound_only else b"iso2avc1", b"mp41")
    texts = chapter_track.samples(titles)
    words = b"".join(texts)
    size = len(words) + spans[-1].place + spans[-1].length
    sizes = [len(one) for one in texts]
    begin = len(kind) + len(_moov(tracks, titles, sizes, 0, 0)) + len(large_header(b"mdat", size))
    base = begin + len(words)
    head = kind + _moov(tracks, titles, sizes, begin, base) + large_header(b"mdat", size) + words
    return Progressive(head, [span._replace(place=span.place + base) for span in spans], ahead)


def _lay_out(parts: Sequence[Source], read_at: ReadAt) -> tuple[dict[int, _Chunks], list[Span]]:
    """Tracks and spans, places counted from the first byte of media."""
    tracks: dict[int, _Chunks] = {VIDEO_TRACK: _Chunks(VIDEO_TIMESCALE)}
    spans: list[Span] = []
    place = 0
    for path, opened, fragments in parts:
        rates, descriptions = dict[int, int](), dict[int, int]()
        if opened.video:
            rates[VIDEO_TRACK] = VIDEO_TIMESCALE
            descriptions[VIDEO_TRACK] = tracks[VIDEO_TRACK].describe(video_entry(opened.video))
        if opened.audio:
            rates[AUDIO_TRACK] = opened.audio.rate
            audio = tracks.setdefault(AUDIO_TRACK, _Chunks(opened.audio.rate))
            descriptions[AUDIO_TRACK] = audio.describe(audio_entry(opened.audio))
        for fragment in fragments:
            top = moof(path, fragment, read_at)
            skip = len(top) + 8
            for found in checked_runs(top, fragment, path, set(rates), opened.moved):
                run = found._replace(start=found.start + opened.moved * rates[found.track] // VIDEO_TIMESCALE)
                tracks[run.track].add(run, place + run.offset - skip, descriptions[run.track], rates[run.track])
            spans.append(Span(place, path, fragment.offset + skip, fragment.length - skip))
            place += fragment.length - skip
    return tracks, spans


def _sound(parts: Sequence[Source], read_at: ReadAt) -> tuple[dict[int, _Chunks], list[Span]]:
    """The same of the sound alone, which stands in pieces between the pictures."""
    tracks: dict[int, _Chunks] = {}
    spans: list[Span] = []
    place = 0
    for path, opened, fragments in parts:
        if opened.audio is None:
            continue
        rate = opened.audio.rate
        audio = tracks.setdefault(AUDIO_TRACK, _Chunks(rate))
        description = audio.describe(audio_entry(opened.audio))
        for fragment in fragments:
            top = moof(path, fragment, read_at)
            for run in checked_runs(top, fragment, path, {VIDEO_TRACK, AUDIO_TRACK}, opened.moved):
                if run.track != AUDIO_TRACK or not len(run.table):
                    continue
                moved = run._replace(start=run.start + opened.moved * rate // VIDEO_TIMESCALE)
                audio.add(moved, place, description, rate)
                spans.append(Span(place, path, fragment.offset + run.offset, run.length))
                place += run.length
    return tracks, spans


def moof(path: Path, fragment: Fragment, read_at: ReadAt) -> bytes:
    data = read_at(path, fragment.offset, min(MOOF_GUESS, fragment.length))
    size = min(int.from_bytes(data[:4], "big"), fragment.length)
    return data[:size] if size <= len(data) else read_at(path, fragment.offset, size)


def checked_runs(top: bytes, fragment: Fragment, path: Path, known: set[int], moved: int) -> list[_Run]:
    """The runs of the tracks `known`, which are as long and as large as the journal says; in their file they stand
    `moved` ticks earlier than there. Raises MalformedBoxes."""
    try:
        runs = list(_runs(top))
    except (KeyError, ValueError, struct.error):  # there are boxes, but not ours
        runs = []
    place = len(top) + 8
    for run in runs:
        if run.track not in known or run.offset != place:
            break
        place += run.length
    spans = {run.track: (run.start, run.start + int(run.table[:, 0].sum())) for run in runs}
    sound_end = spans.get(AUDIO_TRACK, (0, fragment.audio_end))[1]
    begin = fragment.start - moved
    pictures = (begin, begin + fragment.duration) if VIDEO_TRACK in known else None
    if place != fragment.length or spans.get(VIDEO_TRACK) != pictures or sound_end != fragment.audio_end:
        raise MalformedBoxes(f"{path.name} is not what its journal says, from byte {fragment.offset} on")
    return runs


def _runs(moof: bytes) -> Iterator[_Run]:
    """The track runs of a moof that appliance.fmp4 wrote: every sample has duration, size and flags."""
    for kind, traf in walk(find(moof, b"moof")):
        if kind != b"traf":
            continue
        boxes = dict(walk(traf))
        track = struct.unpack_from(">I", boxes[b"tfhd"], 4)[0]
        start = struct.unpack_from(">Q", boxes[b"tfdt"], 4)[0]
        count, offset = struct.unpack_from(">Ii", boxes[b"trun"], 4)
        table = np.frombuffer(boxes[b"trun"], ">u4", count * 3, 12).astype(np.uint32).reshape(count, 3)
        yield _Run(track, start, offset, table)


def _runs_of(values: Integers) -> tuple[Integers, Integers]:
    """Run lengths: the index where each run of equal values begins, and how long it is."""
    begins = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(np.diff(values)) + 1))
    return begins, np.diff(np.append(begins, len(values)))


def _table(kind: bytes, columns: Sequence[Integers], head: bytes = b"") -> bytes:
    """A full box of 32-bit rows after their number."""
    rows = np.column_stack(columns).astype(">u4")
    return full_box(kind, 0, 0, head, struct.pack(">I", len(rows)), rows.tobytes())


def _sample_table(track: _Chunks, base: int, *, video: bool) -> bytes:
    times = np.concatenate(track.times)
    samples = np.concatenate(track.tables)
    # A hole between two samples lengthens the first: decode times are what the fragments said.
    durations = np.append(np.maximum(np.diff(times), 1), track.last_duration)
    begins, lengths = _runs_of(durations)
    counts, descriptions = np.array(track.counts, np.int64), np.array(track.descriptions, np.int64)
    firsts, _ = _runs_of(counts << 8 | descriptions)
    pieces = [
        full_box(b"stsd", 0, 0, struct.pack(">I", len(track.entries)), *track.entries),
        _table(b"stts", (lengths, durations[begins])),
        _table(b"stsc", (firsts + 1, counts[firsts], descriptions[firsts])),
        full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(samples)), samples[:, 1].astype(">u4").tobytes()),
        full_box(
            b"co64", 0, 0, struct.pack(">I", len(track.places)),
            (np.array(track.places, np.int64) + base).astype(">u8").tobytes(),
        ),
    ]  # fmt: skip
    if video:
        pieces.append(_table(b"stss", (np.flatnonzero(samples[:, 2] & _NOT_SYNC == 0) + 1,)))
    return box(b"stbl", *pieces)


def _duration(track: _Chunks) -> tuple[int, int]:
    """Where the track begins on the lesson's timeline, and how long it is, in its timescale."""
    begin = int(track.times[0][0])
    return begin, int(track.times[-1][-1]) + track.last_duration - begin


def _edits(begin: int, duration: int, timescale: int) -> bytes:
    """An edit list that starts the track where the lesson's timeline has it; sound from before its 0 is not played."""
    empty = round(begin * MOVIE_TIMESCALE / timescale)
    length = round((duration + min(0, begin)) * MOVIE_TIMESCALE / timescale)
    edits = [struct.pack(">Qqi", length, max(0, -begin), 0x10000)]
    if empty > 0:
        edits.insert(0, struct.pack(">Qqi", empty, -1, 0x10000))
    return box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(edits)), *edits))


def _moov(tracks: dict[int, _Chunks], titles: Sequence[Title], sizes: Sequence[int], words: int, base: int) -> bytes:
    """The movie box for media that begins at byte `base`, and titles whose texts of `sizes` bytes begin at `words`."""
    pieces = []
    reference = [chapter_track.reference()] if titles else []
    longest = 0
    for number, track in sorted(tracks.items()):
        if not track.times:
            continue
        video = number == VIDEO_TRACK
        begin, duration = _duration(track)
        whole = round((begin + duration) * MOVIE_TIMESCALE / track.timescale)
        longest = max(longest, whole)
        width, height = struct.unpack_from(">HH", track.entries[0], 32) if video else (0, 0)
        table = _sample_table(track, base, video=video)
        pieces.append(
            box(
                b"trak",
                track_header(number, whole, width, height, volume=not video),
                *reference,
                _edits(begin, duration, track.timescale),
                media(track.timescale, duration, b"vide" if video else b"soun", table),
            )
        )
    if titles:
        pieces += [chapter_track.track(titles, sizes, words), chapter_track.nero(titles)]
    return box(b"moov", movie_header(MOVIE_TIMESCALE, longest, chapter_track.TRACK + 1), *pieces)
