from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.disk import (
    SECTOR,
    Create,
    Disk,
    Entry,
    Mkdir,
    Op,
    Policy,
    Rename,
    Sync,
    SyncFolder,
    Tree,
    Truncate,
    Unlink,
    Write,
    cut,
)

NEW: list[Op] = [Create("a"), SyncFolder("")]


def left(ops: list[Op], policy: Policy) -> Tree:
    disk = Disk()
    for op in ops:
        disk.apply(op)
    return disk.left(policy)


@pytest.mark.parametrize(
    ("ops", "lost", "kept"),
    [
        ([Create("a")], {}, {"a": b""}),
        ([Create("a"), Write("a", 0, b"x"), Sync("a")], {}, {"a": b"x"}),
        ([*NEW, Write("a", 0, b"x")], {"a": b""}, {"a": b"x"}),
        ([*NEW, Write("a", 0, b"x"), Sync("a")], {"a": b"x"}, {"a": b"x"}),
        ([*NEW, Write("a", 0, b"xy"), Sync("a"), Write("a", 1, b"z!")], {"a": b"xy"}, {"a": b"xz!"}),
        ([*NEW, Write("a", 3, b"x"), Sync("a")], {"a": b"\0\0\0x"}, {"a": b"\0\0\0x"}),
        ([*NEW, Write("a", 0, b"xyz"), Sync("a"), Truncate("a", 1)], {"a": b"xyz"}, {"a": b"x"}),
        ([*NEW, Truncate("a", 2), Sync("a")], {"a": b"\0\0"}, {"a": b"\0\0"}),
        ([*NEW, Unlink("a")], {"a": b""}, {}),
        ([*NEW, Unlink("a"), SyncFolder("")], {}, {}),
        ([*NEW, Rename("a", "b")], {"a": b""}, {"b": b""}),
        ([Mkdir("f")], {}, {"f": None}),
        ([Mkdir("f"), Create("f/a"), SyncFolder("f")], {}, {"f": None, "f/a": b""}),
        ([Mkdir("f"), SyncFolder(""), Create("f/a")], {"f": None}, {"f": None, "f/a": b""}),
        ([Mkdir("f"), SyncFolder(""), Create("f/a"), SyncFolder("f"), Rename("f", "g")],
         {"f": None, "f/a": b""}, {"g": None, "g/a": b""}),
    ],
)  # fmt: skip
def test_only_what_was_synced_is_there_for_sure(ops: list[Op], lost: Tree, kept: Tree) -> None:
    assert left(ops, "lost") == lost
    assert left(ops, "kept") == kept


def test_a_whole_file_replaced_without_a_sync_of_it_may_be_there_empty() -> None:
    ops: list[Op] = [*NEW, Write("a", 0, b"old"), Sync("a"), Create("t"), Write("t", 0, b"new"), Rename("t", "a")]
    assert left([*ops, SyncFolder("")], "lost") == {"a": b""}
    assert left([*ops, Sync("a"), SyncFolder("")], "lost") == {"a": b"new"}


def test_the_newest_write_may_come_before_the_older_ones() -> None:
    ops: list[Op] = [*NEW, Write("a", 0, b"x" * SECTOR), Write("a", SECTOR, b"y" * SECTOR)]
    assert left(ops, "newest") == {"a": bytes(SECTOR) + b"y" * SECTOR}


def test_by_chance_a_write_is_torn_at_sectors_and_a_size_comes_alone() -> None:
    ops: list[Op] = [*NEW, Write("a", 0, b"x" * SECTOR), Sync("a"), Write("a", SECTOR - 2, b"y" * (3 * SECTOR))]
    seen = set()
    for seed in range(200):
        data = left(ops, random.Random(seed))["a"]
        assert data is not None
        assert data[: SECTOR - 2] == b"x" * (SECTOR - 2)
        assert data[SECTOR - 2 : SECTOR] in (b"xx", b"yy")
        assert len(data) in (SECTOR, 4 * SECTOR - 2)
        sectors = [data[start : start + SECTOR] for start in range(SECTOR, len(data), SECTOR)]
        seen.add(tuple("written" if set(one) == {ord("y")} else "not" for one in sectors))
    assert {(), ("written", "not", "written"), ("not", "not", "not"), ("written",) * 3} <= seen


@given(st.integers(0, 2**32))
def test_a_rename_is_whole(seed: int) -> None:
    ops: list[Op] = [*NEW, Write("a", 0, b"1"), Sync("a"), Rename("a", "b")]
    assert left(ops, random.Random(seed)) in ({"a": b"1"}, {"b": b"1"})


@given(st.integers(0, 2**32))
def test_nothing_that_was_synced_is_ever_lost(seed: int) -> None:
    """Appends with a sync after each, of which the last is missing."""
    ops: list[Op] = [*NEW]
    for number in range(5):
        ops += [Write("a", number * 700, bytes([65 + number]) * 700), Sync("a")]
    data = left(ops[:-1], random.Random(seed))["a"]
    assert data is not None and data[:2800] == b"".join(bytes([65 + number]) * 700 for number in range(4))


def test_what_was_there_before_is_there_for_sure() -> None:
    before: Tree = {"f": None, "f/a": b"old", "b": b""}
    log = [Entry(1, 2, Write("f/a", 3, b"new")), Entry(3, 4, Unlink("b"))]
    assert cut(log, 0, "lost", before) == cut(log, 5, "lost", before) == before
    assert cut(log, 5, "kept", before) == {"f": None, "f/a": b"oldnew"}


def test_a_sync_counts_when_it_has_returned() -> None:
    log = [
        Entry(1, 2, Create("a")),
        Entry(3, 4, SyncFolder("")),
        Entry(5, 6, Write("a", 0, b"x")),
        Entry(7, 9, Sync("a")),
    ]
    assert cut(log, 0, "kept") == {}
    assert cut(log, 1, "kept") == {"a": b""}
    assert cut(log, 3, "lost") == {}
    assert cut(log, 8, "lost") == {"a": b""}
    assert cut(log, 8, "kept") == {"a": b"x"}
    assert cut(log, 9, "lost") == {"a": b"x"}
