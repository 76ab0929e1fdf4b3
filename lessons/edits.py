"""Lines written into the journal of a lesson that is over: marks, and whatever is corrected later.

A journal has one writer. While a lesson is live that is its session, afterwards whoever holds an `Edits`' lock: the
service has one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.durable import Appender
from lessons.catalogue import ID
from lessons.journal import NAME, Record, encode, parse
from lessons.recording import Recording, fold


class Edits:
    """Safe from any thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def write(self, id: str, make: Callable[[Recording], Sequence[Record]]) -> Recording:
        """Append durably what `make` says of the lesson as it stands; returns it as it then is. Raises LookupError when
        there is no such lesson, OSError when the disk refuses, and what `make` raises. The lesson must not be live."""
        if not ID.fullmatch(id):
            raise LookupError(id)
        path = self._root / id / NAME
        with self._lock:
            try:
                parsed = parse(path.read_bytes())
            except FileNotFoundError:
                raise LookupError(id) from None
            recording = fold(parsed.records)
            if recording is None:
                raise LookupError(id)
            records = make(recording)
            if records:
                with Appender(path, length=parsed.good) as journal:
                    journal.append(encode(records, parsed.next_line))
            for record in records:
                recording.apply(record)
            return recording
