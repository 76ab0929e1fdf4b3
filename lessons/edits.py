"""Lines written into the journal of a lesson that is over: marks, and whatever is corrected later.

A journal has one writer. While a lesson is live that is its session, afterwards whoever holds an `Edits`' lock: the
service has one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance import durable
from appliance.durable import Appender
from lessons.catalogue import ID
from lessons.journal import NAME, Record, encode, parse
from lessons.recording import Recording, fold


class Edits:
    """Safe from any thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def write(self, id: str, make: Callable[[Recording], Sequence[Record]], *, whole: bool = False) -> Recording:
        """Append durably what `make` says of the lesson as it stands; returns it as it then is. A power cut meanwhile
        leaves some of these lines, or with `whole` all or none of them. Raises LookupError when there is no such
        lesson, OSError when the disk refuses, and what `make` raises. The lesson must not be live."""
        if not ID.fullmatch(id):
            raise LookupError(id)
        path = self._root / id / NAME
        with self._lock:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                raise LookupError(id) from None
            parsed = parse(data)
            recording = fold(parsed.records)
            if recording is None:
                raise LookupError(id)
            records = make(recording)
            lines = encode(records, parsed.next_line)
            if records and whole:
                durable.write(path, data[: parsed.good] + lines)
            elif records:
                with Appender(path, length=parsed.good) as journal:
                    journal.append(lines)
            for record in records:
                recording.apply(record)
            return recording
