"""Sharp stills of the camera for lines that carry no moving picture: a JPEG when asked for, shared by all who ask.

`see` is called by the encoder thread, `take` by the command thread; a still nobody asks for costs nothing.
"""

from __future__ import annotations

import threading
from fractions import Fraction

import av

from appliance.messages import STILL_AGE_S, Still

WIDTH, HEIGHT = 960, 540  # letters on a board stay readable, at a third of the bytes of 720p
QUANTISER = 6  # FFmpeg's scale for MJPEG, 2 (best) to 31


class Stills:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: tuple[av.VideoFrame, int] | None = None
        self._made: Still | None = None

    def see(self, picture: av.VideoFrame, pts_ns: int) -> None:
        """Keep the newest picture; `picture` must not change any more."""
        with self._lock:
            self._newest = picture, pts_ns

    def take(self) -> Still | None:
        """The still of now, or one made at most STILL_AGE_S before; None before the first picture."""
        with self._lock:
            newest, made = self._newest, self._made
        if newest is None:
            return None
        picture, pts_ns = newest
        if made is None or pts_ns - made.pts_ns > STILL_AGE_S * 1e9:
            made = Still(pts_ns, jpeg(picture))
            with self._lock:
                self._made = made
        return made


def jpeg(picture: av.VideoFrame) -> bytes:
    """The picture as JPEG (ITU-T T.81) of WIDTH x HEIGHT."""
    scaled = picture.reformat(WIDTH, HEIGHT, format="yuvj420p", dst_color_range="JPEG")
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
    context.time_base = Fraction(1, 1)
    context.thread_count = 1
    context.qmin = context.qmax = QUANTISER
    scaled.pts = 0
    scaled.time_base = context.time_base
    return b"".join(bytes(packet) for packet in [*context.encode(scaled), *context.encode(None)])
