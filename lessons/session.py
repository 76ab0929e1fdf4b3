"""One live lesson: carries out the assembler's orders on disk, journal line after bytes.

Owned by one thread at a time (commands or recovery create it, the writer feeds it). No clock of its own. A disk that
refuses ends the part, not the lesson: a new part is tried every `RETRY_S` seconds until the disk is well again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from appliance.durable import Appender
from appliance.messages import Lesson, LessonState, Packet, VideoFormat
from lessons.assembler import SCREEN_RULES, SECOND, Append, Assembler, Close, Order
from lessons.folder import RESERVE_BYTES, THUMBNAIL, incident_of, make, release, replenish
from lessons.journal import (
    CAMERA,
    NAME,
    SCREEN,
    TALK,
    Created,
    Described,
    Fragment,
    Gap,
    PartClosed,
    PartOpened,
    Record,
    SourceRecord,
    Stopped,
    TalkRecorded,
    encode,
)
from lessons.metrics import Metrics
from lessons.recording import Recording
from lessons.summary import describe
from lessons.voices import Voices

log = structlog.get_logger()

RETRY_S = 5.0
NO_VIDEO_S = 3.0
OVERFLOW_TOLD_S = 60.0
SCREEN_FRESH_S = 2.0
SCREEN_KEYFRAME_S = 3.0  # how far apart replay can begin
SCREEN_STALL_S = 12.0  # a screen on which nothing moves is sent about once a second
TALK_STALL_S = 2.0


def create(
    root: Path, created: Created, metrics: Metrics, now_ns: int, described: Described | None = None, *,
    talk: bool = False,
) -> Session:  # fmt: skip
    """A new lesson. Where the disk refuses it, it is live all the same, with that as its `incident`, and gets its
    folder and its journal when the disk takes them. `talk` as in Session."""
    first: list[Record] = [created] if described is None else [created, described]
    return Session(
        root / created.id, Recording(created), 0, 1, None, created.boot_id, metrics, now_ns, now_ns, first,
        talk=talk,
    )  # fmt: skip


Assembles = TypeVar("Assembles", Assembler, Voices)


@dataclass
class _Track(Generic[Assembles]):
    """One source's way to disk: what assembles it, and the part file that is open."""

    source: str
    assembler: Assembles | None = None
    file: Appender | None = None
    file_name: str = ""

    def close_file(self) -> None:
        if self.file:
            self.file.close()
        self.file, self.file_name = None, ""


class Session:
    """A lesson being recorded. `now_ns` is CLOCK_MONOTONIC, `at` Unix seconds, wherever they appear.

    Without a `journal_length` (0) it has no folder yet, and makes one, now or as soon as the disk takes it. `since_ns`
    says from which capture time on the capture's history is of interest, `ended_ns` when what is recorded
    ended, `began_ns` when the lesson began by that. `talk` is the school's setting: without it no voice of a pupil is
    recorded, whatever the journal says of the teacher's switch. `id`, `folder`, `since_ns`, `began_ns`, `waiting`,
    `records_talk` and `screen_wants_keyframe` are safe to read from any thread.
    """

    def __init__(
        self, folder: Path, recording: Recording, journal_length: int, next_line: int, assembler: Assembler | None,
        boot_id: str, metrics: Metrics, since_ns: int, ended_ns: int, first: Sequence[Record] = (),
        *, talk: bool = False,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.recording = recording
        self.since_ns = since_ns
        self.incident = ""
        self.began_ns = ended_ns - int((recording.duration_s + recording.lost_s) * SECOND)
        self._boot_id = boot_id
        self._metrics = metrics
        self._camera = _Track[Assembler](CAMERA, assembler)
        self._screen = _Track[Assembler](SCREEN)
        self._talk = _Track[Voices](TALK)
        self._talk_allowed = talk
        self._talk_ns = self._talk_since_ns = 0
        self._owed: tuple[Record, ...] = ()
        self._screen_ns = self._screen_key_ns = 0
        self._missing = 0
        self._journal: Appender | None = None
        self._journal_length = journal_length
        self._next_line = next_line
        self._first = first  # of a journal that is still to be made
        for record in first:
            recording.apply(record)
        self._retry_ns = 0
        self._video_ns: int | None = None
        self._overflow_ns = 0
        if not journal_length:
            try:
                self._settle()
            except OSError as error:
                self._refused(error, since_ns)
            else:
                self._camera.assembler = Assembler(1, 0, boot_id)

    @property
    def id(self) -> str:
        return self.recording.created.id

    @property
    def waiting(self) -> bool:
        """True while only a keyframe can start or continue the recording."""
        assembler = self._camera.assembler
        return assembler is not None and assembler.waiting

    @property
    def version(self) -> tuple[int, str, str, bool]:
        """Changes with what `state` and `info` say."""
        return self._next_line, self.incident, self.recording.state, self.records_talk

    @property
    def records_talk(self) -> bool:
        """Whether pupils' voices are being recorded: the school's setting and the teacher's switch both say so."""
        recording = self.recording
        return self._talk_allowed and recording.records_talk and recording.state == "live"

    def screen_wants_keyframe(self, now_ns: int) -> bool:
        """Whether a screen comes in that only a keyframe can record, or make seekable again."""
        assembler = self._screen.assembler
        if assembler is None or now_ns - self._screen_ns > SCREEN_FRESH_S * SECOND:
            return False
        return assembler.waiting or now_ns - self._screen_key_ns > SCREEN_KEYFRAME_S * SECOND

    def feed(self, packet: Packet, now_ns: int, at: float) -> None:
        """Record one packet; writes when a fragment is complete. Disk errors become `incident`."""
        if packet.source == SCREEN:
            self._feed_screen(packet, now_ns, at)
            return
        if packet.source == TALK:
            self._feed_talk(packet, now_ns, at)
            return
        if isinstance(packet.format, VideoFormat):
            self._video_ns = now_ns
        if self._camera.assembler is None and not self._next_part(now_ns):
            return
        assert self._camera.assembler
        self._carry_out(self._camera.assembler.push(packet, at), self._camera, now_ns)
        self._count_missing()

    def _feed_screen(self, packet: Packet, now_ns: int, at: float) -> None:
        camera, screen = self._camera.assembler, self._screen
        if camera is None:
            return  # the camera makes the timeline, and tries the disk again
        if screen.assembler is None:
            strand = self.recording.strand(SCREEN)
            number = strand.parts[-1].opened.number + 1 if strand.parts else 1
            screen.assembler = Assembler(number, strand.end, self._boot_id, rules=SCREEN_RULES, place=camera.place)
        if isinstance(packet.format, VideoFormat):
            self._screen_ns = now_ns
            if packet.keyframe:
                self._screen_key_ns = now_ns
        self._carry_out(screen.assembler.push(packet, at), screen, now_ns)

    def end_screen(self, now_ns: int, at: float) -> None:
        """Nobody shares a screen any more: make what there is durable. Idempotent."""
        if self._screen.assembler:
            self._carry_out(self._screen.assembler.finish(at, "ended"), self._screen, now_ns)
            self._screen.assembler = None

    def _feed_talk(self, packet: Packet, now_ns: int, at: float) -> None:
        camera, talk = self._camera.assembler, self._talk
        if camera is None or not self.records_talk or packet.pts_ns < self._talk_since_ns:
            return
        if talk.assembler is None:
            strand = self.recording.strand(TALK)
            number = strand.parts[-1].opened.number + 1 if strand.parts else 1
            talk.assembler = Voices(number, strand.end, self._boot_id, camera.place)
        self._talk_ns = now_ns
        self._carry_out(talk.assembler.push(packet, at), talk, now_ns)

    def end_talk(self, now_ns: int, at: float) -> None:
        """Nobody speaks any more, or is to be recorded: make what there is durable. Idempotent."""
        if self._talk.assembler:
            self._carry_out(self._talk.assembler.finish(at, "ended"), self._talk, now_ns)
            self._talk.assembler = None

    def overflow(self, lost: int, now_ns: int, at: float) -> None:
        """`lost` packets are missing here, for the disk was too slow for too long: end the parts before the hole."""
        log.error("the disk was too slow", lesson=self.id, lost_packets=lost)
        self._metrics.overflows.inc()
        self._metrics.overflowed.inc(lost)
        self._finish(now_ns, at, "overflow")
        self._screen.assembler = self._talk.assembler = None
        if not self.incident.startswith("disk"):
            self.incident, self._overflow_ns = "overflow", now_ns

    def suspend(self, now_ns: int, at: float) -> None:
        """Make everything durable and let go, so that the next process can go on in the same part."""
        self._finish(now_ns, at, None)
        self._let_go()

    def _finish(self, now_ns: int, at: float, reason: str | None) -> None:
        for track in (self._talk, self._screen, self._camera):
            if track.assembler:
                self._carry_out(track.assembler.finish(at, reason), track, now_ns)

    def stop(self, now_ns: int, at: float) -> None:
        """Make everything durable and close the lesson."""
        self._finish(now_ns, at, "stopped")
        release(self.folder)
        stopped = Stopped(at)
        try:
            self._write_journal((stopped,))
        except OSError as error:
            self._refused(error, now_ns)
            self.recording.apply(stopped)
        self._let_go()

    def place(self, now_ns: int) -> int:
        """Where on the timeline the lesson is now, in ticks; its durable end while nothing is being recorded."""
        place = self._camera.assembler.place(now_ns) if self._camera.assembler else None
        return max(self.recording.end, place or 0)

    def note(self, records: Iterable[Record], now_ns: int) -> None:
        """Write lines that are no media into the journal. Raises OSError when the disk refuses, which ends the part as
        any refusal does."""
        noted = tuple(records)
        if not noted:
            return
        switched = [one for one in noted if isinstance(one, TalkRecorded)]
        for one in switched:
            self._switch_talk(one, now_ns)
        try:
            self._write_journal(noted)
        except OSError as error:
            self._owed += tuple(one for one in switched if not one.on)
            self._refused(error, now_ns)
            raise

    def _switch_talk(self, switch: TalkRecorded, now_ns: int) -> None:
        """Nothing that was said before it was switched on is recorded, nor, whatever the disk says to it, after it was
        switched off."""
        if switch.on:
            self._talk_since_ns = now_ns
        else:
            self.end_talk(now_ns, switch.wall)
            self.recording.apply(switch)

    def watch(self, now_ns: int, at: float) -> None:
        """Notice that no picture comes; called about once a second."""
        if now_ns - self._screen_ns > SCREEN_STALL_S * SECOND:
            self.end_screen(now_ns, at)
        if now_ns - self._talk_ns > TALK_STALL_S * SECOND:
            self.end_talk(now_ns, at)
        if self._video_ns is None:
            self._video_ns = now_ns
        silent = now_ns - self._video_ns > NO_VIDEO_S * SECOND
        if silent and not self.incident:
            self.incident = "no_video"
        elif not silent and self.incident == "no_video":
            self.incident = ""
        if self.incident == "overflow" and now_ns - self._overflow_ns > OVERFLOW_TOLD_S * SECOND:
            self.incident = ""

    def state(self) -> LessonState:
        recording, created, about = self.recording, self.recording.created, self.recording.about
        return LessonState(
            created.id, created.code, about.title, recording.state, created.started_at, recording.duration_s,
            recording.bytes, self.incident, recording.duration_s + recording.lost_s, recording.lost_s,
            len(recording.gaps), created.planned_end, about.subject, about.group, about.teacher, about.visibility,
            self.records_talk,
        )  # fmt: skip

    def info(self) -> Lesson:
        return describe(self.recording, thumbnail=(self.folder / THUMBNAIL).exists())

    def _next_part(self, now_ns: int) -> bool:
        """Try the disk again, which had refused; whether a part may begin."""
        if now_ns < self._retry_ns:
            return False
        try:
            self._settle()
        except OSError as error:
            self._refused(error, now_ns)
            return False
        parts = self.recording.parts
        last = self.recording.last_fragment
        known = last is not None and parts[-1].opened.boot_id == self._boot_id
        ended_ns = last.end_ns if last and known else None if parts else self.since_ns
        self._camera.assembler = Assembler(
            parts[-1].opened.number + 1 if parts else 1, self.recording.end, self._boot_id,
            ended_ns=ended_ns, gap=self.incident,
        )  # fmt: skip
        return True

    def _settle(self) -> None:
        """Make the lesson's folder where it has none. Raises OSError when the disk refuses."""
        if not self._journal_length:
            self._journal_length = make(self.folder, self._first)
            self._next_line = len(self._first) + 1

    def _carry_out(self, orders: Iterable[Order], track: _Track[Assembler] | _Track[Voices], now_ns: int) -> None:
        try:
            for order in orders:
                match order:
                    case Append():
                        self._append(order, track)
                    case Close(record):
                        self._write_journal(_named(track.source, (record,)))
                        track.close_file()
        except OSError as error:
            self._refused(error, now_ns)

    def _append(self, order: Append, track: _Track[Assembler] | _Track[Voices]) -> None:
        began = time.perf_counter()
        if track.file_name != order.file:
            track.close_file()
        if track.file is None:
            parts = self.recording.strand(track.source).parts
            known = next((part.length for part in parts if part.opened.file == order.file), 0)
            track.file, track.file_name = Appender(self.folder / order.file, length=known), order.file
        track.file.append(order.data)
        self._write_journal(_named(track.source, order.records))
        self._metrics.sync.observe(time.perf_counter() - began)
        self._metrics.fragments.inc()
        self._metrics.recorded.inc(len(order.data))
        if self.incident.startswith("disk"):
            log.info("recording goes on", lesson=self.id)
            replenish(self.folder)
            self.incident = ""

    def _write_journal(self, records: tuple[Record, ...]) -> None:
        self._settle()
        records = (*self._owed, *records)
        if self._journal is None:
            self._journal = Appender(self.folder / NAME, length=self._journal_length)
        self._journal.append(encode(records, self._next_line))
        self._journal_length = self._journal.length
        self._next_line += len(records)
        self._owed = ()
        for record in records:
            self.recording.apply(record)
            if isinstance(record, Gap):
                self._metrics.gaps.labels(record.reason).inc()
                log.warning("gap in the recording", lesson=self.id, seconds=record.seconds, reason=record.reason)

    def _refused(self, error: OSError, now_ns: int) -> None:
        self.incident = incident_of(error)
        self._metrics.disk_errors.labels(self.incident).inc()
        log.error("the disk refused", lesson=self.id, incident=self.incident, error=str(error))
        self._retry_ns = now_ns + int(RETRY_S * SECOND)
        self._count_missing()
        self._camera.assembler, self._missing = None, 0
        self._screen.assembler = self._talk.assembler = None
        self._let_go()
        if self.incident == "disk_full":
            self._close_parts()

    def _close_parts(self) -> None:
        """Tell the journal of a full disk that the parts end here, so that all of them is played: half of the space set
        aside is for that."""
        closing: list[Record] = []
        for source in (CAMERA, SCREEN, TALK):
            parts = self.recording.strand(source).parts
            if parts and parts[-1].fragments and parts[-1].closed is None:
                closing += _named(source, [PartClosed(parts[-1].opened.number, self.incident)])
        if not closing:
            return
        release(self.folder, keep=RESERVE_BYTES // 2)
        try:
            self._write_journal(tuple(closing))
        except OSError as error:
            log.warning("parts not closed", lesson=self.id, error=str(error))
            self._let_go()

    def _count_missing(self) -> None:
        camera = self._camera.assembler
        if camera and camera.missing > self._missing:
            self._metrics.dropped.inc(camera.missing - self._missing)
            self._missing = camera.missing

    def _let_go(self) -> None:
        for track in (self._camera, self._screen, self._talk):
            track.close_file()
        if self._journal:
            self._journal.close()
            self._journal = None


def _named(source: str, records: Iterable[Record]) -> tuple[Record, ...]:
    """The records as the journal has them: the camera's plain, another source's under its name."""
    if source == CAMERA:
        return tuple(records)
    parts = [record for record in records if isinstance(record, PartOpened | Fragment | PartClosed)]
    return tuple(SourceRecord(source, record) for record in parts)
