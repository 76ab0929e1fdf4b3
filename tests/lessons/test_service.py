"""Commands, recorder and client together over a real bus, with a small real capture."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appliance.bus import CommandRefused
from appliance.settings import Settings
from lessons.client import LessonsClient
from lessons.reader import UnknownLesson
from tests.lessons.media import film, moved, probe
from tests.lessons.room import read
from tests.lessons.service import Capture, Lessons, until, watched


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(data_dir=tmp_path / "data")
    settings.bus.mkdir(parents=True)
    settings.lessons.mkdir()
    yield settings


@pytest.fixture
def capture(settings: Settings) -> Iterator[Capture]:
    capture = Capture(settings.bus)
    yield capture
    capture.close()


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[[], Lessons]]:
    """Starts the service; may be asked again after the first was closed."""
    started: list[Lessons] = []

    def start(**options: Any) -> Lessons:
        started.append(Lessons(settings, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_lesson_from_start_to_delete(settings: Settings, capture: Capture, serve: Callable[[], Lessons]) -> None:
    lessons = serve()
    client = LessonsClient(settings)
    lesson = client.start("Les volcans", "7Q2F")
    assert lesson.state == "live"
    with pytest.raises(CommandRefused) as refused:
        client.start("Deux", "7Q2F")
    assert refused.value.kind == "conflict"
    with pytest.raises(CommandRefused) as refused:
        client.delete(lesson.id)
    assert refused.value.kind == "conflict"
    assert capture.asked.wait(5)
    watched(capture, lessons)
    packets = film(4)
    capture.send(packets[:230])
    until(lambda: client.get(lesson.id).duration_s >= 2, "two seconds on disk")
    growing = client.playlist(lesson.id)
    assert "ENDLIST" not in growing
    capture.send(packets[230:])
    stopped = client.stop(lesson.id)
    assert stopped.state == "ended"
    assert stopped.duration_s == pytest.approx(4.0, abs=0.05)
    assert client.stop(lesson.id) == stopped
    assert client.list() == [stopped]
    assert client.playlist(lesson.id).startswith(growing)
    probe(client.part_path(lesson.id, "part-0001.mp4"))
    until(lambda: bool(lessons.illustrated), "a thumbnail asked for")
    client.delete(lesson.id)
    assert client.list() == []
    assert [state.state for state in lessons.states[-2:]] == ["ended", "deleted"]
    [receipt] = client.receipts()
    assert (receipt.erasing.id, receipt.erasing.why, receipt.erasing.by) == (lesson.id, "hand", "teacher")
    assert receipt.erased_at is not None
    with pytest.raises(CommandRefused) as refused:
        client.get(lesson.id)
    assert refused.value.kind == "not_found"


def test_a_lesson_that_is_gone_is_forgotten(settings: Settings, serve: Callable[[], Lessons]) -> None:
    """Also by who did not ask for that: the catalogue's memory, and what was read of its journal."""
    lessons = serve()
    client = LessonsClient(settings)
    id = client.start("Les volcans", "7Q2F").id
    client.stop(id)
    reader = LessonsClient(settings)
    reader.playlist(id)
    held = weakref.ref(next(iter(reader._journals.values())))
    lessons.eraser.erase(id, "date", "")
    gone = lessons.states[-1]
    assert (gone.id, gone.state, gone.title) == (id, "deleted", "")
    reader.note(gone)
    assert held() is None
    with pytest.raises(UnknownLesson):
        reader.playlist(id)


def test_a_restart_in_mid_lesson_misses_nothing(
    settings: Settings, capture: Capture, serve: Callable[[], Lessons]
) -> None:
    first = serve()
    client = LessonsClient(settings)
    id = client.start("", "7Q2F").id
    watched(capture, first)
    packets = film(4)
    capture.send(packets[:150])
    until(lambda: client.get(id).duration_s >= 1, "a second on disk")
    first.close()
    assert read(settings.lessons / id).state == "live"
    capture.send(packets[150:200])  # nobody listens
    second = serve()
    watched_id = second.recorder.live
    assert watched_id is not None and watched_id.id == id
    late = iter(packets[200:])

    def fed() -> bool:
        if (packet := next(late, None)) is not None:
            capture.send([packet])
        return client.get(id).duration_s >= 2.9

    until(fed, "the lesson going on")
    capture.send(list(late))
    stopped = client.stop(id)
    recording = read(settings.lessons / id)
    assert (len(recording.parts), recording.gaps) == (1, [])
    assert stopped.duration_s == pytest.approx(4.0, abs=0.05)
    assert int(probe(client.part_path(id, "part-0001.mp4"), "-count_packets")["streams"][0]["nb_read_packets"]) == 120


def test_without_capture_a_lesson_can_be_stopped_at_once(settings: Settings, serve: Callable[[], Lessons]) -> None:
    serve()
    client = LessonsClient(settings)
    id = client.start("", "").id
    assert client.stop(id).duration_s == 0
    assert "ENDLIST" in client.playlist(id)
    with pytest.raises(UnknownLesson):
        client.download(id)


def test_reading_works_while_the_service_is_down(settings: Settings) -> None:
    from tests.lessons.room import ID, record

    record(settings.lessons, film(4))
    client = LessonsClient(settings)
    assert "ENDLIST" in client.playlist(ID)
    target = settings.data_dir / "lesson.mp4"
    target.write_bytes(b"".join(client.download(ID).read()))
    assert float(probe(target)["format"]["duration"]) == pytest.approx(4.0, abs=0.1)
    with pytest.raises(UnknownLesson):
        client.thumbnail_path(ID)


@pytest.mark.parametrize("id", ["", "..", "../data", "20261123-081502-4f2a/..", "20261123-081502-4f2a\n", "x" * 300])
def test_a_strange_id_is_an_unknown_lesson(settings: Settings, id: str) -> None:
    client = LessonsClient(settings)
    for ask in (client.playlist, client.thumbnail_path, client.download):
        with pytest.raises(UnknownLesson):
            ask(id)


@pytest.mark.parametrize("name", ["journal.jsonl", "../secrets.json", "part-0001.mp4/", "part-0002.mp4", "part-1.mp4"])
def test_only_parts_are_served(settings: Settings, name: str) -> None:
    from tests.lessons.room import ID, record

    record(settings.lessons, film(4))
    with pytest.raises(UnknownLesson):
        LessonsClient(settings).part_path(ID, name)


def test_a_lesson_that_the_disk_refuses_is_live_and_recorded_when_it_takes_it(
    settings: Settings, capture: Capture, monkeypatch: pytest.MonkeyPatch, serve: Callable[[], Lessons]
) -> None:
    lessons, client = serve(), LessonsClient(settings)
    monkeypatch.setattr("lessons.session.RETRY_S", 0.2)
    with monkeypatch.context() as refusing:
        refusing.setattr("appliance.durable.Appender.append", full)
        id = client.start("Les volcans", "7Q2F").id
        assert list(settings.lessons.iterdir()) == []
        until(lambda: lessons.states[-1].incident == "disk_full", "the full disk told")
        assert [one.id for one in client.list()] == [id] and client.get(id).state == "live"
        watched(capture, lessons)
        packets = film(6)
        capture.send(packets[: len(packets) // 2])
        with pytest.raises(CommandRefused) as refused:
            client.mark(id)
        assert (refused.value.kind, refused.value.detail) == ("unavailable", "disk_full")
    epochs = count(2)

    def recorded() -> bool:  # packets come all the time, as they do from a camera
        epoch = next(epochs)
        capture.send(moved(packets[: len(packets) // 2], epoch=epoch, by_s=4 * epoch))
        return client.get(id).duration_s > 1

    until(recorded, "a recording")
    until(lambda: lessons.states[-1].incident == "", "the end of the trouble")
    stopped = client.stop(id)
    assert stopped.state == "ended"
    hole = read(settings.lessons / id).holes[0]
    assert (hole.at, hole.reason) == (0, "disk_full") and hole.seconds is not None


def test_a_lesson_that_the_disk_never_took_ends_and_is_gone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, serve: Callable[[], Lessons]
) -> None:
    lessons, client = serve(), LessonsClient(settings)
    monkeypatch.setattr("appliance.durable.Appender.append", full)
    id = client.start("Les volcans", "7Q2F").id
    stopped = client.stop(id)
    assert (stopped.id, stopped.state, stopped.duration_s) == (id, "ended", 0)
    assert lessons.states[-1].state == "ended"
    assert client.list() == [] and list(settings.lessons.iterdir()) == []
    with pytest.raises(CommandRefused) as refused:
        client.get(id)
    assert refused.value.kind == "not_found"


def full(*arguments: object) -> None:
    raise OSError(28, os.strerror(28))
