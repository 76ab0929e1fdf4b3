"""What is made of a recording's pictures, from real H.264 in real part files, by the real process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import MarkLesson, RemoveMark
from appliance.settings import Settings
from lessons import stills, strip
from lessons.amendments import Amendments
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.folder import THUMBNAIL
from lessons.illustrate import illustrate
from lessons.illustrator import Illustrator, outdated
from lessons.journal import Mark
from lessons.marks import Marks
from lessons.reader import UnknownLesson
from lessons.recorder import Recorder
from lessons.seen import PAGES, found, read_seen
from lessons.vtt import parse
from lessons.writer import Writer
from tests.lessons.drawn import Image, board, slide
from tests.lessons.media import film, pictures, probe
from tests.lessons.pictured import SECONDS, SHARED_S, lesson
from tests.lessons.room import AT, ID, begin, feed, metrics, read, record
from tests.lessons.service import until

ROOM = 6.0  # mean difference of pixels that two encoders may make


def pixels(path: Path) -> Image:
    with Pillow.open(path) as image:
        image.verify()
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)[:, :, ::-1]


def alike(one: Image, other: Image) -> float:
    """The mean difference of two pictures, of the second as small as the first."""
    with Pillow.fromarray(other) as image:
        small = np.asarray(image.resize((one.shape[1], one.shape[0]), Pillow.Resampling.BOX))
    return float(np.abs(one.astype(int) - small.astype(int)).mean())


def tile(folder: Path, number: int) -> Image:
    x, y = strip.place(number)
    sheet = pixels(folder / strip.FOLDER / strip.sheet_name(number // strip.SHEET))
    return sheet[y : y + strip.HEIGHT, x : x + strip.WIDTH]


def derived(folder: Path) -> dict[str, bytes]:
    """All that can be made again, by name."""
    places = [folder / THUMBNAIL, *(folder / strip.FOLDER).glob("*"), *(folder / stills.FOLDER).glob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in places if path.is_file()}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lesson that is over, with a teacher's mark."""
    live = begin(tmp_path_factory.mktemp("lessons"))
    feed(live, lesson())
    live.note([Mark("0badcafe", 5 * VIDEO_TIMESCALE, "Ici", "teacher", AT)], 0)
    live.stop(0, AT)
    assert live.recording.duration_s == pytest.approx(SECONDS, abs=1)
    illustrate(live.folder, look=True)
    return live.folder


def places(folder: Path) -> list[tuple[str, float]]:
    return sorted((kind, round(at / VIDEO_TIMESCALE, 2)) for kind, at in read_seen(folder).found)


def test_pages_of_board_and_screen(recorded: Path) -> None:
    assert places(recorded) == [
        ("board", 0.0),
        ("board", pytest.approx(35, abs=1)),
        ("screen", SHARED_S),
        ("screen", pytest.approx(SHARED_S + 25, abs=3)),  # keyframes come every three seconds
    ]


def test_the_thumbnail(recorded: Path) -> None:
    assert pixels(recorded / THUMBNAIL).shape == (180, 320, 3)
    assert alike(pixels(recorded / THUMBNAIL), board(1)) < ROOM


def test_the_strip_shows_what_was_there(recorded: Path) -> None:
    cues = parse((recorded / strip.FOLDER / strip.NAME).read_bytes())
    assert [cue.text for cue in cues][-1] == "strip/0001.jpg?7#xywh=160,90,160,90"
    assert [cue.start_ms for cue in cues] == list(range(0, 70_000, 10_000))
    for number in range(7):
        shown, other = (board(1), board(2)) if number * 10 < 35 else (board(2), board(1))
        assert alike(tile(recorded, number), shown) < ROOM < alike(tile(recorded, number), other), number
    assert tile(recorded, 7).mean() < ROOM  # nothing there yet


def test_stills(recorded: Path) -> None:
    files = {path.name for path in (recorded / stills.FOLDER).iterdir()}
    found_at = {at: kind for kind, at in read_seen(recorded).found}
    assert files == {stills.name(at) for at in (*found_at, 5 * VIDEO_TIMESCALE)}
    for name in files:
        at = int(name.removesuffix(".jpg"))
        image = pixels(recorded / stills.FOLDER / name)
        assert image.shape == (540, 960, 3)
        if found_at.get(at) == "screen":
            expected, other = (slide(1), slide(2)) if at < 30 * VIDEO_TIMESCALE else (slide(2), slide(1))
        else:
            expected, other = (board(1), board(2)) if at < 34 * VIDEO_TIMESCALE else (board(2), board(1))
        assert alike(image, expected) < ROOM < alike(image, other), name
        assert probe(recorded / stills.FOLDER / name)["streams"][0]["codec_name"] == "mjpeg"


def test_the_stills_as_pdf(recorded: Path, tmp_path: Path) -> None:
    client = LessonsClient(Settings(data_dir=tmp_path))
    folder = tmp_path / "lessons" / ID
    shutil.copytree(recorded, folder)
    amendments = Amendments(idle(tmp_path), Edits(tmp_path / "lessons"), lambda id: None)
    marks = Marks(amendments, lambda: AT)
    marks.mark(MarkLesson(ID, "0badf00d", "Sans image", 6.0))
    data = b"".join(client.stills_pdf(ID, "Les volcans", lambda chapter: chapter.text))
    assert data.startswith(b"%PDF-1.4") and b"/Count 1 " in data  # the pages' marks are the service's to write
    assert (folder / stills.FOLDER / stills.name(5 * VIDEO_TIMESCALE)).read_bytes() in data and b"(0:05) Tj" in data
    marks.remove(RemoveMark(ID, "0badcafe"))
    with pytest.raises(UnknownLesson):
        client.stills_pdf(ID, "Les volcans", lambda chapter: chapter.text)


def test_all_of_it_is_made_again_the_same(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / ID
    shutil.copytree(recorded, folder)
    before, pages = derived(folder), places(folder)
    stamps = {path: path.stat().st_mtime_ns for path in (folder / stills.FOLDER).iterdir()}
    illustrate(folder, look=True)
    assert derived(folder) == before and places(folder) == pages
    assert stamps == {path: path.stat().st_mtime_ns for path in (folder / stills.FOLDER).iterdir()}  # nothing to do
    for name in (strip.FOLDER, stills.FOLDER):
        shutil.rmtree(folder / name)
    (folder / PAGES).unlink()
    (folder / THUMBNAIL).unlink()
    illustrate(folder, look=True)
    assert derived(folder) == before and places(folder) == pages


def test_in_mid_lesson_every_few_seconds(tmp_path: Path) -> None:
    """What runs in mid-lesson make together is what one at the end makes."""
    live = begin(tmp_path)
    packets = lesson()
    for start in range(0, len(packets), 40):
        feed(live, packets[start : start + 40])
        illustrate(live.folder, look=True)
    live.stop(0, AT)
    illustrate(live.folder, look=True)
    before, pages = derived(live.folder), places(live.folder)
    shutil.rmtree(live.folder / strip.FOLDER)
    shutil.rmtree(live.folder / stills.FOLDER)
    (live.folder / PAGES).unlink()
    illustrate(live.folder, look=True)
    assert derived(live.folder) == before and places(live.folder) == pages


def test_a_still_goes_with_its_mark(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / ID
    shutil.copytree(recorded, folder)
    amendments = Amendments(idle(tmp_path), Edits(tmp_path), lambda id: None)
    Marks(amendments, lambda: AT).mark(MarkLesson(ID, "0badcafe", at_s=7.0, new=False))
    (folder / stills.FOLDER / ".x.jpg.1.tmp").write_bytes(b"torn by a power cut")
    illustrate(folder, look=True)
    names = {path.name for path in (folder / stills.FOLDER).iterdir()}
    assert stills.name(7 * VIDEO_TIMESCALE) in names and stills.name(5 * VIDEO_TIMESCALE) not in names
    assert all(name.endswith(".jpg") for name in names)


def test_a_mark_ahead_of_the_disk_waits_for_its_picture(tmp_path: Path) -> None:
    live = begin(tmp_path)
    packets = film(4)
    feed(live, packets[:150])
    ahead = live.recording.end + VIDEO_TIMESCALE // 2
    live.note([Mark("0badcafe", ahead, "", "teacher", AT)], 0)
    illustrate(live.folder, look=False)
    assert not (live.folder / stills.FOLDER).exists()
    feed(live, packets[150:])
    illustrate(live.folder, look=False)
    assert [path.name for path in (live.folder / stills.FOLDER).iterdir()] == [stills.name(ahead)]
    live.stop(0, AT)


def test_a_garbled_picture_is_passed_over(tmp_path: Path) -> None:
    folder = record(tmp_path, film(4))
    damaged = read(folder).parts[0].fragments[2]
    with (folder / "part-0001.mp4").open("r+b") as file:
        file.seek(damaged.offset)
        file.write(os.urandom(damaged.length))
    illustrate(folder, look=True)
    assert (folder / THUMBNAIL).exists() is False  # it would have been of that second
    assert len(parse((folder / strip.FOLDER / strip.NAME).read_bytes())) == 1


def test_a_lesson_without_pictures(tmp_path: Path) -> None:
    live = begin(tmp_path)
    illustrate(live.folder, look=True)
    assert derived(live.folder) == {}


def test_the_thumbnail_is_two_seconds_in(tmp_path: Path) -> None:
    folder = record(tmp_path, pictures(4, 640, 480))
    illustrate(folder, look=False)
    assert pixels(folder / THUMBNAIL).shape == (240, 320, 3)
    # The picture of the keyframe at two seconds: number 60 of a film that grows brighter.
    assert abs(float(pixels(folder / THUMBNAIL).mean()) - 80) < 8
    assert not (folder / PAGES).exists()


def idle(root: Path) -> Recorder:
    """A recorder with no lesson."""
    return Recorder(root, metrics(), Writer(lambda id: None), lambda event: None, lambda folder: None)


def test_the_service_has_lessons_illustrated_and_marks_their_pages(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / ID
    shutil.copytree(recorded, folder, ignore=shutil.ignore_patterns("strip", "stills", "thumbnail.jpg", PAGES))
    told = threading.Event()
    amendments = Amendments(idle(tmp_path), Edits(tmp_path), lambda id: told.set())
    illustrator = Illustrator(tmp_path, lambda: None, amendments.write, look=True)
    stopping = threading.Event()
    thread = threading.Thread(target=illustrator.run, args=(stopping,))
    thread.start()
    try:
        assert told.wait(60)  # found without pictures at the start, and illustrated
    finally:
        stopping.set()
        thread.join()
    made = sorted(read(folder).marks.values(), key=lambda mark: mark.at)
    assert [mark.kind for mark in made].count("board") == 2 and [mark.kind for mark in made].count("screen") == 2
    assert {(mark.kind, mark.at) for mark in made if mark.kind != "teacher"} == set(read_seen(folder).found)
    removed = next(mark for mark in made if mark.kind == "screen")
    Marks(amendments, lambda: AT).remove(RemoveMark(ID, removed.id))
    (folder / PAGES).unlink()
    illustrator.illustrate(ID, lambda: False)
    assert removed.id not in read(folder).marks and len(read(folder).marks) == 4
    assert len(found(read_seen(folder), AT)) == 4


def test_a_run_is_ended_when_it_must(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / ID
    shutil.copytree(recorded, folder, ignore=shutil.ignore_patterns("strip", "stills", "thumbnail.jpg", PAGES))
    amendments = Amendments(idle(tmp_path), Edits(tmp_path), lambda id: None)
    illustrator = Illustrator(tmp_path, lambda: "another", amendments.write, look=True)
    illustrator.illustrate(ID, lambda: True)
    assert [mark.kind for mark in read(folder).marks.values()] == ["teacher"]


def test_what_a_power_cut_left_unfinished_is_told(tmp_path: Path) -> None:
    live = begin(tmp_path)
    packets = film(4)
    feed(live, packets[:150])
    assert outdated(live.folder)
    illustrate(live.folder, look=False)
    assert not outdated(live.folder)
    # Times of files come in steps of some milliseconds, within which all of this may happen.
    made = live.folder / strip.FOLDER / strip.NAME
    os.utime(made, ns=(made.stat().st_mtime_ns - 10_000_000,) * 2)
    feed(live, packets[150:])
    live.suspend(0, AT)
    assert outdated(live.folder)
    illustrate(live.folder, look=False)
    assert not outdated(live.folder)


def test_lessons_of_before_wait_while_one_is_live(tmp_path: Path) -> None:
    live: list[str | None] = ["20261123-090000-0000"]
    folders = [record(tmp_path, film(4), f"20261123-08150{number}-4f2a") for number in range(2)]
    now = record(tmp_path, film(4), "20261123-090000-0000")
    amendments = Amendments(idle(tmp_path), Edits(tmp_path), lambda id: None)
    illustrator = Illustrator(tmp_path, lambda: live[0], amendments.write, look=False)
    stopping = threading.Event()
    thread = threading.Thread(target=illustrator.run, args=(stopping,))

    def made(folder: Path) -> bool:
        return (folder / strip.FOLDER / strip.NAME).exists()

    illustrator.ask(folders[0])  # it has just ended, and the next one begins
    illustrator.ask(now)
    thread.start()
    try:
        until(lambda: made(now), "the live lesson's strip")
        assert not any(made(folder) for folder in folders)
        live[0] = None
        until(lambda: all(made(folder) for folder in folders), "the strips of those before")
    finally:
        stopping.set()
        thread.join()


def test_a_deleted_lesson_does_not_come_back(recorded: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "lessons.illustrate", str(tmp_path / ID)], capture_output=True)
    assert done.returncode != 0 and not (tmp_path / ID).exists()
