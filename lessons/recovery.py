"""What happens at start to lessons that were live when the process, or the power, went.

The disk's bytes decide, not memory: the journal is cut to its good lines, then to the last fragment that is whole
in its part file; the file is cut there and what stands behind is kept aside once. A young lesson goes on, an old
one is closed. Runs before the service answers commands, so it reads open journals only.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

import structlog

from appliance import durable
from lessons.assembler import Assembler
from lessons.journal import (
    NAME,
    Fragment,
    Interrupted,
    Part,
    PartCut,
    PartOpened,
    Record,
    Recording,
    SourceRecord,
    closes,
    encode,
    fold,
    parse,
)
from lessons.metrics import Metrics
from lessons.session import Session

log = structlog.get_logger()

YOUNG_S = 30 * 60.0
LAST_BYTES = 4096


class Repaired(NamedTuple):
    """An open lesson whose journal and files agree again; `whole` when the journal lost no fragment to the media."""

    recording: Recording
    journal_length: int
    next_line: int
    whole: bool


def is_whole(header: bytes, mdat_header: bytes, length: int) -> bool:
    """Whether moof and mdat headers (8 bytes each) say that they fill the `length` bytes of a fragment."""
    if len(header) < 8 or len(mdat_header) < 8:
        return False
    moof, kind = struct.unpack(">I4s", header)
    mdat, other = struct.unpack(">I4s", mdat_header)
    return bool(kind == b"moof" and other == b"mdat" and moof + mdat == length)


def _on_disk(descriptor: int, size: int, fragment: Fragment) -> bool:
    if fragment.offset + fragment.length > size:
        return False
    header = os.pread(descriptor, 8, fragment.offset)
    moof = int.from_bytes(header[:4], "big")
    return is_whole(header, os.pread(descriptor, 8, fragment.offset + moof), fragment.length)


def repair(folder: Path) -> Repaired | None:
    """Make journal and media of an open lesson agree. None: no usable journal, or nothing to repair (it is closed).

    Raises OSError when the disk refuses; then nothing that was readable has been lost.
    """
    if _closed(folder / NAME):
        return None
    data = (folder / NAME).read_bytes()
    parsed = parse(data)
    recording = fold(parsed.records)
    if recording is None:
        log.warning("no usable journal; folder left alone", folder=str(folder))
        return None
    if recording.state != "live":
        return None
    keep = _vouched(folder, parsed.records)
    whole = keep == len(parsed.records)
    good = parsed.good if whole else parsed.ends[keep - 1]
    if good < len(data):
        log.warning("journal cut", folder=folder.name, bytes=len(data) - good)
        durable.Appender(folder / NAME, length=good).close()
    parsed = parse(data[:good])
    recording = fold(parsed.records) or recording
    if recording.parts:
        part = recording.parts[-1]
        _cut_media(folder / part.opened.file, part.length if part.fragments else 0)
    length, next_line = _repair_beside(folder, recording, good, parsed.next_line)
    return Repaired(recording, length, next_line, whole)


def _repair_beside(folder: Path, recording: Recording, length: int, next_line: int) -> tuple[int, int]:
    """The same for the sources beside the camera. What they lost is told by a further line, so that it never costs
    the camera anything. Returns the journal's length and next line."""
    for source, strand in recording.beside.items():
        if not strand.parts:
            continue
        part = strand.parts[-1]
        whole = _whole_length(folder / part.opened.file, part)
        if part.fragments and whole < part.length:
            log.warning("recording cut", folder=folder.name, source=source, bytes=part.length - whole)
            cut = SourceRecord(source, PartCut(part.opened.number, whole))
            with durable.Appender(folder / NAME, length=length) as journal:
                journal.append(encode([cut], next_line))
                length, next_line = journal.length, next_line + 1
            recording.apply(cut)
        _cut_media(folder / part.opened.file, part.length if part.fragments else 0)
    return length, next_line


def _whole_length(path: Path, part: Part) -> int:
    """Up to where the fragments of a part are on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        for fragment in reversed(part.fragments):
            if _on_disk(descriptor, size, fragment):
                return fragment.offset + fragment.length
    finally:
        os.close(descriptor)
    return part.opened.init_length


def _closed(path: Path) -> bool:
    """Look at the journal's end only: a kit may hold a thousand closed lessons."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        return closes(file.read())


def _vouched(folder: Path, records: list[Record]) -> int:
    """How many records are left when those of fragments missing at the end of the last part are taken away."""
    keep = len(records)
    opened = next((record for record in reversed(records) if isinstance(record, PartOpened)), None)
    if opened is None:
        return keep
    try:
        descriptor = os.open(folder / opened.file, os.O_RDONLY)
    except FileNotFoundError:
        return records.index(opened)
    try:
        size = os.fstat(descriptor).st_size
        for index in range(len(records) - 1, -1, -1):
            record = records[index]
            if record is opened:
                break
            if isinstance(record, Fragment):
                if _on_disk(descriptor, size, record):
                    break
                keep = index
    finally:
        os.close(descriptor)
    return keep


def _cut_media(path: Path, length: int) -> None:
    """Cut a part file to `length` bytes, keeping what stood behind in a `.tail` file, once."""
    if not path.exists() or path.stat().st_size <= length:
        return
    tail = path.with_name(f"{path.name}.tail")
    if not tail.exists():
        with path.open("rb") as file:
            file.seek(length)
            durable.write(tail, file.read())
    durable.Appender(path, length=length).close()
    log.warning("media cut to the last whole fragment", file=path.name, length=length)


def open_lessons(root: Path) -> list[Repaired]:
    """Repair every lesson whose journal is open, oldest first. A folder that the disk refuses is logged and skipped."""
    repaired = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.name.startswith(".") or not (folder / NAME).is_file():
            continue
        try:
            one = repair(folder)
        except OSError as error:
            log.error("lesson not recovered", folder=folder.name, error=str(error))
            continue
        if one:
            repaired.append(one)
    return repaired


def recover(root: Path, boot_id: str, metrics: Metrics, now_ns: int, at: float) -> Session | None:
    """Repair open lessons; returns the newest one to go on with when it is young, and closes the others."""
    session = None
    for index, one in enumerate(reversed(open_lessons(root))):
        # A clock that jumped (no battery) makes no lesson young: nobody asked for a recording days later.
        if not index and abs(at - one.recording.last_at) < YOUNG_S:
            session = _go_on(root, one, boot_id, metrics, now_ns)
        else:
            _interrupt(root, one, at)
    return session


def _go_on(root: Path, one: Repaired, boot_id: str, metrics: Metrics, now_ns: int) -> Session:
    recording = one.recording
    part = recording.parts[-1] if recording.parts else None
    same_boot = part is not None and part.opened.boot_id == boot_id
    last = recording.last_fragment
    if part and last and same_boot and one.whole and part.closed is None:
        assembler = Assembler.resume(part, boot_id)
    else:
        assembler = Assembler(
            part.opened.number + 1 if part else 1, recording.end, boot_id,
            ended_ns=last.end_ns if last and same_boot else None, gap="restart" if part else "",
        )  # fmt: skip
    # A second earlier than needed, because sound trails pictures; known packets are dropped by number.
    since_ns = last.end_ns - 1_000_000_000 if last and same_boot else now_ns
    log.info("lesson goes on", lesson=recording.created.id, at_s=recording.duration_s, same_boot=same_boot)
    return Session(
        root / recording.created.id, recording, one.journal_length, one.next_line, assembler, boot_id, metrics, since_ns
    )


def _interrupt(root: Path, one: Repaired, at: float) -> None:
    log.info("lesson closed as interrupted", lesson=one.recording.created.id)
    try:
        with durable.Appender(root / one.recording.created.id / NAME, length=one.journal_length) as journal:
            journal.append(encode([Interrupted(at)], one.next_line))
    except OSError as error:
        log.error("lesson not closed", lesson=one.recording.created.id, error=str(error))
