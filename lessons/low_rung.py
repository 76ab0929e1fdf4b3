"""The low rung of a recording: 360p for weak lines, made later, one file a part of the camera's (`low-0001.mp4`).

Derived: `low.jsonl` says what is in the files, in the journal's form, and is replaced whole. What no longer fits the
camera's parts is made again. This is what reads it; `lessons.low` makes it.
"""

from __future__ import annotations

from pathlib import Path

from lessons.journal import Fragment, PartClosed, PartOpened, Record, parse
from lessons.recording import Part, Recording, Strand

LOW = "low"
INDEX = "low.jsonl"


def file_name(number: int) -> str:
    return f"{LOW}-{number:04d}.mp4"


def read(folder: Path) -> Strand:
    """The whole parts that the index tells of; none without one. Raises OSError."""
    strand = Strand()
    try:
        data = (folder / INDEX).read_bytes()
    except FileNotFoundError:
        return strand
    for record in parse(data).records:
        strand.apply(record)
    strand.parts = [part for part in strand.parts if part.closed and part.fragments]
    return strand


def records(part: Part) -> list[Record]:
    """What the index says of a part."""
    fragments: list[Fragment] = part.fragments
    opened: PartOpened = part.opened
    return [opened, *fragments, PartClosed(opened.number, part.closed or "")]


def fits(low: Part, camera: Part) -> bool:
    """Whether `low` was made of all that `camera` now is."""
    return (low.opened.number, low.opened.start, low.end) == (camera.opened.number, camera.opened.start, camera.end)


def recorded(recording: Recording) -> list[Part]:
    """The camera's parts that hold anything."""
    return [part for part in recording.parts if part.fragments]


def complete(recording: Recording, low: Strand) -> bool:
    """Whether the lesson is over and every part of it has its low one."""
    parts = recorded(recording)
    if recording.state == "live" or not parts or len(low.parts) != len(parts):
        return False
    return all(fits(made, part) for made, part in zip(low.parts, parts, strict=True))


def outdated(folder: Path) -> bool:
    """Whether a lesson's folder, by the times of its files, lacks some of it."""
    parts = [path for path in folder.glob("part-*.mp4") if path.stat().st_size]
    files = [folder / path.name.replace("part-", f"{LOW}-") for path in parts]
    try:
        newest = max((path.stat().st_mtime_ns for path in (*parts, *files)), default=0)
        return bool(parts) and (folder / INDEX).stat().st_mtime_ns < newest
    except FileNotFoundError:
        return True
