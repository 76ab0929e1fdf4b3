from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance.messages import Packet
from lessons import verify
from lessons.journal import NAME, Track, encode, parse
from tests.lessons.media import film, pictures
from tests.lessons.room import AT, ID, begin, feed, read

CAMERA, SCREEN = "part-0002.mp4", "screen-0001.mp4"
CAPTIONS = "captions-fr-2c26b46b.vtt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished lesson of two parts, with a shared screen and captions."""
    live = begin(tmp_path)
    camera = [one for one in film(5) if one.codec == "aac" or one.seq != 45]
    shared: list[Packet] = [msgspec.structs.replace(one, source="screen", rung="main") for one in pictures(5)]
    feed(live, sorted([*camera, *shared], key=lambda one: one.pts_ns))
    (live.folder / CAPTIONS).write_bytes(b"foo")
    live.note([Track("captions", "fr", "Français", CAPTIONS, AT)], 0)
    live.stop(0, AT)
    return live.folder


def said(folder: Path) -> tuple[int, list[str]]:
    status, lines = verify.report(folder)
    return status, list(lines)


def test_a_lesson_that_is_as_written(folder: Path) -> None:
    status, lines = said(folder)
    size = read(folder).bytes
    assert (status, lines) == (0, [f"{ID}: ended, 0:04, {size} bytes in 9 fragments: all as written"])


def garble(name: str, place: int) -> Callable[[Path], None]:
    def hurt(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[place] ^= 1
        (folder / name).write_bytes(data)

    return hurt


def cut(name: str, length: int) -> Callable[[Path], None]:
    def hurt(folder: Path) -> None:
        os.truncate(folder / name, length)

    return hurt


@pytest.mark.parametrize(
    ("hurt", "file", "expected"),
    [
        (garble("part-0001.mp4", 5000), "part-0001.mp4", "the fragment is damaged (0.0 to 1.0 s of the lesson)"),
        (garble("part-0001.mp4", -1), "part-0001.mp4", "the fragment is damaged (1.0 to 1.5 s of the lesson)"),
        (garble(CAMERA, 100), CAMERA, "its beginning is damaged: nothing of it plays (1.5 to 4.5 s of the lesson)"),
        (cut(CAMERA, 5000), CAMERA, "the fragment is damaged (1.5 to 2.5 s of the lesson)"),
        (cut(CAMERA, 5000), CAMERA, "the fragment is missing (3.5 to 4.5 s of the lesson)"),
        (garble(SCREEN, 1300), SCREEN, "the fragment is damaged (0.0 to 1.0 s of the lesson)"),
        (lambda folder: (folder / SCREEN).unlink(), SCREEN, "is not there (0.0 to 1.5 s of the lesson)"),
        (garble(NAME, -2), NAME, "are no whole lines"),
        (garble(CAPTIONS, 0), CAPTIONS, "is not what was put in"),
        (lambda folder: (folder / CAPTIONS).unlink(), CAPTIONS, "is not there"),
        (cut(NAME, 10), NAME, "does not begin with a lesson"),
    ],
)
def test_what_is_damaged_is_named_with_its_place(
    folder: Path, hurt: Callable[[Path], None], file: str, expected: str
) -> None:
    hurt(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    status, lines = said(folder)
    assert status == 1
    assert any(line.startswith(f"{file}: ") and expected in line for line in lines), lines
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_every_bit_of_every_part_counts(folder: Path) -> None:
    for path in sorted(folder.glob("*.mp4")):
        whole = path.read_bytes()
        for place in range(0, len(whole), 997):
            data = bytearray(whole)
            data[place] ^= 0x10
            path.write_bytes(data)
            assert said(folder)[0] == 1, (path.name, place)
        path.write_bytes(whole)
    assert said(folder)[0] == 0


def test_a_hole_in_the_timeline_is_a_fault(folder: Path) -> None:
    records = parse((folder / NAME).read_bytes()).records
    (folder / NAME).write_bytes(encode([one for index, one in enumerate(records) if index != 2], 1))
    status, lines = said(folder)
    assert status == 1
    assert "does not go on where the one before ends (0.0 to 1.0 s of the lesson)" in lines[0]


def test_a_live_lesson_is_as_written_so_far(tmp_path: Path) -> None:
    live = begin(tmp_path)
    feed(live, film(4)[:250])
    assert said(live.folder)[0] == 0


def test_the_command_says_it_and_exits_with_it(folder: Path) -> None:
    def run(path: Path) -> tuple[int, str]:
        command = [sys.executable, "-m", "lessons.verify", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert run(folder) == (0, said(folder)[1][0] + "\n")
    garble(CAMERA, 5000)(folder)
    status, text = run(folder)
    assert status == 1 and len(text.splitlines()) == 2
    status, text = run(folder.with_name("20261123-081502-0000"))
    assert (status, text) == (2, "there is no lesson 20261123-081502-0000\n")
