"""Lessons whose pictures are drawn, encoded as capture and a shared screen send them, two pictures a second."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import av

from appliance.messages import Packet, VideoFormat
from tests.lessons.drawn import Image, board, slide
from tests.lessons.media import ORIGIN_NS

RATE = 2
STEP_NS = 1_000_000_000 // RATE
SECONDS = 65
BOARDS = [(1, 35), (2, 30)]  # (what hangs there, seconds)
SLIDES = [(1, 25), (2, 25)]  # shared from SHARED_S on
SHARED_S = 10


def encode(images: Sequence[Image], source: str, rung: str, keyframe_s: int, start_s: float = 0) -> list[Packet]:
    """H.264 as browsers and capture make it."""
    height, width = images[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
    every = keyframe_s * RATE
    encoder.options = {
        "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline",
        "x264-params": f"keyint={every}:min-keyint={every}:scenecut=0:bframes=0:annexb=1:repeat-headers=1:threads=1",
    }  # fmt: skip
    made = []
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = number
        made += encoder.encode(frame)
    made += encoder.encode(None)
    origin_ns = ORIGIN_NS + round(start_s * 1_000_000_000)
    return [
        Packet(source, rung, "h264", 1, number, origin_ns + number * STEP_NS, STEP_NS, bool(one.is_keyframe),
               VideoFormat(width, height), bytes(one))
        for number, one in enumerate(made)
    ]  # fmt: skip


@cache
def lesson() -> tuple[Packet, ...]:
    """A board that is turned, and beside it two slides."""
    boards = [board(panel) for panel, seconds in BOARDS for _ in range(seconds * RATE)]
    slides = [slide(number) for number, seconds in SLIDES for _ in range(seconds * RATE)]
    camera = encode(boards, "camera", "720p", 1)
    screen = encode(slides, "screen", "main", 3, SHARED_S)
    return tuple(sorted((*camera, *screen), key=lambda packet: (packet.pts_ns, packet.source)))
