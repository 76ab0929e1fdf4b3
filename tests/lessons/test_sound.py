"""The sound alone: segments and the whole, judged by ffprobe and PyAV, packet for packet what was recorded."""

from __future__ import annotations

import re
from pathlib import Path

import av
import pytest
from hypothesis import given, settings

from appliance.boxes import walk
from appliance.settings import Settings
from lessons import sound
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import Record, Trimmed
from lessons.reader import UnknownLesson
from lessons.recording import fold
from tests.judge import probe
from tests.lessons.media import arrivals, film, moved, pictures, sounds
from tests.lessons.room import AT, ID, begin, read, record
from tests.lessons.test_chapter_track import NAMING, Marked, inside
from tests.lessons.test_playlist import journals

SECOND = 90_000
ENTRY = re.compile(r"(#EXT-X-GAP\n)?#EXTINF:([\d.]+),\nsound/(\d+)-(\d+)-(\d+)\.m4s")


def client(root: Path) -> LessonsClient:
    return LessonsClient(Settings(data_dir=root))


def entries(playlist: str) -> list[tuple[bool, float, tuple[int, int, int]]]:
    """(missing, seconds, (part, first, last)) of each segment."""
    return [
        (bool(gap), float(length), (int(part), int(first), int(last)))
        for gap, length, part, first, last in ENTRY.findall(playlist)
    ]


def played(files: LessonsClient, folder: Path) -> list[Path]:
    """A file for each part, of the segments that the playlist names."""
    found: dict[int, bytes] = {}
    for gap, _, names in entries(files.sound_playlist(ID)):
        if not gap:
            found.setdefault(names[0], files.sound_init(ID, names[0]))
            found[names[0]] += files.sound_segment(ID, *names)
    for number, data in found.items():
        (folder / f"sound-{number}.mp4").write_bytes(data)
    return [folder / f"sound-{number}.mp4" for number in found]


def packets(path: Path) -> list[tuple[int, bytes]]:
    with av.open(str(path)) as container:
        return [(packet.pts or 0, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


def test_the_segments_are_the_sound_that_was_recorded(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", [*film(8), *moved(film(4), epoch=2, by_s=20)])
    files = client(tmp_path)
    one, two = played(files, tmp_path)
    for alone, part in ((one, "part-0001.mp4"), (two, "part-0002.mp4")):
        assert packets(alone) == packets(folder / part)
        verdict = probe(alone)
        assert verdict.complaints == "" and verdict.video_frames == 0 and verdict.audio_frames == len(packets(alone))
    playlist = files.sound_playlist(ID)
    lengths = [length for _, length, _ in entries(playlist)]
    assert sum(lengths) == pytest.approx(files.timeline(ID).duration_s, abs=1e-3)
    assert max(lengths) < sound.TARGET_S and playlist.count("#EXT-X-DISCONTINUITY") == 1
    assert playlist.endswith("#EXT-X-ENDLIST\n") and files.timeline(ID).sound
    for _, _, names in entries(playlist):
        assert [kind for kind, _ in walk(files.sound_segment(ID, *names))] == [b"moof", b"mdat"]


def test_each_segment_plays_on_its_own(tmp_path: Path) -> None:
    record(tmp_path / "lessons", film(8))
    files, place = client(tmp_path), 0.0
    for _, length, names in entries(files.sound_playlist(ID)):
        (tmp_path / "one.mp4").write_bytes(files.sound_init(ID, 1) + files.sound_segment(ID, *names))
        with av.open(str(tmp_path / "one.mp4")) as container:
            frames = list(container.decode(audio=0))
        assert frames[0].time == pytest.approx(place, abs=0.1)
        place += length
        assert frames[-1].time == pytest.approx(place, abs=0.1)


@pytest.mark.parametrize(
    "names", [(1, 0, 0), (1, 1, 2), (2, 0, 0), (9, 5, 5)], ids=["no fragment", "between", "no part", "nothing"]
)
def test_other_names_are_not_there(tmp_path: Path, names: tuple[int, int, int]) -> None:
    record(tmp_path / "lessons", film(4))
    with pytest.raises(UnknownLesson):
        client(tmp_path).sound_segment(ID, *names)
    with pytest.raises(UnknownLesson):
        client(tmp_path).sound_init(ID, 7)


def test_where_there_is_no_sound_is_a_gap(tmp_path: Path) -> None:
    late = [one for one in sounds(12) if one.pts_ns - pictures(12)[0].pts_ns > 5_000_000_000]
    record(tmp_path / "lessons", arrivals(pictures(12), late))
    files = client(tmp_path)
    found = entries(files.sound_playlist(ID))
    assert [gap for gap, _, _ in found].index(False) > 0 and not found[-1][0]
    assert sum(length for _, length, _ in found) == pytest.approx(12, abs=0.05)
    assert sum(length for gap, length, _ in found if gap) == pytest.approx(5.5, abs=1.1)
    [only] = played(files, tmp_path)
    assert packets(only)[0][0] / 48_000 == pytest.approx(5.5, abs=1.1)


def test_a_lesson_without_sound(tmp_path: Path) -> None:
    record(tmp_path / "lessons", list(pictures(4)))
    files = client(tmp_path)
    assert not files.timeline(ID).sound
    with pytest.raises(UnknownLesson):
        files.sound_playlist(ID)
    with pytest.raises(LookupError):
        files.download(ID, "sound")


def test_a_live_playlist_only_grows(tmp_path: Path) -> None:
    live, files = begin(tmp_path / "lessons"), client(tmp_path)
    before = ""
    for number, packet in enumerate(film(12)):
        live.feed(packet, packet.pts_ns, AT)
        if number % 100 == 99 and live.recording.parts:
            after = files.sound_playlist(ID)
            assert after.startswith(before)
            before = after
    live.stop(0, AT + 60)
    assert files.sound_playlist(ID).startswith(before) and len(entries(before)) >= 3


@settings(max_examples=100)
@given(journals())
def test_any_live_playlist_only_grows_and_the_ended_one_has_every_second(records: list[Record]) -> None:
    before = ""
    for count in range(1, len(records) + 1):
        recording = fold(records[:count])
        assert recording is not None
        after = sound.render(recording)
        assert after.startswith(before)
        before = after
    lengths = [length for _, length, _ in entries(before)]
    assert sum(lengths) == pytest.approx(recording.duration_s if recording else 0, abs=0.001)
    assert all(round(length) <= sound.TARGET_S for length in lengths)


def test_the_whole_sound_as_one_file(tmp_path: Path) -> None:
    marked = Marked(tmp_path)
    marked.mark((2.0, "La lave"), (5.5, ""))
    planned = marked.files.download(ID, "sound", NAMING)
    file = tmp_path / "lesson.m4a"
    file.write_bytes(b"".join(planned.read()))
    assert file.stat().st_size == planned.length
    verdict = probe(file)
    assert (verdict.video_frames, verdict.complaints) == (0, "") and verdict.duration_s == pytest.approx(10, abs=0.1)
    assert [title for _, _, title in inside(file)] == ["Les volcans", "La lave", "Repère 2"]
    kinds = [kind for kind, _ in walk(file.read_bytes())]
    assert kinds == [b"ftyp", b"moov", b"mdat"] and file.read_bytes()[8:12] == b"M4A "
    recorded = [data for part in sorted(marked.folder.glob("part-*")) for _, data in packets(part)]
    assert [data for _, data in packets(file)] == recorded
    whole = file.read_bytes()
    middle = planned.length // 2
    for start, stop in ((0, 9), (100, 5000), (middle, middle + 3000), (planned.length - 1, None)):
        assert b"".join(planned.read(start, stop)) == whole[start:stop]


def test_the_sound_of_a_cut_lesson(tmp_path: Path) -> None:
    folder = record(tmp_path / "lessons", film(12))
    Edits(tmp_path / "lessons").write(ID, lambda recording: [Trimmed(5 * SECOND, 9 * SECOND, 0.0)])
    files = client(tmp_path)
    found = entries(files.sound_playlist(ID))
    assert sum(length for _, length, _ in found) == pytest.approx(4, abs=1e-3)
    [cut] = played(files, tmp_path)
    assert {data for _, data in packets(cut)} < {data for _, data in packets(folder / "part-0001.mp4")}
    outside = read(folder).parts[0].fragments[0].offset
    with pytest.raises(UnknownLesson):
        files.sound_segment(ID, 1, outside, outside)
    file = tmp_path / "lesson.m4a"
    file.write_bytes(b"".join(files.download(ID, "sound").read()))
    with av.open(str(file)) as container:
        frames = list(container.decode(audio=0))
    assert frames[0].time == pytest.approx(0, abs=0.03) and frames[-1].time == pytest.approx(4, abs=0.06)
