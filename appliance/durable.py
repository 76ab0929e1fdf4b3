"""Durable writes: what returns from here survives a power cut.

Every file that must not be lost goes through this module: whole files by `write` (temp, fsync, rename, fsync
the folder), growing files by `Appender` (append, fdatasync).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType


def sync_folder(folder: Path) -> None:
    """Make the folder's entries (a new, renamed or removed file) durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o750) -> None:
    """Create `folder` (and its missing parents), durably. Raises FileExistsError when it is there."""
    if not folder.parent.exists():
        make_folder(folder.parent, mode)
    folder.mkdir(mode=mode)
    sync_folder(folder.parent)


def keep_folder(folder: Path, mode: int = 0o750) -> None:
    """Create `folder` where it is missing, and make its name and its parents' durable, whoever made them: files in it
    are no more durable than that. Parents that this process may not open are left to their owners."""
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for parent in folder.parents:
        with suppress(PermissionError):
            sync_folder(parent)


def write(path: Path, data: bytes, mode: int = 0o640) -> None:
    """Replace `path` by a file that holds `data`: a reader, or a power cut, sees the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def set_aside(path: Path, length: int) -> None:
    """Take `length` bytes of the disk's space with file `path`, or what it lacks of them, to be given back when there
    is no other. Not durable before the folder is synced. Raises OSError when there is not so much."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
    try:
        os.posix_fallocate(descriptor, 0, length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Appender:
    """A file that only grows. `append` returns when the bytes are on the disk.

    Opened on an existing file it goes on at `length` (bytes; default: the file's end) and cuts what stands
    behind it. A failed append leaves the file at its former length as far as the disk allows, so the next
    attempt cannot leave a torn record in the middle.
    """

    def __init__(self, path: Path, *, length: int | None = None) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            end = os.fstat(self._descriptor).st_size
            self.length = end if length is None else length
            if self.length > end:
                raise ValueError(f"{path} has {end} bytes, fewer than the {self.length} to go on from")
            if self.length < end:
                os.ftruncate(self._descriptor, self.length)
                os.fsync(self._descriptor)
            os.lseek(self._descriptor, self.length, os.SEEK_SET)
            # Also when it was there: a process that died may have made it, and not yet this.
            sync_folder(path.parent)
        except (OSError, ValueError):
            self.close()
            raise

    def append(self, data: bytes) -> int:
        """Write `data` at the end and fdatasync. Returns the offset it was written at. Raises OSError."""
        offset = self.length
        try:
            _write_all(self._descriptor, data)
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, offset)
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            raise
        self.length = offset + len(data)
        return offset

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Appender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
