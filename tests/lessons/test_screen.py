"""A shared screen recorded beside the camera: its parts, its place on the timeline, its recovery."""

from __future__ import annotations

from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Packet
from appliance.settings import Settings
from lessons import recovery
from lessons.assembler import SCREEN_RULES, Append, Assembler
from lessons.client import LessonsClient
from lessons.journal import NAME, SCREEN, Created, SourceRecord, encode, parse
from lessons.playlist import render, spans
from lessons.reader import UnknownLesson
from lessons.recording import Strand, fold
from tests.judge import probe
from tests.lessons.media import ORIGIN_NS, RATE, TONE_S, film, pictures, shared_sounds
from tests.lessons.room import AT, ID, begin, feed, metrics, read

SECOND = 1_000_000_000


def screen(begin_s: float, first: int = 0, seconds: int = 4) -> list[Packet]:
    """A screen shared from `begin_s` of the lesson on; `first` is the number of its first packet."""
    shared = pictures(seconds, 320, 180)
    shift = round(begin_s * SECOND)
    return [
        msgspec.structs.replace(packet, source="screen", rung="main", seq=first + number, pts_ns=packet.pts_ns + shift)
        for number, packet in enumerate(shared)
    ]


def heard(begin_s: float, layout: str = "stereo") -> list[Packet]:
    """The sound beside `screen`."""
    shift = round(begin_s * SECOND)
    return [msgspec.structs.replace(packet, pts_ns=packet.pts_ns + shift) for packet in shared_sounds(4, layout)]


def tone_of(file: Path) -> tuple[float, float, float]:
    """When the tone begins and ends in a file, and when its sound ends, on the file's timeline (s)."""
    times, levels = [], []
    with av.open(str(file)) as container:
        for frame in container.decode(container.streams.audio[0]):
            samples = frame.to_ndarray().astype(np.float64)
            for start in range(0, frame.samples, 240):
                times.append(float(frame.time or 0) + start / RATE)
                levels.append(float(np.abs(samples[:, start : start + 240]).max()))
    loud = [time for time, level in zip(times, levels, strict=True) if level > 0.1]
    return loud[0], loud[-1], times[-1]


def mixed(*packets: Packet, sound_late_s: float = 0.0) -> list[Packet]:
    """In the order in which they come."""
    late_ns = int(sound_late_s * SECOND)
    return sorted(packets, key=lambda packet: packet.pts_ns + late_ns * (packet.codec == "opus"))


def lesson(root: Path, *shared: Packet, seconds: int = 8) -> Path:
    live = begin(root)
    feed(live, mixed(*film(seconds), *shared))
    live.stop(0, AT + 60)
    return live.folder


def client(root: Path) -> LessonsClient:
    folder = root / "lessons"
    folder.mkdir(exist_ok=True)
    return LessonsClient(Settings(data_dir=root))


def download(root: Path, name: str, source: str) -> Path:
    file = root / name
    file.write_bytes(b"".join(client(root).download(ID, source).read()))
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lessons").mkdir()
    return tmp_path


def test_a_screen_is_a_second_file_on_the_lessons_timeline(root: Path) -> None:
    folder = lesson(root / "lessons", *screen(2.0))
    recording = read(folder)
    (part,) = recording.strand(SCREEN).parts
    assert part.opened.start == pytest.approx(2.0 * VIDEO_TIMESCALE, abs=3000)
    assert part.closed == "stopped"
    assert recording.duration_s == pytest.approx(8.0, abs=0.05)
    assert len(recording.parts) == 1 and recording.gaps == []
    assert recording.bytes == sum(path.stat().st_size for path in folder.glob("*.mp4"))
    (span,) = client(root).spans(ID, SCREEN)
    assert span.start_s == pytest.approx(2.0, abs=0.05)
    assert span.duration_s == pytest.approx(4.0, abs=0.05)
    verdict = probe(download(root, "screen.mp4", SCREEN))
    assert (verdict.complaints, verdict.video_frames) == ("", 120)
    assert verdict.duration_s == pytest.approx(6.0, abs=0.1)  # the first two seconds are empty
    whole = probe(download(root, "lesson.mp4", "camera"))
    assert (whole.complaints, whole.video_frames) == ("", 240)


@pytest.mark.parametrize("layout", ["stereo", "mono"])
@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_the_screens_sound_is_recorded_in_step(root: Path, layout: str, late_s: float) -> None:
    live = begin(root / "lessons")
    feed(live, mixed(*film(8), *screen(2.0), *heard(2.0, layout), sound_late_s=late_s))
    live.stop(0, AT + 60)
    (part,) = read(live.folder).strand(SCREEN).parts
    assert part.opened.codecs.endswith(",opus")
    (span,) = client(root).spans(ID, SCREEN)
    assert span.sound
    file = download(root, "screen.mp4", SCREEN)
    verdict = probe(file)
    assert (verdict.complaints, verdict.audio_frames) == ("", 200)
    begins, ends, whole = tone_of(file)
    assert (begins, ends) == pytest.approx((2.0 + TONE_S[0], 2.0 + TONE_S[1]), abs=0.02)
    assert whole == pytest.approx(6.0, abs=0.05)


def test_a_screen_without_sound_is_silent(root: Path) -> None:
    """Every part has a sound track: players cannot go from one that has to one that has not."""
    folder = lesson(root / "lessons", *screen(2.0))
    (part,) = read(folder).strand(SCREEN).parts
    assert part.opened.codecs.endswith(",opus")
    assert [span.sound for span in client(root).spans(ID, SCREEN)] == [False]
    verdict = probe(download(root, "screen.mp4", SCREEN))
    assert (verdict.complaints, verdict.audio_frames) == ("", 200)


def test_sound_that_was_lost_is_silence(root: Path) -> None:
    kept = [packet for packet in heard(2.0) if not 70 <= packet.seq < 85 and packet.seq >= 40]
    lesson(root / "lessons", *screen(2.0), *kept)
    file = download(root, "screen.mp4", SCREEN)
    assert (probe(file).complaints, probe(file).audio_frames) == ("", 200)
    begins, ends, _ = tone_of(file)
    assert (begins, ends) == pytest.approx((2.0 + TONE_S[0], 2.0 + TONE_S[1]), abs=0.02)


def test_sound_that_changes_its_channels_opens_no_part(root: Path) -> None:
    both = [one if one.seq < 75 else other for one, other in zip(heard(2.0), heard(2.0, "mono"), strict=True)]
    (part,) = read(lesson(root / "lessons", *screen(2.0), *both)).strand(SCREEN).parts
    assert part.closed == "stopped"
    assert probe(download(root, "screen.mp4", SCREEN)).complaints == ""


def test_sound_alone_is_not_recorded(root: Path) -> None:
    live = begin(root / "lessons")
    feed(live, mixed(*film(8), *heard(2.0)))
    assert not live.screen_wants_keyframe(ORIGIN_NS + 6 * SECOND)
    live.stop(0, AT)
    assert read(live.folder).strand(SCREEN).parts == []


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_is_lost_the_sound_has_no_holes(data: st.DataObject) -> None:
    """Sound reaches to the end of every part, and to half a second before the end of any fragment."""
    origin_ns = screen(0.0)[0].pts_ns
    assembler = Assembler(1, 0, "boot", rules=SCREEN_RULES, place=lambda pts_ns: (pts_ns - origin_ns) * 9 // 100_000)
    packets = mixed(*screen(0.0), *heard(0.0), sound_late_s=data.draw(st.floats(0, 0.6)))
    orders = [order for one in packets if data.draw(st.integers(0, 9)) for order in assembler.push(one, 0.0)]
    orders += assembler.finish(0.0, "stopped")
    strand = Strand()
    for record in (
        one for order in orders for one in (order.records if isinstance(order, Append) else (order.record,))
    ):
        strand.apply(record)
    for part in strand.parts:
        for number, fragment in enumerate(part.fragments, 1):
            assert fragment.audio_end is not None
            lack_s = (fragment.start + fragment.duration) / VIDEO_TIMESCALE - fragment.audio_end / RATE
            assert lack_s < (0.03 if number == len(part.fragments) else 0.53)


def test_the_playlists_of_both_play(root: Path) -> None:
    folder = lesson(root / "lessons", *screen(1.0))
    for source, seconds in (("camera", 8.0), (SCREEN, 4.0)):
        text = client(root).playlist(ID, source)
        assert text.endswith("#EXT-X-ENDLIST\n")
        path = folder / f"{source}.m3u8"
        path.write_text(text)
        verdict = probe(path)
        assert verdict.complaints == "" and verdict.duration_s == pytest.approx(seconds, abs=0.1)
    assert "part-0001.mp4" not in text and "screen-0001.mp4" in text
    assert client(root).part_path(ID, "screen-0001.mp4").is_file()


def test_a_screen_that_comes_twice_has_two_parts_and_a_hole(root: Path) -> None:
    first = screen(0.5, seconds=2)
    again = [msgspec.structs.replace(packet, epoch=2) for packet in screen(5.0, seconds=2)]
    folder = lesson(root / "lessons", *first, *again)
    found = spans(read(folder), SCREEN)
    assert [round(span.start_s, 1) for span in found] == [0.5, 5.0]
    assert sum(span.duration_s for span in found) == pytest.approx(4.0, abs=0.2)
    assert render(read(folder), SCREEN).count("#EXT-X-DISCONTINUITY") == 1
    assert read(folder).gaps == []
    verdict = probe(download(root, "screen.mp4", SCREEN))
    assert (verdict.complaints, verdict.video_frames) == ("", 120)


def test_nothing_is_recorded_before_a_keyframe_nor_before_the_camera(root: Path) -> None:
    early = screen(-1.5)  # its keyframes stand at -1.5, -0.5, 0.5
    (part,) = read(lesson(root / "lessons", *early)).strand(SCREEN).parts
    assert part.opened.start / VIDEO_TIMESCALE == pytest.approx(0.5, abs=0.05)


def test_a_hole_in_the_camera_moves_the_screen_along(root: Path) -> None:
    """The timeline leaves out what the camera missed; the screen, which was recorded through the hole, goes on where
    the timeline has come to the end of that."""
    camera = [packet for packet in film(10) if not 3 * SECOND <= packet.pts_ns - ORIGIN_NS < 5 * SECOND]
    live = begin(root / "lessons")
    feed(live, mixed(*camera, *screen(1.0, seconds=8)))
    live.stop(0, AT)
    recording = read(live.folder)
    assert recording.duration_s == pytest.approx(8.0, abs=0.1)
    parts = recording.strand(SCREEN).parts
    assert [part.closed for part in parts] == ["moved", "stopped"]
    last = parts[-1].opened
    camera_part = recording.parts[-1].opened
    expected = camera_part.start + (last.origin_ns - camera_part.origin_ns) * VIDEO_TIMESCALE // SECOND
    assert last.start == pytest.approx(expected, abs=100)
    assert last.start >= parts[0].end


def test_sparse_pictures_are_kept_and_written_when_the_next_comes(root: Path) -> None:
    still = [packet for packet in screen(0.5, seconds=4) if packet.keyframe]
    packets = [
        msgspec.structs.replace(packet, seq=number, duration_ns=SECOND, keyframe=number == 0)
        for number, packet in enumerate(still)
    ]
    (part,) = read(lesson(root / "lessons", *packets)).strand(SCREEN).parts
    assert len(part.fragments) == 4
    assert (part.end - part.opened.start) / VIDEO_TIMESCALE == pytest.approx(4.0, abs=0.1)


def test_the_end_of_sharing_is_durable_at_once(root: Path) -> None:
    live = begin(root / "lessons")
    feed(live, mixed(*film(4), *screen(1.0, seconds=2)))
    assert live.screen_wants_keyframe(ORIGIN_NS + 7 * SECOND) is False  # long silent
    live.end_screen(0, AT)
    live.end_screen(0, AT)
    (part,) = read(live.folder).strand(SCREEN).parts
    assert part.closed == "ended"
    assert (part.end - part.opened.start) / VIDEO_TIMESCALE == pytest.approx(2.0, abs=0.1)
    live.suspend(0, AT)


def test_a_silent_screen_is_closed_and_a_fresh_one_asks_for_keyframes(root: Path) -> None:
    live = begin(root / "lessons")
    shared = screen(1.0, seconds=2)
    bare = [msgspec.structs.replace(packet, keyframe=False) for packet in shared]
    feed(live, mixed(*film(4), *bare))
    now_ns = bare[-1].pts_ns
    assert live.screen_wants_keyframe(now_ns)
    live.watch(now_ns + 5 * SECOND, AT)
    live.watch(now_ns + 13 * SECOND, AT)
    assert not live.screen_wants_keyframe(now_ns)
    assert read(live.folder).strand(SCREEN).parts == []
    live.suspend(0, AT)


def interrupted(root: Path) -> Path:
    """A lesson whose power went while a screen was shared."""
    live = begin(root / "lessons")
    feed(live, mixed(*film(6), *screen(1.0)))
    live.suspend(0, AT)
    return live.folder


@pytest.mark.parametrize("lost", [1, 3000, 10_000_000])
def test_what_the_disk_lost_of_the_screen_costs_the_camera_nothing(root: Path, lost: int) -> None:
    folder = interrupted(root)
    before = read(folder)
    file = folder / "screen-0001.mp4"
    data = file.read_bytes()
    file.write_bytes(data[: max(0, len(data) - lost)])
    live = recovery.recover(root / "lessons", "boot-a", metrics(), 0, AT + 5)
    assert live is not None
    after = read(folder)
    assert after.end == before.end and len(after.parts[-1].fragments) == len(before.parts[-1].fragments)
    assert after.strand(SCREEN).bytes < before.strand(SCREEN).bytes
    feed(live, mixed(*film(10)[-120:], *[msgspec.structs.replace(one, epoch=3) for one in screen(6.5, seconds=3)]))
    live.stop(0, AT + 9)
    again = read(folder)
    assert [part.opened.file for part in again.strand(SCREEN).parts][-1] == "screen-0002.mp4"
    for source in ("camera", SCREEN):
        assert probe(download(root, f"{source}.mp4", source)).complaints == ""


def test_a_missing_screen_file_is_forgotten(root: Path) -> None:
    folder = interrupted(root)
    before = read(folder)
    (folder / "screen-0001.mp4").unlink()
    assert recovery.recover(root / "lessons", "boot-a", metrics(), 0, AT + 5) is not None
    assert read(folder).end == before.end
    assert spans(read(folder), SCREEN) == []


def test_the_journal_may_be_torn_anywhere(root: Path) -> None:
    folder = interrupted(root)
    journal = (folder / NAME).read_bytes()
    media = {path: path.read_bytes() for path in folder.glob("*.mp4")}
    for cut in range(len(journal) - 1, 0, -97):
        (folder / NAME).write_bytes(journal[:cut])
        for path, data in media.items():
            path.write_bytes(data)
        repaired = recovery.repair(folder)
        if repaired is None:
            continue
        assert read(folder) == repaired.recording
        assert (folder / NAME).stat().st_size == repaired.journal_length
        for strand in (repaired.recording.camera, *repaired.recording.beside.values()):
            for part in strand.parts:
                length = part.length if part.fragments else 0
                assert (folder / part.opened.file).stat().st_size == length


def test_readers_that_know_no_screen_see_the_camera(root: Path) -> None:
    records = parse((interrupted(root) / NAME).read_bytes()).records
    plain = [record for record in records if not isinstance(record, SourceRecord)]
    old = fold(parse(encode(plain, 1)).records)
    new = fold(records)
    assert old is not None and new is not None
    assert old.parts == new.parts and old.beside == {}


def test_a_lesson_without_a_screen_has_none(root: Path) -> None:
    lesson(root / "lessons")
    assert client(root).spans(ID, SCREEN) == []
    with pytest.raises(UnknownLesson):
        client(root).playlist(ID, SCREEN)
    with pytest.raises(UnknownLesson):
        client(root).download(ID, SCREEN)
    assert isinstance(read(root / "lessons" / ID).created, Created)
