"""Raw media on its way to an encoder, and the box that hands pictures over."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
FRAME_NS = 1_000_000_000 // FRAME_RATE
SAMPLE_RATE = 48_000

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A picture as I420: uint8 of shape (HEIGHT * 3 // 2, WIDTH), Y above U above V; `pts_ns` is its capture time."""

    picture: Picture
    pts_ns: int


@dataclass(frozen=True, slots=True)
class RawSound:
    """Mono samples at SAMPLE_RATE, int16 of shape (n,); `pts_ns` is the capture time of the first."""

    samples: Samples
    pts_ns: int


class OneSlotBox:
    """Hands over the newest picture; one that was not taken in time is skipped and counted, never queued."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: RawFrame | None = None
        self.skipped = 0

    def put(self, frame: RawFrame) -> None:
        with self._changed:
            if self._frame is not None:
                self.skipped += 1
            self._frame = frame
            self._changed.notify()

    def take(self, timeout_s: float) -> RawFrame | None:
        """The newest picture, or None when none came within `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None, timeout_s)
            frame, self._frame = self._frame, None
            return frame


class RateLimit:
    """Decides which frames of a faster camera to keep so that at most FRAME_RATE a second remain."""

    def __init__(self, interval_ns: int = FRAME_NS) -> None:
        # A tenth of tolerance keeps every frame of a 30 Hz camera whose stamps tremble.
        self._least_ns = interval_ns * 9 // 10
        self._last_ns: int | None = None

    def keep(self, pts_ns: int) -> bool:
        if self._last_ns is not None and pts_ns - self._last_ns < self._least_ns:
            return False
        self._last_ns = pts_ns
        return True
