"""Whatever a crash left of journal and media: the whole lines and the whole fragments, never an exception."""

from __future__ import annotations

import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.boxes import MalformedBoxes
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Packet
from lessons import recovery, verify
from lessons.catalogue import Catalogue
from lessons.journal import CAMERA, NAME, SCREEN, Fragment, Mark, encode, parse
from lessons.reader import LessonFiles
from lessons.recording import Part, Recording, fold
from tests.lessons.media import film, moved, pictures
from tests.lessons.recovered import claimed_s, decoded_s, listed_s
from tests.lessons.room import AT, BOOT, ID, begin, feed, metrics, read

CAMERA_PART, SCREEN_PART = "part-0002.mp4", "screen-0002.mp4"
EARLIER = ("part-0001.mp4", "screen-0001.mp4")
MARK = Mark("0a1b2c3d", 90_000, "Puy de Dôme", "teacher", AT)
LOST_PICTURE, PACKETS = 45, 530


class Damage(NamedTuple):
    """From byte `place` of a file on there is `tail`, and the file's own bytes behind it when it `goes_on`."""

    file: str
    place: int
    tail: bytes
    goes_on: bool = False

    def of(self, data: bytes) -> bytes:
        return data[: self.place] + self.tail + (data[self.place + len(self.tail) :] if self.goes_on else b"")


@cache
def died() -> dict[str, bytes]:
    """The files of a lesson whose power went after four seconds: two parts of the camera, for a picture was lost, two
    of a shared screen, which stands beside them; a mark is its last line."""
    with tempfile.TemporaryDirectory() as name:
        live = begin(Path(name))
        camera = [one for one in film(5) if one.codec == "aac" or one.seq != LOST_PICTURE]
        shared: list[Packet] = [msgspec.structs.replace(one, source="screen", rung="main") for one in pictures(5)]
        feed(live, sorted([*camera, *shared], key=lambda one: one.pts_ns)[:PACKETS])
        journal = live.folder / NAME
        lines = journal.read_bytes()
        journal.write_bytes(lines + encode([MARK], parse(lines).next_line))
        return {path.name: path.read_bytes() for path in live.folder.iterdir() if path.suffix in (".mp4", ".jsonl")}


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    file = draw(st.sampled_from([NAME, CAMERA_PART, SCREEN_PART, *EARLIER]))
    data = died()[file]
    place = draw(st.integers(0, len(data)))
    kind = draw(st.sampled_from(["truncated", "zeroed", "noise", "garbled"]))
    noise = draw(st.binary(min_size=1, max_size=300)) if kind in ("noise", "garbled") else b""
    match kind:
        case "zeroed":
            return Damage(file, place, bytes(draw(st.sampled_from([1, 512, len(data) - place, len(data)]))))
        case "garbled":
            return Damage(file, place, noise, goes_on=True)
        case _:
            return Damage(file, place, noise)


def write(folder: Path, hurt: list[Damage]) -> dict[str, bytes]:
    """Write the lesson as the damages leave it; returns its files."""
    folder.mkdir(parents=True)
    files = dict(died())
    for damage in hurt:
        files[damage.file] = damage.of(files[damage.file])
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


def whole(part: Part, data: bytes) -> list[Fragment]:
    """The fragments of a part up to the first that its file does not hold."""
    if zlib.crc32(data[: part.opened.init_length]) != part.opened.init_crc:
        return []
    kept: list[Fragment] = []
    for fragment in part.fragments:
        if zlib.crc32(data[fragment.offset : fragment.offset + fragment.length]) != fragment.crc:
            break
        kept.append(fragment)
    return kept


def assert_in_order(root: Path, recording: Recording) -> None:
    """Everything made of the journal can be made, and agrees on how long the lesson is. A source of which an earlier
    part is damaged is refused, or is as long as it was."""
    files = LessonFiles(root / "lessons")
    folder = root / "lessons" / ID
    catalogue = Catalogue(root / "catalogue.sqlite", root / "lessons")
    lesson = catalogue.get(ID)
    catalogue.close()
    assert lesson is not None
    assert (lesson.duration_s, lesson.state) == (recording.duration_s, recording.state)
    damaged = {fault.file for fault in verify.faults(folder, recording)}
    for source in (CAMERA, SCREEN):
        parts = [part for part in recording.strand(source).parts if part.fragments]
        if source == SCREEN and not recording.strand(SCREEN).parts:
            continue
        recorded_s = sum(part.end - part.opened.start for part in parts) / VIDEO_TIMESCALE
        assert listed_s(files.playlist(ID, source)) == pytest.approx(recorded_s, abs=0.001)
        if source == CAMERA:
            assert recorded_s == pytest.approx(recording.duration_s, abs=0.001)
        if not parts:
            continue
        hurt = damaged & {part.opened.file for part in parts}
        try:
            planned = files.download(ID, source)
        except MalformedBoxes as error:
            assert any(name in str(error) for name in hurt)
            continue
        file = root / f"{source}.mp4"
        file.write_bytes(b"".join(planned.read()))
        assert file.stat().st_size == planned.length
        span_s = (parts[-1].end - parts[0].opened.start) / VIDEO_TIMESCALE
        assert claimed_s(file) == pytest.approx(span_s, abs=0.001)
        if not hurt:
            assert decoded_s(file) == pytest.approx(span_s, abs=0.001)


@settings(max_examples=150)
@given(hurt=st.lists(damages(), min_size=1, max_size=4))
@example(hurt=[Damage(CAMERA_PART, 0, b"")])
@example(hurt=[Damage(NAME, 10**6, b"\0")])
@example(hurt=[Damage(SCREEN_PART, 0, bytes(900))])
@example(hurt=[Damage(CAMERA_PART, 5000, b"\xff"), Damage(NAME, 3000, b"")])
@example(hurt=[Damage(EARLIER[0], 0, b"")])
@example(hurt=[Damage(EARLIER[0], 3000, b"")])
@example(hurt=[Damage(EARLIER[0], 1000, bytes(20_000))])
@example(hurt=[Damage(EARLIER[1], 1619, b"\x01", goes_on=True)])  # where the sound of a fragment begins
def test_whatever_the_crash_left_is_a_lesson_or_left_alone(hurt: list[Damage]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = root / "lessons" / ID
        files = write(folder, hurt)
        lines = parse(files[NAME]).records
        told = fold(lines)
        live = recovery.recover(root / "lessons", BOOT, metrics(), 0, AT + 5)
        if told is None:
            assert live is None
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
            return
        assert live is not None
        recording = read(folder)
        after = (folder / NAME).read_bytes()
        assert parse(after).good == len(after)
        assert parse(after).records[: len(lines)] == lines
        assert recording.marks == told.marks
        for source in (CAMERA, SCREEN):
            before = told.strand(source).parts
            for index, (part, now) in enumerate(zip(before, recording.strand(source).parts, strict=True)):
                file = folder / now.opened.file
                if index + 1 < len(before):  # nothing of an earlier part is given up
                    assert (now.fragments, file.read_bytes()) == (part.fragments, files[file.name])
                    continue
                assert now.fragments == whole(part, files[file.name])
                assert file.read_bytes() == files[file.name][: now.length if now.fragments else 0]
        feed(live, moved(film(2), epoch=7, by_s=60))
        live.stop(0, AT + 70)
        ended = read(folder)
        assert ended.state == "ended"
        assert ended.duration_s == pytest.approx(recording.duration_s + 2, abs=0.05)
        assert_in_order(root, ended)


@pytest.mark.parametrize("tail", [b"\0" * 400, b"noise" * 80])
@pytest.mark.parametrize("file", [CAMERA_PART, SCREEN_PART])
def test_one_bad_sector_within_the_last_fragment_costs_that_fragment_of_one_source(
    tmp_path: Path, file: str, tail: bytes
) -> None:
    folder = tmp_path / "lessons" / ID
    place = len(died()[file]) - 900
    write(folder, [Damage(file, place, tail, goes_on=True)])
    before = read(folder)
    assert recovery.recover(tmp_path / "lessons", "boot-b", metrics(), 0, AT + 5) is not None
    after = read(folder)
    for source, part in ((CAMERA, CAMERA_PART), (SCREEN, SCREEN_PART)):
        lost = len(before.strand(source).parts[-1].fragments) - len(after.strand(source).parts[-1].fragments)
        assert lost == (part == file)
    assert after.marks == {MARK.id: MARK}
    assert (folder / f"{file}.tail").exists()


@settings(max_examples=60)
@given(place=st.integers(0, 10_000), noise=st.binary(min_size=1, max_size=200))
def test_an_ended_lesson_whose_journal_is_garbled_stays_ended(place: int, noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        live = begin(Path(name))
        feed(live, film(4))
        live.stop(0, AT)
        journal = live.folder / NAME
        data = bytearray(journal.read_bytes())
        end = data.rindex(b"\n", 0, len(data) - 1)
        place %= end
        data[place : min(end, place + len(noise))] = noise[: end - place]
        journal.write_bytes(data)
        first = parse(bytes(data)).good > 0
        assert recovery.recover(Path(name), BOOT, metrics(), 0, AT + 5) is None
        recording = fold(parse(journal.read_bytes()).records)
        assert (recording.state if recording else None) == ("ended" if first else None)
