"""What a kit without camera or microphone shows: a moving picture with a clock, and a clap every second.

Pure: the same time gives the same picture and the same samples. On every whole second a white panel flashes and an
880 Hz beep sounds together, for 80 ms, so that anyone can judge lip-sync by eye and ear, and tests can by measure.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import cv2
import numpy as np

from capture import timecode
from capture.frames import HEIGHT, SAMPLE_RATE, WIDTH, Picture, Samples

TONE_HZ = 880
CLAP_NS = 80_000_000
SECOND_NS = 1_000_000_000
TONE_LEVEL = 0.25  # of full scale
PANEL = (slice(480, 640), slice(80, 320))  # rows, columns of the luma plane


@dataclass(frozen=True, slots=True)
class WallClock:
    """Wall time as CLOCK_MONOTONIC plus a constant, so that picture and sound agree even when the clock is set."""

    offset_ns: int = field(default_factory=lambda: time.time_ns() - time.monotonic_ns())

    def unix_ns(self, monotonic_ns: int) -> int:
        return monotonic_ns + self.offset_ns


class DemoPicture:
    """Draws the test picture; holds the background that never changes."""

    def __init__(self, room: str) -> None:
        self._background = _background(room)

    def draw(self, unix_ns: int) -> Picture:
        """I420 of shape (HEIGHT * 3 // 2, WIDTH) for one moment of wall time."""
        picture = self._background.copy()
        luma = picture[:HEIGHT]
        timecode.draw(luma, unix_ns // 1_000_000)
        seconds, rest = divmod(unix_ns, SECOND_NS)
        text = time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{rest // 100_000_000}"
        cv2.putText(luma, text, (330, 400), cv2.FONT_HERSHEY_SIMPLEX, 4.0, 235, 8, cv2.LINE_AA)
        turn = 2 * math.pi * (unix_ns % (4 * SECOND_NS)) / (4 * SECOND_NS)
        ball = (int(WIDTH / 2 + 480 * math.sin(turn)), int(560 + 60 * math.cos(2 * turn)))
        cv2.circle(luma, ball, 36, 200, -1, cv2.LINE_AA)
        if rest < CLAP_NS:
            luma[PANEL] = timecode.WHITE
        return picture


def tone(unix_ns: int, count: int) -> Samples:
    """`count` samples (mono, SAMPLE_RATE, int16) of the clap track from `unix_ns` on."""
    times = (unix_ns % SECOND_NS) / 1e9 + np.arange(count) / SAMPLE_RATE
    phase = times % 1.0
    inside = phase < CLAP_NS / 1e9
    # Two milliseconds of ramp at both ends: a beep without clicks.
    edge = np.clip(np.minimum(phase, CLAP_NS / 1e9 - phase) / 0.002, 0.0, 1.0)
    wave = np.sin(2 * np.pi * TONE_HZ * phase) * edge * inside
    return (wave * TONE_LEVEL * 32767).astype(np.int16)


def _background(room: str) -> Picture:
    """A dark slope with colour bars, the room's name and a place for the panel."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    slope = np.linspace(40, 90, HEIGHT, dtype=np.uint8)[:, None]
    image[:, :, 0], image[:, :, 1], image[:, :, 2] = slope + 30, slope, slope // 2
    bars = [(60, 60, 200), (60, 160, 220), (80, 180, 80), (200, 150, 60), (180, 80, 160)]
    for index, colour in enumerate(bars):
        image[660:700, 80 + index * 224 : 80 + index * 224 + 208] = colour
    # OpenCV's strokes know ASCII only.
    title = room.encode("ascii", "replace").decode()
    cv2.putText(image, f"Preau - {title}", (80, 140), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (240, 240, 240), 3, cv2.LINE_AA)
    cv2.rectangle(image, (76, 476), (323, 643), (240, 240, 240), 2)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)


def slate(lines: list[str]) -> Picture:
    """A still that stands in while the camera is away: a dark I420 picture with a few centred words (ASCII)."""
    image = np.full((HEIGHT, WIDTH, 3), 32, np.uint8)
    for index, line in enumerate(lines):
        (width, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, 1.6, 3)
        at = ((WIDTH - width) // 2, HEIGHT // 2 + 80 * index)
        cv2.putText(image, line, at, cv2.FONT_HERSHEY_SIMPLEX, 1.6, (230, 230, 230), 3, cv2.LINE_AA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
