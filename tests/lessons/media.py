"""Real packets for tests: H.264, AAC and Opus made with PyAV, 30 frames a second, a keyframe every second."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np

from appliance.messages import AudioFormat, Packet, VideoFormat

RATE = 48_000
FRAME_NS = 1_000_000_000 // 30
SOUND_NS = 1024 * 1_000_000_000 // RATE
ORIGIN_NS = 5_000_000_000_000
SOUND_DELAY_NS = 50_000_000  # sound arrives so much behind the pictures


@cache
def pictures(seconds: int = 4, width: int = 160, height: int = 120) -> tuple[Packet, ...]:
    """A film whose brightness rises by the frame, encoded as capture does."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.options = {
        "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline",
        "x264-params": "keyint=30:min-keyint=30:scenecut=0:bframes=0:annexb=1:aud=1:repeat-headers=1",
    }  # fmt: skip
    packets = []
    for number in range(seconds * 30):
        image = np.full((height, width, 3), number % 200 + 20, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    form = VideoFormat(width, height)
    return tuple(
        Packet("camera", "720p", "h264", 1, number, ORIGIN_NS + number * 1_000_000_000 // 30, FRAME_NS,
               bool(one.is_keyframe), form, bytes(one))
        for number, one in enumerate(packets)
    )  # fmt: skip


@cache
def sounds(seconds: int = 4, rate: int = RATE) -> tuple[Packet, ...]:
    """A tone, from 100 ms before the first picture on."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "fltp"
    encoder.open()
    packets = []
    for number in range(int((seconds + 0.1) * rate / 1024)):
        wave = np.sin(np.arange(1024) * 0.1)[np.newaxis, :].astype(np.float32) * 0.3
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, number * 1024
        packets += encoder.encode(frame)
    form = AudioFormat(rate, 1, bytes(encoder.extradata or b""))
    return tuple(
        Packet("microphone", "aac", "aac", 1, number, ORIGIN_NS - 100_000_000 + number * 1024 * 1_000_000_000 // rate,
               1024 * 1_000_000_000 // rate, True, form, bytes(one))
        for number, one in enumerate(packets)
    )  # fmt: skip


OPUS_NS = 20_000_000
TONE_S = (1.0, 2.0)


@cache
def shared_sounds(seconds: int = 4, layout: str = "stereo") -> tuple[Packet, ...]:
    """A shared screen's Opus, from its first picture on: a tone during TONE_S, else silence."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, layout, "flt"
    encoder.open()
    channels = 2 if layout == "stereo" else 1
    packets = []
    for number in range(seconds * 50):
        times = (np.arange(960) + number * 960) / RATE
        wave = np.sin(times * 440 * 2 * np.pi) * 0.5 * ((times >= TONE_S[0]) & (times < TONE_S[1]))
        frame = av.AudioFrame.from_ndarray(
            np.repeat(wave, channels)[np.newaxis, :].astype(np.float32), format="flt", layout=layout
        )
        frame.sample_rate, frame.pts = RATE, number * 960
        packets += encoder.encode(frame)
    return tuple(
        Packet("screen", "opus", "opus", 1, number, ORIGIN_NS + number * OPUS_NS, OPUS_NS, True,
               AudioFormat(RATE, channels), bytes(one))
        for number, one in enumerate(packets)
    )  # fmt: skip


def arrivals(video: tuple[Packet, ...] | list[Packet], audio: tuple[Packet, ...] | list[Packet]) -> list[Packet]:
    """Both tracks in the order in which they come over the bus."""
    return sorted(
        (*video, *audio), key=lambda one: one.pts_ns + (SOUND_DELAY_NS if one.codec == "aac" else 0)
    )  # fmt: skip


def film(seconds: int = 4) -> list[Packet]:
    return arrivals(pictures(seconds), sounds(seconds))


def moved(packets: list[Packet], *, epoch: int, by_s: float) -> list[Packet]:
    """The same packets from a later run of the encoders."""
    shift = int(by_s * 1_000_000_000)
    return [msgspec.structs.replace(one, epoch=epoch, pts_ns=one.pts_ns + shift) for one in packets]


def probe(path: Path, *arguments: str) -> dict[str, Any]:
    """What ffprobe says about a file; anything it complains about is a failure."""
    done = subprocess.run(
        ["ffprobe", "-v", "warning", "-of", "json", "-show_format", "-show_streams", *arguments, str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
