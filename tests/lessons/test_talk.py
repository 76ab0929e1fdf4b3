"""Pupils' voices beside a recording: only while the school's setting and the teacher's switch both say so."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.bus import CommandRefused, Publisher
from appliance.durable import Appender
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import JoinLessons, Packet
from appliance.settings import Settings
from lessons import recovery, session
from lessons.assembler import Append, Close
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import NAME, TALK, Created, Fragment, PartOpened, SourceRecord, TalkRecorded, Trimmed, parse
from lessons.reader import UnknownLesson
from lessons.recording import Strand
from lessons.session import Session
from lessons.voices import Voices
from tests.judge import probe
from tests.lessons.media import ORIGIN_NS, film, moved
from tests.lessons.room import AT, BOOT, CODE, ID, metrics, read
from tests.lessons.service import Capture, Lessons, until, watched
from tests.lessons.test_join import NEXT, joins
from tests.voice import RATE, WINDOW, heard, sound_of, voice

SECOND = 1_000_000_000
ON, OFF = TalkRecorded(True, AT), TalkRecorded(False, AT)


def said(begin_s: float, seconds: int = 2, first: int = 0, epoch: int = 1) -> list[Packet]:
    """A voice from `begin_s` of the lesson on; `first` is the number of its first packet."""
    return [
        msgspec.structs.replace(
            one, epoch=epoch, seq=first + one.seq, pts_ns=ORIGIN_NS + round(begin_s * SECOND) + one.pts_ns
        )
        for one in voice(seconds)
    ]


def begin(root: Path, id: str = ID, *, talk: bool = True) -> Session:
    return session.create(root, Created(id, "Les volcans", CODE, AT, BOOT), metrics(), 0, talk=talk)


def feed(live: Session, *packets: Packet, switches: dict[float, TalkRecorded] | None = None) -> None:
    """Every packet, and each turn of the switch, at its moment of the lesson."""
    due = sorted((ORIGIN_NS + round(at_s * SECOND), switch) for at_s, switch in (switches or {}).items())
    for packet in sorted(packets, key=lambda one: one.pts_ns):
        while due and due[0][0] <= packet.pts_ns:
            at_ns, switch = due.pop(0)
            live.note([switch], at_ns)
        live.feed(packet, packet.pts_ns, AT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lessons").mkdir()
    return tmp_path


def client(root: Path) -> LessonsClient:
    return LessonsClient(Settings(data_dir=root))


def tone(root: Path) -> tuple[float, float]:
    """From when until when (s) of the lesson the voice is heard in the download."""
    file = root / "talk.mp4"
    file.write_bytes(b"".join(client(root).download(ID, TALK).read()))
    assert probe(file).complaints == ""
    ((samples, rate),) = sound_of(file)
    times = heard(samples, rate)
    begins_s = client(root).spans(ID, TALK)[0].start_s  # a decoder gives nothing for the empty time before
    return begins_s + times[0], begins_s + times[-1] + WINDOW / RATE


@pytest.mark.parametrize(
    ("allowed", "switches"), [(False, {}), (False, {0.5: ON}), (True, {}), (True, {0.5: ON, 1.0: OFF})]
)
def test_without_both_no_voice_is_recorded(root: Path, allowed: bool, switches: dict[float, TalkRecorded]) -> None:
    """Nor one of a lesson whose journal says that the teacher wants it, when the school does not."""
    live = begin(root / "lessons", talk=allowed)
    spoken = said(2.0)
    feed(live, *film(6), *spoken, switches=switches)
    assert not live.state().records_talk
    live.stop(0, AT)
    assert sorted(path.name for path in live.folder.iterdir()) == [NAME, "part-0001.mp4"]
    everything = b"".join(path.read_bytes() for path in live.folder.iterdir())
    assert not any(one.data in everything for one in spoken)
    assert client(root).spans(ID, TALK) == [] and not client(root).timeline(ID).talk
    with pytest.raises(UnknownLesson):
        client(root).download(ID, TALK)


def test_with_both_the_voice_is_a_file_of_its_own_on_the_lessons_timeline(root: Path) -> None:
    live = begin(root / "lessons")
    feed(live, *film(8), *said(2.0, 3), switches={1.0: ON})
    assert live.state().records_talk
    live.stop(0, AT)
    assert not live.state().records_talk
    (part,) = read(live.folder).strand(TALK).parts
    assert part.opened.file == "talk-0001.mp4" and part.opened.codecs == "opus"
    lengths = [one.duration / VIDEO_TIMESCALE for one in part.fragments]
    assert max(lengths) < 1.03 and sum(lengths) == pytest.approx(3.0, abs=0.03)
    begins, ends = tone(root)
    assert (begins, ends) == pytest.approx((2.0, 5.0), abs=WINDOW / RATE)
    (span,) = client(root).timeline(ID).talk
    assert (span.start_s, span.duration_s) == pytest.approx((2.0, 3.0), abs=0.03)
    path = live.folder / "talk.m3u8"
    path.write_text(client(root).playlist(ID, TALK))
    verdict = probe(path)
    assert (verdict.complaints, verdict.video_frames, verdict.audio_frames) == ("", 0, 150)
    file = root / "lesson.mp4"
    file.write_bytes(b"".join(client(root).download(ID).read()))
    assert [heard(samples, rate) for samples, rate in sound_of(file)] == [[]]


def test_what_was_said_before_and_after_is_not_in_it(root: Path) -> None:
    live = begin(root / "lessons")
    spoken = said(0.5, 5)
    feed(live, *film(8), *spoken, switches={2.0: ON, 4.0: OFF})
    live.stop(0, AT)
    begins, ends = tone(root)
    assert (begins, ends) == pytest.approx((2.0, 4.0), abs=WINDOW / RATE)
    (part,) = read(live.folder).strand(TALK).parts
    taken = [one for one in spoken if 2.0 <= (one.pts_ns - ORIGIN_NS) / SECOND < 4.0]
    last = part.fragments[-1]
    assert (last.audio_seq, last.end_ns) == (taken[-1].seq, taken[-1].pts_ns + taken[-1].duration_ns)
    records = parse((live.folder / NAME).read_bytes()).records
    switched_off = records.index(OFF)
    assert not any(isinstance(one, SourceRecord) for one in records[switched_off:])


def refuse(live: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def append(self: Appender, data: bytes) -> None:
        raise OSError(errno.EIO, "refused")

    monkeypatch.setattr(Appender, "append", append)


def test_switched_off_holds_also_when_the_disk_refuses_the_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = begin(root / "lessons")
    packets, spoken = film(12), said(1.0, 10)
    early = [one for one in (*packets, *spoken) if one.pts_ns < ORIGIN_NS + 4 * SECOND]
    feed(live, *early, switches={0.5: ON})
    with monkeypatch.context() as refusing:
        refuse(live, refusing)
        with pytest.raises(OSError, match="refused"):
            live.note([OFF], ORIGIN_NS + 4 * SECOND)
    assert not live.state().records_talk
    feed(live, *[one for one in (*packets, *spoken) if one.pts_ns >= ORIGIN_NS + 4 * SECOND])
    live.stop(0, AT)
    recording = read(live.folder)
    assert recording.duration_s > 5 and not recording.records_talk  # the line came with the next that the disk took
    last = recording.strand(TALK).last_fragment
    assert last is not None and last.end_ns <= ORIGIN_NS + 4.02 * SECOND


def cut_off(root: Path) -> Path:
    """A lesson whose power went while voices were recorded."""
    live = begin(root / "lessons")
    feed(live, *film(6), *said(1.0, 4), switches={0.5: ON})
    live.suspend(0, AT)
    return live.folder


@pytest.mark.parametrize("lost", [0, 1, 3000, 10_000_000])
def test_what_the_disk_lost_of_voices_costs_nothing_else(root: Path, lost: int) -> None:
    folder = cut_off(root)
    before = read(folder)
    file = folder / "talk-0001.mp4"
    data = file.read_bytes()
    file.write_bytes(data[: max(0, len(data) - lost)])
    live = recovery.recover(root / "lessons", BOOT, metrics(), 0, AT + 5, talk=True)
    assert live is not None and live.records_talk
    after = read(folder)
    assert after.end == before.end
    assert (after.strand(TALK).bytes < before.strand(TALK).bytes) == (lost > 0)
    late = [one for one in film(9) if one.pts_ns > before.parts[-1].fragments[-1].end_ns]
    feed(live, *late, *said(6.5, 1, epoch=2))
    live.stop(0, AT + 9)
    assert [part.opened.file for part in read(folder).strand(TALK).parts][-1] == "talk-0002.mp4"
    whole = root / "talk.mp4"
    whole.write_bytes(b"".join(client(root).download(ID, TALK).read()))
    assert probe(whole).complaints == ""
    begins_s = client(root).spans(ID, TALK)[-1].start_s
    assert begins_s == pytest.approx(6.5, abs=0.05)


def test_a_school_that_has_changed_its_mind_is_heard_at_the_next_start(root: Path) -> None:
    folder = cut_off(root)
    length = (folder / "talk-0001.mp4").stat().st_size
    live = recovery.recover(root / "lessons", BOOT, metrics(), 0, AT + 5)
    assert live is not None and not live.records_talk
    feed(live, *film(9), *said(6.5, 1, epoch=2))
    live.stop(0, AT + 9)
    assert (folder / "talk-0001.mp4").stat().st_size == length
    assert not (folder / "talk-0002.mp4").exists()


def test_a_pause_and_another_speaker_begin_a_part(root: Path) -> None:
    live = begin(root / "lessons")
    feed(live, *film(10), *said(1.0, 1), *said(2.2, 1, first=100), *said(6.0, 1, first=200), *said(7.0, 1, epoch=2),
         switches={0.5: ON})  # fmt: skip
    live.stop(0, AT)
    parts = read(live.folder).strand(TALK).parts
    assert [part.closed for part in parts] == ["pause", "epoch", "stopped"]
    found = [(span.start_s, span.duration_s) for span in client(root).spans(ID, TALK)]
    expected = [(1.0, 2.2), (6.0, 1.0), (7.0, 1.0)]
    assert [one for row in found for one in row] == pytest.approx([one for row in expected for one in row], abs=0.05)


def test_a_silent_publisher_has_its_last_words_made_durable(root: Path) -> None:
    live = begin(root / "lessons")
    feed(live, *film(4), *[one for one in said(1.0, 2) if one.seq < 30], switches={0.5: ON})
    assert read(live.folder).strand(TALK).parts == []
    live.watch(ORIGIN_NS + 5 * SECOND, AT)
    (part,) = read(live.folder).strand(TALK).parts
    assert part.closed == "ended" and part.end - part.opened.start == pytest.approx(0.6 * VIDEO_TIMESCALE, abs=10)
    live.suspend(0, AT)


def test_a_cut_lesson_has_the_voices_of_what_is_shown(root: Path) -> None:
    live = begin(root / "lessons")
    feed(live, *film(10), *said(1.0, 8), switches={0.5: ON})
    live.stop(0, AT + 60)
    Edits(root / "lessons").write(ID, lambda recording: [Trimmed(4 * VIDEO_TIMESCALE, 8 * VIDEO_TIMESCALE, AT)])
    (span,) = client(root).timeline(ID).talk
    # Whole fragments of a second that lie within.
    assert 0 <= span.start_s < 1.03 and 2.9 < span.duration_s <= 4 - span.start_s
    begins, ends = tone(root)
    assert (begins, ends) == pytest.approx((span.start_s, span.start_s + span.duration_s), abs=2 * WINDOW / RATE)
    size = (root / "lessons" / ID / "talk-0001.mp4").stat().st_size
    ranges = client(root).part_ranges(ID, "talk-0001.mp4")
    assert ranges and max(stop for _, stop in ranges) < size


def test_voices_go_along_when_lessons_are_joined(root: Path) -> None:
    for id, at_s in ((ID, 2.0), (NEXT, 1.0)):
        live = begin(root / "lessons", id)
        feed(live, *film(8), *said(at_s, 2), switches={0.5: ON})
        live.stop(0, AT + 60)
    joins(root / "lessons").join(JoinLessons(ID, NEXT))
    assert sorted(path.name for path in (root / "lessons" / ID).glob("talk*")) == ["talk-0001.mp4", "talk-0002.mp4"]
    starts = [span.start_s for span in client(root).timeline(ID).talk]
    assert starts == pytest.approx([2.0, 9.0], abs=0.05)
    assert tone(root)[0] == pytest.approx(2.0, abs=WINDOW / RATE)
    assert probe(root / "talk.mp4").duration_s == pytest.approx(11.0, abs=0.1)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_comes_each_packet_is_at_its_place(data: st.DataObject) -> None:
    """However late, often, or with holes packets come, and however the timeline jumps: parts follow each other,
    fragments adjoin, and none is longer than a second and a pause."""
    jumps = data.draw(st.lists(st.integers(-3, 3), max_size=3))
    where = [0]

    def place(pts_ns: int) -> int | None:
        ticks = (pts_ns - ORIGIN_NS) * 9 // 100_000 + where[0] * VIDEO_TIMESCALE
        return ticks if ticks >= 0 else None

    voices = Voices(1, 0, BOOT, place)
    strand, opened = Strand(), list[PartOpened]()
    packets = [one for part in range(4) for one in said(part * 3.0, 1, first=part * 50)]
    orders = list[Append | Close]()
    for number, packet in enumerate(packets):
        if jumps and number % 60 == 59:
            where[0] += jumps.pop()
        if data.draw(st.integers(0, 9)):
            late_ns = data.draw(st.integers(0, 80_000_000))
            orders += voices.push(msgspec.structs.replace(packet, pts_ns=packet.pts_ns + late_ns), 0.0)
    orders += voices.finish(0.0, "stopped")
    for order in orders:
        for record in order.records if isinstance(order, Append) else (order.record,):
            strand.apply(record)
            opened += [record] if isinstance(record, PartOpened) else []
    assert len(strand.parts) == len(opened)
    end = 0
    for part in strand.parts:
        assert part.opened.start >= end and part.closed and part.fragments
        at = part.opened.start
        for fragment in part.fragments:
            assert isinstance(fragment, Fragment) and fragment.start == at
            at += fragment.duration
            assert 0 < fragment.duration <= 3.1 * VIDEO_TIMESCALE
        end = at


@pytest.fixture
def room(tmp_path: Path) -> Iterator[tuple[Capture, Lessons, Settings]]:
    kit = Settings(data_dir=tmp_path, record_talk=True)
    kit.lessons.mkdir()
    kit.bus.mkdir()
    capture, lessons = Capture(kit.bus), Lessons(kit)
    yield capture, lessons, kit
    lessons.close()
    capture.close()


def told(lessons: Lessons, on: bool) -> bool:
    return lessons.states[-1].records_talk is on


def test_the_switch_is_the_teachers_and_is_told_at_once(room: tuple[Capture, Lessons, Settings]) -> None:
    capture, lessons, kit = room
    kit_client = LessonsClient(kit)
    id = kit_client.start("Les volcans", "123456").id
    watched(capture, lessons)
    capture.send(film(4))
    until(lambda: bool(lessons.recorder.live and lessons.recorder.live.duration_s > 1), "a second of the lesson")
    assert not lessons.states[-1].records_talk
    counted = lessons.metrics.packets.labels("talk/opus")._value
    speaker = Publisher(kit.bus, "streaming")
    for on in (True, True, False):
        kit_client.record_talk(id, on)
        until(partial(told, lessons, on), "the switch to be told")
    assert counted.get() == 0
    for packet in voice():
        speaker.send(packet)
    capture.send(moved(film(4), epoch=2, by_s=4))
    until(lambda: bool(lessons.recorder.live and lessons.recorder.live.duration_s > 5), "the lesson to go on")
    assert counted.get() == 0  # switched off, they do not even come in
    kit_client.record_talk(id, True)

    def comes_in() -> bool:
        speaker.send(voice()[0])
        return bool(counted.get())

    until(comes_in, "them to come in")
    speaker.close()
    kit_client.stop(id)
    with pytest.raises(CommandRefused, match="over") as over:
        kit_client.record_talk(id, True)
    with pytest.raises(CommandRefused) as unknown:
        kit_client.record_talk("20261123-081502-ffff", True)
    assert (over.value.kind, unknown.value.kind) == ("conflict", "not_found")
    again = kit_client.start("La Terre", "123456").id
    until(lambda: lessons.states[-1].id == again, "the next lesson")
    assert not lessons.states[-1].records_talk  # off at every lesson's start
    kit_client.stop(again)


def test_the_school_says_no(tmp_path: Path) -> None:
    kit = Settings(data_dir=tmp_path)
    kit.lessons.mkdir()
    kit.bus.mkdir()
    capture, lessons = Capture(kit.bus), Lessons(kit)
    try:
        kit_client = LessonsClient(kit)
        id = kit_client.start("Les volcans", "123456").id
        with pytest.raises(CommandRefused, match="does not allow") as refused:
            kit_client.record_talk(id, True)
        assert refused.value.kind == "conflict"
        kit_client.record_talk(id, False)
        kit_client.stop(id)
    finally:
        lessons.close()
        capture.close()
