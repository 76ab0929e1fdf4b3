from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.messages import FindLessons
from lessons.catalogue import FILE, Catalogue
from lessons.journal import NAME, Created, Described
from lessons.search import key
from lessons.session import create
from tests.lessons.media import film
from tests.lessons.room import AT, BOOT, ID, begin, feed, metrics, record

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
    shutil.rmtree(root / EARLIER)
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


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Catalogue]:
    root = tmp_path / "lessons"
    for number, (title, subject, group, teacher, visibility, code) in enumerate(
        [
            ("Les volcans d’Auvergne", "Géologie", "3e B", "Mme Roux", "class", "111111"),
            ("Équations", "Maths", "3e B", "M. Çelik", "school", "111111"),
            ("L'œuvre de Zola", "Français", "2de 4", "Mme Roux", "teacher", "111111"),
            ("100 % _coton_", "géologie", "", "", "class", "222222"),
        ]
    ):
        at = AT + number * 86_400
        created = Created(f"2026112{number}-081502-4f2a", title, code, at, BOOT)
        said = Described(at, None, subject, group, teacher, visibility)  # type: ignore[arg-type]
        live = create(root, created, metrics(), 0, said)
        if number == 1:
            feed(live, film(4))
        live.stop(0, at + 60)
    catalogue = Catalogue(tmp_path / FILE, root)
    yield catalogue
    catalogue.close()


VOLCANOES, EQUATIONS, ZOLA, COTTON = (f"2026112{number}-081502-4f2a" for number in range(4))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (FindLessons(), [COTTON, ZOLA, EQUATIONS, VOLCANOES]),
        (FindLessons("volcan"), [VOLCANOES]),
        (FindLessons("AUVERGNE d'"), [VOLCANOES]),
        (FindLessons("  auvergne   les "), [VOLCANOES]),
        (FindLessons("auvergne zola"), []),
        (FindLessons("equations"), [EQUATIONS]),
        (FindLessons("e\u0301quations"), [EQUATIONS]),
        (FindLessons("celik 3E"), [EQUATIONS]),
        (FindLessons("oeuvre"), [ZOLA]),
        (FindLessons("Œuvre"), [ZOLA]),
        (FindLessons("roux"), [ZOLA, VOLCANOES]),
        (FindLessons("%"), [COTTON]),
        (FindLessons("_c"), [COTTON]),
        (FindLessons("100%"), []),
        (FindLessons("\\"), []),
        (FindLessons("' OR 1=1 --"), []),
        (FindLessons(subject="geologie"), [COTTON, VOLCANOES]),
        (FindLessons(subject="géo"), []),
        (FindLessons(group="3E b", teacher="mme roux"), [VOLCANOES]),
        (FindLessons(since=AT + 86_400), [COTTON, ZOLA, EQUATIONS]),
        (FindLessons(since=AT + 1, until=AT + 2 * 86_400), [EQUATIONS]),
        (FindLessons(descending=False), [VOLCANOES, EQUATIONS, ZOLA, COTTON]),
        (FindLessons(sort="title", descending=False), [COTTON, EQUATIONS, ZOLA, VOLCANOES]),
        (FindLessons(sort="length"), [EQUATIONS, COTTON, ZOLA, VOLCANOES]),
        (FindLessons(sort="length", descending=False), [COTTON, ZOLA, VOLCANOES, EQUATIONS]),
        (FindLessons(code="111111"), [EQUATIONS, VOLCANOES]),
        (FindLessons(code="222222"), [COTTON, EQUATIONS]),
        (FindLessons("roux", code="111111"), [VOLCANOES]),
    ],
)
def test_what_is_looked_for(library: Catalogue, wanted: FindLessons, found: list[str]) -> None:
    answer = library.find(wanted, None)
    assert [lesson.id for lesson in answer.lessons] == found and answer.total == len(found)


def test_a_page_of_what_is_found(library: Catalogue) -> None:
    answer = library.find(FindLessons(limit=2, offset=1), None)
    assert [lesson.id for lesson in answer.lessons] == [ZOLA, EQUATIONS] and answer.total == 4
    assert library.find(FindLessons(limit=2, offset=9), None).lessons == []


def test_the_names_that_there_are(library: Catalogue) -> None:
    all_there_is = library.find(FindLessons("nothing is like this"), None)
    assert all_there_is.subjects == ["Français", "géologie", "Maths"]  # as written last
    assert (all_there_is.groups, all_there_is.teachers) == (["2de 4", "3e B"], ["M. Çelik", "Mme Roux"])
    pupils = library.find(FindLessons(code="111111"), None)
    assert (pupils.subjects, pupils.groups) == (["Géologie", "Maths"], ["3e B"])


def test_what_is_live_is_its_classs_whoever_may_see_it_later(library: Catalogue) -> None:
    def seen(code: str) -> list[str]:
        return [lesson.id for lesson in library.find(FindLessons(code=code), ZOLA).lessons]

    assert seen("111111") == [ZOLA, EQUATIONS, VOLCANOES] and seen("222222") == [COTTON, EQUATIONS]


@given(st.text(max_size=30))
@example("𝘼ı")
def test_keys_are_stable(text: str) -> None:
    once = key(text)
    assert key(once) == once == key(text.upper())
