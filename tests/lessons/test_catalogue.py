from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lessons.catalogue import FILE, Catalogue
from lessons.journal import NAME
from lessons.session import remove
from tests.lessons.media import film
from tests.lessons.room import ID, begin, record

EARLIER = "20261120-081502-0001"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lessons"
    record(root, film(4), EARLIER)
    record(root, film(4))
    return root


def ids(catalogue: Catalogue) -> list[str]:
    return [lesson.id for lesson in catalogue.all()]


def test_newest_first(tmp_path: Path, root: Path) -> None:
    catalogue = Catalogue(tmp_path / FILE, root)
    assert ids(catalogue) == [ID, EARLIER]
    lesson = catalogue.get(ID)
    assert lesson is not None
    assert (lesson.state, lesson.parts, lesson.gaps, lesson.thumbnail) == ("ended", 1, 0, False)
    assert lesson.duration_s == pytest.approx(4.0, abs=0.01)
    assert catalogue.get("../secrets") is None
    catalogue.close()


def test_it_follows_the_folders(tmp_path: Path, root: Path) -> None:
    Catalogue(tmp_path / FILE, root).close()
    remove(root, EARLIER)
    begin(root, "20261125-081502-0003")
    (root / "20261126-081502-0004").mkdir()
    catalogue = Catalogue(tmp_path / FILE, root)
    assert ids(catalogue) == ["20261125-081502-0003", ID]
    (root / ID / NAME).unlink()
    catalogue.refresh(ID)
    catalogue.forget("20261125-081502-0003")
    assert ids(catalogue) == []
    catalogue.close()


@pytest.mark.parametrize("noise", [b"", b"SQLite format 3\0 but not really", b"\0" * 20_000])
def test_a_damaged_file_is_made_anew(tmp_path: Path, root: Path, noise: bytes) -> None:
    (tmp_path / FILE).write_bytes(noise)
    catalogue = Catalogue(tmp_path / FILE, root)
    assert ids(catalogue) == [ID, EARLIER]
    catalogue.close()


@settings(max_examples=60)
@given(noise=st.binary(min_size=1, max_size=40), place=st.integers(0, 10**6))
@example(noise=b"\xe1", place=-1)
def test_a_garbled_file_raises_nothing(noise: bytes, place: int) -> None:
    """`place` counts from the first byte, -1 is the table's name in the schema."""
    with tempfile.TemporaryDirectory() as name:
        file, root = Path(name) / FILE, Path(name) / "lessons"
        begin(root)
        Catalogue(file, root).close()
        data = bytearray(file.read_bytes())
        where = data.index(b"CREATE TABLE") + len("CREATE") if place < 0 else place % (len(data) - len(noise))
        data[where : where + len(noise)] = noise
        file.write_bytes(data)
        catalogue = Catalogue(file, root)
        assert len(catalogue.all()) <= 2
        catalogue.close()


def test_a_file_of_another_version_is_made_anew(tmp_path: Path, root: Path) -> None:
    link = sqlite3.connect(tmp_path / FILE)
    link.execute("CREATE TABLE lessons (old)")
    link.execute("PRAGMA user_version = 99")
    link.close()
    catalogue = Catalogue(tmp_path / FILE, root)
    assert ids(catalogue) == [ID, EARLIER]
    catalogue.close()


def test_where_the_file_cannot_be_it_lives_in_memory(tmp_path: Path, root: Path) -> None:
    catalogue = Catalogue(tmp_path / "missing" / FILE, root)
    assert ids(catalogue) == [ID, EARLIER]
    catalogue.forget(ID)
    catalogue.refresh(ID)
    assert ids(catalogue) == [ID, EARLIER]
    catalogue.close()


def test_it_survives_its_file_being_spoiled_under_it(tmp_path: Path, root: Path) -> None:
    catalogue = Catalogue(tmp_path / FILE, root)
    link = sqlite3.connect(tmp_path / FILE)
    link.execute("DROP TABLE lessons")
    link.close()
    assert ids(catalogue) == [ID, EARLIER]
    catalogue.close()
