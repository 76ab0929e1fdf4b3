"""Reads all of a lesson again and checks it against its journal: ``preau lesson verify ID``.

What a start does not do, for it would read for minutes: every line, every byte of every part, whatever its age.
Changes nothing, and asks nobody: it works while the kit is down. Of a lesson that is live it sees what was durable when
it began.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import CAMERA, NAME, parse
from lessons.recording import Part, Recording, fold
from lessons.recovery import holds

OK, FAULTY, ABSENT = 0, 1, 2
DIGEST = re.compile(r"-([0-9a-f]{8})\.vtt$")


class Fault(NamedTuple):
    """What is wrong with `file`; `start_s` and `end_s` are what of the lesson's timeline that is, if it is any."""

    file: str
    text: str
    start_s: float | None = None
    end_s: float | None = None

    def __str__(self) -> str:
        place = "" if self.start_s is None else f" ({self.start_s:.1f} to {self.end_s or 0:.1f} s of the lesson)"
        return f"{self.file}: {self.text}{place}"


def faults(folder: Path, recording: Recording) -> Iterator[Fault]:
    """What of the files does not hold what the journal says. Raises OSError when the disk does not say."""
    for source in (CAMERA, *recording.beside):
        for part in recording.strand(source).parts:
            if part.fragments:  # what has been cut to nothing is told by the journal, and is no fault
                yield from _of_part(folder / part.opened.file, part)
    yield from _of_timeline(recording)
    for track in recording.tracks.values():
        yield from _of_captions(folder / track.file)


def _of_part(path: Path, part: Part) -> Iterator[Fault]:
    begin_s, end_s = part.opened.start / VIDEO_TIMESCALE, part.end / VIDEO_TIMESCALE
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield Fault(path.name, "is not there", begin_s, end_s)
        return
    try:
        size = os.fstat(descriptor).st_size
        opened = part.opened
        if opened.init_crc is not None and zlib.crc32(os.pread(descriptor, opened.init_length, 0)) != opened.init_crc:
            yield Fault(path.name, "its beginning is damaged: nothing of it plays", begin_s, end_s)
        for one in part.fragments:
            if not holds(descriptor, size, one):
                what = "is missing" if one.offset >= size else "is damaged"
                text = f"{one.length} bytes from {one.offset} on: the fragment {what}"
                yield Fault(path.name, text, one.start / VIDEO_TIMESCALE, (one.start + one.duration) / VIDEO_TIMESCALE)
    finally:
        os.close(descriptor)


def _of_timeline(recording: Recording) -> Iterator[Fault]:
    """The camera's fragments follow each other without a hole."""
    end = 0
    for part in recording.parts:
        for one in part.fragments:
            if one.start != end:
                text = f"{part.opened.file} at byte {one.offset} does not go on where the one before ends"
                yield Fault(NAME, text, end / VIDEO_TIMESCALE, one.start / VIDEO_TIMESCALE)
            end = one.start + one.duration


def _of_captions(path: Path) -> Iterator[Fault]:
    digest = DIGEST.search(path.name)
    if not path.is_file():
        yield Fault(path.name, "is not there")
    elif digest and hashlib.sha256(path.read_bytes()).hexdigest()[:8] != digest[1]:
        yield Fault(path.name, "is not what was put in")


def report(folder: Path) -> tuple[int, Iterator[str]]:
    """The exit status, and what to say, a line each. Raises OSError."""
    try:
        data = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return ABSENT, iter([f"there is no lesson {folder.name}"])
    parsed = parse(data)
    recording = fold(parsed.records)
    found = [Fault(NAME, f"{len(data) - parsed.good} bytes from {parsed.good} on are no whole lines")]
    if len(data) == parsed.good:
        found = []
    if recording is None:
        return FAULTY, iter([*map(str, found), f"{NAME}: does not begin with a lesson"])
    found += faults(folder, recording)
    return (FAULTY if found else OK), iter([*map(str, found), _summary(recording, len(found))])


def _summary(recording: Recording, count: int) -> str:
    strands = [recording.strand(source) for source in (CAMERA, *recording.beside)]
    fragments = [one for strand in strands for part in strand.parts for one in part.fragments]
    old = sum(one.crc is None for one in fragments)
    without = f", {old} of them without checksum, of an older program" if old else ""
    minutes, seconds = divmod(round(recording.duration_s), 60)
    return (
        f"{recording.created.id}: {recording.state}, {minutes}:{seconds:02d}, {recording.bytes} bytes in "
        f"{len(fragments)} fragments{without}: {_counted(count)}"
    )


def _counted(faults: int) -> str:
    return "all as written" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"


def main() -> None:
    try:
        status, lines = report(Path(sys.argv[1]))
    except OSError as error:
        status, lines = FAULTY, iter([f"the disk does not give it: {error}"])
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    raise SystemExit(status)


if __name__ == "__main__":
    main()
