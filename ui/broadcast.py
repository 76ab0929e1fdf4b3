"""The live picture for viewers on WebSockets: one thread reads the bus and makes segments, each viewer has a seat.

The bus is read, and anything made, only while somebody sits. A seat's queue is bounded: who reads too slowly loses what
lies in it and goes on at the next keyframe; nobody else notices, and the thread never waits for a viewer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Gauge

from appliance.bus import Subscriber, media_topic
from appliance.messages import CAMERA_720P, MICROPHONE_AAC, Packet
from ui.auth import Identity
from ui.segments import Head, Segment, Segmenter

QUEUE = 30  # segments of about 100 ms
BUS_QUEUE = 256
POLL_S = 0.25
LINGER_S = 5.0  # the bus is read on for so long after the last viewer, who may be back at once

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
    """`on_change(seats)` is called, on any thread, when somebody sits down or leaves. `places` are to be acquired
    before a viewer takes one of the web server's threads, `most` in all."""

    def __init__(self, viewers: Gauge, on_change: Callable[[list[Identity]], None], most: int = 40) -> None:
        self.places = threading.BoundedSemaphore(most)
        self._viewers, self._on_change = viewers, on_change
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
        self._told()
        return seat

    def leave(self, seat: Seat) -> None:
        """Idempotent."""
        with self._lock:
            if seat in self._seats:
                self._seats.remove(seat)
        self._told()

    def close_pupils(self) -> None:
        """The lesson is over."""
        for seat in self._sitting():
            if seat.identity.role == "pupil":
                seat.close()

    def _sitting(self) -> list[Seat]:
        with self._lock:
            return list(self._seats)

    def _told(self) -> None:
        sitting = self._sitting()
        self._viewers.set(len(sitting))
        self._on_change([seat.identity for seat in sitting])

    def hand_out(self, segment: Segment) -> None:
        """Give a segment to everybody."""
        with self._lock:
            if segment.start:
                self._recent = []
            self._recent.append(segment)
            seats = list(self._seats)
        for seat in seats:
            seat.put(segment)

    def run(self, folder: Path, stopping: threading.Event) -> None:
        """Read the bus whenever somebody sits, until `stopping` is set. The root of the `broadcast` thread."""
        while not stopping.is_set():
            if self._taken.wait(POLL_S):
                self._read(folder, stopping)
        for seat in self._sitting():
            seat.close()

    def _read(self, folder: Path, stopping: threading.Event) -> None:
        topics = [media_topic(CAMERA_720P), media_topic(MICROPHONE_AAC)]
        subscriber = Subscriber(folder, ["capture"], topics, queue=BUS_QUEUE)
        segmenter = Segmenter()
        wanted = time.monotonic()
        try:
            while not stopping.is_set() and time.monotonic() - wanted < LINGER_S:
                packet = subscriber.receive(POLL_S)
                for segment in segmenter.push(packet) if isinstance(packet, Packet) else ():
                    self.hand_out(segment)
                if self._sitting():
                    wanted = time.monotonic()
        finally:
            subscriber.close()
            with self._lock:
                self._recent = []
                if not self._seats:
                    self._taken.clear()
