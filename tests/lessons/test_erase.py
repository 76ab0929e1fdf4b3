"""Erasing: nothing of a lesson is left in any file, a receipt is, and what is cut off in between is finished."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance import durable
from appliance.lines import read_chain
from appliance.messages import Event, LessonState
from lessons import erase as module
from lessons.catalogue import FILE as CATALOGUE
from lessons.catalogue import Catalogue
from lessons.edits import Edits
from lessons.erase import Eraser
from lessons.journal import NAME, Created, Mark, Sent, Stopped, encode
from lessons.receipts import FILE, RESERVE, Receipt, Receipts
from tests import disks
from tests.lessons.media import film
from tests.lessons.room import AT, ID, record

OTHER = "20261120-081502-0001"
TITLE = "Les volcans"  # tests.lessons.room
WORDS = "La chambre magmatique"


class Cut(BaseException):
    """The power goes."""


class Service:
    """What is left on the disk after a start, and what erases it."""

    def __init__(self, folder: Path) -> None:
        root = folder / "lessons"
        self.events: list[Event] = []
        self.receipts = Receipts(folder)
        self.receipts.reserve()
        self.eraser = Eraser(root, self.receipts, lambda id: self.catalogue.erase(id), self.events.append, lambda: AT)
        self.eraser.bury()
        self.catalogue = Catalogue(folder / CATALOGUE, root)
        self.eraser.finish()

    def receipt(self) -> Receipt:
        [receipt] = self.receipts.all()
        return receipt


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two lessons that all kinds of files were derived from."""
    fill(tmp_path)
    return tmp_path


def fill(folder: Path) -> None:
    (folder / "lessons").mkdir()
    for id in (ID, OTHER):
        lesson = record(folder / "lessons", film(4), id)
        for name in ("strip/0001.jpg", "stills/0.jpg", "thumbnail.jpg", ".pages", f"captions-fr-{id[-4:]}.vtt"):
            (lesson / name).parent.mkdir(exist_ok=True)
            (lesson / name).write_text(f"{name} {WORDS} {id}")
    Edits(folder / "lessons").write(ID, lambda _: [Mark("0a1b2c3d", 0, WORDS, "teacher", AT), Sent("nuage", "", AT)])


def needles(lesson: Path) -> dict[str, bytes]:
    """What must not be found anywhere once the lesson is gone."""
    part = (lesson / "part-0001.mp4").read_bytes()
    middle = len(part) // 2
    return {"words": f"{WORDS} {lesson.name}".encode(), "media": part[middle : middle + 48]}


def found(folder: Path, needle: bytes) -> list[str]:
    """The files in which a sequence of bytes stands."""
    paths = [Path(where, name) for where, _, names in os.walk(folder) for name in names]
    return sorted(str(path.relative_to(folder)) for path in paths if needle in path.read_bytes())


def test_nothing_is_left_but_a_receipt(data: Path) -> None:
    service = Service(data)
    folder = data / "lessons" / ID
    shutil.rmtree(data / "lessons" / OTHER)  # it has the same title and the same pictures
    service.catalogue.erase(OTHER)
    looked_for = {**needles(folder), "title": TITLE.encode()}
    assert all(found(data, needle) for needle in looked_for.values())
    journal = (folder / NAME).read_bytes()
    size = sum(Path(where, name).stat().st_size for where, _, names in os.walk(folder) for name in names)
    service.eraser.erase(ID, "hand", "teacher")
    assert {name: found(data, needle) for name, needle in looked_for.items()} == {"words": [], "media": [], "title": []}
    assert list((data / "lessons").iterdir()) == []
    receipt = service.receipt()
    kept = receipt.erasing
    assert (kept.id, kept.what, kept.why, kept.by, kept.wall, kept.started_at) == (
        ID,
        "lesson",
        "hand",
        "teacher",
        AT,
        AT,
    )
    assert kept.duration_s == pytest.approx(4, abs=0.05) and (kept.bytes, kept.files) == (size, 7)
    assert kept.sha256 == hashlib.sha256(journal).hexdigest()
    assert (kept.uplinks, receipt.untold, receipt.erased_at) == (["nuage"], ["nuage"], AT)
    assert service.catalogue.all() == []
    assert [(event.id, event.state, event.title) for event in service.events if isinstance(event, LessonState)] == [
        (ID, "deleted", "")
    ]


def test_other_lessons_stay(data: Path) -> None:
    service = Service(data)
    before = found(data, OTHER.encode())
    service.eraser.erase(ID, "date", "")
    assert [lesson.id for lesson in service.catalogue.all()] == [OTHER]
    assert found(data, OTHER.encode()) == before
    assert service.receipt().erasing.why == "date"


def test_no_title_stays_in_a_catalogue_of_many(tmp_path: Path) -> None:
    """Rows move when their pages split, and SQLite leaves copies of some behind, overwriting what is deleted or not."""
    root = tmp_path / "lessons"
    service = Service(tmp_path)
    chance = random.Random(3)
    titles: dict[str, str] = {}
    for number in range(600):
        id = f"20261120-081502-{chance.randrange(200):04x}"
        titles[id] = f"TITLE-{number:04d} " + "x" * chance.randrange(900)
        (root / id).mkdir(parents=True, exist_ok=True)
        (root / id / NAME).write_bytes(encode([Created(id, titles[id], "", AT, "boot"), Stopped(AT)], 1))
        service.catalogue.refresh(id)
    for id in sorted(titles)[::10]:
        service.eraser.erase(id, "hand", "teacher")
        del titles[id]
    everything = b"".join(Path(where, name).read_bytes() for where, _, names in os.walk(tmp_path) for name in names)
    left = {number for number in range(600) if f"TITLE-{number:04d} ".encode() in everything}
    assert left == {int(title[6:10]) for title in titles.values()}
    assert read_chain((tmp_path / FILE).read_bytes()).broken == []


@pytest.mark.parametrize("id", ["", "..", "20260101-000000-abcd", f"{ID}/..", ".deleted-x"])
def test_what_is_not_there(data: Path, id: str) -> None:
    service = Service(data)
    with pytest.raises(LookupError):
        service.eraser.erase(id, "hand", "teacher")
    assert service.receipts.all() == []


def cuts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each place where the power may go, and how to let it go there."""

    def before(target: object, name: str, nth: int = 1) -> Callable[[], None]:
        def prepare() -> None:
            real, calls = getattr(target, name), 0

            def cut(*arguments: object, **more: object) -> object:
                nonlocal calls
                calls += 1
                if calls == nth:
                    raise Cut(name)
                return real(*arguments, **more)

            monkeypatch.setattr(target, name, cut)

        return prepare

    yield "before the receipt", before(durable.Appender, "append")
    yield "before it has another name", before(Path, "rename")
    yield "before the name is durable", before(module, "sync_folder")
    yield "before a file is unlinked", before(shutil, "rmtree")
    yield "among its files", before(os, "unlink", 3)
    yield "before its end is durable", before(module, "sync_folder", 2)
    yield "before the catalogue forgets it", before(Catalogue, "forget")
    yield "before the catalogue is clean", before(Catalogue, "erase")
    yield "before the last line", before(durable.Appender, "append", 2)


@pytest.mark.parametrize("number", range(9))
def test_what_is_cut_off_is_finished_at_the_next_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    looked_for = needles(data / "lessons" / ID)
    shutil.rmtree(data / "lessons" / OTHER)
    service = Service(data)
    with monkeypatch.context() as patch:
        place, prepare = list(cuts(patch))[number]
        prepare()
        with pytest.raises(Cut):
            service.eraser.erase(ID, "hand", "teacher")
    service.catalogue.close()
    after = Service(data)
    if place == "before the receipt":
        assert after.receipts.all() == [] and [lesson.id for lesson in after.catalogue.all()] == [ID]
        after.eraser.erase(ID, "hand", "teacher")
    assert {name: found(data, needle) for name, needle in looked_for.items()} == {"words": [], "media": []}
    assert list((data / "lessons").iterdir()) == [] and after.catalogue.all() == []
    receipt = after.receipt()
    assert (receipt.erasing.why, receipt.erased_at, receipt.erasing.files) == ("hand", AT, 7)
    assert read_chain((data / FILE).read_bytes()).broken == []
    again = Service(data)
    assert len(again.receipts.all()) == 1 and again.events == []


def test_what_the_disk_does_not_let_go_is_tried_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(data)

    def refuse(*arguments: object, **more: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        service.eraser.erase(ID, "hand", "teacher")
    assert not (data / "lessons" / ID).exists()
    assert service.receipt().erased_at is None
    service.eraser.finish()
    assert service.receipt().erased_at == AT
    assert not (data / "lessons" / f".deleted-{ID}").exists()


def test_without_a_receipt_nothing_is_deleted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(data)

    def refuse(*arguments: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(durable.Appender, "append", refuse)
    with pytest.raises(OSError, match="Read-only"):
        service.eraser.erase(ID, "hand", "teacher")
    assert (data / "lessons" / ID / NAME).exists()


def test_what_no_list_shows_is_erased_by_its_name(data: Path) -> None:
    """A lesson whose journal has lost its first line: `preau doctor` names it."""
    (data / "lessons" / ID / NAME).write_bytes(bytes(4096))
    service = Service(data)
    assert service.catalogue.get(ID) is None
    service.eraser.erase(ID, "hand", "teacher")
    assert [folder.name for folder in (data / "lessons").iterdir()] == [OTHER]
    kept = service.receipt().erasing
    assert (kept.files, kept.started_at, kept.duration_s) == (7, 0, 0)


def test_asked_twice_there_is_one_receipt(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(data)

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(OSError):
            service.eraser.erase(ID, "hand", "teacher")
    service.eraser.erase(ID, "hand", "teacher")
    assert service.receipt().erased_at == AT


def test_a_grave_of_an_older_program_gets_its_receipt(data: Path) -> None:
    (data / "lessons" / ID).rename(data / "lessons" / f".deleted-{ID}")
    service = Service(data)
    receipt = service.receipt()
    assert (receipt.erasing.id, receipt.erasing.why, receipt.erasing.by) == (ID, "hand", "")
    assert receipt.erased_at == AT and not (data / "lessons" / f".deleted-{ID}").exists()


def test_a_catalogue_that_cannot_be_cleaned_is_removed(data: Path) -> None:
    service = Service(data)
    (data / CATALOGUE).write_bytes(b"SQLite format 3\0 but not really" + TITLE.encode() * 1000)
    shutil.rmtree(data / "lessons" / OTHER)
    service.eraser.erase(ID, "hand", "teacher")
    assert found(data, TITLE.encode()) == []
    assert service.catalogue.all() == [] and service.receipt().erased_at == AT


@pytest.mark.root
def test_on_a_full_disk_lessons_can_be_deleted(tmp_path: Path) -> None:
    disks.require()
    with disks.Disk(tmp_path, 16) as disk:
        fill(disk.folder)
        service = Service(disk.folder)
        with disk.full():
            assert (disk.folder / RESERVE).exists()
            service.eraser.erase(ID, "hand", "teacher")
            assert service.receipt().erased_at == AT
            assert [lesson.id for lesson in service.catalogue.all()] == [OTHER]
        service.catalogue.close()
