"""Receipts of what was erased: what, when, why and the hash of what it was, in a log that only grows.

A chain of lines (`appliance.lines`) in DATA_DIR. `Erasing` is written before the first byte goes, `Erased` when nothing
is left here, so that what a power cut interrupts is finished later. It is also the queue for the uplinks that have a
copy: each is told to delete it, and a `Told` line says so. No title, no name is in it: a receipt outlives what it is
of.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import structlog

from appliance import durable
from appliance.lines import Chain, Link, frame, read_chain

log = structlog.get_logger()

FILE = "receipts.jsonl"
RESERVE = ".receipts-reserve"
RESERVE_BYTES = 64 * 1024

Why = Literal["hand", "date", "joined"]


class Erasing(msgspec.Struct, frozen=True, tag="erasing"):
    """Lesson `id` is being erased: by hand of the role `by`, for its date, or because it lives on in another (joined).

    Unix seconds throughout; `bytes` and `files` are those of its folder, `sha256` is its journal's, whose lines hold
    the checksum of every fragment (empty: it had none). `uplinks` have a copy.
    """

    id: str
    what: Literal["lesson"]
    why: Why
    by: str
    wall: float
    started_at: float
    duration_s: float
    bytes: int
    files: int
    sha256: str
    uplinks: list[str]
    previous: str = ""


class Erased(msgspec.Struct, frozen=True, tag="erased"):
    """Nothing of what the receipt (a line's number) is for is left on this kit."""

    receipt: int
    wall: float
    previous: str = ""


class Told(msgspec.Struct, frozen=True, tag="told"):
    """The uplink has deleted its copy of what the receipt is for."""

    receipt: int
    uplink: str
    wall: float
    previous: str = ""


Record = Erasing | Erased | Told
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


@dataclass
class Receipt:
    """One erasure: `number` is its line's, `erased_at` None until it is done, `told` when each uplink deleted its
    copy."""

    number: int
    erasing: Erasing
    erased_at: float | None = None
    told: dict[str, float] = field(default_factory=dict)

    @property
    def untold(self) -> list[str]:
        """The uplinks that still have a copy."""
        return [uplink for uplink in self.erasing.uplinks if uplink not in self.told]


class Deletion(NamedTuple):
    """What an uplink is still to be told."""

    receipt: int
    lesson: str
    uplink: str


def fold(links: Iterable[Link]) -> dict[int, Receipt]:
    """The receipts that the lines of a log tell, by number. Lines of unknown (later) kinds are passed over."""
    receipts: dict[int, Receipt] = {}
    for link in links:
        try:
            record = _decoder.decode(link.json)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        match record:
            case Erasing():
                receipts[link.number] = Receipt(link.number, record)
            case Erased() if record.receipt in receipts:
                receipts[record.receipt].erased_at = record.wall
            case Told() if record.receipt in receipts:
                receipts[record.receipt].told[record.uplink] = record.wall
            case _:
                pass
    return receipts


def read(folder: Path) -> list[Receipt]:
    """The receipts in the log of a data folder, oldest first. Raises OSError."""
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return []
    return list(fold(read_chain(data).links).values())


class Receipts:
    """The log of a data folder. Methods raise OSError when the disk refuses. Safe from any thread.

    Some space is set aside for it (`reserve`): else nothing could be deleted on a full disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._lock = threading.Lock()

    def all(self) -> list[Receipt]:
        """Oldest first."""
        return read(self._folder)

    def open(self) -> list[Receipt]:
        """Those of erasures that were begun and are not done."""
        return [receipt for receipt in self.all() if receipt.erased_at is None]

    def untold(self) -> list[Deletion]:
        """What uplinks are still to be told to delete, oldest first."""
        return [Deletion(one.number, one.erasing.id, uplink) for one in self.all() for uplink in one.untold]

    def write(self, record: Record) -> int:
        """Append a line durably, chained to the one before; returns its number."""
        with self._lock:
            chain = self._chain()
            line = frame(chain.next_number, _encoder.encode(msgspec.structs.replace(record, previous=chain.head)))
            try:
                self._append(line, chain)
            except OSError as error:
                reserve = self._folder / RESERVE
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not reserve.exists():
                    raise
                reserve.unlink()
                self._append(line, chain)
            self.reserve()
            return chain.next_number

    def _chain(self) -> Chain:
        """The log as it is, what is torn at its end kept aside once."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        chain = read_chain(data)
        torn = data[chain.good :]
        tail = self._path.with_name(f"{FILE}.tail")
        if torn:
            log.warning("receipts cut", bytes=len(torn))
            if not tail.exists():
                try:
                    durable.write(tail, torn)
                except OSError as error:
                    log.warning("what is cut could not be kept aside", file=FILE, error=str(error))
        return chain

    def _append(self, line: bytes, chain: Chain) -> None:
        with durable.Appender(self._path, length=chain.good) as file:
            file.append(line)

    def reserve(self) -> None:
        """Set space aside, when there is room and none is. Raises nothing."""
        path = self._folder / RESERVE
        if path.exists():
            return
        try:
            durable.set_aside(path, RESERVE_BYTES)
        except OSError as error:
            log.info("no space set aside for receipts", error=str(error))
            with suppress(OSError):
                path.unlink(missing_ok=True)
