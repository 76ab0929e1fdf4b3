"""Erases lessons: every file of theirs, and every trace in the catalogue, with a receipt.

In this order, each step safe to repeat: the receipt says `erasing`, durably; the folder gets another name, under which
nobody finds it; its files are unlinked; the catalogue forgets it; the receipt says `erased`. What a power cut, or a
disk, interrupts is finished at the next start, or at the next look of `lessons.retention`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from appliance.durable import sync_folder
from appliance.messages import Event, LessonState
from lessons.catalogue import ID
from lessons.journal import NAME, parse
from lessons.receipts import Erased, Erasing, Receipt, Receipts, Why
from lessons.recording import fold

log = structlog.get_logger()

GRAVE = ".deleted-"


class Eraser:
    """`wipe` makes the catalogue forget a lesson without a trace (it may raise OSError), `publish` tells everybody that
    one is gone, `wall` gives Unix seconds. Safe from any thread."""

    def __init__(
        self, root: Path, receipts: Receipts, wipe: Callable[[str], None], publish: Callable[[Event], None],
        wall: Callable[[], float],
    ) -> None:  # fmt: skip
        self._root = root
        self._receipts = receipts
        self._wipe = wipe
        self._publish = publish
        self._wall = wall
        self._lock = threading.Lock()

    def erase(self, id: str, why: Why, by: str) -> None:
        """Erase a lesson that is not live, on the word of the role `by` (empty: the kit's own). When this returns,
        nobody finds it any more; what a disk does not let go is tried again later. Raises LookupError when there is no
        such lesson, OSError when the disk refuses."""
        if not ID.fullmatch(id):
            raise LookupError(id)
        with self._lock:
            receipt = next((one for one in self._receipts.open() if one.erasing.id == id), None)
            if receipt is None:
                if not (self._root / id).is_dir():
                    self._wipe(id)
                    raise LookupError(id)
                receipt = self._begin(self._root / id, id, why, by)
            self._hide(receipt)
            self._complete(receipt)

    def bury(self) -> None:
        """At the start, before anybody looks at the folders: no lesson that was being erased comes back. Raises OSError
        when the disk refuses."""
        with self._lock:
            known = {one.erasing.id for one in self._receipts.open()}
            for grave in sorted(self._root.glob(f"{GRAVE}*")):
                id = grave.name.removeprefix(GRAVE)
                if id not in known and ID.fullmatch(id):  # by an older program, or the receipt's line was lost
                    self._begin(grave, id, "hand", "")
            for receipt in self._receipts.open():
                self._hide(receipt)

    def finish(self) -> None:
        """Complete what was begun and is not done, as far as the disk allows."""
        with self._lock:
            try:
                for receipt in self._receipts.open():
                    self._hide(receipt)
                    self._complete(receipt)
            except OSError as error:
                log.warning("what was being erased is not yet", error=str(error))

    def _begin(self, folder: Path, id: str, why: Why, by: str) -> Receipt:
        """The receipt, durable before anything goes."""
        erasing = describe(folder, id, why, by, self._wall())
        return Receipt(self._receipts.write(erasing), erasing)

    def _hide(self, receipt: Receipt) -> None:
        """Take the folder's name away, durably."""
        id = receipt.erasing.id
        folder = self._root / id
        if folder.is_dir():
            folder.rename(self._root / f"{GRAVE}{id}")
            sync_folder(self._root)
            self._publish(LessonState(id, "", "", "deleted", receipt.erasing.started_at, 0.0, 0))

    def _complete(self, receipt: Receipt) -> None:
        id = receipt.erasing.id
        grave = self._root / f"{GRAVE}{id}"
        try:
            if grave.exists():
                shutil.rmtree(grave)
            sync_folder(self._root)
            self._wipe(id)
            self._receipts.write(Erased(receipt.number, self._wall()))
        except OSError as error:
            log.warning("lesson not yet erased", lesson=id, error=str(error))
        else:
            log.info("lesson erased", lesson=id, why=receipt.erasing.why)


def describe(folder: Path, id: str, why: Why, by: str, wall: float) -> Erasing:
    """What a receipt says of the lesson in `folder`. Raises OSError."""
    sizes = list(_sizes(folder))
    journal = folder / NAME
    data = journal.read_bytes() if journal.is_file() else b""
    recording = fold(parse(data).records)
    return Erasing(
        id, "lesson", why, by, wall, recording.created.started_at if recording else 0.0,
        recording.duration_s if recording else 0.0, sum(sizes), len(sizes),
        hashlib.sha256(data).hexdigest() if data else "", sorted(recording.sent) if recording else [],
    )  # fmt: skip


def _sizes(folder: Path) -> Iterator[int]:
    """Bytes of every file below a folder; pictures may be in the making, and their files come and go."""
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                yield Path(where, name).lstat().st_size
