"""The recorder: one more reader of the bus, that never touches the disk.

Owned by its own thread (`run`); `start`, `stop` and `live` are called from others. It subscribes first, waits
for the first live packet, then asks capture for its history, so that nothing falls between the two; what comes
twice is dropped by its number. What it reads goes into the lesson's backlog, from which the writer (`lessons.writer`)
takes at the disk's speed: while the disk stalls, the bus is read and the state told as ever.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import msgspec
import structlog

from appliance import bus
from appliance.messages import (
    CAMERA_720P,
    MICROPHONE_AAC,
    SCREEN_MAIN,
    SCREEN_OPUS,
    TALK_OPUS,
    Event,
    GetHistory,
    History,
    Lesson,
    Packet,
    RequestKeyframe,
    SourceState,
)
from lessons.assembler import SECOND
from lessons.backlog import Backlog, Note, Signal
from lessons.journal import SCREEN, TALK, Record
from lessons.metrics import Metrics
from lessons.session import Session
from lessons.writer import Live, Writer

log = structlog.get_logger()

TRACKS = (CAMERA_720P, MICROPHONE_AAC)
QUEUE = 3000  # half a minute of both tracks: the recorder may wait for capture's history, or for the processor
IDLE_WAIT_S = 0.2
LIVE_WAIT_S = 0.05
STATE_INTERVAL_NS = SECOND
KEYFRAME_WAIT_S = 0.2
HISTORY_WAIT_S = 1.0
STOP_WAIT_S = 3.0
SLOW_S, NO_LONGER_SLOW_S = 2.0, 1.0  # how far the disk may be behind before it is told, and until it no longer is
NOTE_WAIT_S = 3.0
ILLUSTRATE_AT_S = 2.5  # with the picture that becomes the thumbnail
ILLUSTRATE_EVERY_S = 60.0


class Recorder:
    """Records at most one lesson at a time.

    `publish` sends an event on the bus; `illustrate` is asked for pictures of a lesson's folder soon after it began,
    then every minute, and at its end; `wall` gives Unix seconds; `backlog` makes what waits for a lesson's disk.
    """

    def __init__(
        self, folder: Path, metrics: Metrics, writer: Writer, publish: Callable[[Event], None],
        illustrate: Callable[[Path], None], *, wall: Callable[[], float] = time.time,
        backlog: Callable[[], Backlog] = Backlog,
    ) -> None:  # fmt: skip
        self._bus = folder
        self._metrics = metrics
        self._writer = writer
        self._publish = publish
        self._illustrate = illustrate
        self._wall = wall
        self._backlog = backlog
        self._starts: queue.SimpleQueue[Live] = queue.SimpleQueue()
        self._stop: Future[Lesson] | None = None
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._asked_ns = 0
        self._asked_screen_ns = 0
        self._told_ns = 0
        self._told_incident = ""
        self._told_talk = self._hears_talk = False
        self._slow = False
        self._screen_shared = False
        self._illustrate_at_s = ILLUSTRATE_AT_S

    @property
    def live(self) -> Lesson | None:
        """The lesson being recorded, as far as it is durable. From any thread."""
        live = self._live
        return live.view.lesson if live else None

    def live_id(self) -> str | None:
        live = self._live
        return live.session.id if live else None

    def start(self, session: Session) -> bool:
        """Record `session` from now on. False, and nothing happens, while another is live."""
        live = Live(session, self._backlog())
        with self._lock:
            if self._live is not None:
                return False
            self._live = live
        self._metrics.live.set(1)
        self._starts.put(live)
        return True

    def stop(self, id: str) -> Lesson | None:
        """End the lesson `id` and return it when it is durable, as far as the disk takes it; None when it is not the
        live one.

        Raises TimeoutError when the disk takes longer than `STOP_WAIT_S`; the lesson ends all the same, later.
        """
        with self._lock:
            if self._live is None or self._live.session.id != id:
                return None
            self._stop = self._stop or Future()
            done = self._stop
        return done.result(STOP_WAIT_S)

    def note(self, id: str, make: Callable[[Session, int], list[Record]]) -> bool:
        """Write what `make` says, of the lesson at this moment, into the journal of lesson `id` and return when it is
        durable; False when that is not the live one. Raises what `make` raises, OSError when the disk refuses,
        TimeoutError when it takes longer than `NOTE_WAIT_S`: it may be written all the same, later."""
        with self._lock:
            live = self._live
        done: Future[bool] = Future()
        if live is None or live.session.id != id:
            return False
        if not live.backlog.note(Note(make, done), time.monotonic_ns(), self._wall()):
            return False
        return done.result(NOTE_WAIT_S)

    def run(self, stopping: threading.Event) -> None:
        """The thread: waits for lessons and records them, one after the other, until `stopping`."""
        while not stopping.is_set():
            try:
                live = self._starts.get(timeout=IDLE_WAIT_S)
            except queue.Empty:
                continue
            self._record(live, stopping)
        self._writer.end()

    def _record(self, live: Live, stopping: threading.Event) -> None:
        topics = [bus.media_topic(track) for track in (*TRACKS, SCREEN_MAIN, SCREEN_OPUS)]
        subscriber = bus.Subscriber(self._bus, ["capture", "streaming"], [*topics, bus.EVENT_TOPIC], queue=QUEUE)
        self._illustrate_at_s = ILLUSTRATE_AT_S
        self._slow = self._screen_shared = self._hears_talk = False
        seen: set[tuple[str, int, int]] | None = None
        self._writer.begin(live)
        self._tell(live)
        while not stopping.is_set() and self._stop is None:
            self._follow_switch(subscriber, live.session)
            if self._wants_keyframe(live):
                self._ask_keyframe()
            self._ask_screen_keyframe(live.session)
            message = subscriber.receive(LIVE_WAIT_S)
            if isinstance(message, Packet):
                if seen is None and message.track in TRACKS:
                    seen = self._catch_up(live)
                self._feed(live, message, seen or set())
            elif message == SourceState(SCREEN, live=False) and self._screen_shared:
                self._screen_shared = False
                self._signal(live, "end_screen")
            elif message == SourceState(TALK, live=False) and self._hears_talk:
                self._signal(live, "end_talk")
            self._tick(live)
        for message in subscriber:
            if isinstance(message, Packet):
                self._feed(live, message, seen or set())
        subscriber.close()
        self._end(live)

    def _follow_switch(self, subscriber: bus.Subscriber, session: Session) -> None:
        """Pupils' voices do not even come in here unless they are to be recorded."""
        if session.records_talk != self._hears_talk:
            self._hears_talk = not self._hears_talk
            subscriber.hear(bus.media_topic(TALK_OPUS), self._hears_talk)

    def _signal(self, live: Live, what: Signal) -> None:
        live.backlog.signal(what, time.monotonic_ns(), self._wall())

    def _feed(self, live: Live, packet: Packet, seen: set[tuple[str, int, int]]) -> None:
        if (packet.track, packet.epoch, packet.seq) not in seen:
            self._metrics.packets.labels(packet.track).inc()
            self._screen_shared |= packet.source == SCREEN
            live.backlog.put(packet, time.monotonic_ns(), self._wall())

    def _catch_up(self, live: Live) -> set[tuple[str, int, int]]:
        """Feed what capture still holds from before the first live packet; returns the names of those packets."""
        wanted = GetHistory(list(TRACKS), live.session.since_ns)
        try:
            reply = bus.call(self._bus, "capture", wanted, timeout_s=HISTORY_WAIT_S)
        except (bus.BusError, bus.CommandRefused) as error:
            log.warning("no history from capture", error=str(error))
            return set()
        packets = reply.packets if isinstance(reply, History) else []
        for packet in packets:
            self._feed(live, packet, set())
        return {(packet.track, packet.epoch, packet.seq) for packet in packets}

    def _wants_keyframe(self, live: Live) -> bool:
        """Whether recording needs but a keyframe. While the disk is behind, the session's wish is an old one."""
        return live.backlog.wants_keyframe(time.monotonic_ns()) or (live.session.waiting and not self._slow)

    def _ask_keyframe(self) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._asked_ns < SECOND:
            return
        self._asked_ns = now_ns
        try:
            bus.call(self._bus, "capture", RequestKeyframe(CAMERA_720P, urgent=True), timeout_s=KEYFRAME_WAIT_S)
        except (bus.BusError, bus.CommandRefused) as error:
            log.debug("keyframe not asked for", error=str(error))

    def _ask_screen_keyframe(self, session: Session) -> None:
        now_ns = time.monotonic_ns()
        if not session.screen_wants_keyframe(now_ns) or now_ns - self._asked_screen_ns < SECOND:
            return
        self._asked_screen_ns = now_ns
        try:
            bus.call(self._bus, "streaming", RequestKeyframe(SCREEN_MAIN), timeout_s=KEYFRAME_WAIT_S)
        except (bus.BusError, bus.CommandRefused) as error:
            log.debug("keyframe of the screen not asked for", error=str(error))

    def _tick(self, live: Live) -> None:
        """Once a second, at every incident, and when the teacher's switch is used, tell how the recording goes."""
        now_ns = time.monotonic_ns()
        news = (self._incident(live, now_ns), live.view.state.records_talk)
        if now_ns - self._told_ns < STATE_INTERVAL_NS and news == (self._told_incident, self._told_talk):
            return
        self._signal(live, "watch")
        self._tell(live)
        recorded_s = live.view.lesson.duration_s
        if recorded_s > self._illustrate_at_s:
            self._illustrate_at_s = recorded_s + ILLUSTRATE_EVERY_S
            self._illustrate(live.session.folder)

    def _incident(self, live: Live, now_ns: int) -> str:
        """What is wrong: what the session says, or else that the disk does not keep up."""
        behind_s = live.backlog.age_s(now_ns)
        self._metrics.backlog.set(behind_s)
        self._slow = behind_s > (NO_LONGER_SLOW_S if self._slow else SLOW_S)
        told = live.view.state.incident
        if told.startswith("disk"):
            return told
        return "overflow" if live.backlog.overflowing else "disk_slow" if self._slow else told

    def _tell(self, live: Live) -> None:
        now_ns = time.monotonic_ns()
        self._told_ns, self._told_incident = now_ns, self._incident(live, now_ns)
        self._told_talk = live.view.state.records_talk
        elapsed_s = (now_ns - live.session.began_ns) / SECOND
        self._publish(msgspec.structs.replace(live.view.state, incident=self._told_incident, elapsed_s=elapsed_s))

    def _end(self, live: Live) -> None:
        """Let the writer finish; the lesson stays live, and its state is told, for as long as that takes."""
        done = self._stop
        self._signal(live, "stop" if done else "suspend")
        while not live.closed.wait(LIVE_WAIT_S):
            if time.monotonic_ns() - self._told_ns >= STATE_INTERVAL_NS:
                self._tell(live)
        if done is None:
            return  # a later process goes on, and is asked again by who wanted it stopped meanwhile
        with self._lock:
            self._live = self._stop = None
        self._metrics.live.set(0)
        self._publish(live.view.state)
        done.set_result(live.view.lesson)
        if live.view.lesson.parts:
            self._illustrate(live.session.folder)
