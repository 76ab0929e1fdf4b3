"""What waits between the bus and the disk: bounded in bytes and in time, and honest about what did not fit.

One thread puts, another takes; neither ever waits for the disk here. Time is an argument: CLOCK_MONOTONIC of an item's
arrival. When it is full, what comes is dropped, not what waits, until half of the room is free again and a keyframe of
the camera comes: then an `Overflow` stands in the line where the lost packets would.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, NamedTuple

from appliance.messages import CAMERA_720P, Packet
from lessons.journal import Record
from lessons.session import Session

MOST_BYTES = 64 << 20
MOST_S = 60.0
PACKET_BYTES = 500  # what a packet takes beside its data
SECOND = 1_000_000_000

Signal = Literal["end_screen", "end_talk", "watch", "stop", "suspend"]
"""What the writer is to do between packets: see `lessons.session.Session`."""


class Overflow(NamedTuple):
    """Here `lost` packets are missing, which found no room."""

    lost: int


class Note(NamedTuple):
    """Lines for the journal that are no media: `make` says which, from the session and the time at which it was asked.
    `done` tells when they are durable; False when the lesson was over by then, and nothing is written."""

    make: Callable[[Session, int], list[Record]]
    done: Future[bool]


class Item(NamedTuple):
    """A packet or a signal; `now_ns` is when it came on CLOCK_MONOTONIC, `at` the same in Unix seconds."""

    what: Packet | Signal | Overflow | Note
    now_ns: int
    at: float

    @property
    def size(self) -> int:
        """Bytes that it keeps waiting."""
        return len(self.what.data) + PACKET_BYTES if isinstance(self.what, Packet) else 0


class Backlog:
    """Bounded by `most_bytes` and by `most_s` seconds between the oldest item and what comes."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_s: float = MOST_S) -> None:
        self._most_bytes = most_bytes
        self._most_ns = int(most_s * SECOND)
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._lost: int | None = None
        self._closed = False

    @property
    def bytes(self) -> int:
        """What waits."""
        return self._bytes

    @property
    def overflowing(self) -> bool:
        """Whether packets are being dropped."""
        return self._lost is not None

    def wants_keyframe(self, now_ns: int) -> bool:
        """Whether a keyframe would end the dropping."""
        with self._changed:
            return self._lost is not None and self._has_room(0, now_ns, 2)

    def age_s(self, now_ns: int) -> float:
        """How long the oldest item has been waiting; 0 when there is none."""
        with self._changed:
            return (now_ns - self._items[0].now_ns) / SECOND if self._items else 0.0

    def put(self, packet: Packet, now_ns: int, at: float) -> None:
        """Let a packet wait, or drop it."""
        item = Item(packet, now_ns, at)
        with self._changed:
            if self._lost is not None:
                if not (packet.track == CAMERA_720P and packet.keyframe and self._has_room(item.size, now_ns, 2)):
                    self._lost += 1
                    return
                self._mark_overflow(now_ns, at)
            elif not self._has_room(item.size, now_ns, 1):
                self._lost = 1
                return
            self._bytes += item.size
            self._append(item)

    def signal(self, what: Signal, now_ns: int, at: float) -> None:
        """Let a signal wait, which always has room; a `watch` behind another, or while packets are dropped, is none."""
        with self._changed:
            if what == "watch" and (self._lost is not None or (self._items and self._items[-1].what == "watch")):
                return
            self._mark_overflow(now_ns, at)
            self._append(Item(what, now_ns, at))

    def note(self, note: Note, now_ns: int, at: float) -> bool:
        """Let a note wait, which always has room; False once nothing is taken any more."""
        with self._changed:
            if not self._closed:
                self._append(Item(note, now_ns, at))
            return not self._closed

    def close(self) -> list[Item]:
        """Take nothing in any more; what still waits."""
        with self._changed:
            self._closed = True
            return list(self._items)

    def take(self, timeout_s: float) -> Item | None:
        """The oldest item, or None when none came within `timeout_s` seconds."""
        with self._changed:
            if not self._items and not self._changed.wait_for(lambda: self._items, timeout_s):
                return None
            item = self._items.popleft()
            self._bytes -= item.size
            return item

    def _has_room(self, size: int, now_ns: int, share: int) -> bool:
        """Whether `size` bytes that come now fit in the `share`-th part of the room."""
        waiting_ns = now_ns - self._items[0].now_ns if self._items else 0
        return self._bytes + size <= self._most_bytes // share and waiting_ns <= self._most_ns // share

    def _mark_overflow(self, now_ns: int, at: float) -> None:
        if self._lost is not None:
            self._append(Item(Overflow(self._lost), now_ns, at))
            self._lost = None

    def _append(self, item: Item) -> None:
        self._items.append(item)
        self._changed.notify()
