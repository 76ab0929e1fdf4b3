"""Chapters inside the download, judged by ffprobe and PyAV."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.boxes import find, walk
from appliance.settings import Settings
from lessons import chapter_track
from lessons.chapter_track import Title
from lessons.chapters import Chapter, titles, to_vtt
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import Mark, Trimmed
from lessons.vtt import parse
from tests.judge import probe
from tests.lessons.media import film, moved
from tests.lessons.room import ID, record

SECOND = 90_000
NAMING = ("Les volcans", lambda one: f"Repère {one.number}")


def inside(file: Path) -> list[tuple[float, float, str]]:
    """(start, end, title) of each chapter, as ffprobe reads them."""
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    return [
        (float(one["start_time"]), float(one["end_time"]), one["tags"]["title"])
        for one in json.loads(done.stdout)["chapters"]
    ]


class Marked:
    """A lesson of ten seconds in two parts, and who writes its marks."""

    def __init__(self, root: Path) -> None:
        self.folder = record(root / "lessons", [*film(6), *moved(film(4), epoch=2, by_s=20)])
        self.edits = Edits(root / "lessons")
        self.files = LessonsClient(Settings(data_dir=root))
        self.root = root

    def mark(self, *places: tuple[float, str]) -> None:
        marks = [Mark(f"{i:08x}", round(at * SECOND), text, "teacher", 0.0) for i, (at, text) in enumerate(places)]
        self.edits.write(ID, lambda recording: marks)

    def download(self) -> Path:
        file = self.root / "lesson.mp4"
        file.write_bytes(b"".join(self.files.download(ID, "camera", NAMING).read()))
        return file


@pytest.fixture
def marked(tmp_path: Path) -> Marked:
    return Marked(tmp_path)


def test_others_read_the_chapters(marked: Marked) -> None:
    before = marked.download().read_bytes()
    assert before == b"".join(marked.files.download(ID).read()) and inside(marked.root / "lesson.mp4") == []
    marked.mark((2.0, "La lave & <l’eau>"), (5.5, ""), (8.25, "李" * 200))
    file = marked.download()
    assert inside(file) == [
        (0.0, 2.0, "Les volcans"),
        (2.0, 5.5, "La lave & <l’eau>"),
        (5.5, 8.25, "Repère 2"),
        (8.25, pytest.approx(10.0, abs=0.1), "李" * 200),
    ]
    verdict = probe(file)
    assert (verdict.video_frames, verdict.complaints) == (300, "") and verdict.duration_s == pytest.approx(10, abs=0.1)
    with av.open(str(file)) as container:
        pictures = [frame.time for frame in container.decode(video=0)]
    with av.open(str(file)) as container:
        heard = [frame.time for frame in container.decode(audio=0)]
    assert len(pictures) == 300 and pictures[-1] == pytest.approx(10, abs=0.1) == heard[-1]
    assert [kind for kind, _ in walk(file.read_bytes())] == [b"ftyp", b"moov", b"mdat"]


def test_both_forms_say_the_same(marked: Marked) -> None:
    marked.mark((0.0, "Début"), (4.0, "Suite"))
    data = bytearray(marked.download().read_bytes())
    both = inside(marked.root / "lesson.mp4")
    assert [title for _, _, title in both] == ["Début", "Suite"]
    for hidden in (b"chap", b"chpl"):
        crippled = marked.root / "crippled.mp4"
        crippled.write_bytes(bytes(data).replace(hidden, b"free"))
        assert [title for _, _, title in inside(crippled)] == ["Début", "Suite"]
    nobody = marked.root / "nobody.mp4"
    nobody.write_bytes(bytes(data).replace(b"chap", b"free").replace(b"chpl", b"free"))
    assert inside(nobody) == []


def test_the_tag_changes_with_what_is_inside(marked: Marked) -> None:
    def tag() -> tuple[str, int]:
        found = marked.files.download(ID, "camera", NAMING)
        return found.tag, found.length

    marked.mark((1.0, "Un"))
    one = tag()
    assert tag() == one
    marked.mark((1.0, "Zw"))
    assert tag()[0] != one[0] and tag()[1] == one[1]  # the length alone would say that nothing changed


def test_of_a_cut_lesson_the_chapters_that_are_shown(marked: Marked) -> None:
    marked.mark((1.0, "avant"), (3.0, "dedans"), (9.5, "après"))
    marked.edits.write(ID, lambda recording: [Trimmed(2 * SECOND, 8 * SECOND, 0.0)])
    assert [(start, title) for start, _, title in inside(marked.download())] == [(0.0, "Les volcans"), (1.0, "dedans")]


def test_any_range_is_a_slice_of_the_whole(marked: Marked) -> None:
    marked.mark((1.0, "Un"), (5.0, "Deux"))
    whole = marked.download().read_bytes()
    planned = marked.files.download(ID, "camera", NAMING)
    head = whole.index(b"Un\x00\x00\x00\x0cencd")
    for start, stop in ((head - 3, head + 3), (head, head + 200), (head + 40, head + 5000), (0, 10)):
        assert b"".join(planned.read(start, stop)) == whole[start:stop]


PLACES = st.lists(st.tuples(st.integers(0, 60 * SECOND), st.text(max_size=40)), max_size=8)


@settings(max_examples=100)
@given(PLACES, st.integers(1, 60 * SECOND))
def test_they_are_those_of_the_replay(places: list[tuple[int, str]], end: int) -> None:
    found = [Chapter(str(i), min(at, end), text, "teacher", i, at) for i, (at, text) in enumerate(sorted(places))]
    listed = titles(found, end / SECOND, NAMING)
    cues = parse(to_vtt(found, end / SECOND, lambda one: "x").encode(errors="replace"))
    shown = [one for one in listed if (one.start_ms, one.text) != (0, "Les volcans")]
    assert {cue.start_ms for cue in cues} <= {one.start_ms for one in listed}
    assert len(shown) <= len(listed) <= len(shown) + 1
    if listed:
        assert listed[0].start_ms == 0 and listed[-1].end_ms == round(end / SECOND * 1000)
        assert all(one.end_ms == after.start_ms for one, after in pairwise(listed))
        assert len(find(chapter_track.nero(listed), b"udta", b"chpl")) < 70_000


def test_more_chapters_than_nero_knows() -> None:
    many = [Title(i * 1000, i * 1000 + 1000, f"{i}" + "é" * 300) for i in range(300)]
    data = find(chapter_track.nero(many), b"udta", b"chpl")
    assert data[8] == 255 and data[9 + 8] <= 255
    assert len(chapter_track.samples(many)) == 300
