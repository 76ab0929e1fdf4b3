"""A power cut at any moment of an erasure, on a disk that keeps no more than it promised (`tests.disk`)."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.lines import read_chain
from lessons.receipts import FILE
from tests.disk import Create, Entry, Mkdir, Op, Policy, Sync, SyncFolder, Tree, Unlink, Write, cut
from tests.lessons.room import ID
from tests.lessons.test_erase import OTHER, Service, fill, found, needles
from tests.writelog import WriteLog

NOTED = (
    *("open", "close", "write", "ftruncate", "posix_fallocate", "fsync", "fdatasync"),
    *("truncate", "unlink", "mkdir", "rename"),
)
CHANCES = 3


def durable(root: Path) -> Iterator[Op]:
    """The operations after which all that is below `root` is on the disk for sure."""
    for where, folders, files in os.walk(root):
        folder = Path(where).relative_to(root)
        for name in files:
            path = str(folder / name)
            yield from (Create(path), Write(path, 0, (root / path).read_bytes()), Sync(path))
        yield from (Mkdir(str(folder / name)) for name in folders)
        yield SyncFolder("" if folder == Path() else str(folder))


def remove_noted(root: Path, log: WriteLog) -> Callable[[Path], None]:
    """`shutil.rmtree` in calls that are noted: by whole paths."""

    def remove(folder: Path) -> None:
        for where, _, files in os.walk(folder, topdown=False):
            for name in files:
                os.unlink(Path(where, name))  # noqa: PTH108  # the noted one
            began_ns = time.monotonic_ns()
            Path(where).rmdir()
            log.entries.append(Entry(began_ns, time.monotonic_ns(), Unlink(str(Path(where).relative_to(root)))))

    return remove


def write(tree: Tree, folder: Path) -> None:
    folder.mkdir()
    for path, data in sorted(tree.items()):
        if data is None:
            (folder / path).mkdir(parents=True, exist_ok=True)
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """Two lessons on the disk, then one of them erased."""
    data = tmp_path / "data"
    data.mkdir()
    fill(data)
    begun_ns = time.monotonic_ns()
    before = [Entry(begun_ns, begun_ns, op) for op in durable(data)]
    service = Service(data)
    shutil.copytree(data / "lessons", tmp_path / "whole")
    reserve = [Entry(begun_ns, begun_ns, op) for op in durable(data) if getattr(op, "path", "").startswith(".receipts")]
    for name in NOTED:
        monkeypatch.setattr(os, name, getattr(os, name))  # to be put back
    noted = WriteLog(data)
    noted.install()
    monkeypatch.setattr(shutil, "rmtree", remove_noted(data, noted))
    service.eraser.erase(ID, "hand", "teacher")
    monkeypatch.undo()
    service.catalogue.close()
    return [*before, *reserve, *noted.entries]


def moments(log: list[Entry]) -> Iterator[int]:
    """Before the first call, within each and after it."""
    yield log[0].began_ns - 1
    for entry in log:
        yield from (entry.began_ns, entry.ended_ns)


def test_the_lesson_is_whole_or_erased_with_a_receipt(tmp_path: Path, log: list[Entry]) -> None:
    whole = {id: files(tmp_path / "whole" / id) for id in (ID, OTHER)}
    words = needles(tmp_path / "whole" / ID)["words"]
    begun = [entry for entry in log if entry.began_ns > log[0].began_ns]
    assert {type(entry.op).__name__ for entry in begun} >= {"Write", "Sync", "SyncFolder", "Rename", "Unlink"}
    policies: list[Policy] = ["lost", "kept", "newest", *(random.Random(seed) for seed in range(CHANCES))]
    outcomes: list[str] = []
    for number, at_ns in enumerate(sorted(set(moments(begun)))):
        for which, policy in enumerate(policies):
            folder = tmp_path / f"{number}-{which}"
            write(cut(log, at_ns, policy), folder)
            outcomes.append(outcome(folder, whole, words))
            shutil.rmtree(folder)
    assert outcomes[0] == "whole" and outcomes[-1] == "erased" and set(outcomes) == {"whole", "erased"}


def outcome(folder: Path, whole: dict[str, dict[str, bytes]], words: bytes) -> str:
    """What the next start makes of it."""
    service = Service(folder)
    try:
        listed = {lesson.id for lesson in service.catalogue.all()}
        receipts = service.receipts.all()
        assert files(folder / "lessons" / OTHER) == whole[OTHER]
        assert read_chain((folder / FILE).read_bytes() if (folder / FILE).exists() else b"").broken == []
        if (folder / "lessons" / ID).exists():
            assert listed == {ID, OTHER} and receipts == []
            assert files(folder / "lessons" / ID) == whole[ID]
            return "whole"
        assert listed == {OTHER}
        assert {path.name for path in (folder / "lessons").iterdir()} == {OTHER}
        [receipt] = receipts
        assert (receipt.erasing.id, receipt.erasing.by, receipt.erasing.files) == (ID, "teacher", 7)
        assert receipt.erased_at is not None and found(folder, words) == []
        return "erased"
    finally:
        service.catalogue.close()
