"""What happens at start to lessons that were live when the process, or the power, went.

The disk's bytes decide, not memory: the journal is cut to its good lines, of which none is ever given up; what a part
file does not hold as its line says, by checksum, is cut from the file and told by a further line (`part_cut`), so that
one source's loss costs another nothing. What is cut is kept aside once. A lesson whose bell has not rung, or a young
one, goes on; another is closed. Runs before the service answers commands, so it reads open journals only.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import structlog

from appliance import durable
from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.assembler import Assembler
from lessons.folder import replenish
from lessons.journal import (
    CAMERA,
    NAME,
    Fragment,
    Interrupted,
    PartCut,
    SourceRecord,
    Stopped,
    closes,
    encode,
    ending,
    parse,
)
from lessons.metrics import Metrics
from lessons.recording import LONGEST_HOLE_S, Part, Recording, fold
from lessons.session import Session

log = structlog.get_logger()

YOUNG_S = 30 * 60.0
LAST_BYTES = 16 * 1024
CHECKED_S = 60.0  # how far back media is read again: no disk holds back for so long what it was told to keep


class Repaired(NamedTuple):
    """An open lesson whose journal and files agree again; `whole` when the camera's file lost no fragment. `ended` is
    its end where that stood behind a bad line: it is not to go on."""

    recording: Recording
    journal_length: int
    next_line: int
    whole: bool
    ended: Stopped | Interrupted | None = None


def is_whole(header: bytes, mdat_header: bytes, length: int) -> bool:
    """Whether moof and mdat headers (8 bytes each) say that they fill the `length` bytes of a fragment."""
    if len(header) < 8 or len(mdat_header) < 8:
        return False
    moof, kind = struct.unpack(">I4s", header)
    mdat, other = struct.unpack(">I4s", mdat_header)
    return bool(kind == b"moof" and other == b"mdat" and moof + mdat == length)


def holds(descriptor: int, size: int, fragment: Fragment) -> bool:
    """Whether a part's file, of `size` bytes, holds a fragment as its line says."""
    if fragment.offset + fragment.length > size:
        return False
    if fragment.crc is not None:
        return zlib.crc32(os.pread(descriptor, fragment.length, fragment.offset)) == fragment.crc
    header = os.pread(descriptor, 8, fragment.offset)
    moof = int.from_bytes(header[:4], "big")
    return is_whole(header, os.pread(descriptor, 8, fragment.offset + moof), fragment.length)


def repair(folder: Path) -> Repaired | None:
    """Make journal and media of an open lesson agree. None: no usable journal, or nothing to repair (it is closed).

    Raises OSError when the disk refuses; then nothing that was readable has been lost.
    """
    path = folder / NAME
    if _closed(path):
        return None
    data = path.read_bytes()
    parsed = parse(data)
    recording = fold(parsed.records)
    if recording is None:
        log.warning("no usable journal; folder left alone", folder=str(folder))
        return None
    if recording.state != "live":
        return None
    lost = data[parsed.good :]
    if lost:
        log.warning("journal cut", folder=folder.name, bytes=len(lost))
        _cut(path, parsed.good)
    cuts = [record for source in (CAMERA, *recording.beside) for record in _cuts(folder, recording, source)]
    length = parsed.good
    if cuts:
        with durable.Appender(path, length=length) as journal:
            journal.append(encode(cuts, parsed.next_line))
            length = journal.length
        for record in cuts:
            recording.apply(record)
    for strand in (recording.camera, *recording.beside.values()):
        if strand.parts:
            part = strand.parts[-1]
            _cut(folder / part.opened.file, part.length if part.fragments else 0)
    whole = not any(isinstance(record, PartCut) for record in cuts)
    return Repaired(recording, length, parsed.next_line + len(cuts), whole, ending(lost))


def _cuts(folder: Path, recording: Recording, source: str) -> list[PartCut | SourceRecord]:
    """What to write when the last part of `source` has lost fragments: one record, or none."""
    parts = recording.strand(source).parts
    if not parts or not parts[-1].fragments:
        return []
    part = parts[-1]
    whole = whole_length(folder / part.opened.file, part)
    if whole == part.length:
        return []
    log.warning("recording cut", folder=folder.name, source=source, bytes=part.length - whole)
    cut = PartCut(part.opened.number, whole)
    return [cut if source == CAMERA else SourceRecord(source, cut)]


def whole_length(path: Path, part: Part) -> int:
    """Up to where a part's file holds what the journal says, as far back as the last `CHECKED_S` seconds and the first
    good fragment before; 0 when nothing can be played. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        opened = part.opened
        if opened.init_crc is not None and zlib.crc32(os.pread(descriptor, opened.init_length, 0)) != opened.init_crc:
            return 0
        kept = len(part.fragments)
        since = part.end - CHECKED_S * VIDEO_TIMESCALE
        for index in range(kept - 1, -1, -1):
            if not holds(descriptor, size, part.fragments[index]):
                kept = index
            elif part.fragments[index].start < since:
                break
    finally:
        os.close(descriptor)
    last = part.fragments[kept - 1] if kept else None
    return last.offset + last.length if last else 0


def _closed(path: Path) -> bool:
    """Look at the journal's end only: a kit may hold a thousand closed lessons."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        return closes(file.read())


def _cut(path: Path, length: int) -> None:
    """Cut a file to `length` bytes, keeping what stood behind in a `.tail` file, once, where the disk takes that."""
    if not path.exists() or path.stat().st_size <= length:
        return
    tail = path.with_name(f"{path.name}.tail")
    if not tail.exists():
        with path.open("rb") as file:
            file.seek(length)
            try:
                durable.write(tail, file.read())
            except OSError as error:
                log.warning("what is cut could not be kept aside", file=path.name, error=str(error))
    durable.Appender(path, length=length).close()
    log.warning("cut to what is whole", file=path.name, length=length)


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


def goes_on(recording: Recording, at: float) -> bool:
    """Whether a lesson found live at Unix time `at` is to go on: its bell has not rung, or it is young.

    A clock behind what was written last (a kit without a battery for it) says neither: nobody asked for a recording
    days later.
    """
    since_s = at - recording.last_at
    if since_s < -YOUNG_S:
        return False
    planned_end = recording.created.planned_end
    return since_s < YOUNG_S or (planned_end is not None and at < planned_end)


def recover(
    root: Path, boot_id: str, metrics: Metrics, now_ns: int, at: float, *, talk: bool = False
) -> Session | None:
    """Repair open lessons; returns the newest one when it is to go on, and closes the others. `talk` as in Session."""
    session = None
    for index, one in enumerate(reversed(open_lessons(root))):
        if not index and one.ended is None and goes_on(one.recording, at):
            session = _go_on(root, one, boot_id, metrics, now_ns, at, talk=talk)
        else:
            _close(root, one, one.ended or Interrupted(at))
    return session


def _go_on(root: Path, one: Repaired, boot_id: str, metrics: Metrics, now_ns: int, at: float, *, talk: bool) -> Session:
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
    away_s = at - recording.last_at
    away_ns = int(away_s * 1_000_000_000) if 0 <= away_s <= LONGEST_HOLE_S else 0
    ended_ns = last.end_ns if last and same_boot else now_ns - away_ns
    replenish(root / recording.created.id)
    log.info("lesson goes on", lesson=recording.created.id, at_s=recording.duration_s, same_boot=same_boot)
    return Session(
        root / recording.created.id, recording, one.journal_length, one.next_line, assembler, boot_id, metrics,
        since_ns, ended_ns, talk=talk,
    )  # fmt: skip


def _close(root: Path, one: Repaired, end: Stopped | Interrupted) -> None:
    log.info("lesson closed", lesson=one.recording.created.id, end=type(end).__name__)
    try:
        with durable.Appender(root / one.recording.created.id / NAME, length=one.journal_length) as journal:
            journal.append(encode([end], one.next_line))
    except OSError as error:
        log.error("lesson not closed", lesson=one.recording.created.id, error=str(error))
