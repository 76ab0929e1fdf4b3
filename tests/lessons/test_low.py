"""The low rung: made of a lesson that is over, part by part, in step with the camera's, and offered only whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest

from appliance import durable
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.settings import Settings
from lessons import low, low_rung, lowering
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.erase import Eraser
from lessons.journal import Fragment, Trimmed
from lessons.low_rung import INDEX, LOW
from lessons.lowering import Lowering
from lessons.receipts import Receipts
from lessons.recording import Recording
from tests.judge import probe
from tests.lessons.media import arrivals, film, moved, pictures, sounds
from tests.lessons.room import AT, ID, begin, feed, read, record

BIT_RATE = 400_000
ROOM = 1000.0  # bytes a minute: any disk has room for that


def two_parts(root: Path, size: tuple[int, int] = (160, 120)) -> Path:
    """A lesson of two parts, the first in another size, the second with fewer keyframes."""
    live = begin(root)
    feed(live, arrivals(pictures(6, *size), sounds(6)))
    rare = [
        msgspec.structs.replace(one, keyframe=number % 60 == 0) for number, one in enumerate(pictures(5, 1280, 720))
    ]
    feed(live, moved(arrivals(rare, sounds(5)), epoch=2, by_s=9.0))
    live.stop(0, AT + 60)
    return live.folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lessons").mkdir()
    return tmp_path / "lessons"


def client(root: Path) -> LessonsClient:
    return LessonsClient(Settings(data_dir=root.parent))


def times(path: Path, kind: str) -> list[float]:
    """When each frame is shown or heard, on the lesson's timeline (s)."""
    with av.open(str(path)) as container:
        streams: dict[str, Any] = {one.type: one for one in container.streams}
        return [float(packet.pts * packet.time_base) for packet in container.demux(streams[kind]) if packet.size]


def places(fragment: Fragment) -> tuple[int, int, bool]:
    return fragment.start, fragment.duration, fragment.keyframe


def whole(root: Path, source: str) -> Path:
    file = root.parent / f"{source}.mp4"
    file.write_bytes(b"".join(client(root).download(ID, source).read()))
    return file


def test_it_is_the_lesson_in_small(root: Path) -> None:
    folder = two_parts(root)
    before = read(folder)
    low.make(folder, BIT_RATE)
    assert read(folder) == before  # the journal does not know it
    assert sorted(path.name for path in folder.glob("*low*")) == ["low-0001.mp4", "low-0002.mp4", "low.jsonl"]
    strand = low_rung.read(folder)
    assert low_rung.complete(before, strand)
    assert [(one.opened.video.width, one.opened.video.height) for one in strand.parts if one.opened.video] == [
        (160, 120),  # nothing is made larger
        (640, 360),
    ]
    assert not all(one.keyframe for part in strand.parts for one in part.fragments)
    for made, camera in zip(strand.parts, before.parts, strict=True):
        assert (folder / made.opened.file).stat().st_size == made.length
        assert [places(one) for one in made.fragments] == [places(one) for one in camera.fragments]
        assert made.opened.audio == camera.opened.audio
    small, large = whole(root, LOW), whole(root, "camera")
    for file in (small, large):
        assert probe(file).complaints == ""
    assert times(small, "video") == pytest.approx(times(large, "video"), abs=0.0001)
    assert times(small, "audio") == pytest.approx(times(large, "audio"), abs=0.0001)
    with av.open(str(small)) as one, av.open(str(large)) as other:
        heard, said = ([bytes(packet) for packet in file.demux(file.streams.audio[0])] for file in (one, other))
        assert heard == said  # the same sound, bit by bit


def test_its_playlist_goes_along_with_the_cameras(root: Path) -> None:
    folder = two_parts(root, (1280, 720))  # ffprobe does not follow a change of size in a playlist
    reader = client(root)
    assert reader.master(ID).count("#EXT-X-STREAM-INF") == 1 and "index.m3u8" in reader.master(ID)
    assert not reader.timeline(ID).low
    low.make(folder, BIT_RATE)
    text = reader.playlist(ID, LOW)
    lengths = [[line for line in one.splitlines() if line.startswith("#EXTINF")] for one in (text, reader.playlist(ID))]
    assert lengths[0] == lengths[1] and text.count("#EXT-X-DISCONTINUITY") == 1
    assert reader.timeline(ID).low
    assert reader.part_path(ID, "low-0002.mp4").is_file()
    (folder / "low.m3u8").write_text(text)
    verdict = probe(folder / "low.m3u8")
    assert verdict.complaints == "" and verdict.video_frames == 330
    master = reader.master(ID).splitlines()
    assert [line for line in master if line.endswith(".m3u8")] == ["index.m3u8", "low.m3u8"]
    streams = [line for line in master if line.startswith("#EXT-X-STREAM-INF")]
    assert "RESOLUTION=1280x720" in streams[0] and "RESOLUTION=640x360" in streams[1]
    assert all('mp4a.40.2"' in one and 'CODECS="avc1.' in one for one in streams)
    (folder / INDEX).unlink()
    assert not reader.timeline(ID).low and "low.m3u8" not in reader.master(ID)


@pytest.mark.parametrize(("start_s", "end_s"), [(1.0, None), (3.2, 8.6), (None, 5.5), (6.5, 10.0)])
def test_a_lesson_that_is_cut_is_cut_alike_in_small(root: Path, start_s: float | None, end_s: float | None) -> None:
    folder = two_parts(root)
    low.make(folder, BIT_RATE)
    start, end = (None if one is None else round(one * VIDEO_TIMESCALE) for one in (start_s, end_s))
    Edits(root).write(ID, lambda recording: [Trimmed(start, end, AT)])
    reader = client(root)
    assert reader.timeline(ID).low
    shown = reader.timeline(ID).duration_s
    assert shown < 10.9
    lengths = [
        [line for line in reader.playlist(ID, source).splitlines() if line.startswith("#EXTINF")]
        for source in ("camera", LOW)
    ]
    assert lengths[0] == lengths[1]
    assert sum(float(line[8:-1]) for line in lengths[0]) == pytest.approx(shown, abs=0.001)
    small, large = whole(root, LOW), whole(root, "camera")
    assert probe(small).complaints == ""
    assert times(small, "video") == pytest.approx(times(large, "video"), abs=0.0001)
    ranges = reader.part_ranges(ID, "low-0001.mp4")
    assert ranges is not None and all(stop <= (folder / "low-0001.mp4").stat().st_size for _, stop in ranges)


def test_a_run_that_was_killed_goes_on_with_the_part_it_was_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = two_parts(root)
    make_part, made = low.make_part, list[int]()

    def killed(*arguments: object) -> object:
        made.append(1)
        if len(made) == 2:
            (folder / ".low-0002.mp4.tmp").write_bytes(b"torn")
            raise KeyboardInterrupt
        return make_part(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as dying:
        dying.setattr(low, "make_part", killed)
        with pytest.raises(KeyboardInterrupt):
            low.make(folder, BIT_RATE)
    strand = low_rung.read(folder)
    assert [one.opened.number for one in strand.parts] == [1]
    assert not low_rung.complete(read(folder), strand) and not client(root).timeline(ID).low
    assert low_rung.outdated(folder)
    first = (folder / "low-0001.mp4").stat()
    low.make(folder, BIT_RATE)
    assert low_rung.complete(read(folder), low_rung.read(folder)) and not low_rung.outdated(folder)
    assert (folder / "low-0001.mp4").stat().st_ino == first.st_ino  # not made again
    assert list(folder.glob(".*")) == []


def test_what_is_gone_or_no_longer_fits_is_made_again(root: Path) -> None:
    folder = two_parts(root)
    low.make(folder, BIT_RATE)
    (folder / "low-0001.mp4").unlink()
    assert low_rung.outdated(folder)
    low.make(folder, BIT_RATE)
    assert (folder / "low-0001.mp4").stat().st_size == low_rung.read(folder).parts[0].length
    (folder / INDEX).write_bytes(b"garbled")
    assert not client(root).timeline(ID).low
    low.make(folder, BIT_RATE)
    assert client(root).timeline(ID).low


def test_a_part_that_cannot_be_decoded_has_none_and_costs_the_others_nothing(root: Path) -> None:
    folder = two_parts(root)
    (folder / "part-0001.mp4").write_bytes(bytes((folder / "part-0001.mp4").stat().st_size))
    low.make(folder, BIT_RATE)
    assert [one.opened.number for one in low_rung.read(folder).parts] == [2]
    assert not client(root).timeline(ID).low


def test_a_part_without_sound_has_none_in_small(root: Path) -> None:
    folder = record(root, pictures(4))
    low.make(folder, BIT_RATE)
    (part,) = low_rung.read(folder).parts
    assert part.opened.audio is None and "," not in part.opened.codecs
    assert probe(whole(root, LOW)).video_frames == 120


def test_a_lesson_that_is_live_has_none(root: Path) -> None:
    live = begin(root)
    feed(live, film(4))
    live.suspend(0, AT)
    low.make(live.folder, BIT_RATE)
    assert list(live.folder.glob("low*")) == []


class Lowered:
    """The thread beside a recorder that says which lesson is live."""

    def __init__(self, root: Path, bytes_per_minute: float = ROOM) -> None:
        self.live: str | None = None
        self.stopping = threading.Event()
        self.lowering = Lowering(root, lambda: self.live, BIT_RATE, bytes_per_minute)
        self._thread = threading.Thread(target=self.lowering.run, args=(self.stopping,))
        self._thread.start()

    def close(self) -> None:
        self.stopping.set()
        self._thread.join()


def until(true: Callable[[], object], what: str) -> None:
    pause = threading.Event()
    for _ in range(1500):
        if true():
            return
        pause.wait(0.02)
    raise AssertionError(f"never: {what}")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "LOOK_S", 0.02)
    monkeypatch.setattr(lowering, "QUIET_S", 0.1)


def test_it_is_made_while_no_lesson_is_live(root: Path, quick: None) -> None:
    folder = record(root, film(4))
    lowered = Lowered(root)
    try:
        until((folder / INDEX).exists, "a lesson of before")
        later = "20261123-091502-4f2a"
        lowered.live = later
        live = begin(root, later)
        feed(live, film(4))
        lowered.lowering.ask(later)
        live.stop(0, AT + 60)
        assert not threading.Event().wait(0.3) and list(live.folder.glob("low*")) == []
        lowered.live = None
        until((live.folder / INDEX).exists, "the lesson that is over")
    finally:
        lowered.close()


def test_it_gives_way_to_a_lesson_and_to_an_erasure(root: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in mid-work by either; after a lesson it comes again."""
    folder = record(root, arrivals(pictures(20, 1280, 720), sounds(20)))
    lowered = Lowered(root)
    try:
        until(lambda: list(folder.glob(".low-*")), "work to begin")
        lowered.live = "another"
        until(lambda: lowered.lowering._waiting == [ID], "the work to be put off")
        assert not (folder / INDEX).exists()
        lowered.live = None
        until(lambda: lowered.lowering._waiting == [], "the work to be taken up")
        eraser = Eraser(root, Receipts(root.parent), lambda id: None, lambda event: None, lambda: AT)
        eraser.erase(ID, "hand", "teacher")

        def gone() -> bool:  # its process may still have been writing
            eraser.finish()
            return list(root.iterdir()) == []

        until(gone, "nothing to be left")
        lowered.lowering.ask("20261123-091502-4f2a")
        until(lambda: lowered.lowering._waiting == [], "a lesson that is not there to be forgotten")
    finally:
        lowered.close()


def test_it_leaves_room_for_lessons(root: Path, quick: None) -> None:
    folder = record(root, film(4))
    lowered = Lowered(root, 1e15)
    try:
        assert not threading.Event().wait(0.3)
        assert not (folder / INDEX).exists() and lowered.lowering._waiting == [ID]
    finally:
        lowered.close()


def test_completeness_is_of_all_parts_as_they_are(root: Path) -> None:
    folder = two_parts(root)
    low.make(folder, BIT_RATE)
    recording, strand = read(folder), low_rung.read(folder)
    assert low_rung.complete(recording, strand)
    cut = read(folder)
    del cut.parts[-1].fragments[-1]
    assert not low_rung.complete(cut, strand)
    assert not low_rung.complete(Recording(recording.created), strand)
    moved_on = read(folder)
    opened = moved_on.parts[-1].opened
    moved_on.parts[-1].opened = msgspec.structs.replace(opened, start=opened.start + VIDEO_TIMESCALE)
    assert not low_rung.complete(moved_on, strand)
    durable.write(folder / INDEX, b"")
    assert low_rung.read(folder).parts == []
