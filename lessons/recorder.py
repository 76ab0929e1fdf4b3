"""The recorder: one more reader of the bus, with a deep queue, that feeds the live lesson.

Owned by its own thread (`run`); `start`, `stop` and `live` are called from others. It subscribes first, waits
for the first live packet, then asks capture for its history, so that nothing falls between the two; what comes
twice is dropped by its number.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import structlog

from appliance import bus
from appliance.messages import (
    CAMERA_720P,
    MICROPHONE_AAC,
    SCREEN_MAIN,
    SCREEN_OPUS,
    Event,
    GetHistory,
    History,
    Packet,
    RequestKeyframe,
    SourceState,
)
from lessons.assembler import SECOND
from lessons.journal import SCREEN, Record
from lessons.metrics import Metrics
from lessons.session import Session

log = structlog.get_logger()

TRACKS = (CAMERA_720P, MICROPHONE_AAC)
QUEUE = 3000  # half a minute of both tracks: a slow disk may take its time
IDLE_WAIT_S = 0.2
LIVE_WAIT_S = 0.05
STATE_INTERVAL_NS = SECOND
KEYFRAME_WAIT_S = 0.2
HISTORY_WAIT_S = 1.0
STOP_WAIT_S = 10.0
NOTE_WAIT_S = 3.0
ILLUSTRATE_AT_S = 2.5  # with the picture that becomes the thumbnail
ILLUSTRATE_EVERY_S = 60.0


Notes = Callable[[Session, int], list[Record]]
"""What to write into the live lesson's journal, made on the recorder's thread from the session and CLOCK_MONOTONIC."""


class Recorder:
    """Records at most one lesson at a time.

    `publish` sends an event on the bus; `changed` is told the id of a lesson whose catalogue entry may be new;
    `illustrate` is asked for pictures of its folder soon after it began, then every minute, and at its end.
    """

    def __init__(
        self, folder: Path, metrics: Metrics, publish: Callable[[Event], None], changed: Callable[[str], None],
        illustrate: Callable[[Path], None],
    ) -> None:  # fmt: skip
        self._bus = folder
        self._metrics = metrics
        self._publish = publish
        self._changed = changed
        self._illustrate = illustrate
        self._starts: queue.SimpleQueue[Session] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[tuple[Notes, Future[bool]]] = queue.SimpleQueue()
        self._stop: Future[None] | None = None
        self._lock = threading.Lock()
        self._live: Session | None = None
        self._asked_ns = 0
        self._asked_screen_ns = 0
        self._told_ns = 0
        self._told_incident = ""
        self._illustrate_at_s = ILLUSTRATE_AT_S

    @property
    def live(self) -> Session | None:
        """The session being recorded; other threads may only read from it."""
        return self._live

    def live_id(self) -> str | None:
        live = self._live
        return live.id if live else None

    def start(self, session: Session) -> bool:
        """Record `session` from now on. False, and nothing happens, while another is live."""
        with self._lock:
            if self._live is not None:
                return False
            self._live = session
        self._metrics.live.set(1)
        self._starts.put(session)
        return True

    def stop(self, id: str) -> bool:
        """End the lesson `id` and return when it is durable; False when it is not the live one.

        Raises TimeoutError when the disk takes longer than `STOP_WAIT_S`.
        """
        with self._lock:
            if self._live is None or self._live.id != id:
                return False
            self._stop = self._stop or Future()
            done = self._stop
        done.result(STOP_WAIT_S)
        return True

    def note(self, id: str, make: Notes) -> bool:
        """Write what `make` says into the journal of lesson `id` and return when it is durable; False when that is not
        the live one. Raises what `make` raises, OSError when the disk refuses, TimeoutError when it takes longer than
        `NOTE_WAIT_S`."""
        with self._lock:
            if self._live is None or self._live.id != id:
                return False
            done: Future[bool] = Future()
            self._notes.put((make, done))
        return done.result(NOTE_WAIT_S)

    def run(self, stopping: threading.Event) -> None:
        """The thread: waits for lessons and records them, one after the other, until `stopping`."""
        while not stopping.is_set():
            try:
                session = self._starts.get(timeout=IDLE_WAIT_S)
            except queue.Empty:
                continue
            self._record(session, stopping)

    def _record(self, session: Session, stopping: threading.Event) -> None:
        topics = [bus.media_topic(track) for track in (*TRACKS, SCREEN_MAIN, SCREEN_OPUS)]
        subscriber = bus.Subscriber(self._bus, ["capture", "streaming"], [*topics, bus.EVENT_TOPIC], queue=QUEUE)
        self._illustrate_at_s = ILLUSTRATE_AT_S
        seen: set[tuple[str, int, int]] | None = None
        self._tell(session)
        while not stopping.is_set() and self._stop is None:
            if session.waiting:
                self._ask_keyframe()
            self._ask_screen_keyframe(session)
            message = subscriber.receive(LIVE_WAIT_S)
            if isinstance(message, Packet):
                if seen is None and message.track in TRACKS:
                    seen = self._catch_up(session)
                self._feed(session, message, seen or set())
            elif message == SourceState(SCREEN, live=False):
                session.end_screen(time.monotonic_ns(), time.time())
            self._take_notes(session)
            self._tick(session)
        for message in subscriber:
            if isinstance(message, Packet):
                self._feed(session, message, seen or set())
        subscriber.close()
        self._end(session)

    def _feed(self, session: Session, packet: Packet, seen: set[tuple[str, int, int]]) -> None:
        if (packet.track, packet.epoch, packet.seq) not in seen:
            self._metrics.packets.labels(packet.track).inc()
            session.feed(packet, time.monotonic_ns(), time.time())

    def _take_notes(self, session: Session) -> None:
        while (waiting := self._next_note()) is not None:
            make, done = waiting
            try:
                session.note(make(session, time.monotonic_ns()), time.monotonic_ns())
            except (OSError, bus.CommandRefused) as error:
                done.set_exception(error)
            else:
                done.set_result(True)

    def _next_note(self) -> tuple[Notes, Future[bool]] | None:
        try:
            return self._notes.get_nowait()
        except queue.Empty:
            return None

    def _catch_up(self, session: Session) -> set[tuple[str, int, int]]:
        """Feed what capture still holds from before the first live packet; returns the names of those packets."""
        try:
            reply = bus.call(self._bus, "capture", GetHistory(list(TRACKS), session.since_ns), timeout_s=HISTORY_WAIT_S)
        except (bus.BusError, bus.CommandRefused) as error:
            log.warning("no history from capture", error=str(error))
            return set()
        packets = reply.packets if isinstance(reply, History) else []
        for packet in packets:
            self._feed(session, packet, set())
        return {(packet.track, packet.epoch, packet.seq) for packet in packets}

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

    def _tick(self, session: Session) -> None:
        """Once a second, and at every incident, tell how the recording goes."""
        now_ns = time.monotonic_ns()
        if now_ns - self._told_ns < STATE_INTERVAL_NS and session.incident == self._told_incident:
            return
        session.watch(now_ns, time.time())
        self._tell(session)
        recorded_s = session.recording.duration_s
        if recorded_s > self._illustrate_at_s:
            self._illustrate_at_s = recorded_s + ILLUSTRATE_EVERY_S
            self._illustrate(session.folder)

    def _tell(self, session: Session) -> None:
        self._told_ns, self._told_incident = time.monotonic_ns(), session.incident
        self._publish(session.state())

    def _end(self, session: Session) -> None:
        self._take_notes(session)
        now_ns, at = time.monotonic_ns(), time.time()
        if self._stop is None:
            session.suspend(now_ns, at)
            return
        session.stop(now_ns, at)
        self._metrics.live.set(0)
        with self._lock:
            self._live, done, self._stop = None, self._stop, None
        while (late := self._next_note()) is not None:
            late[1].set_result(False)  # no longer the live one: whoever asked writes it itself
        self._changed(session.id)
        self._tell(session)
        done.set_result(None)
        if session.recording.parts:
            self._illustrate(session.folder)
