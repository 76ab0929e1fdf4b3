"""Where pictures come from: the demo drawing, a film, or a V4L2 device. Each runs on one thread until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import av
import structlog

from capture.demo import DemoPicture, WallClock
from capture.film import FilmError, FilmPlayer, Fit
from capture.frames import FRAME_NS, FRAME_RATE, HEIGHT, WIDTH, RateLimit, RawFrame

log = structlog.get_logger()

RETRY_S = 2.0
FrameSink = Callable[[RawFrame], None]


class Camera(Protocol):
    """`run` delivers frames on the calling thread until `stopping` is set; a lost device is its own affair."""

    name: str

    def run(self, stopping: threading.Event) -> None: ...


class DemoCamera:
    """The drawn test picture, its frames on whole thirtieths of a second of wall time."""

    name = "demo"

    def __init__(self, room: str, clock: WallClock, deliver: FrameSink) -> None:
        self._picture = DemoPicture(room)
        self._clock = clock
        self._deliver = deliver

    def run(self, stopping: threading.Event) -> None:
        number = self._clock.unix_ns(time.monotonic_ns()) * FRAME_RATE // 1_000_000_000
        while True:
            # Skip what could not be drawn in time instead of lagging behind.
            number = max(number + 1, self._clock.unix_ns(time.monotonic_ns()) * FRAME_RATE // 1_000_000_000)
            unix_ns = -(-number * 1_000_000_000 // FRAME_RATE)
            pts_ns = unix_ns - self._clock.offset_ns
            if stopping.wait(max(0.0, (pts_ns - time.monotonic_ns()) / 1e9)):
                return
            self._deliver(RawFrame(self._picture.draw(unix_ns), pts_ns))


class FilmCamera:
    """A film; `on_sound` is set where the film's own sound is the microphone."""

    def __init__(self, player: FilmPlayer, path: Path) -> None:
        self.name = f"file:{path.name}"
        self._player = player

    def run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self._player.run(stopping)
            except FilmError as error:
                log.warning("film stopped", reason=str(error), retry_s=RETRY_S)
                stopping.wait(RETRY_S)


class DeviceCamera:
    """A V4L2 device: MJPEG at 1280x720, else what it offers. Unplugged, it is opened again every RETRY_S seconds."""

    def __init__(self, device: str, deliver: FrameSink) -> None:
        self.name = device
        self._deliver = deliver

    def run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self._read(stopping)
            except (OSError, av.FFmpegError) as error:
                log.warning("camera unavailable", device=self.name, reason=str(error), retry_s=RETRY_S)
                stopping.wait(RETRY_S)

    def _read(self, stopping: threading.Event) -> None:
        options = {"video_size": f"{WIDTH}x{HEIGHT}", "framerate": str(FRAME_RATE), "input_format": "mjpeg"}
        try:
            container = av.open(self.name, format="v4l2", options=options)
        except (OSError, av.FFmpegError):
            # A camera without MJPEG, or without this size: take its own choice and scale.
            container = av.open(self.name, format="v4l2")
        limit, fit = RateLimit(), Fit()
        with container:
            stream = container.streams.video[0]
            for packet in container.demux(stream):
                pts_ns = time.monotonic_ns()
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame) and limit.keep(pts_ns):
                        self._deliver(RawFrame(fit.picture(frame), pts_ns))
                if stopping.is_set():
                    return


def find_device() -> str | None:
    """The first camera by its stable name, else by number; None where there is none."""
    by_id = sorted(Path("/dev/v4l/by-id").glob("*-video-index0"))
    numbered = sorted(Path("/dev").glob("video[0-9]*"))
    found = [*by_id, *numbered]
    return str(found[0]) if found else None


def later_than(pts_ns: int) -> int:
    """The stamp of a stand-in picture that follows one at `pts_ns` at the nominal rate."""
    return max(time.monotonic_ns(), pts_ns + FRAME_NS)
