"""The picture of a lesson: a keyframe about two seconds in, 320 pixels wide.

`make` runs in a thread of the service and starts ``python -m lessons.thumbnail FOLDER`` with low priority: a decoder
stays out of the recorder's process, where its memory would never be given back.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import structlog

from appliance import durable
from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import NAME, Fragment, Part, Recording, fold, parse
from lessons.session import THUMBNAIL

log = structlog.get_logger()

WIDTH = 320
AT_S = 2.0
LIMIT_S = 30.0
NICENESS = 15


def choose(recording: Recording) -> tuple[Part, Fragment] | None:
    """The last keyframe fragment that begins within `AT_S` seconds, None when there is none at all."""
    chosen = None
    for part in recording.parts:
        for fragment in part.fragments:
            if fragment.keyframe and (chosen is None or fragment.start <= AT_S * VIDEO_TIMESCALE):
                chosen = part, fragment
    return chosen


def decode(media: bytes) -> bytes:
    """The first picture of an MP4 (initialisation segment and fragment) as JPEG. Raises av.FFmpegError, ValueError."""
    import av
    from av.video.frame import VideoFrame

    with av.open(io.BytesIO(media), "r") as container:
        frame = next(container.decode(video=0), None)
    if not isinstance(frame, VideoFrame):
        raise ValueError("no picture in the fragment")
    height = max(2, round(frame.height * WIDTH / frame.width / 2) * 2)
    small = frame.reformat(WIDTH, height, format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1000)
    packets = [*encoder.encode(small), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def write(folder: Path) -> bool:
    """Make the thumbnail of the lesson in `folder`; False when it has no keyframe yet. Raises as `decode`, OSError."""
    recording = fold(parse((folder / NAME).read_bytes()).records)
    chosen = choose(recording) if recording else None
    if chosen is None:
        return False
    part, fragment = chosen
    with (folder / part.opened.file).open("rb") as file:
        init = file.read(part.opened.init_length)
        file.seek(fragment.offset)
        media = init + file.read(fragment.length)
    durable.write(folder / THUMBNAIL, decode(media))
    return True


def make(folder: Path) -> None:
    """Write the thumbnail in a process of its own; a lesson without one is no incident."""
    command = [sys.executable, "-m", "lessons.thumbnail", str(folder)]
    try:
        subprocess.run(command, check=True, timeout=LIMIT_S, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        log.warning("no thumbnail", folder=folder.name, error=str(error))


if __name__ == "__main__":
    os.nice(NICENESS)
    write(Path(sys.argv[1]))
