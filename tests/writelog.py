"""The log of what a process asks of the disk, call by call, for `tests.disk`.

Those functions of `os` that the project changes files with stand behind ones that note what they did below a folder,
and when they were called and had returned. That nothing else writes there is for strace to say
(tests/lessons/test_writes.py).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.disk import Create, Entry, Mkdir, Op, Rename, Sync, SyncFolder, Truncate, Unlink, Write

Name = str | Path


class WriteLog:
    """`entries` is what was done below `root` since `install`, in the order of the calls' returns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[int, tuple[str, bool]] = {}  # by descriptor: the path, and whether it is a folder
        self._lock = threading.Lock()
        self.entries: list[Entry] = []

    def install(self) -> None:
        """Note from now on, for the rest of the process."""
        open_, close = os.open, os.close

        def noted_open(path: Name, flags: int, mode: int = 0o777) -> int:
            there = os.path.lexists(path)
            began_ns = time.monotonic_ns()
            descriptor = open_(path, flags, mode)
            if (name := self._name(path)) is not None:
                self._open[descriptor] = name, bool(flags & os.O_DIRECTORY)
                if flags & os.O_CREAT and not there:
                    self._note(began_ns, Create(name))
                elif flags & os.O_TRUNC:
                    self._note(began_ns, Truncate(name, 0))
            return descriptor

        def noted_close(descriptor: int) -> None:
            self._open.pop(descriptor, None)
            close(descriptor)

        noted = {
            "open": noted_open,
            "close": noted_close,
            "write": self._on_descriptor(os.write, _write),
            "ftruncate": self._on_descriptor(os.ftruncate, lambda path, _, __, length: Truncate(path, length)),
            "posix_fallocate": self._on_descriptor(os.posix_fallocate, _allocate),
            "fsync": self._on_descriptor(os.fsync, lambda path, *_: Sync(path), SyncFolder),
            "fdatasync": self._on_descriptor(os.fdatasync, lambda path, *_: Sync(path)),
            "truncate": self._on_path(os.truncate, Truncate),
            "unlink": self._on_path(os.unlink, Unlink),
            "mkdir": self._on_path(os.mkdir, lambda path, *_: Mkdir(path)),
            "rename": self._on_path(os.rename, lambda path, new: Rename(path, self._name(new) or "")),
        }
        for name, function in noted.items():
            setattr(os, name, function)

    def _on_descriptor(
        self, real: Callable[..., Any], op: Callable[..., Op], of_folder: Callable[[str], Op] | None = None
    ) -> Callable[..., Any]:
        """`op` gets the path, the descriptor and what the call returned and was given."""

        def call(descriptor: int, *arguments: Any) -> Any:
            began_ns = time.monotonic_ns()
            result = real(descriptor, *arguments)
            if descriptor in self._open:
                path, folder = self._open[descriptor]
                self._note(
                    began_ns, of_folder(path) if folder and of_folder else op(path, descriptor, result, *arguments)
                )
            return result

        return call

    def _on_path(self, real: Callable[..., Any], op: Callable[..., Op]) -> Callable[..., Any]:
        def call(path: Name, *arguments: Any) -> Any:
            began_ns = time.monotonic_ns()
            result = real(path, *arguments)
            if (name := self._name(path)) is not None:
                self._note(began_ns, op(name, *arguments))
            return result

        return call

    def _note(self, began_ns: int, op: Op) -> None:
        with self._lock:
            self.entries.append(Entry(began_ns, time.monotonic_ns(), op))

    def _name(self, path: Name) -> str | None:
        """Relative to the root, "" for the root itself, None when it is not below it."""
        whole = Path(path)
        if not whole.is_relative_to(self._root):
            return None
        return "" if whole == self._root else str(whole.relative_to(self._root))


def _write(path: str, descriptor: int, written: int, data: bytes | memoryview) -> Op:
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    return Write(path, end - written, bytes(data[:written]))


def _allocate(path: str, descriptor: int, _: None, offset: int, length: int) -> Op:
    return Truncate(path, os.fstat(descriptor).st_size)
