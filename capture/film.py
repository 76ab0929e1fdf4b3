"""A film instead of a camera: a file played in a loop, in real time, with its own sound.

One thread reads, decodes a little ahead, and lets each picture and block of sound go when its time has come.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.filter import Graph

from capture.frames import FRAME_NS, HEIGHT, SAMPLE_RATE, WIDTH, RateLimit, RawFrame, RawSound

AHEAD_NS = 300_000_000  # decoded ahead, to smooth what a slow read takes
START_NS = 200_000_000


class FilmError(Exception):
    """The file cannot serve as a source; the message says why, naming it."""


def check(path: Path, *, picture: bool, sound: bool) -> None:
    """Raise FilmError unless `path` can be read and has what is asked of it."""
    try:
        with av.open(str(path)) as container:
            if picture and not container.streams.video:
                raise FilmError(f"{path}: there is no video in this file")
            if sound and not container.streams.audio:
                raise FilmError(f"{path}: there is no sound in this file")
    except FileNotFoundError:
        raise FilmError(f"{path}: there is no such file") from None
    except (OSError, av.FFmpegError) as error:
        raise FilmError(f"{path}: cannot be read as a film ({error})") from None


@dataclass(order=True)
class _Due:
    at_ns: int
    order: int
    item: RawFrame | RawSound = field(compare=False)


class FilmPlayer:
    """Plays `path` for ever. `on_frame` and `on_sound` (either may be None) are called on the player's thread."""

    def __init__(
        self,
        path: Path,
        on_frame: Callable[[RawFrame], None] | None,
        on_sound: Callable[[RawSound], None] | None,
    ) -> None:
        self._path = path
        self._on_frame = on_frame
        self._on_sound = on_sound
        self._order = itertools.count()

    def run(self, stopping: threading.Event) -> None:
        """Play until `stopping` is set. Raises FilmError when the file becomes unreadable."""
        origin_ns = time.monotonic_ns() + START_NS
        while not stopping.is_set():
            try:
                with av.open(str(self._path)) as container:
                    origin_ns = self._play_once(container, origin_ns, stopping)
            except (OSError, av.FFmpegError) as error:
                raise FilmError(f"{self._path}: cannot be read as a film ({error})") from None

    def _play_once(self, container: av.container.InputContainer, origin_ns: int, stopping: threading.Event) -> int:
        """Play the file once from `origin_ns` on; returns when it ends, the origin of the next round."""
        waiting: list[_Due] = []
        end_ns = origin_ns
        for item, length_ns in self._decode(container, origin_ns):
            # Sound is let go when its last sample would have been heard, as a microphone does.
            at_ns = item.pts_ns + (length_ns if isinstance(item, RawSound) else 0)
            heapq.heappush(waiting, _Due(at_ns, next(self._order), item))
            end_ns = max(end_ns, item.pts_ns + length_ns)
            while waiting and item.pts_ns - waiting[0].at_ns > AHEAD_NS:
                if not self._release(heapq.heappop(waiting), stopping):
                    return end_ns
        while waiting:
            if not self._release(heapq.heappop(waiting), stopping):
                break
        return end_ns

    def _release(self, due: _Due, stopping: threading.Event) -> bool:
        wait_s = (due.at_ns - time.monotonic_ns()) / 1e9
        if stopping.wait(wait_s) if wait_s > 0 else stopping.is_set():
            return False
        if isinstance(due.item, RawFrame):
            if self._on_frame:
                self._on_frame(due.item)
        elif self._on_sound:
            self._on_sound(due.item)
        return True

    def _decode(
        self, container: av.container.InputContainer, origin_ns: int
    ) -> Iterator[tuple[RawFrame | RawSound, int]]:
        video = container.streams.video[0] if self._on_frame and container.streams.video else None
        audio = container.streams.audio[0] if self._on_sound and container.streams.audio else None
        chosen = [stream for stream in (video, audio) if stream is not None]
        if not chosen:
            raise FilmError(f"{self._path}: nothing in this file can be played")
        if video is not None:
            video.thread_type = "AUTO"
        first_ns = round((container.start_time or 0) * 1000)  # AV_TIME_BASE is microseconds
        limit = RateLimit()
        fit = Fit()
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for packet in container.demux(chosen):
            for frame in packet.decode():
                if not isinstance(frame, av.VideoFrame | av.AudioFrame) or frame.time is None:
                    continue
                pts_ns = origin_ns + round(frame.time * 1e9) - first_ns
                if isinstance(frame, av.VideoFrame):
                    if limit.keep(pts_ns):
                        yield RawFrame(fit.picture(frame), pts_ns), FRAME_NS
                else:
                    for block in resampler.resample(frame):
                        samples = np.ascontiguousarray(block.to_ndarray()[0])
                        yield RawSound(samples, pts_ns), len(samples) * 1_000_000_000 // SAMPLE_RATE


class Fit:
    """Brings pictures of any size to WIDTH x HEIGHT, bars where the shape differs."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[int, int, str] | None = None

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        key = (frame.width, frame.height, frame.format.name)
        if key == (WIDTH, HEIGHT, "yuv420p"):
            return frame.to_ndarray()
        if self._graph is None or key != self._key:
            self._graph, self._key = _fitting_graph(frame), key
        self._graph.push(frame)
        fitted = self._graph.pull()
        assert isinstance(fitted, av.VideoFrame)
        return fitted.to_ndarray()


def _fitting_graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    scale = graph.add("scale", f"{WIDTH}:{HEIGHT}:force_original_aspect_ratio=decrease:force_divisible_by=2")
    pad = graph.add("pad", f"{WIDTH}:{HEIGHT}:(ow-iw)/2:(oh-ih)/2")
    shape = graph.add("format", "yuv420p")
    sink = graph.add("buffersink")
    graph.link_nodes(source, scale, pad, shape, sink).configure()
    return graph
