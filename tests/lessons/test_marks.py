"""Marks in lessons that are live and over, and the chapters they make."""

from __future__ import annotations

import errno
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.bus import CommandRefused
from appliance.durable import Appender
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import MarkLesson, RemoveMark
from appliance.settings import Settings
from lessons.amendments import Amendments
from lessons.assembler import SECOND
from lessons.chapters import chapters, to_vtt
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import Created, Mark, MarkRemoved
from lessons.marks import Marks, decided
from lessons.recorder import Recorder
from lessons.recording import Recording, fold
from lessons.vtt import Cue, parse
from lessons.writer import Writer
from tests.lessons.media import film, moved
from tests.lessons.room import AT, ID, begin, feed, metrics, read, record
from tests.lessons.service import Capture, Lessons, until, watched
from tests.lessons.test_service import capture, serve, settings

__all__ = ["capture", "serve", "settings"]  # fixtures of the service's own test
M = "0badcafe"


@pytest.fixture
def over(tmp_path: Path) -> Iterator[tuple[Marks, Path, list[str]]]:
    """Marks of a lesson of four seconds that is over, its folder, and what the catalogue was told."""
    told: list[str] = []
    folder = record(tmp_path, film(4))
    recorder = Recorder(tmp_path, metrics(), Writer(told.append), lambda event: None, lambda folder: None)
    yield Marks(Amendments(recorder, Edits(tmp_path), told.append), lambda: AT + 100), folder, told


def test_a_mark_in_a_lesson_that_is_over(over: tuple[Marks, Path, list[str]]) -> None:
    marks, folder, told = over
    made = marks.mark(MarkLesson(ID, M, "La coulée", 1.5))
    assert (made.at_s, made.text, made.kind) == (1.5, "La coulée", "teacher")
    assert marks.mark(MarkLesson(ID, M, "La coulée", 1.5)) == made  # asked again by the bus
    assert len(read(folder).marks) == 1 and read(folder).state == "ended"
    assert marks.mark(MarkLesson(ID, M, at_s=2.0, new=False)).text == "La coulée"
    assert marks.mark(MarkLesson(ID, M, "", new=False)).at_s == 2.0
    assert read(folder).marks[M] == Mark(M, 2 * VIDEO_TIMESCALE, "", "teacher", AT + 100)
    before = (folder / "journal.jsonl").read_bytes()
    marks.mark(MarkLesson(ID, M, "", 2.0, new=False))
    assert (folder / "journal.jsonl").read_bytes() == before
    marks.remove(RemoveMark(ID, M))
    marks.remove(RemoveMark(ID, M))
    assert read(folder).marks == {} and read(folder).removed_marks == {M}
    assert told.count(ID) >= 4


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (MarkLesson(ID, M), "invalid"),
        (MarkLesson(ID, M, at_s=4.5), "invalid"),
        (MarkLesson(ID, M, at_s=-1.0), "invalid"),
        (MarkLesson(ID, M, at_s=math.nan), "invalid"),
        (MarkLesson(ID, M, at_s=math.inf), "invalid"),
        (MarkLesson(ID, M, "x" * 201, 1.0), "invalid"),
        (MarkLesson(ID, "../etc", at_s=1.0), "invalid"),
        (MarkLesson(ID, M, "?", new=False), "not_found"),
        (MarkLesson("20990101-000000-0000", M, at_s=1.0), "not_found"),
        (MarkLesson("../../x", M, at_s=1.0), "not_found"),
        (RemoveMark(ID, M), "not_found"),
    ],
)
def test_refusals(over: tuple[Marks, Path, list[str]], command: MarkLesson | RemoveMark, kind: str) -> None:
    marks, folder, _ = over
    before = (folder / "journal.jsonl").read_bytes()
    with pytest.raises(CommandRefused) as refused:
        marks.mark(command) if isinstance(command, MarkLesson) else marks.remove(command)
    assert refused.value.kind == kind
    assert (folder / "journal.jsonl").read_bytes() == before


def test_a_torn_line_is_no_obstacle(over: tuple[Marks, Path, list[str]]) -> None:
    marks, folder, _ = over
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(b"00000000 99 {torn")
    marks.mark(MarkLesson(ID, M, "Ici", 1.0))
    assert read(folder).marks[M].text == "Ici" and read(folder).state == "ended"


def test_a_mark_stands_where_the_live_lesson_is(tmp_path: Path) -> None:
    live = begin(tmp_path)
    assert live.place(0) == 0
    packets = film(4)
    feed(live, packets)
    last_ns = packets[-1].pts_ns
    place = live.place(last_ns)
    assert place / VIDEO_TIMESCALE == pytest.approx(4.0, abs=0.1) and place > live.recording.end
    mark = decided(MarkLesson(ID, M), live.recording, None, place, AT)
    live.note([mark], last_ns)
    assert chapters(live.recording)[0].at == live.recording.end  # not ahead of what can be played
    live.stop(last_ns, AT)
    assert read(live.folder).marks == {M: mark}


def test_a_disk_that_refuses_a_mark_costs_no_more_than_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = begin(tmp_path)
    packets = film(4)
    feed(live, packets[:150])

    def full(self: Appender, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(Appender, "append", full)
        with pytest.raises(OSError, match="no space"):
            live.note([Mark(M, 0, "", "teacher", AT)], packets[150].pts_ns)
    assert live.incident == "disk_full" and live.recording.marks == {}
    later = packets[-1].pts_ns + 6 * SECOND
    feed(live, moved(packets, epoch=1, by_s=10))
    live.note([Mark(M, 0, "", "teacher", AT)], later)
    live.stop(later, AT)
    recording = read(live.folder)
    assert list(recording.marks) == [M] and len(recording.parts) == 2 and live.incident == ""


def test_marks_over_the_bus(settings: Settings, capture: Capture, serve: Callable[[], Lessons]) -> None:
    lessons, client = serve(), LessonsClient(settings)
    id = client.start("Les volcans", "7Q2F").id
    watched(capture, lessons)
    capture.send(film(4)[:230])
    until(lambda: client.get(id).duration_s >= 2, "two seconds on disk")
    made = client.mark(id, "La lave")
    assert made.at_s >= 2
    assert [one.text for one in client.chapters(id)] == ["La lave"]
    assert client.change_mark(id, made.id, "Le cratère").at_s == made.at_s
    second = client.mark(id, at_s=1.0)
    capture.send(film(4)[230:])
    client.stop(id)
    client.remove_mark(id, second.id)
    assert [(one.id, one.text) for one in client.chapters(id)] == [(made.id, "Le cratère")]
    assert client.chapters_vtt(id, lambda chapter: "?").count("-->") == 1
    assert read(settings.lessons / id).removed_marks == {second.id}


def test_marks_while_the_lesson_is_being_stopped(
    settings: Settings, capture: Capture, serve: Callable[[], Lessons]
) -> None:
    """Each is durable when it was answered, on whichever side of the last line it fell."""
    lessons, client = serve(), LessonsClient(settings)
    id = client.start("Les volcans", "7Q2F").id
    watched(capture, lessons)
    capture.send(film(4))
    until(lambda: client.get(id).duration_s >= 2, "two seconds on disk")
    names = [f"{number:08x}" for number in range(40)]
    marks = Marks(lessons.amendments, time.time)

    def set_all() -> None:
        for name in names:
            marks.mark(MarkLesson(id, name, at_s=1.0))

    thread = threading.Thread(target=set_all)
    thread.start()
    client.stop(id)
    thread.join()
    assert sorted(read(settings.lessons / id).marks) == names


def recording(*marks: Mark | MarkRemoved) -> Recording:
    found = fold([Created(ID, "", "", AT, "boot"), *marks])
    assert found is not None
    return found


def test_chapters_as_webvtt(tmp_path: Path) -> None:
    lesson = read(record(tmp_path, film(4)))
    second = VIDEO_TIMESCALE
    for number, (at, text, kind) in enumerate(
        [
            (3, "Fin & <b>suite</b>", "teacher"),
            (0, "", "screen"),
            (1, "Effacé", "board"),
            (1, "", "board"),
            (9, "", "teacher"),
        ]
    ):
        lesson.apply(Mark(f"{number:08x}", at * second, text, kind, AT + number))  # type: ignore[arg-type]
    written = to_vtt(chapters(lesson), 4.0, lambda one: f"{one.kind} {one.number}")
    assert parse(written.encode()) == [
        Cue(0, 1000, "screen 1"),
        Cue(1000, 3000, "board 2"),
        Cue(3000, round(lesson.duration_s * 1000), "Fin &amp; &lt;b&gt;suite&lt;/b&gt;"),
    ]
    assert chapters(recording(Mark(M, 5, "", "board", AT), MarkRemoved(M))) == []
    assert to_vtt([], 4.0, lambda one: "") == "WEBVTT\n"
