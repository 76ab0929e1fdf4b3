"""The log of erasures: chained, durable, a queue for uplinks, and never stopped by what stands in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance import durable
from appliance.lines import read_chain
from lessons.receipts import FILE, RESERVE, Deletion, Erased, Erasing, Receipts, Told, read
from tests.lessons.room import AT, ID

OTHER = "20261120-081502-0001"


def erasing(id: str = ID, uplinks: list[str] | None = None) -> Erasing:
    return Erasing(id, "lesson", "hand", "teacher", AT + 60, AT, 4.0, 5000, 3, "0f" * 32, uplinks or [])


def test_receipts_are_kept_in_a_chain(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path)
    assert receipts.all() == [] and read(tmp_path) == []
    first = receipts.write(erasing())
    second = receipts.write(erasing(OTHER))
    assert (first, second) == (1, 2)
    assert [one.erasing.id for one in receipts.open()] == [ID, OTHER]
    receipts.write(Erased(first, AT + 61))
    assert [one.erasing.id for one in receipts.open()] == [OTHER]
    assert [one.erased_at for one in Receipts(tmp_path).all()] == [AT + 61, None]
    assert read_chain((tmp_path / FILE).read_bytes()).broken == []


def test_uplinks_are_told_once(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path)
    first = receipts.write(erasing(uplinks=["school", "cloud"]))
    receipts.write(erasing(OTHER))
    assert receipts.untold() == [Deletion(first, ID, "school"), Deletion(first, ID, "cloud")]
    receipts.write(Told(first, "cloud", AT + 70))
    assert receipts.untold() == [Deletion(first, ID, "school")]
    assert receipts.all()[0].told == {"cloud": AT + 70}


@pytest.mark.parametrize("torn", [b"12345678 3 {", b"\0" * 100, b"garbled line\n"])
def test_a_torn_end_is_cut_and_kept_aside(tmp_path: Path, torn: bytes) -> None:
    receipts = Receipts(tmp_path)
    receipts.write(erasing())
    with (tmp_path / FILE).open("ab") as file:
        file.write(torn)
    assert len(receipts.all()) == 1
    receipts.write(Erased(1, AT))
    chain = read_chain((tmp_path / FILE).read_bytes())
    assert ([link.number for link in chain.links], chain.broken) == ([1, 2], [])
    assert (tmp_path / f"{FILE}.tail").read_bytes() == torn


def test_a_garbled_line_in_the_middle_costs_no_receipt_behind_it(tmp_path: Path) -> None:
    receipts = Receipts(tmp_path)
    for number in range(3):
        receipts.write(erasing(f"20261120-081502-000{number}"))
    data = bytearray((tmp_path / FILE).read_bytes())
    data[data.index(b"0001")] ^= 1
    (tmp_path / FILE).write_bytes(data)
    assert receipts.write(Erased(3, AT)) == 4
    assert [(one.number, one.erased_at) for one in receipts.all()] == [(1, None), (3, AT)]
    assert read_chain((tmp_path / FILE).read_bytes()).broken == [3]


def test_lines_of_a_later_program_are_passed_over(tmp_path: Path) -> None:
    from appliance.lines import frame

    (tmp_path / FILE).write_bytes(frame(1, b'{"type":"weighed","previous":""}'))
    receipts = Receipts(tmp_path)
    assert receipts.write(erasing()) == 2
    assert [one.number for one in receipts.all()] == [2]


def test_a_full_disk_gives_what_was_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipts = Receipts(tmp_path)
    receipts.reserve()
    append = durable.Appender.append

    def full(file: durable.Appender, data: bytes) -> int:
        if (tmp_path / RESERVE).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(file, data)

    monkeypatch.setattr(durable.Appender, "append", full)
    assert receipts.write(erasing()) == 1
    assert len(receipts.all()) == 1
    assert (tmp_path / RESERVE).exists()  # again


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO])
def test_another_refusal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    receipts = Receipts(tmp_path)
    receipts.reserve()

    def refuse(file: durable.Appender, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable.Appender, "append", refuse)
    with pytest.raises(OSError):
        receipts.write(erasing())
    assert (tmp_path / RESERVE).exists() and receipts.all() == []
