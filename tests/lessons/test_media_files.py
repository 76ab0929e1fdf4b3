"""What is written must be right in the eyes of others: ffprobe and PyAV's demuxer and decoder."""

from __future__ import annotations

import random
from pathlib import Path

import av
import pytest

from appliance import fmp4
from appliance.boxes import MalformedBoxes, find, walk
from lessons import progressive
from lessons.recording import Recording
from tests.lessons.media import film, moved, pictures, probe
from tests.lessons.room import read, record


def streams(path: Path) -> dict[str, dict[str, str]]:
    return {one["codec_type"]: one for one in probe(path)["streams"]}


def download(folder: Path, target: Path) -> progressive.Progressive:
    planned = progressive.open_plan(progressive.sources(read(folder), folder))
    target.write_bytes(b"".join(planned.read()))
    assert target.stat().st_size == planned.length
    return planned


def test_annex_b_is_taken_apart() -> None:
    data = b"\0\0\0\1\x09\x10\0\0\1\x67abc\0\0\0\1\x68d\0\0\1\x65slice\0\0"
    assert list(fmp4.split_annex_b(data)) == [b"\x09\x10", b"\x67abc", b"\x68d", b"\x65slice"]
    assert fmp4.parameter_sets(data) == ((b"\x67abc",), (b"\x68d",))
    assert fmp4.avc_sample(data) == b"\0\0\0\x06\x65slice"
    assert list(fmp4.split_annex_b(b"no start code")) == []


def test_boxes_that_lie_about_their_size_are_malformed() -> None:
    for data in (b"\0\0\0", b"\0\0\0\x07free", b"\0\0\0\x10free", b"\0\0\0\1free\0\0\0\0\0\0\0\1"):
        with pytest.raises(MalformedBoxes):
            list(walk(data))
    with pytest.raises(MalformedBoxes):
        find(b"\0\0\0\x08free", b"moov")


def test_a_part_is_a_good_file(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", film(4))
    part = folder / "part-0001.mp4"
    found = streams(part)
    assert found["video"]["profile"] == "Constrained Baseline"
    assert found["audio"]["sample_rate"] == "48000"
    assert float(probe(part)["format"]["duration"]) == pytest.approx(4.0, abs=0.06)
    with av.open(str(part)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 120
    assert [round(frame.time * 30) for frame in frames] == list(range(120))
    assert read(folder).parts[0].opened.codecs == f"avc1.{_sps()[1:4].hex()},mp4a.40.2"


def _sps() -> bytes:
    return fmp4.parameter_sets(pictures()[0].data)[0][0]


def test_a_segment_of_the_playlist_plays_on_its_own(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", film(4))
    part = read(folder).parts[0]
    data = (folder / "part-0001.mp4").read_bytes()
    one = part.fragments[2]
    alone = tmp_path / "segment.mp4"
    alone.write_bytes(data[: part.opened.init_length] + data[one.offset : one.offset + one.length])
    with av.open(str(alone)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 30
    assert frames[0].time == pytest.approx(2.0)


def test_the_download_of_one_part(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", film(4))
    target = tmp_path / "lesson.mp4"
    download(folder, target)
    found = streams(target)
    assert float(found["video"]["duration"]) == pytest.approx(4.0, abs=0.01)
    assert float(found["audio"]["duration"]) == pytest.approx(4.0, abs=0.1)
    assert found["video"]["nb_frames"] == "120"
    kinds = [kind for kind, _ in walk(target.read_bytes())]
    assert kinds == [b"ftyp", b"moov", b"mdat"]


def test_the_download_of_two_parts_with_another_picture_size_between(tmp_path: Path) -> None:
    larger = [one for one in moved(film(2), epoch=2, by_s=9) if one.codec == "aac"]
    second = sorted([*larger, *moved(list(pictures(2, 320, 240)), epoch=2, by_s=9)], key=lambda one: one.pts_ns)
    folder = record(tmp_path / "lessons", [*film(3), *second])
    recording = read(folder)
    assert len(recording.parts) == 2
    target = tmp_path / "lesson.mp4"
    download(folder, target)
    assert float(streams(target)["video"]["duration"]) == pytest.approx(recording.duration_s, abs=0.01)
    with av.open(str(target)) as container:
        frames = list(container.decode(video=0))
    assert [frame.width for frame in frames] == [160] * 90 + [320] * 60
    assert frames[90].time == pytest.approx(3.0, abs=0.01)
    with av.open(str(target)) as container:
        sound = [frame.time or 0.0 for frame in container.decode(audio=0)]
    assert max(sound) == pytest.approx(recording.duration_s, abs=0.1)


def test_sound_keeps_its_place_in_the_download(tmp_path: Path) -> None:
    """A tone that begins a second late begins a second late, also when a part before it had no sound at all."""
    late = [one for one in film(4) if one.codec == "h264" or one.pts_ns > pictures()[0].pts_ns + 1_300_000_000]
    folder = record(tmp_path / "lessons", late)
    target = tmp_path / "lesson.mp4"
    download(folder, target)
    with av.open(str(target)) as container:
        first = next(container.decode(audio=0))
    assert first.time == pytest.approx(2.0, abs=0.05)  # the part with sound begins at the keyframe


def test_any_range_is_a_slice_of_the_whole(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", [*film(3), *moved(film(2), epoch=2, by_s=9)])
    target = tmp_path / "lesson.mp4"
    planned = download(folder, target)
    whole = target.read_bytes()
    chance = random.Random(5)
    for _ in range(200):
        start, stop = sorted(chance.randrange(planned.length + 1) for _ in range(2))
        assert b"".join(planned.read(start, stop)) == whole[start:stop]
    assert b"".join(planned.read(planned.length - 1)) == whole[-1:]
    assert b"".join(planned.read(planned.length)) == b""


def test_a_part_that_ends_early_is_an_error_not_silence(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", film(3))
    planned = progressive.open_plan(progressive.sources(read(folder), folder))
    with (folder / "part-0001.mp4").open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(OSError, match="ends early"):
        list(planned.read())


@pytest.mark.parametrize(
    ("place", "new", "length"),
    [
        (0, b"", 2000),  # the file is cut
        (4, b"skip", None),  # another box where a moof should be
        (0, b"\0\0\0\0", None),
        (0, b"\xff\xff\xff\xff", None),
        (60, b"\x01", None),  # when the pictures begin
        (68, b"\x01", None),  # which boxes there are
        (82, b"\xff", None),  # how many pictures there are
        (92, b"\x7f", None),  # how large a picture is
        (88, b"\x7f", None),  # how long it is
    ],
)
def test_a_download_that_would_have_a_wrong_length_is_refused(
    tmp_path: Path, place: int, new: bytes, length: int | None
) -> None:
    folder = record(tmp_path / "lessons", film(3))
    recording = read(folder)
    path = folder / recording.parts[0].opened.file
    data = bytearray(path.read_bytes())
    begin = recording.parts[0].fragments[1].offset + place
    data[begin : begin + len(new)] = new
    path.write_bytes(data[:length])
    with pytest.raises(MalformedBoxes, match=r"part-0001\.mp4 is"):
        progressive.open_plan(progressive.sources(recording, folder))


def test_three_hours_are_planned_without_reading_the_media(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", film(4))
    recording: Recording = read(folder)
    source = progressive.sources(recording, folder)[0]
    data = source.path.read_bytes()
    one = source.fragments[1]
    asked = []

    def read_at(path: Path, place: int, size: int) -> bytes:
        asked.append(size)
        return data[one.offset : one.offset + size]

    long = source._replace(fragments=[one] * 10_800)
    planned = progressive.plan([long], read_at)
    assert planned.length > 10_800 * (one.length - 5000)
    assert max(asked) <= progressive.MOOF_GUESS
    assert len(asked) == 10_800
