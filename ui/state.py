"""What the kit is doing right now, as the services last told it.

`Snapshot` is the pure part: events in, changes out, time as an argument. `KitState` puts a lock around it and a
thread in front of it that reads the bus; requests and pushes read from it on any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import structlog

from appliance import process_names
from appliance.bus import EVENT_TOPIC, BusError, CommandRefused, Subscriber
from appliance.messages import (
    CaptureState,
    DiskState,
    Event,
    Health,
    Lesson,
    LessonState,
    Packet,
    SourceState,
    ViewersState,
)
from ui.ports import Lessons

log = structlog.get_logger()

SERVICES = ("capture", "streaming", "lessons", "ui")
STALE_S = 3.0
POLL_S = 0.25
NOBODY = ViewersState(0, 0, [])

Change = Literal["lesson", "recorded", "viewers", "sources", "level", "media", "services", "disk"]
LessonCallback = Callable[[LessonState | None], None]


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """`started_ns` is CLOCK_MONOTONIC; a service that was never heard of is down with zeros."""

    up: bool
    pid: int = 0
    restarts: int = 0
    started_ns: int = 0


def shown(disk: DiskState) -> tuple[int, str]:
    """What pages show of it."""
    return int(disk.minutes), disk.incident


def announced(lesson: LessonState) -> tuple[str, str, str, bool]:
    """What everybody is told of at once."""
    return lesson.id, lesson.state, lesson.title, lesson.records_talk


@dataclass(slots=True)
class Snapshot:
    """The newest event of each kind. `now` is CLOCK_MONOTONIC in seconds throughout; `services` names all processes
    (appliance.process_names)."""

    services: tuple[str, ...] = SERVICES
    capture: CaptureState | None = None
    lesson: LessonState | None = None
    disk: DiskState | None = None
    lesson_at: float = 0.0  # when it was told
    sources: frozenset[str] = frozenset()
    streamed: ViewersState = NOBODY
    _health: dict[str, tuple[Health, float]] = field(default_factory=dict)
    _watching: dict[str, tuple[ViewersState, float]] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _last_up: dict[str, bool] = field(default_factory=dict)

    def apply(self, event: Event, now: float) -> set[Change]:
        """Take in one event; returns what changed for those who look."""
        match event:
            case Health():
                return self._apply_health(event, now)
            case CaptureState():
                self.capture = event
                return {"level"}
            case ViewersState():
                before = self.viewers
                self._watching[event.service] = (event, now)
                return {"viewers"} if before != self.viewers else set()
            case SourceState():
                before_live = event.source in self.sources
                self.sources = self.sources | {event.source} if event.live else self.sources - {event.source}
                return {"sources"} if before_live != event.live else set()
            case LessonState():
                return self._apply_lesson(event, now)
            case DiskState():
                told, self.disk = self.disk, event
                return {"disk"} if told is None or shown(told) != shown(event) else set()

    def _apply_health(self, event: Health, now: float) -> set[Change]:
        before = self._health.get(event.service)
        self._health[event.service] = (event, now)
        if process_names.service(event.service) != process_names.STREAMING:
            return set()
        if before is not None and before[0].started_ns == event.started_ns:
            return set()
        changes: set[Change] = {"media"}  # what was connected went with the process before
        if self.sources and event.service == process_names.STREAMING:
            self.sources = frozenset()
            changes.add("sources")
        if self._watching.get(event.service, (NOBODY, now))[1] * 1e9 < event.started_ns:
            changes |= self._forget_viewers({event.service})
        return changes

    def _forget_viewers(self, of: set[str]) -> set[Change]:
        """Count the viewers of these processes no more."""
        before = self.viewers
        self._watching = {name: known for name, known in self._watching.items() if name not in of}
        return {"viewers"} if before != self.viewers else set()

    def _apply_lesson(self, event: LessonState, now: float) -> set[Change]:
        # An event may be overtaken by the reply to the command that caused a later one: what is closed stays closed.
        if event.id in self._closed and event.state == "live":
            return set()
        if event.state != "live":
            self._closed.add(event.id)
            if self.lesson is None or self.lesson.id != event.id:
                return set()
        before, self.lesson, self.lesson_at = self.lesson, event, now
        return {"recorded"} if before and announced(before) == announced(event) else {"lesson", "recorded"}

    @property
    def live(self) -> LessonState | None:
        return self.lesson if self.lesson and self.lesson.state == "live" else None

    @property
    def viewers(self) -> ViewersState:
        """Everybody who watches by WebRTC, whichever process serves them."""
        states = [state for state, _ in self._watching.values()]
        names = sorted(name for state in states for name in state.names)
        return ViewersState(sum(state.pupils for state in states), sum(state.teachers for state in states), names)

    @property
    def streaming_started_ns(self) -> list[int | None]:
        """When each streaming process began; None for one that was never heard of."""
        known = [
            self._health.get(name) for name in self.services if process_names.service(name) == process_names.STREAMING
        ]
        return [one[0].started_ns if one else None for one in known]

    def statuses(self, now: float) -> dict[str, ServiceStatus]:
        return {name: self._status(name, now) for name in self.services}

    def _status(self, name: str, now: float) -> ServiceStatus:
        known = self._health.get(name)
        if known is None:
            return ServiceStatus(up=False)
        health, seen = known
        return ServiceStatus(now - seen <= STALE_S, health.pid, health.restarts, health.started_ns)

    def expositions(self, now: float) -> dict[str, bytes]:
        """The Prometheus text of every service that is up."""
        return {name: health.exposition for name, (health, seen) in self._health.items() if now - seen <= STALE_S}

    def tick(self, now: float) -> set[Change]:
        """What changed by time alone: a service fell silent or came back."""
        up = {name: status.up for name, status in self.statuses(now).items()}
        if up == self._last_up:
            return set()
        self._last_up = up
        changes: set[Change] = {"services"}
        changes |= self._forget_viewers({name for name in self._watching if not up.get(name)})
        if not up.get(process_names.STREAMING) and self.sources:
            self.sources = frozenset()
            changes.add("sources")
        return changes


class KitState:
    """The shared snapshot. Callbacks run on the thread that brought the news and must not block."""

    def __init__(self, services: tuple[str, ...] = SERVICES, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.RLock()
        self._snapshot = Snapshot(services)
        self._clock = clock
        self._listeners: list[Callable[[set[Change]], None]] = []
        self._event_listeners: list[Callable[[Event], None]] = []
        self._lesson_listeners: list[LessonCallback] = []

    def on_change(self, callback: Callable[[set[Change]], None]) -> None:
        """Call `callback` with the set of changes after each one."""
        self._listeners.append(callback)

    def on_event(self, callback: Callable[[Event], None]) -> None:
        """Call `callback` with each event before anybody hears of its changes."""
        self._event_listeners.append(callback)

    def on_lesson_change(self, callback: LessonCallback) -> None:
        """Call `callback` with the live lesson, or None, whenever a lesson begins or ends."""
        self._lesson_listeners.append(callback)

    def note(self, event: Event) -> None:
        """Take in one event and tell everybody who listens."""
        for listener in self._event_listeners:
            listener(event)
        now = self._clock()
        with self._lock:
            changes = self._snapshot.apply(event, now) | self._snapshot.tick(now)
        self._tell(changes)

    def note_lesson(self, lesson: Lesson) -> None:
        """Take in the reply to a lesson command, so that the next request already sees its effect."""
        self.note(
            LessonState(
                lesson.id,
                lesson.code,
                lesson.title,
                lesson.state,
                lesson.started_at,
                lesson.duration_s,
                lesson.bytes,
                elapsed_s=lesson.duration_s,
                subject=lesson.subject,
                group=lesson.group,
                teacher=lesson.teacher,
                visibility=lesson.visibility,
            )
        )

    def _tell(self, changes: set[Change]) -> None:
        if not changes:
            return
        for listener in self._listeners:
            listener(changes)
        if "lesson" in changes:
            live = self.live
            for callback in self._lesson_listeners:
                callback(live)

    @property
    def live(self) -> LessonState | None:
        with self._lock:
            return self._snapshot.live

    @property
    def lesson(self) -> LessonState | None:
        """The lesson that is live or was the last to be."""
        with self._lock:
            return self._snapshot.lesson

    @property
    def disk(self) -> DiskState | None:
        """What the disk can take; None until that was told."""
        with self._lock:
            return self._snapshot.disk

    @property
    def lesson_age_s(self) -> float:
        """How long ago the lesson's state was told."""
        with self._lock:
            return max(0.0, self._clock() - self._snapshot.lesson_at)

    @property
    def capture(self) -> CaptureState | None:
        with self._lock:
            return self._snapshot.capture

    @property
    def viewers(self) -> ViewersState:
        """Everybody who watches, by WebRTC or on a WebSocket."""
        with self._lock:
            near, far = self._snapshot.viewers, self._snapshot.streamed
        names = sorted([*near.names, *far.names])
        return ViewersState(near.pupils + far.pupils, near.teachers + far.teachers, names)

    def note_streamed(self, streamed: ViewersState) -> None:
        """Take in who watches on a WebSocket of this process."""
        with self._lock:
            changed = self._snapshot.streamed != streamed
            self._snapshot.streamed = streamed
        self._tell({"viewers"} if changed else set())

    @property
    def sources(self) -> frozenset[str]:
        """The sources that somebody publishes by WHIP, and that can be seen."""
        with self._lock:
            return self._snapshot.sources

    @property
    def streaming_started_ns(self) -> list[int | None]:
        """When each streaming process began (CLOCK_MONOTONIC); None for one that was never heard of."""
        with self._lock:
            return self._snapshot.streaming_started_ns

    def statuses(self) -> dict[str, ServiceStatus]:
        with self._lock:
            return self._snapshot.statuses(self._clock())

    def expositions(self) -> dict[str, bytes]:
        with self._lock:
            return self._snapshot.expositions(self._clock())

    def run(self, folder: Path, stopping: threading.Event, lessons: Lessons) -> None:
        """Read events until `stopping` is set. The root of the `state` thread."""
        subscriber = Subscriber(folder, self._snapshot.services, [EVENT_TOPIC], queue=1000)
        try:
            self._catch_up(lessons)
            while not stopping.is_set():
                self._take(subscriber.receive(POLL_S))
        finally:
            subscriber.close()

    def _catch_up(self, lessons: Lessons) -> None:
        """Learn of a lesson that began before this process did."""
        try:
            known: Iterable[Lesson] = lessons.list()
        except (BusError, CommandRefused) as error:
            log.info("lessons not known yet", reason=str(error))
            return
        for lesson in known:
            if lesson.state == "live":
                self.note_lesson(lesson)

    def _take(self, message: Packet | Event | None) -> None:
        if message is None:
            with self._lock:
                changes = self._snapshot.tick(self._clock())
            self._tell(changes)
        elif not isinstance(message, Packet):
            self.note(message)
