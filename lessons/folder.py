"""The folder of a lesson that is being recorded: made with its journal, and with a little space set aside for its end.
What the disk refuses has a name."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from appliance.durable import Appender, make_folder, set_aside
from lessons.journal import NAME, Record, encode

THUMBNAIL = "thumbnail.jpg"
RESERVE = ".reserve"
RESERVE_BYTES = 64 * 1024
_INCIDENTS = {errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full", errno.EROFS: "disk_read_only"}


def incident_of(error: OSError) -> str:
    """The machine-readable name of a disk's refusal: disk_full, disk_read_only or disk_error."""
    return _INCIDENTS.get(error.errno or 0, "disk_error")


def reserve(folder: Path) -> None:
    """Set aside a little space, so that a lesson on a full disk can still be marked as stopped."""
    set_aside(folder / RESERVE, RESERVE_BYTES)


def replenish(folder: Path) -> None:
    """Set aside again what was given back, where the disk has it. Raises nothing."""
    with suppress(OSError):
        reserve(folder)


def release(folder: Path, keep: int = 0) -> None:
    """Give back what was set aside, but for `keep` bytes. Raises nothing."""
    path = folder / RESERVE
    with suppress(OSError):
        if keep:
            os.truncate(path, keep)
        else:
            path.unlink(missing_ok=True)


def make(folder: Path, first: Sequence[Record]) -> int:
    """Make the folder of a new lesson and its journal with the `first` lines; the journal's length. Raises OSError when
    the disk refuses, and leaves nothing."""
    make_folder(folder)
    try:
        reserve(folder)
        with Appender(folder / NAME) as journal:
            journal.append(encode(first, 1))
            return journal.length
    except OSError:
        with suppress(OSError):
            shutil.rmtree(folder)
        raise
