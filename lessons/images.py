"""Pictures of a recording: keyframes decoded, made smaller, written as JPEG.

Only for processes that end (`lessons.illustrate`): the memory of decoders is never given back.
"""

from __future__ import annotations

import io
from pathlib import Path

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from lessons import pages, strip
from lessons.strip import Keyframe

Image = NDArray[np.uint8]  # rows x columns x (blue, green, red)
QUALITY = 82


class NoPicture(ValueError):
    """The bytes hold no picture that can be decoded."""


def decode(folder: Path, keyframe: Keyframe) -> Image:
    """The picture of a keyframe of the lesson in `folder`. Raises NoPicture, OSError."""
    part, fragment = keyframe
    with (folder / part.file).open("rb") as file:
        init = file.read(part.init_length)
        file.seek(fragment.offset)
        media = init + file.read(fragment.length)
    try:
        with av.open(io.BytesIO(media), "r") as container:
            video = container.streams.video[0]
            video.codec_context.thread_count = 1
            video.codec_context.flags |= Flags.low_delay
            frame = next(container.decode(video), None)
            if isinstance(frame, VideoFrame):
                return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    except (av.FFmpegError, IndexError) as error:
        raise NoPicture(f"{part.file} at {fragment.offset}: {error}") from error
    raise NoPicture(f"{part.file} at {fragment.offset}")


def jpeg(image: Image) -> bytes:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()


def within(image: Image, width: int, height: int) -> Image:
    """As large as fits, at most as large as it is, in even numbers of pixels."""
    share = min(1.0, width / image.shape[1], height / image.shape[0])
    size = [max(2, round(length * share / 2) * 2) for length in (image.shape[1], image.shape[0])]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def grey(image: Image) -> Image:
    """As `lessons.pages` looks at it."""
    small = cv2.resize(image, (pages.WIDTH, pages.HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def sheet() -> Image:
    """A sheet of the strip with nothing on it."""
    return np.zeros((strip.ROWS * strip.HEIGHT, strip.COLUMNS * strip.WIDTH, 3), np.uint8)


def put(onto: Image, tile: int, image: Image) -> None:
    """Show `image` as the sheet's tile, whole and in its middle."""
    small = within(image, strip.WIDTH, strip.HEIGHT)
    x, y = strip.place(tile)
    height, width = small.shape[:2]
    left, top = x + (strip.WIDTH - width) // 2, y + (strip.HEIGHT - height) // 2
    onto[top : top + height, left : left + width] = small
