"""What is said of lessons, live and over, over a real bus."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.bus import CommandRefused
from appliance.settings import Settings
from lessons import reader
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import NAME, Described, Parsed, parse
from lessons.reader import LessonFiles, UnknownLesson
from tests.lessons.media import film
from tests.lessons.room import AT, CODE, ID, begin, read, record
from tests.lessons.service import Capture, Lessons, until
from tests.lessons.test_service import capture, serve, settings

__all__ = ["capture", "serve", "settings"]  # fixtures of the service's own test


def test_a_lesson_is_described_at_its_start_while_live_and_afterwards(
    settings: Settings, capture: Capture, serve: Callable[[], Lessons]
) -> None:
    lessons, client = serve(), LessonsClient(settings)
    started = client.start("Les volcans", "7Q2F", None, "Géologie", "3e B", "Mme Roux")
    assert (started.subject, started.group, started.teacher, started.visibility) == (
        "Géologie", "3e B", "Mme Roux", "class",
    )  # fmt: skip
    until(lambda: bool(lessons.states), "the lesson told")
    assert (lessons.states[-1].subject, lessons.states[-1].teacher) == ("Géologie", "Mme Roux")
    live = client.describe(started.id, "Les volcans d'Auvergne", visibility="school")
    assert (live.title, live.subject, live.visibility, live.state) == (
        "Les volcans d'Auvergne", "Géologie", "school", "live",
    )  # fmt: skip
    until(lambda: lessons.states[-1].title == live.title and lessons.states[-1].visibility == "school", "the new title")
    assert client.stop(started.id).title == live.title
    over = client.describe(started.id, group="", visibility="teacher")
    assert (over.group, over.visibility, over.state) == ("", "teacher", "ended")
    assert client.get(started.id) == over and client.list() == [over]
    about = read(settings.lessons / started.id).about
    assert (about.title, about.subject, about.group, about.teacher) == (live.title, "Géologie", "", "Mme Roux")
    lessons.close()
    serve()
    assert client.get(started.id) == over


def test_saying_the_same_again_writes_nothing(settings: Settings, serve: Callable[[], Lessons]) -> None:
    record(settings.lessons, film(4))
    serve()
    client = LessonsClient(settings)
    client.describe(ID, "Les volcans", subject="Géologie")
    before = (settings.lessons / ID / NAME).read_bytes()
    client.describe(ID, "Les volcans", subject="Géologie")
    client.describe(ID)
    assert (settings.lessons / ID / NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("id", "said", "kind"),
    [
        (ID, {"title": "x" * 201}, "invalid"),
        (ID, {"title": " "}, "invalid"),
        (ID, {"subject": "x" * 81}, "invalid"),
        (ID, {"group": "x" * 81}, "invalid"),
        ("20260101-000000-abcd", {"title": "Un autre"}, "not_found"),
        ("../secrets", {"title": "Un autre"}, "not_found"),
    ],
)
def test_refusals(settings: Settings, serve: Callable[[], Lessons], id: str, said: dict[str, str], kind: str) -> None:
    record(settings.lessons, film(4))
    serve()
    before = (settings.lessons / ID / NAME).read_bytes()
    with pytest.raises(CommandRefused) as refused:
        LessonsClient(settings).describe(id, **said)  # type: ignore[arg-type]
    assert refused.value.kind == kind
    assert (settings.lessons / ID / NAME).read_bytes() == before


def test_the_school_says_who_may_see_new_lessons(settings: Settings, serve: Callable[..., Lessons]) -> None:
    serve(visibility="teacher")
    lesson = LessonsClient(settings).start("", "7Q2F")
    assert lesson.visibility == read(settings.lessons / lesson.id).about.visibility == "teacher"


def test_who_may_see_it_follows_the_journal(tmp_path: Path) -> None:
    live = begin(tmp_path)
    files = LessonFiles(tmp_path)
    assert files.audience(ID) == (CODE, "class", True)
    live.note([Described(AT, visibility="teacher")], 0)
    assert files.audience(ID) == files.audience(ID) == (CODE, "teacher", True)
    assert files.playlist(ID)  # remembered by now
    live.stop(0, AT)
    assert files.audience(ID) == (CODE, "teacher", False)
    Edits(tmp_path).write(ID, lambda recording: [Described(AT, visibility="school")])
    assert files.audience(ID) == (CODE, "school", False)
    (tmp_path / ID / NAME).write_bytes(b"nothing of use\n")
    with pytest.raises(UnknownLesson):
        files.audience(ID)
    shutil.rmtree(tmp_path / ID)
    for id in (ID, "../secrets"):
        with pytest.raises(UnknownLesson):
            files.audience(id)


def test_a_long_list_does_not_drive_out_who_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = record(tmp_path, film(4)).name
    for number in range(20):
        begin(tmp_path, f"20261124-0815{number:02d}-4f2a").stop(0, AT)
    files = LessonFiles(tmp_path)
    files.playlist(watched)
    for folder in tmp_path.iterdir():
        files.audience(folder.name)
    read_again: list[bytes] = []

    def noted(data: bytes, first_line: int = 1) -> Parsed:
        read_again.append(data)
        return parse(data, first_line)

    monkeypatch.setattr(reader, "parse", noted)
    for folder in tmp_path.iterdir():
        files.audience(folder.name)
    assert read_again == []
    files.playlist(watched)
    assert read_again == [b""]
