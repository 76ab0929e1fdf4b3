"""Judges of a recording: ffprobe, and the time that stands in the demo source's pictures."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from capture import timecode


@dataclass(frozen=True)
class Verdict:
    """What ffprobe found. `complaints` is what it printed while decoding everything; empty for a sound file."""

    duration_s: float
    video_frames: int
    audio_frames: int
    complaints: str


def probe(path: Path) -> Verdict:
    """Decode the whole file and count. Raises CalledProcessError when ffprobe gives up."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries"]
    command += ["format=duration:stream=codec_type,nb_read_frames", "-of", "json", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(result.stdout)
    # Chapters are a stream of text, which nobody counts.
    frames = {stream["codec_type"]: int(stream.get("nb_read_frames", 0)) for stream in found["streams"]}
    duration = float(found["format"]["duration"])
    return Verdict(duration, frames.get("video", 0), frames.get("audio", 0), result.stderr)


def recorded_times(path: Path) -> list[int]:
    """The time in each picture of a recording of the demo source, Unix milliseconds, in playing order."""
    times = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            time_ms = timecode.read(np.ascontiguousarray(frame.to_ndarray()[: frame.height]))
            assert time_ms is not None, f"picture at {frame.time} s cannot be read"
            times.append(time_ms)
    return times


PANEL = (200, 560)  # a pixel that is white during a clap, at 1280 wide


def recorded_claps_ms(path: Path) -> list[float]:
    """How much later each clap of a recording is heard than seen, in playing order."""
    flashes: list[float] = []
    beeps: list[float] = []
    with av.open(str(path)) as container:
        lit = True
        for picture in container.decode(container.streams.video[0]):
            luma = picture.to_ndarray()[: picture.height]
            scale = luma.shape[1] / 1280
            bright = bool(luma[int(PANEL[1] * scale), int(PANEL[0] * scale)] > 200)
            if bright and not lit:
                flashes.append(_moment(picture))
            lit = bright
    with av.open(str(path)) as container:
        quiet_since = -1.0
        for block in container.decode(container.streams.audio[0]):
            loud = np.flatnonzero(np.abs(block.to_ndarray()).max(axis=0) > 0.05)
            if len(loud):
                begins = _moment(block) + loud[0] / block.sample_rate
                if begins - quiet_since > 0.4:
                    beeps.append(begins)
                quiet_since = _moment(block) + loud[-1] / block.sample_rate
    return [min((beep - flash for beep in beeps), key=abs) * 1000 for flash in flashes]


def _moment(frame: Any) -> float:
    return float(frame.pts * frame.time_base)


FRAME_MS = 1000 / 30
SKIPPED_MS = 250  # a camera that shares two cores with a browser skips pictures; nothing recorded is lost by that


def missing_s(times: list[int]) -> list[float]:
    """The holes in a recording, in seconds, in playing order: steps longer than SKIPPED_MS, less the frame itself."""
    steps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert all(step > 0 for step in steps), "the recording's time runs backwards"
    return [(step - FRAME_MS) / 1000 for step in steps if step > SKIPPED_MS]
