"""Two lessons become one: what plays afterwards, what is refused, and what a cut at any step leaves."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from appliance.bus import CommandRefused
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import JoinLessons, Lesson
from appliance.settings import Settings
from lessons import edition, joined, low, low_rung, playlist, progressive, recovery, stills, timeline, verify, vtt
from lessons.catalogue import FILE, Catalogue
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.erase import Eraser
from lessons.join import Joins
from lessons.journal import (
    CAMERA,
    JOINED,
    NAME,
    SCREEN,
    Created,
    Described,
    Fragment,
    Mark,
    MarkRemoved,
    PartOpened,
    Record,
    Sent,
    Stopped,
    Track,
    Trimmed,
    Warned,
)
from lessons.reader import LessonFiles
from lessons.receipts import Receipts
from lessons.recording import Hole, Recording, fold
from lessons.summary import describe
from tests.judge import probe
from tests.lessons.media import film, moved
from tests.lessons.room import AT, BOOT, ID, begin, feed, metrics, read
from tests.lessons.service import Capture, Lessons
from tests.lessons.test_screen import mixed, screen
from tests.lessons.test_service import capture, serve, settings

__all__ = ["capture", "serve", "settings"]  # fixtures of the service's own test

NEXT = "20261123-091502-4f2b"
PAGE = stills.page_mark("board", 2 * VIDEO_TIMESCALE, AT)
FIRST_WORDS = "WEBVTT\n\n00:01.000 --> 00:02.000\nBonjour\n"
NEXT_WORDS = "WEBVTT\n\n00:00.500 --> 00:01.500\nEt puis\n"


def fill(root: Path) -> None:
    """A lesson with a screen and captions; one of two parts with a screen, captions, marks and a page that nobody
    wanted."""
    first = begin(root)
    feed(first, mixed(*film(8), *screen(2.0)))
    first.note([Mark("0000000a", 3 * VIDEO_TIMESCALE, "La lave", "teacher", AT), *said(first.folder, FIRST_WORDS)], 0)
    first.stop(0, AT + 60)
    second = begin(root, NEXT, AT + 3600)
    feed(second, mixed(*film(8), *screen(0.0), *screen(5.0, 200)), AT + 3600)
    feed(second, moved(film(4), epoch=2, by_s=20), AT + 3630)
    unwanted = stills.page_mark("board", VIDEO_TIMESCALE, AT)
    marks: list[Record] = [
        Mark("0000000a", VIDEO_TIMESCALE, "Le cratère", "teacher", AT),
        PAGE,
        unwanted,
        MarkRemoved(unwanted.id),
    ]
    second.note([*marks, *said(second.folder, NEXT_WORDS)], 0)
    second.stop(0, AT + 3700)


def said(folder: Path, words: str) -> list[Track]:
    (folder / "captions-fr-00000000.vtt").write_text(words)
    return [Track("captions", "fr", "Français", "captions-fr-00000000.vtt", AT)]


def joins(root: Path, live: str | None = None, changed: Callable[[str], None] = lambda id: None) -> Joins:
    def known(command: Any) -> Lesson:
        return describe(read(root / command.id), thumbnail=False)

    def remove(id: str) -> None:
        eraser(root).erase(id, "joined", "teacher")

    return Joins(root, Edits(root), lambda: live, known, remove, changed, lambda: AT + 9)


def eraser(root: Path) -> Eraser:
    """As a start of the service makes it; its receipts are kept beside the lessons."""
    kept = root.with_name(f"{root.name}-receipts")
    kept.mkdir(exist_ok=True)
    return Eraser(root, Receipts(kept), lambda id: None, lambda event: None, lambda: AT + 9)


def download(folder: Path, source: str = CAMERA) -> Path:
    target = folder.parent / f"{folder.name}-{source}.mp4"
    plan = progressive.open_plan(progressive.sources(read(folder).strand(source), folder))
    target.write_bytes(b"".join(plan.read()))
    return target


def pictures_of(file: Path) -> list[float]:
    with av.open(str(file)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill(tmp_path)
    return tmp_path


def test_the_second_follows_the_first(root: Path) -> None:
    before, after = read(root / ID), read(root / NEXT)
    alone = pictures_of(download(root / ID)) + [time + before.duration_s for time in pictures_of(download(root / NEXT))]
    changed: list[str] = []
    lesson = joins(root, changed=changed.append).join(JoinLessons(ID, NEXT))
    assert changed == [ID] and not (root / NEXT).exists()
    assert (lesson.id, lesson.state, lesson.parts) == (ID, "ended", 3)
    assert lesson.duration_s == pytest.approx(before.duration_s + after.duration_s)
    assert lesson.gaps == len(before.gaps) + len(after.gaps) == 1
    recording = read(root / ID)
    assert Hole(before.end, 0.0, JOINED) in recording.holes
    assert [hole.seconds for hole in recording.holes][1] == after.holes[0].seconds
    assert [gap.reason for gap in timeline.of(edition.of(recording)).gaps] == [JOINED, after.holes[0].reason]
    whole = download(root / ID)
    verdict = probe(whole)
    assert (verdict.complaints, verdict.video_frames) == ("", len(alone))
    assert pictures_of(whole) == pytest.approx(alone, abs=0.002)
    status, lines = verify.report(root / ID)
    assert status == verify.OK, list(lines)
    assert playlist.render(recording).count("#EXT-X-MAP") == 3 and "ENDLIST" in playlist.render(recording)
    assert probe(download(root / ID, SCREEN)).complaints == ""
    starts = [part.opened.start for part in before.strand(SCREEN).parts]
    starts += [part.opened.start + before.end for part in after.strand(SCREEN).parts]
    assert [part.opened.start for part in recording.strand(SCREEN).parts] == pytest.approx(starts, abs=3000)
    assert recovery.open_lessons(root) == []


def test_marks_and_captions_come_along(root: Path) -> None:
    end = read(root / ID).end
    joins(root).join(JoinLessons(ID, NEXT))
    recording, files = read(root / ID), LessonFiles(root)
    places = {mark.text: mark.at for mark in recording.marks.values()}
    assert places == {"La lave": 3 * VIDEO_TIMESCALE, "Le cratère": end + VIDEO_TIMESCALE, "": end + PAGE.at}
    assert stills.page_mark("board", end + PAGE.at, AT).id in recording.marks  # found again, it is no second one
    assert stills.page_mark("board", end + VIDEO_TIMESCALE, AT).id in recording.removed_marks
    assert len(recording.marks) == 3
    cues = vtt.parse(files.captions_vtt(ID, "fr").encode())
    assert [(cue.start_ms, cue.text) for cue in cues] == [(1000, "Bonjour"), (end // 90 + 500, "Et puis")]
    assert [one.name for one in (root / ID).glob("captions-*")] == [recording.tracks["fr"].file]
    assert verify.report(root / ID)[0] == verify.OK


def test_the_low_rung_of_what_is_joined_is_in_step(root: Path) -> None:
    joins(root).join(JoinLessons(ID, NEXT))
    low.make(root / ID, 200_000)
    recording, strand = read(root / ID), low_rung.read(root / ID)
    assert low_rung.complete(recording, strand)
    plan = progressive.open_plan(progressive.sources(strand, root / ID))
    small = root / "small.mp4"
    small.write_bytes(b"".join(plan.read()))
    assert probe(small).complaints == ""
    assert pictures_of(small) == pytest.approx(pictures_of(download(root / ID)), abs=0.002)


def test_three_become_one(root: Path) -> None:
    third = begin(root, "20261123-101502-4f2c", AT + 7200)
    feed(third, film(4))
    third.stop(0, AT + 7300)
    lengths = [read(root / id).end for id in (ID, NEXT, third.id)]
    joins(root).join(JoinLessons(NEXT, third.id))
    joins(root).join(JoinLessons(ID, NEXT))
    assert read(root / ID).end == sum(lengths)
    verdict = probe(download(root / ID))
    assert (verdict.complaints, verdict.video_frames) == ("", 240 + 240 + 120 + 120)


def test_who_read_it_before_reads_it_on(root: Path) -> None:
    files = LessonFiles(root)
    before = files.playlist(ID)
    assert files.audience(ID).visibility == "class"
    Edits(root).write(NEXT, lambda recording: [Described(AT, visibility="teacher")])
    joins(root).join(JoinLessons(ID, NEXT))
    assert files.playlist(ID).startswith(before.removesuffix("#EXT-X-ENDLIST\n"))
    assert files.audience(ID).visibility == "teacher"
    catalogue = Catalogue(root / FILE, root)
    assert [lesson.id for lesson in catalogue.all()] == [ID]
    assert catalogue.get(ID) == describe(read(root / ID), thumbnail=False)
    catalogue.close()


@pytest.mark.parametrize(
    ("first", "second", "live", "kind"),
    [
        (ID, ID, None, "invalid"),
        (ID, NEXT, ID, "conflict"),
        (ID, NEXT, NEXT, "conflict"),
        (ID, "20260101-000000-abcd", None, "not_found"),
        ("20260101-000000-abcd", NEXT, None, "not_found"),
        (ID, "../secrets", None, "not_found"),
        ("../secrets", ID, None, "not_found"),
    ],
)
def test_refusals(root: Path, first: str, second: str, live: str | None, kind: str) -> None:
    before = tree(root)
    with pytest.raises(CommandRefused) as refused:
        joins(root, live).join(JoinLessons(first, second))
    assert refused.value.kind == kind and tree(root) == before


@pytest.mark.parametrize(
    ("id", "line"),
    [
        (ID, Trimmed(None, 3 * VIDEO_TIMESCALE, AT)),
        (NEXT, Trimmed(VIDEO_TIMESCALE, None, AT)),
    ],
)
def test_what_is_cut_off_does_not_come_back_in_the_middle(root: Path, id: str, line: Trimmed) -> None:
    Edits(root).write(id, lambda recording: [line])
    before = tree(root)
    with pytest.raises(CommandRefused) as refused:
        joins(root).join(JoinLessons(ID, NEXT))
    assert refused.value.kind == "conflict" and tree(root) == before


def test_nothing_cannot_be_joined(root: Path) -> None:
    empty = begin(root, "20261123-111502-4f2d")
    empty.stop(0, AT)
    for pair in ((ID, empty.id), (empty.id, ID)):
        with pytest.raises(CommandRefused) as refused:
            joins(root).join(JoinLessons(*pair))
        assert refused.value.kind == "conflict"


def test_damaged_captions_leave_both(root: Path) -> None:
    (root / NEXT / "captions-fr-00000000.vtt").write_bytes(b"\xff\xff")
    before = tree(root)
    with pytest.raises(CommandRefused):
        joins(root).join(JoinLessons(ID, NEXT))
    assert tree(root) == before


def test_a_disk_that_refuses_leaves_both(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, link = tree(root), os.link
    for refused_at in range(1, 6):  # one file of the camera's, then another; then of the screen's
        left = iter(range(refused_at - 1))

        def refuse(*names: Any, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise OSError(1, "no links here")
            link(*names)

        with monkeypatch.context() as patch:
            patch.setattr(os, "link", refuse)
            if refused_at <= 4:
                with pytest.raises(CommandRefused) as refused:
                    joins(root).join(JoinLessons(ID, NEXT))
                assert refused.value.kind == "unavailable" and tree(root) == before
    assert joins(root).join(JoinLessons(ID, NEXT)).parts == 3


class Cut(BaseException):
    """The power goes."""


STEPS = ("link", "utime", "fsync", "rename", "unlink", "rmdir", "write", "open")


def tree(root: Path) -> dict[str, bytes]:
    """Every file by its name, but for what a later start writes over or throws away."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in found
        if not path.name.endswith(".tmp") and not path.relative_to(root).parts[0].startswith(".deleted-")
    }


def cut_at(number: int, patch: pytest.MonkeyPatch, root: Path) -> list[str]:
    """Let the power go at the `number`th step on the disk from now on; returns the steps as they are taken."""
    taken: list[str] = []

    def step(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def carried_out(*arguments: Any, **options: Any) -> Any:
            taken.append(name)
            if len(taken) == number and name == "write":  # torn
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            if len(taken) >= number:  # and whatever would clean up afterwards finds no disk either
                raise Cut
            return real(*arguments, **options)

        return carried_out

    for name in STEPS:
        patch.setattr(os, name, step(name, getattr(os, name)))
    return taken


def test_a_cut_at_any_step_leaves_both_or_the_one(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = tree(root)
    done = tmp_path_factory.mktemp("done")
    shutil.copytree(root, done, dirs_exist_ok=True)
    joins(done).join(JoinLessons(ID, NEXT))
    one = tree(done)
    outcomes = []
    for number in range(1, 500):
        place = tmp_path_factory.mktemp("cut")
        shutil.copytree(root, place, dirs_exist_ok=True)
        with monkeypatch.context() as patch:
            taken = cut_at(number, patch, place)
            with contextlib.suppress(Cut):
                joins(place).join(JoinLessons(ID, NEXT))
        eraser(place).bury()
        assert recovery.recover(place, BOOT, metrics(), 0, AT + 9) is None
        joins(place).finish()
        eraser(place).finish()
        left = tree(place)
        assert left in (both, one), (number, taken[-1], sorted(left))
        outcomes.append(left == one)
        shutil.rmtree(place)
        if len(taken) < number:  # nothing was cut any more
            break
    assert outcomes[-1] and outcomes == sorted(outcomes) and len(outcomes) > 30 and outcomes.count(True) > 5


def told(*records: Any, code: str = "7Q2F", seconds: int = 4) -> Recording:
    """A lesson of so many seconds that its journal tells so."""
    end = seconds * VIDEO_TIMESCALE
    opened = PartOpened(1, "part-0001.mp4", 900, 1, BOOT, 0, 0, "", None, None)
    fragment = Fragment(1, 900, 1000, 0, end, True, 0, 0, None, None, None, AT, 0)
    found = fold([Created(ID, "", code, AT, BOOT), opened, fragment, Stopped(AT), *records])
    assert found is not None
    return found


def after(first: Recording, second: Recording) -> Recording:
    for line in joined.lines(first, second, joined.moved(first, second), [], AT):
        first.apply(line)
    return first


@pytest.mark.parametrize(
    ("first", "second", "code", "visibility"),
    [
        ("class", "class", "7Q2F", "class"),
        ("class", "school", "7Q2F", "class"),
        ("school", "school", "7Q2F", "school"),
        ("school", "teacher", "7Q2F", "teacher"),
        ("teacher", "class", "7Q2F", "teacher"),
        ("class", "class", "other", "teacher"),
        ("school", "class", "other", "teacher"),
        ("school", "school", "other", "school"),
    ],
)
def test_who_sees_both_may_see_each(first: Any, second: Any, code: str, visibility: str) -> None:
    lesson = after(
        told(Described(AT, visibility=first)), told(Described(AT, title="Autre", visibility=second), code=code)
    )
    assert lesson.about.visibility == visibility and lesson.about.title == ""


def test_what_was_to_be_deleted_sooner_still_is() -> None:
    assert after(told(Described(AT, ends_at=AT + 50)), told(Described(AT, ends_at=AT + 40))).about.ends_at == AT + 40
    assert after(told(), told(Described(AT, ends_at=AT + 40))).about.ends_at == AT + 40
    assert after(told(Described(AT, ends_at=AT + 50)), told()).about.ends_at == AT + 50
    assert after(told(), told()).about.ends_at is None


def test_a_lesson_that_has_grown_was_not_sent_and_nobody_was_warned_of_it() -> None:
    first = told(Sent("school", "ab", AT), Warned(AT))
    assert first.sent and first.warned_at
    lesson = after(first, told(Sent("school", "cd", AT), Warned(AT)))
    assert lesson.sent == {} and lesson.warned_at is None


def test_the_outer_cuts_stay() -> None:
    second = told(Trimmed(None, 3 * VIDEO_TIMESCALE, AT))
    assert after(told(Trimmed(9000, None, AT)), second).trim == (9000, 7 * VIDEO_TIMESCALE)
    assert after(told(), told()).trim == (None, None)


def test_over_the_bus(root: Path, settings: Settings, capture: Capture, serve: Callable[[], Lessons]) -> None:
    shutil.copytree(root / ID, settings.lessons / ID)
    shutil.copytree(root / NEXT, settings.lessons / NEXT)
    lessons, client = serve(), LessonsClient(settings)
    total = sum(lesson.duration_s for lesson in client.list())
    live = client.start("", "7Q2F").id
    for pair in ((live, ID), (ID, live)):
        with pytest.raises(CommandRefused) as refused:
            client.join(*pair)
        assert refused.value.kind == "conflict"
    lesson = client.join(ID, NEXT)
    assert lesson.duration_s == pytest.approx(total)
    assert [one.id for one in client.list()] == [live, ID] and client.list()[1] == lesson
    assert lessons.illustrated == [Path(ID)]
    assert [(state.id, state.state) for state in lessons.states if state.id == NEXT] == [(NEXT, "deleted")]
    assert (settings.lessons / ID / NAME).exists() and not (settings.lessons / NEXT).exists()
