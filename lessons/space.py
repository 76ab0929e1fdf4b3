"""How long the disk can still take lessons: told every few seconds, before a lesson and during it.

`judge` and `Rate` are pure. `watch` is a thread of its own, because a disk that stalls may hold up even the question.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from appliance.messages import DiskIncident, DiskState, Lesson

log = structlog.get_logger()

INTERVAL_S = 5.0
LOW_MINUTES = 10.0
OVERHEAD = 1.05  # boxes, journal, peaks of the encoder
SOUND_BITS_PER_SECOND = 64_000
MEASURED_S = 60.0


def expected_rate(video_bitrate: int) -> float:
    """Bytes a minute of a lesson without a shared screen, by its settings (bits per second)."""
    return (video_bitrate + SOUND_BITS_PER_SECOND) / 8 * 60 * OVERHEAD


class Rate:
    """Bytes a minute: what the settings promise, or more when a live lesson has taken more for a minute."""

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._id = ""
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, lesson: Lesson | None, now_s: float) -> float:
        """Take in how large the live lesson is at `now_s` seconds of any steady clock; returns the rate."""
        if lesson is None or lesson.id != self._id:
            self._seen.clear()
        if lesson is None:
            return self._expected
        self._id = lesson.id
        self._seen.append((now_s, lesson.bytes))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= MEASURED_S:
            self._seen.popleft()
        since_s, size = self._seen[0]
        if now_s - since_s < MEASURED_S:
            return self._expected
        return max(self._expected, (lesson.bytes - size) / (now_s - since_s) * 60)


def judge(free_bytes: int, bytes_per_minute: float, *, read_only: bool) -> DiskState:
    """What a disk with `free_bytes` can take."""
    minutes = 0.0 if read_only else free_bytes / bytes_per_minute
    incident: DiskIncident = ""
    if read_only:
        incident = "disk_read_only"
    elif minutes < 1:
        incident = "disk_full"
    elif minutes < LOW_MINUTES:
        incident = "disk_low"
    return DiskState(free_bytes, minutes, bytes_per_minute, incident)


def look(root: Path, bytes_per_minute: float) -> DiskState:
    """Ask the disk below `root`."""
    try:
        found = os.statvfs(root)
    except OSError as error:
        log.error("the disk does not say how much is free", folder=str(root), error=str(error))
        return DiskState(0, 0.0, bytes_per_minute, "disk_error")
    free_bytes = found.f_bavail * found.f_frsize
    return judge(free_bytes, bytes_per_minute, read_only=bool(found.f_flag & os.ST_RDONLY))


def watch(
    root: Path, rate: Rate, live: Callable[[], Lesson | None], publish: Callable[[DiskState], None],
    stopping: threading.Event,
) -> None:  # fmt: skip
    """The thread: publish what `root`'s disk can take, every `INTERVAL_S` seconds, until `stopping`."""
    while not stopping.is_set():
        publish(look(root, rate.note(live(), time.monotonic())))
        stopping.wait(INTERVAL_S)
