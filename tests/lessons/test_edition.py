"""A lesson whose beginning or end was cut off: whatever is made of it agrees, and begins with a picture."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from appliance.bus import CommandRefused
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import JoinLessons, MarkLesson, PutTrack, TrimLesson
from appliance.settings import Settings
from lessons import edition, playlist, progressive
from lessons.amendments import Amendments
from lessons.catalogue import Catalogue
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.illustrate import illustrate
from lessons.journal import CAMERA, JOINED, SCREEN, Fragment, Gap, Mark, Record, Stopped, Trimmed
from lessons.low_rung import LOW
from lessons.marks import Marks
from lessons.reader import LessonFiles, UnknownLesson
from lessons.recorder import Recorder
from lessons.recording import Part, Recording, Strand, fold
from lessons.strip import TILE_S
from lessons.tracks import Tracks
from lessons.trim import Trims
from lessons.vtt import Cue, parse, render
from lessons.writer import Writer
from tests.lessons.media import film, moved, pictures, probe, sounds
from tests.lessons.room import AT, ID, begin, feed, metrics, read
from tests.lessons.service import Capture, Lessons, until, watched
from tests.lessons.test_join import NEXT, joins, root
from tests.lessons.test_playlist import CREATED, fragment, journals, opened
from tests.lessons.test_screen import mixed, screen
from tests.lessons.test_service import capture, serve, settings

__all__ = ["capture", "root", "serve", "settings"]  # fixtures of the others' own tests

SECOND = VIDEO_TIMESCALE
PLACES = st.none() | st.integers(0, 50 * SECOND)


def made(*records: Record) -> Recording:
    recording = fold([CREATED, *records])
    assert recording is not None
    return recording


def seconds(text: str) -> float:
    return sum(float(one) for one in re.findall(r"#EXTINF:([\d.]+),", text))


THREE: list[Record] = [opened(1, 0), *(fragment(1, 700 + 100 * i, SECOND * i, 1.0, i % 2 == 0) for i in range(6))]


@pytest.mark.parametrize(
    ("asked", "snapped"),
    [
        ((None, None), (None, None)),
        ((0.0, 6.0), (None, None)),
        ((1.9, None), (None, None)),  # back to the keyframe before
        ((2.0, None), (2.0, None)),
        ((3.9, 4.1), (2.0, 5.0)),
        ((None, 4.0), (None, 4.0)),
        ((4.0, 4.0), (4.0, 5.0)),  # something is always left
        ((99.0, 99.0), (4.0, None)),
        ((-1.0, 0.0), (None, 1.0)),
        ((5.0, 1.0), (4.0, 5.0)),
    ],
)
def test_a_cut_is_made_where_pictures_begin(
    asked: tuple[float | None, float | None], snapped: tuple[float | None, float | None]
) -> None:
    ticks = [None if one is None else round(one * SECOND) for one in asked]
    found = edition.snap(made(*THREE, Stopped(1.0)), *ticks)
    assert tuple(None if one is None else one / SECOND for one in found) == snapped
    assert edition.snap(made(*THREE), *found) == found


def test_what_is_not_cut_is_the_recording_itself() -> None:
    whole = made(*THREE, Stopped(1.0))
    assert edition.of(whole) == (whole, 0, whole) and edition.of(whole).shown is whole
    empty = made(Trimmed(5, 9, 0.0), Stopped(1.0))
    assert edition.of(empty).shown is empty
    live = made(*THREE, Trimmed(2 * SECOND, None, 0.0))
    assert edition.of(live).shown is live  # a list that players have must only grow


@examples(max_examples=200)
@given(journals(), PLACES, PLACES)
def test_any_cut_agrees_with_itself(records: list[Record], start: int | None, end: int | None) -> None:
    whole = made(*records[1:])
    cut = made(*records[1:], Trimmed(start, end, 0.0))
    before = [(one.part, one.offset) for one in records if isinstance(one, Fragment)]
    shown, shift, _ = edition.of(cut)
    fragments = [one for part in shown.parts for one in part.fragments]
    places = [(one.part, one.offset) for one in fragments]
    first = before.index(places[0]) if places else 0
    assert places == before[first : first + len(places)] and bool(places) == bool(before)
    assert seconds(playlist.render(shown)) == pytest.approx(shown.duration_s, abs=1e-3)
    begin, finish = edition.snap(whole, start, end)
    assert shift == (begin or 0) and shown.end == (whole.end if finish is None else finish) - shift
    if fragments:
        assert fragments[0].start == 0 and fragments[0].keyframe
        assert shift <= max(start or 0, 0)
        assert end is None or shown.end + shift >= min(end, whole.end)
    for part in (one for one in shown.parts if one.fragments):
        assert part.opened.start == part.fragments[0].start and part.fragments[0].keyframe


def test_gaps_and_marks_move_along() -> None:
    marks = [Mark(f"{at:08x}", at * SECOND, str(at), "teacher", 0.0) for at in (0, 2, 3, 5, 6)]
    parts: list[Record] = [*THREE[:4], Gap(30.0, "epoch"), opened(2, 3 * SECOND)]
    parts += [fragment(2, 700 + 100 * i, SECOND * (3 + i), 1.0) for i in range(4)]
    shown, shift, whole = edition.of(made(*parts, *marks, Stopped(1.0), Trimmed(2 * SECOND, 5 * SECOND, 0.0)))
    assert shift == 2 * SECOND and len(whole.marks) == 5
    assert [(one.text, one.at) for one in shown.marks.values()] == [("2", 0), ("3", SECOND)]
    assert [(one.at, one.seconds) for one in shown.holes] == [(SECOND, 30.0)] and len(shown.gaps) == 1
    whole.beside[LOW] = Strand(list(whole.camera.parts))
    low = edition.of(whole).shown
    assert low.beside[LOW].parts == low.camera.parts  # cut alike
    last = whole.camera.parts[-1]
    whole.beside[LOW].parts[-1] = Part(last.opened, last.fragments[1:], last.closed)
    assert edition.of(whole).shown.beside == {}  # a fragment of it is missing: it would be out of step
    behind = edition.of(made(*parts, Stopped(1.0), Trimmed(4 * SECOND, None, 0.0))).shown
    assert not behind.holes and not behind.gaps


# --- real lessons ---


class Room:
    """A real lesson of 20 s in two parts, with a screen from 2 s to 10 s, and who may change it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "lessons"
        live = begin(self.root)
        feed(live, mixed(*film(12), *screen(2.0, seconds=8)))
        feed(live, moved(film(8), epoch=2, by_s=30.0))
        live.stop(0, AT + 60)
        self.folder = live.folder
        self.files = LessonsClient(Settings(data_dir=root))
        self.told: list[str] = []
        self.illustrated: list[Path] = []
        recorder = Recorder(root, metrics(), Writer(self.told.append), lambda event: None, lambda folder: None)
        self.amendments = Amendments(recorder, Edits(self.root), self.told.append)
        self.trims = Trims(self.root, self.amendments, lambda: AT + 100, self.illustrated.append)
        self.marks = Marks(self.amendments, lambda: AT + 100)
        self.tracks = Tracks(self.root, self.amendments, lambda: AT + 100)

    def cut(self, start_s: float | None = None, end_s: float | None = None) -> tuple[float, float, float]:
        answer = self.trims.trim(TrimLesson(ID, start_s, end_s))
        return answer.start_s, answer.end_s, answer.duration_s

    def download(self, source: str = CAMERA) -> Path:
        file = self.root.parent / f"{source}.mp4"
        file.write_bytes(b"".join(self.files.download(ID, source).read()))
        return file


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    yield Room(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("edition"))


@examples(max_examples=25, deadline=None)
@given(st.floats(0, 19.9), st.floats(0.1, 20))
def test_every_product_of_any_cut_decodes_and_is_as_long_as_the_others(
    shared: Room, start: float, length: float
) -> None:
    try:
        begin_s, end_s, duration_s = shared.cut(start, start + length)
    except CommandRefused:
        assert min(start + length, 20.0) - start < 1.01
        return
    assert begin_s <= start and end_s >= min(start + length, 19.9)
    found = shared.files.timeline(ID)
    assert found.duration_s == pytest.approx(duration_s) == pytest.approx(end_s - begin_s)
    assert found.trimmed_s == pytest.approx(read(shared.folder).duration_s - duration_s)
    assert seconds(shared.files.playlist(ID)) == pytest.approx(duration_s, abs=1e-3)
    file = shared.download()
    streams = {one["codec_type"]: one for one in probe(file)["streams"]}
    assert float(streams["video"]["duration"]) == pytest.approx(duration_s, abs=0.002)
    assert float(streams["audio"]["duration"]) <= duration_s + 0.06
    with av.open(str(file)) as container:
        frames = list(container.decode(video=0))
    assert frames[0].key_frame and frames[0].time == 0
    assert len(frames) == int(streams["video"]["nb_frames"]) == pytest.approx(duration_s * 30, abs=1.1)
    for span in shared.files.spans(ID, SCREEN):
        assert span.start_s >= 0 and span.start_s + span.duration_s <= duration_s + 0.001
    if found.screen:
        shown = sum(span.duration_s for span in found.screen)
        assert seconds(shared.files.playlist(ID, SCREEN)) == pytest.approx(shown, abs=1e-3)
        with av.open(str(shared.download(SCREEN))) as container:
            screened = list(container.decode(video=0))
        assert screened[0].key_frame and len(screened) == pytest.approx(shown * 30, abs=1.1)
        assert screened[0].time == pytest.approx(found.screen[0].start_s, abs=0.002)


def test_the_cut_shows_what_stood_there(room: Room) -> None:
    """Picture and sound: the film's brightness tells its frames, the sound is where the pictures are."""
    assert room.cut(5.4, 9.2)[:1] == (5.0,)
    with av.open(str(room.download())) as container:
        first = next(container.decode(video=0)).to_ndarray(format="gray")[60, 80]
    whole = av.CodecContext.create("h264", "r")
    shown = [whole.decode(av.Packet(one.data)) for one in pictures(12)[:152]]
    assert int(first) == int([frame for frames in shown for frame in frames][150].to_ndarray(format="gray")[60, 80])
    with av.open(str(room.download())) as container:
        heard = [frame for frame in container.decode(audio=0) if frame.time is not None]
    assert heard[0].time == pytest.approx(0, abs=0.03)
    first_sound = next(one for one in sounds(12) if one.pts_ns >= pictures(12)[150].pts_ns)
    with av.open(str(room.download())) as container:
        packets = [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
    assert first_sound.data in packets[:2]


def test_nothing_is_deleted_and_all_comes_back(room: Room, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in room.folder.glob("*.mp4")}
    products = room.files.playlist(ID), room.files.timeline(ID), b"".join(room.files.download(ID).read())
    catalogue = Catalogue(tmp_path / "catalogue.sqlite", room.root)
    whole = catalogue.get(ID)
    assert room.cut(4.0, 18.0) == room.cut(4.0, 18.0)
    assert len([one for one in (room.folder / "journal.jsonl").read_text().splitlines() if '"trimmed"' in one]) == 1
    catalogue.refresh(ID)
    cut = catalogue.get(ID)
    assert whole and cut and cut.duration_s == pytest.approx(14.0, abs=0.2) and cut.bytes == whole.bytes
    assert cut.screen_s < whole.screen_s
    assert room.files.playlist(ID) != products[0]
    room.cut()
    catalogue.refresh(ID)
    assert catalogue.get(ID) == whole
    assert (room.files.playlist(ID), room.files.timeline(ID), b"".join(room.files.download(ID).read())) == products
    assert {path.name: path.read_bytes() for path in room.folder.glob("*.mp4")} == before
    assert room.told == [ID] * 3 and len(room.illustrated) == 2
    catalogue.close()


@pytest.mark.parametrize(
    ("start", "end"), [(19.9, None), (5.0, 5.5), (9.0, 3.0), (99.0, None), (-1.0, None), (float("nan"), None)]
)
def test_cuts_that_are_refused(room: Room, start: float, end: float | None) -> None:
    with pytest.raises(CommandRefused) as refused:
        room.cut(start, end)
    assert refused.value.kind == "invalid" and read(room.folder).trim == (None, None)
    with pytest.raises(CommandRefused) as refused:
        room.trims.trim(TrimLesson("20990101-000000-0000", 1.0))
    assert refused.value.kind == "not_found"


def test_marks_and_tracks_have_the_times_of_what_is_shown(room: Room) -> None:
    for number, at in enumerate((1.0, 6.0, 9.0, 19.0)):
        room.marks.mark(MarkLesson(ID, f"{number:08x}", f"à {at:g}", at))
    captions = render([Cue(1000, 6000, "un"), Cue(7500, 9000, "deux"), Cue(17_000, 19_000, "trois")])
    room.tracks.put(PutTrack(ID, "captions", "fr", "français", captions))
    untouched = room.files.captions_vtt(ID, "fr")
    room.cut(5.0, 18.0)
    assert [(one.text, one.at_s, one.place) for one in room.files.chapters(ID)] == [
        ("à 6", 1.0, 6 * SECOND),
        ("à 9", 4.0, 9 * SECOND),
    ]
    ends = round(room.files.timeline(ID).duration_s * 1000)
    shown = parse(room.files.captions_vtt(ID, "fr").encode())
    assert shown == [Cue(0, 1000, "un"), Cue(2500, 4000, "deux"), Cue(12_000, ends, "trois")]
    made = room.marks.mark(MarkLesson(ID, "0000000a", "neu", 2.0))
    assert made.at_s == 2.0 and read(room.folder).marks["0000000a"].at == 7 * SECOND
    with pytest.raises(CommandRefused):
        room.marks.mark(MarkLesson(ID, "0000000b", "zu spät", 14.0))
    chapters = parse(room.files.chapters_vtt(ID, lambda one: one.id).encode())
    assert [cue.start_ms for cue in chapters] == [1000, 2000, 4000] and chapters[-1].end_ms == ends
    # What was read from the shown lesson goes back to where it was; what is cut off keeps its marks.
    room.tracks.put(PutTrack(ID, "chapters", "fr", "x", room.files.chapters_vtt(ID, lambda one: one.id)))
    room.tracks.put(PutTrack(ID, "captions", "fr", "français", room.files.captions_vtt(ID, "fr")))
    room.cut()
    assert sorted(one.at // SECOND for one in read(room.folder).marks.values()) == [1, 6, 7, 9, 19]
    kept = parse(room.files.captions_vtt(ID, "fr").encode())
    assert kept[1] == parse(untouched.encode())[1] and kept[0].start_ms == 5000


def test_the_pictures_are_those_of_what_is_shown(room: Room) -> None:
    room.marks.mark(MarkLesson(ID, "00000001", "", 6.0))
    illustrate(room.folder, look=False)
    thumbnail = (room.folder / "thumbnail.jpg").read_bytes()
    room.cut(5.0)
    assert not (room.folder / "thumbnail.jpg").exists() and room.illustrated == [room.folder]
    illustrate(room.folder, look=False)
    assert (room.folder / "thumbnail.jpg").read_bytes() != thumbnail
    first, second = parse(room.files.strip_vtt(ID).encode())
    assert (first.start_ms, first.end_ms, second.start_ms) == (0, TILE_S * 1000 - 5000, TILE_S * 1000 - 5000)
    [chapter] = room.files.chapters(ID)
    assert room.files.still_path(ID, chapter.place).exists() and chapter.at_s == 1.0
    room.cut(7.0)
    assert room.files.stills(ID) == set()
    with pytest.raises(UnknownLesson):
        room.files.still_path(ID, chapter.place)


def test_the_playlist_names_bytes_that_are_shown_and_no_others(room: Room) -> None:
    assert room.files.part_ranges(ID, "part-0001.mp4") is None
    room.cut(5.0, 11.0)
    assert room.files.part_ranges(ID, "part-0002.mp4") == []
    for source, name in ((CAMERA, "part-0001.mp4"), (SCREEN, "screen-0001.mp4")):
        head, media = room.files.part_ranges(ID, name) or []
        listed = re.findall(r"BYTERANGE:(\d+)@(\d+)", room.files.playlist(ID, source))
        assert media == (int(listed[0][1]), int(listed[-1][1]) + int(listed[-1][0]))
        assert sum(int(length) for length, _ in listed) == media[1] - media[0]
        assert head[0] == 0 and f'BYTERANGE="{head[1]}@0"' in room.files.playlist(ID, source)


def test_a_lesson_that_is_live_is_not_cut(tmp_path: Path) -> None:
    begin(tmp_path / "lessons")
    recorder = Recorder(tmp_path, metrics(), Writer(lambda id: None), lambda event: None, lambda folder: None)
    amendments = Amendments(recorder, Edits(tmp_path / "lessons"), lambda id: None)
    with pytest.raises(CommandRefused) as refused:
        Trims(tmp_path / "lessons", amendments, lambda: AT, lambda folder: None).trim(TrimLesson(ID, 1.0))
    assert refused.value.kind == "conflict"


def test_sound_from_before_the_cut_is_not_played() -> None:
    for start, expected in ((-512, (0, 512)), (0, (0, 0)), (4800, (100, 0))):
        edits = progressive._edits(start, 48_000, 48_000)
        assert int.from_bytes(edits[16 + 8 + 8 : 16 + 8 + 16], "big", signed=True) in (expected[1], -1)
        assert len(edits) == 8 + 16 + 20 * (2 if expected[0] else 1)


def test_what_was_made_of_a_journal_is_kept_until_it_changes(room: Room) -> None:
    files = room.files
    made = files.playlist(ID), files.sound_playlist(ID), files.download(ID), files.download(ID, SCREEN)
    again = files.playlist(ID), files.sound_playlist(ID), files.download(ID), files.download(ID, SCREEN)
    assert all(one is other for one, other in zip(made, again, strict=True))
    room.cut(5.0)
    assert files.playlist(ID) != made[0] and files.sound_playlist(ID) != made[1]
    assert files.download(ID).tag != made[2].tag
    room.marks.mark(MarkLesson(ID, "00000001", "", 1.0))
    named = room.files.download(ID, CAMERA, ("Cours", lambda one: "Repère"))
    other = room.files.download(ID, CAMERA, ("Cours", lambda one: "Mark"))
    assert named.tag != other.tag and room.files.download(ID, CAMERA, ("Cours", lambda one: "Mark")) is other


def test_a_joined_lesson_is_cut_around_its_seam(root: Path) -> None:
    """The second one's bytes have times of their own."""
    joins(root).join(JoinLessons(ID, NEXT))
    seam = next(hole.at for hole in read(root / ID).holes if hole.reason == JOINED)
    Edits(root).write(ID, lambda recording: [Trimmed(seam - 2 * SECOND, seam + 2 * SECOND, 0.0)])
    files = LessonFiles(root)
    duration_s = files.timeline(ID).duration_s
    assert 4 <= duration_s <= 6.2 and files.timeline(ID).gaps[0].reason == JOINED
    assert seconds(files.playlist(ID)) == pytest.approx(duration_s, abs=1e-3)
    for source, kind in ((CAMERA, "mp4"), ("sound", "m4a")):
        file = root / f"cut.{kind}"
        file.write_bytes(b"".join(files.download(ID, source).read()))
        found = {one["codec_type"]: one for one in probe(file)["streams"]}
        assert float(found["audio"]["duration"]) == pytest.approx(duration_s, abs=0.12)
        if source == CAMERA:
            assert float(found["video"]["duration"]) == pytest.approx(duration_s, abs=0.002)
    for part, first, last in re.findall(r"sound/(\d+)-(\d+)-(\d+)\.m4s", files.sound_playlist(ID)):
        data = files.sound_init(ID, int(part)) + files.sound_segment(ID, int(part), int(first), int(last))
        with av.open(io.BytesIO(data), "r") as container:
            assert list(container.decode(audio=0))


def test_over_the_bus(settings: Settings, capture: Capture, serve: Callable[[], Lessons]) -> None:
    lessons, client = serve(), LessonsClient(settings)
    id = client.start("Les volcans", "7Q2F").id
    watched(capture, lessons)
    capture.send(film(8))
    until(lambda: client.get(id).duration_s >= 6, "six seconds on disk")
    with pytest.raises(CommandRefused) as refused:
        client.trim(id, 2.0)
    assert refused.value.kind == "conflict"
    whole = client.stop(id)
    cut = client.trim(id, 2.4, 5.0)
    assert cut.start_s == 2.0 and cut.duration_s == pytest.approx(3.0, abs=1.1) and cut == client.trimmed(id)
    assert client.get(id).duration_s == pytest.approx(cut.duration_s)
    assert client.trim(id).duration_s == pytest.approx(whole.duration_s) and client.get(id) == whole
