"""Whatever a crash left of journal and media: the whole lines and the whole fragments, never an exception."""

from __future__ import annotations

import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import av
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Packet
from appliance.settings import Settings
from lessons import recovery
from lessons.catalogue import Catalogue
from lessons.client import LessonsClient
from lessons.journal import CAMERA, NAME, SCREEN, Fragment, Mark, encode, parse
from lessons.recording import Part, Recording, fold
from tests.lessons.media import film, moved, pictures
from tests.lessons.room import AT, BOOT, ID, begin, feed, metrics, read

CAMERA_PART, SCREEN_PART = "part-0001.mp4", "screen-0001.mp4"
MARK = Mark("0a1b2c3d", 90_000, "Puy de Dôme", "teacher", AT)


class Damage(NamedTuple):
    """From byte `place` of a file on there is `tail`."""

    file: str
    place: int
    tail: bytes


@cache
def died() -> dict[str, bytes]:
    """The files of a lesson with a shared screen whose power went after three seconds; a mark is its last line."""
    with tempfile.TemporaryDirectory() as name:
        live = begin(Path(name))
        shared: list[Packet] = [msgspec.structs.replace(one, source="screen", rung="main") for one in pictures(4)]
        feed(live, sorted([*film(4), *shared], key=lambda one: one.pts_ns)[:385])
        journal = live.folder / NAME
        lines = journal.read_bytes()
        journal.write_bytes(lines + encode([MARK], parse(lines).next_line))
        return {path.name: path.read_bytes() for path in live.folder.iterdir() if path.suffix in (".mp4", ".jsonl")}


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    file = draw(st.sampled_from([NAME, CAMERA_PART, SCREEN_PART]))
    data = died()[file]
    place = draw(st.integers(0, len(data)))
    kind = draw(st.sampled_from(["truncated", "zeroed", "noise", "garbled"]))
    noise = draw(st.binary(min_size=1, max_size=300)) if kind in ("noise", "garbled") else b""
    match kind:
        case "zeroed":
            return Damage(file, place, bytes(draw(st.sampled_from([1, 512, len(data) - place, len(data)]))))
        case "garbled":
            return Damage(file, place, noise + data[place + len(noise) :])
        case _:
            return Damage(file, place, noise)


def write(folder: Path, hurt: list[Damage]) -> dict[str, bytes]:
    """Write the lesson as the damages leave it; returns its files."""
    folder.mkdir(parents=True)
    files = dict(died())
    for damage in hurt:
        files[damage.file] = files[damage.file][: damage.place] + damage.tail
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


def decoded_s(file: Path) -> float:
    """How long the pictures of a file are; every one is decoded."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        count = sum(1 for _ in container.decode(stream))
        assert stream.duration is not None and stream.time_base is not None
        assert count == stream.frames
        return float(stream.duration * stream.time_base)


def assert_in_order(root: Path, recording: Recording) -> None:
    """Everything made of the journal can be made, and agrees on how long the lesson is."""
    client = LessonsClient(Settings(data_dir=root))
    catalogue = Catalogue(root / "catalogue.sqlite", root / "lessons")
    lesson = catalogue.get(ID)
    catalogue.close()
    assert lesson is not None
    assert (lesson.duration_s, lesson.state) == (recording.duration_s, recording.state)
    for source in (CAMERA, SCREEN):
        parts = [part for part in recording.strand(source).parts if part.fragments]
        if source == SCREEN and not recording.strand(SCREEN).parts:
            continue
        recorded_s = sum(part.end - part.opened.start for part in parts) / VIDEO_TIMESCALE
        text = client.playlist(ID, source)
        listed = sum(float(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF:"))
        assert listed == pytest.approx(recorded_s, abs=0.001)
        if source == CAMERA:
            assert recorded_s == pytest.approx(recording.duration_s, abs=0.001)
        if parts:
            file = root / f"{source}.mp4"
            file.write_bytes(b"".join(client.download(ID, source).read()))
            assert decoded_s(file) == pytest.approx(recorded_s, abs=0.001)


@settings(max_examples=150)
@given(hurt=st.lists(damages(), min_size=1, max_size=4))
@example(hurt=[Damage(CAMERA_PART, 0, b"")])
@example(hurt=[Damage(NAME, 10**6, b"\0")])
@example(hurt=[Damage(SCREEN_PART, 0, bytes(900))])
@example(hurt=[Damage(CAMERA_PART, 5000, b"\xff"), Damage(NAME, 3000, b"")])
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
            for before, part in zip(told.strand(source).parts, recording.strand(source).parts, strict=True):
                file = folder / part.opened.file
                assert part.fragments == whole(before, files[file.name])
                assert file.read_bytes() == files[file.name][: part.length if part.fragments else 0]
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
    data = died()[file]
    place = len(data) - 900
    write(folder, [Damage(file, place, tail + data[place + len(tail) :])])
    before = read(folder)
    assert recovery.recover(tmp_path / "lessons", "boot-b", metrics(), 0, AT + 5) is not None
    after = read(folder)
    for source, part in ((CAMERA, CAMERA_PART), (SCREEN, SCREEN_PART)):
        lost = len(before.strand(source).parts[0].fragments) - len(after.strand(source).parts[0].fragments)
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
