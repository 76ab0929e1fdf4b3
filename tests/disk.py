"""What a disk may hold after the power went: a model, from the log of what was asked of it. Pure, no I/O.

POSIX promises no more than this: what `fsync` of a file returned from is in the file, what `fsync` of a folder returned
from is in the folder, and a rename is seen whole or not at all. Of everything later any part may be there, in any
order: of a write any of its sectors, of a file's size any that it had. The `fsync` of a new file does not save its
name. Paths are relative to the folder that is modelled, whose own entry is durable.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

SECTOR = 512


class Create(msgspec.Struct, frozen=True, tag=True):
    path: str


class Mkdir(msgspec.Struct, frozen=True, tag=True):
    path: str


class Write(msgspec.Struct, frozen=True, tag=True):
    path: str
    offset: int
    data: bytes


class Truncate(msgspec.Struct, frozen=True, tag=True):
    """The file is `length` bytes long from now on; what is new is zero."""

    path: str
    length: int


class Sync(msgspec.Struct, frozen=True, tag=True):
    path: str


class SyncFolder(msgspec.Struct, frozen=True, tag=True):
    path: str


class Rename(msgspec.Struct, frozen=True, tag=True):
    """Within one folder."""

    path: str
    new: str


class Unlink(msgspec.Struct, frozen=True, tag=True):
    path: str


Op = Create | Mkdir | Write | Truncate | Sync | SyncFolder | Rename | Unlink
SYNCS = (Sync, SyncFolder)


class Entry(msgspec.Struct, frozen=True):
    """An operation, when it was called and when it had returned (ns of CLOCK_MONOTONIC)."""

    began_ns: int
    ended_ns: int
    op: Op


Policy = Literal["lost", "kept", "newest"] | random.Random
"""What becomes of what was not synced: none of it is there, all of it, of each file and folder only the newest
operation, or by chance any part of it in any order."""

Tree = dict[str, bytes | None]
"""The files by their path; None is a folder."""


class _Piece(NamedTuple):
    """Data that the disk writes as a whole or not at all: within one sector."""

    offset: int
    data: bytes


class _Cut(NamedTuple):
    length: int


@dataclass
class _File:
    """`durable` is on the disk for sure; `pending` came later, an operation each, with the file's size after it."""

    durable: bytes = b""
    size: int = 0
    pending: list[tuple[list[_Piece | _Cut], int]] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        self.size = max(self.size, offset + len(data))
        self.pending.append((list(_pieces(offset, data)), self.size))

    def truncate(self, length: int) -> None:
        self.size = length
        self.pending.append(([_Cut(length)], length))

    def sync(self) -> None:
        self.durable, self.pending = self.left("kept"), []

    def left(self, policy: Policy) -> bytes:
        kept: list[_Piece | _Cut]
        if policy == "lost" or not self.pending:
            return self.durable
        if policy == "newest":
            kept, size = self.pending[-1]
        elif policy == "kept":
            kept, size = [piece for pieces, _ in self.pending for piece in pieces], self.size
        else:
            pieces = [piece for pieces, _ in self.pending for piece in pieces]
            share = policy.choice([0.1, 0.5, 0.9])
            kept = [piece for piece in pieces if policy.random() < share]
            policy.shuffle(kept)
            size = policy.choice([len(self.durable), self.size, *(size for _, size in self.pending)])
        data = bytearray(self.durable)
        for piece in kept:
            _apply(data, piece)
        missing = max(0, size - len(data))
        # A size may be there before what fills it: zeros, or what the blocks held before.
        garbled = isinstance(policy, random.Random) and policy.random() < 0.5
        return bytes(data[:size]) + (random.Random(size).randbytes(missing) if garbled else bytes(missing))


def _pieces(offset: int, data: bytes) -> Iterator[_Piece]:
    begin = 0
    while begin < len(data):
        end = min(len(data), begin + SECTOR - (offset + begin) % SECTOR)
        yield _Piece(offset + begin, data[begin:end])
        begin = end


def _apply(data: bytearray, piece: _Piece | _Cut) -> None:
    match piece:
        case _Cut(length):
            del data[length:]
            data.extend(bytes(length - len(data)))
        case _Piece(offset, new):
            data.extend(bytes(max(0, offset - len(data))))
            data[offset : offset + len(new)] = new


Names = dict[str, "_File | _Folder | None"]


@dataclass
class _Folder:
    """`names` as the programs see them; each of `pending` changes some of the `durable` ones at once (None: gone)."""

    names: dict[str, _File | _Folder] = field(default_factory=dict)
    durable: dict[str, _File | _Folder] = field(default_factory=dict)
    pending: list[Names] = field(default_factory=list)

    def change(self, names: Names) -> None:
        _change(self.names, names)
        self.pending.append(names)

    def sync(self) -> None:
        self.durable, self.pending = dict(self.names), []

    def left(self, policy: Policy) -> dict[str, _File | _Folder]:
        if policy == "lost":
            kept = []
        elif policy == "newest":
            kept = self.pending[-1:]
        elif policy == "kept":
            kept = self.pending
        else:
            share = policy.choice([0.2, 0.8])
            kept = [names for names in self.pending if policy.random() < share]
        left = dict(self.durable)
        for names in kept:
            _change(left, names)
        return left


def _change(names: dict[str, _File | _Folder], change: Names) -> None:
    for name, there in change.items():
        if there is None:
            names.pop(name, None)
        else:
            names[name] = there


class Disk:
    """Feed it operations with `apply`; `left` is what a power cut may leave."""

    def __init__(self) -> None:
        self._root = _Folder()

    @classmethod
    def of(cls, tree: Tree) -> Disk:
        """A disk that holds `tree` for sure."""
        disk = cls()
        for path, data in sorted(tree.items()):
            folder, name = disk._place(path)
            folder.change({name: _Folder() if data is None else _File(data, len(data))})
            folder.sync()
        return disk

    def apply(self, op: Op) -> None:
        """The next operation, which has returned. Raises KeyError for a path that is not there."""
        match op:
            case Create(path):
                folder, name = self._place(path)
                folder.change({name: _File()})
            case Mkdir(path):
                folder, name = self._place(path)
                folder.change({name: _Folder()})
            case Unlink(path):
                folder, name = self._place(path)
                folder.change({name: None})
            case Rename(path, new):
                folder, name = self._place(path)
                target, to = self._place(new)
                assert folder is target, "a rename across folders is not modelled"
                folder.change({name: None, to: folder.names[name]})
            case Write(path, offset, data):
                self._file(path).write(offset, data)
            case Truncate(path, length):
                self._file(path).truncate(length)
            case Sync(path):
                self._file(path).sync()
            case SyncFolder(path):
                self._folder(path.split("/") if path else []).sync()

    def left(self, policy: Policy) -> Tree:
        """The files after a power cut now."""
        tree: Tree = {}
        waiting = [("", self._root)]
        while waiting:
            prefix, folder = waiting.pop()
            for name, there in sorted(folder.left(policy).items()):
                path = f"{prefix}{name}"
                if isinstance(there, _Folder):
                    tree[path] = None
                    waiting.append((f"{path}/", there))
                else:
                    tree[path] = there.left(policy)
        return tree

    def _place(self, path: str) -> tuple[_Folder, str]:
        *folders, name = path.split("/")
        return self._folder(folders), name

    def _folder(self, names: Sequence[str]) -> _Folder:
        folder = self._root
        for name in names:
            there = folder.names[name]
            assert isinstance(there, _Folder), name
            folder = there
        return folder

    def _file(self, path: str) -> _File:
        folder, name = self._place(path)
        there = folder.names[name]
        assert isinstance(there, _File), path
        return there


def cut(log: Iterable[Entry], at_ns: int, policy: Policy, before: Tree | None = None) -> Tree:
    """What a power cut at `at_ns` leaves of a disk that held `before`, or nothing. Of a call that had not returned by
    then, a sync has promised nothing, and anything else may have been done or not."""
    disk = Disk.of(before or {})
    for entry in log:
        if entry.began_ns > at_ns:
            break
        if entry.ended_ns <= at_ns or not isinstance(entry.op, SYNCS):
            disk.apply(entry.op)
    return disk.left(policy)
