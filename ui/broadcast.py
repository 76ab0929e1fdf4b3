"""A feed for viewers on WebSockets: one thread reads the bus and makes segments, each viewer has a seat.

The bus is read, and anything made, only while somebody sits. A seat's queue is bounded: who reads too slowly loses what
lies in it and goes on at the next keyframe; nobody else notices, and the thread never waits for a viewer. `House` holds
the broadcasts of all feeds.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog
from prometheus_client import Gauge

from appliance.bus import BusError, CommandRefused, Subscriber, call, media_topic
from appliance.messages import GetHistory, History, Packet, VideoFormat
from ui.auth import Identity
from ui.feeds import CAMERA, FEEDS, SCREEN, Feed, FeedName
from ui.line import Lines
from ui.segments import Head, Segment, Segmenter, SoundSegmenter

QUEUE = 30  # segments of about 100 ms
BEHIND = 5
BUS_QUEUE = 256
POLL_S = 0.25
LINGER_S = 5.0  # the bus is read on for so long after the last viewer, who may be back at once
WISH_S = 1.0
WISH_TIMEOUT_S = 0.2
HISTORY_TIMEOUT_S = 0.5
HISTORY_NS = 1_500_000_000  # a keyframe a second
MOST_RECENT = 150  # segments: who comes later than this after a keyframe waits for the next
# Common to all feeds, so that a viewer can go from one to another; a little back, for history is older than the kit.
ORIGIN_BACK_NS = 60_000_000_000

log = structlog.get_logger()

Item = Head | bytes


class Seat:
    """One viewer's bounded queue. `put` and `close` are called by the broadcast, `take` by the viewer's thread."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.drops = 0
        self._items: deque[Item] = deque()
        self._head: Head | None = None
        self._waiting = True
        self._closed = False
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def behind(self) -> bool:
        """Whether more waits than a viewer who keeps up ever has."""
        return len(self._items) >= BEHIND

    def put(self, segment: Segment) -> None:
        """Queue a segment, behind its head when that is new to this viewer."""
        with self._changed:
            if len(self._items) >= QUEUE:
                self._items.clear()
                self._head, self._waiting = None, True
                self.drops += 1
            if segment.start:
                self._waiting = False
                if self._head is not segment.head:
                    self._items.append(segment.head)
                    self._head = segment.head
            if self._waiting:
                return
            self._items.append(segment.data)
            self._changed.notify()

    def take(self, timeout_s: float) -> Item | None:
        """The next head or fragment; None when nothing came in time, or the seat was closed."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout_s)
            return self._items.popleft() if self._items and not self._closed else None

    def close(self) -> None:
        """The viewer must go. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class Broadcast:
    """One feed. `on_change()` is called, on any thread, when somebody sits down or leaves. `origin_ns`, on
    CLOCK_MONOTONIC, is the zero of its timeline."""

    def __init__(self, feed: Feed, on_change: Callable[[], None], origin_ns: int) -> None:
        self._feed, self._on_change, self._origin_ns = feed, on_change, origin_ns
        self._lock = threading.Lock()
        self._seats: list[Seat] = []
        self._taken = threading.Event()
        self._recent: list[Segment] = []

    def sit(self, identity: Identity) -> Seat:
        """A seat that begins with what was made since the last keyframe."""
        seat = Seat(identity)
        with self._lock:
            for segment in self._recent:
                seat.put(segment)
            self._seats.append(seat)
        self._taken.set()
        self._on_change()
        return seat

    def leave(self, seat: Seat) -> None:
        """Idempotent."""
        with self._lock:
            if seat in self._seats:
                self._seats.remove(seat)
        self._on_change()

    def sitting(self) -> list[Seat]:
        with self._lock:
            return list(self._seats)

    def close(self) -> None:
        """Everybody must go."""
        for seat in self.sitting():
            seat.close()

    def hand_out(self, segment: Segment) -> None:
        """Give a segment to everybody."""
        with self._lock:
            if segment.start or len(self._recent) >= MOST_RECENT:
                self._recent = []
            if segment.start or self._recent:
                self._recent.append(segment)
            seats = list(self._seats)
        for seat in seats:
            seat.put(segment)

    def run(self, folder: Path, stopping: threading.Event) -> None:
        """Read the bus whenever somebody sits, until `stopping` is set. The root of a thread."""
        while not stopping.is_set():
            if self._taken.wait(POLL_S):
                self._read(folder, stopping)
        self.close()

    def _read(self, folder: Path, stopping: threading.Event) -> None:
        topics = [media_topic(track) for track in self._feed.tracks]
        subscriber = Subscriber(folder, [self._feed.service], topics, queue=BUS_QUEUE)
        segmenter = Segmenter(self._origin_ns) if self._feed.pictured else SoundSegmenter(self._origin_ns)
        reading = _Reading(self._feed, segmenter, folder)
        watched = time.monotonic()
        try:
            while not stopping.is_set() and (now := time.monotonic()) - watched < LINGER_S:
                reading.wish(now)
                packet = subscriber.receive(POLL_S)
                for segment in reading.push(packet) if isinstance(packet, Packet) else ():
                    self.hand_out(segment)
                if self.sitting():
                    watched = now
        finally:
            subscriber.close()
            with self._lock:
                self._recent = []
                if not self._seats:
                    self._taken.clear()


class _Reading:
    """From packets to segments, from the moment when somebody watches on."""

    def __init__(self, feed: Feed, segmenter: Segmenter | SoundSegmenter, folder: Path) -> None:
        self._feed, self._segmenter, self._folder = feed, segmenter, folder
        self._wished = self._keyed = float("-inf")
        self._seen: set[tuple[str, int, int]] | None = None if feed.history else set()

    def wish(self, now: float) -> None:
        """Tell the service what is wanted of it, once a second."""
        command = self._feed.wish(now - self._keyed) if now - self._wished >= WISH_S else None
        if command is None:
            return
        self._wished = now
        try:
            call(self._folder, self._feed.service, command, timeout_s=WISH_TIMEOUT_S)
        except (BusError, CommandRefused) as error:
            log.debug("a feed's wish was not heard", service=self._feed.service, error=str(error))

    def push(self, packet: Packet) -> list[Segment]:
        """Take the next packet of the bus; before the first, what the service still has."""
        segments: list[Segment] = []
        if self._seen is None:
            history = self._history(packet.pts_ns - HISTORY_NS)
            self._seen = {_name(one) for one in history}
            segments = [segment for one in history for segment in self._segmenter.push(one)]
        if _name(packet) not in self._seen:
            if packet.keyframe and isinstance(packet.format, VideoFormat):
                self._keyed = time.monotonic()
            segments += self._segmenter.push(packet)
        return segments

    def _history(self, since_ns: int) -> list[Packet]:
        command = GetHistory(list(self._feed.tracks), since_ns)
        try:
            reply = call(self._folder, self._feed.service, command, timeout_s=HISTORY_TIMEOUT_S)
        except (BusError, CommandRefused) as error:
            log.info("no history for a feed", service=self._feed.service, error=str(error))
            return []
        return reply.packets if isinstance(reply, History) else []


def _name(packet: Packet) -> tuple[str, int, int]:
    return packet.track, packet.epoch, packet.seq


class House:
    """The broadcasts of all feeds. `on_change(watching)` is called, on any thread, when somebody begins or ends to
    watch the camera; who watches the screen as well counts once. `places` are to be acquired before a viewer takes one
    of the web server's threads, `most` in all; `lines` is what is known of theirs."""

    def __init__(self, viewers: Gauge, on_change: Callable[[list[Identity]], None], most: int = 40) -> None:
        self.places = threading.BoundedSemaphore(most)
        self.lines = Lines()
        self._viewers, self._on_change = viewers, on_change
        origin_ns = time.monotonic_ns() - ORIGIN_BACK_NS
        self._feeds = {name: Broadcast(feed, self._told, origin_ns) for name, feed in FEEDS.items()}

    def __getitem__(self, name: FeedName) -> Broadcast:
        return self._feeds[name]

    def runs(self) -> dict[str, Callable[[Path, threading.Event], None]]:
        """What each feed's thread does, by the thread's name."""
        return {f"broadcast {name}": broadcast.run for name, broadcast in self._feeds.items()}

    def close_pupils(self) -> None:
        """The lesson is over."""
        for broadcast in self._feeds.values():
            for seat in broadcast.sitting():
                if seat.identity.role == "pupil":
                    seat.close()

    def close_screen(self) -> None:
        """Nobody shares one any more."""
        for name in SCREEN:
            self._feeds[name].close()

    def _told(self) -> None:
        seats = [seat for name in CAMERA for seat in self._feeds[name].sitting()]
        watching = list({seat.identity.viewer: seat.identity for seat in seats}.values())
        self._viewers.set(len(watching))
        self._on_change(watching)
