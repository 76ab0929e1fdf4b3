"""A film whose pictures tell their place in it and whose tone never stops, to judge a lesson's picture and sound by.

Real pictures (build/bigbuckbunny.mp4, forwards and backwards) with the strip of capture.timecode, which holds
milliseconds from the film's beginning; a steady tone that fits into the film a whole number of times.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from appliance import bus
from appliance.messages import CAMERA_720P, Packet
from capture import timecode
from capture.frames import HEIGHT, SAMPLE_RATE, WIDTH

FILM = Path(__file__).parents[1] / "build/bigbuckbunny.mp4"
SECONDS = 10
FRAMES_PER_S = 30
TONE_HZ = 1000
LEVEL = 0.3
BLOCK = 1024


def make(path: Path) -> None:
    """Write the film, SECONDS long."""
    with av.open(str(FILM)) as source, av.open(str(path), "w") as out:
        pictures = [frame.to_ndarray(format="yuv420p") for frame in source.decode(source.streams.video[0])]
        video = out.add_stream("libx264", rate=FRAMES_PER_S, options={"preset": "ultrafast", "crf": "16"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = out.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        there_and_back = itertools.cycle([*pictures, *pictures[::-1]])
        for number in range(SECONDS * FRAMES_PER_S):
            picture = np.array(next(there_and_back), np.uint8)
            timecode.draw(picture[:HEIGHT], number * 1000 // FRAMES_PER_S)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            out.mux(video.encode(frame))
        wave = np.sin(np.arange(SECONDS * SAMPLE_RATE) * 2 * np.pi * TONE_HZ / SAMPLE_RATE) * LEVEL
        for start in range(0, len(wave), BLOCK):
            sound = av.AudioFrame.from_ndarray(wave[None, start : start + BLOCK].astype(np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = SAMPLE_RATE, start
            out.mux(audio.encode(sound))
        out.mux(video.encode())
        out.mux(audio.encode())


def began_ns(folder: Path, timeout_s: float = 10) -> int:
    """When the film of the kit whose bus is in `folder` began its present round, by a keyframe from the bus."""
    subscriber = bus.Subscriber(folder, ["capture"], [bus.media_topic(CAMERA_720P)], queue=64)
    try:
        while isinstance(packet := subscriber.receive(timeout_s), Packet):
            if packet.keyframe:
                decoder = av.CodecContext.create("h264", "r")
                assert isinstance(decoder, av.VideoCodecContext)
                frame = [*decoder.decode(av.Packet(packet.data)), *decoder.decode(None)][0]
                place_ms = timecode.read(np.ascontiguousarray(frame.to_ndarray()[:HEIGHT]))
                if place_ms is not None:
                    return packet.pts_ns - place_ms * 1_000_000
    finally:
        subscriber.close()
    raise AssertionError(f"no picture on the bus for {timeout_s} s")
