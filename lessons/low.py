"""Makes the low rung of a lesson that is over: ``python -m lessons.low FOLDER BITRATE``, a process that ends.

One thread of the lowest priority; it may be killed at any moment and goes on with the part that it was at. A picture
becomes 360p at BITRATE bits per second, the sound is copied as it is. Its fragments and keyframes are where the
camera's are: players change between the two anywhere, and who cuts the one cuts the other alike.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import structlog
from av.video.frame import PictureType, VideoFrame
from msgspec.structs import replace

from appliance import durable, fmp4
from appliance.fmp4 import AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, Audio, Run, Sample, Video
from appliance.lifetime import die_with
from lessons import low_rung
from lessons.journal import NAME, Fragment, PartOpened, encode, parse
from lessons.recording import Part, fold

log = structlog.get_logger()

WIDTH, HEIGHT = 640, 360
NICENESS = 19
X264 = "keyint=infinite:scenecut=0:bframes=0:rc-lookahead=20:annexb=1:repeat-headers=1"


class Bounded(io.RawIOBase):
    """The bytes of a part file that its journal vouches for."""

    def __init__(self, path: Path, length: int) -> None:
        self._file = path.open("rb")
        self._length = length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._length}[whence]
        return self._file.seek(start + offset)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._length - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def close(self) -> None:
        self._file.close()
        super().close()


class Coded(NamedTuple):
    """An encoded picture, or a frame of sound; `place` in its track's timescale."""

    place: int
    data: bytes
    keyframe: bool
    duration: int = 0


class Made(NamedTuple):
    """Bytes of the low part's file; what they begin with, and what the index says of them."""

    data: bytes
    opened: PartOpened | None
    fragment: Fragment


class Lower:
    """One part of the camera's being made smaller."""

    def __init__(self, part: Part, bit_rate: int) -> None:
        self._part = part
        self._bit_rate = bit_rate
        self._keyframes = deque(one.start for one in part.fragments if one.keyframe)
        self._ends = deque(one.start for one in part.fragments[1:])
        self._encoder: av.VideoCodecContext | None = None
        self._size = (0, 0)
        self._pictures: list[Coded] = []
        self._sounds: deque[Coded] = deque()
        self._opened: PartOpened | None = None
        self._length = self._fragments = 0

    def run(self, media: io.RawIOBase) -> Iterator[Made]:
        """The whole part, fragment by fragment. Raises av.FFmpegError when the file cannot be read."""
        with av.open(media, "r", format="mp4") as container:
            video = container.streams.video[0]
            video.codec_context.thread_count = 1
            wanted = [video, *container.streams.audio[:1]]
            for packet in container.demux(wanted):
                if packet.stream.type == "audio":
                    if packet.pts is not None:
                        self._sounds.append(Coded(packet.pts, bytes(packet), True, packet.duration or 0))
                    continue
                for frame in self._decoded(packet):
                    yield from self._take(self._encode(frame))
        if self._encoder:
            yield from self._take(self._encoder.encode(None))
        if self._pictures:
            yield self._cut(self._part.end, last=True)

    @staticmethod
    def _decoded(packet: av.Packet[Any]) -> list[VideoFrame]:
        """A damaged picture is passed over: the one before it stays."""
        try:
            return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except av.InvalidDataError as error:
            log.warning("a picture cannot be decoded", error=str(error))
            return []

    def _encode(self, frame: VideoFrame) -> list[av.Packet[av.VideoStream]]:
        place = frame.pts
        assert place is not None
        encoder = self._encoder = self._encoder or self._open(frame)
        small = frame.reformat(*self._size, format="yuv420p")
        small.pts, small.time_base, small.pict_type = place, Fraction(1, VIDEO_TIMESCALE), PictureType.NONE
        while self._keyframes and self._keyframes[0] <= place:
            self._keyframes.popleft()
            small.pict_type = PictureType.I
        return encoder.encode(small)

    def _open(self, frame: VideoFrame) -> av.VideoCodecContext:
        share = min(1.0, WIDTH / frame.width, HEIGHT / frame.height)
        self._size = (max(2, round(frame.width * share / 2) * 2), max(2, round(frame.height * share / 2) * 2))
        encoder = av.CodecContext.create("libx264", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = *self._size, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, VIDEO_TIMESCALE), Fraction(30)
        encoder.bit_rate, encoder.thread_count = self._bit_rate, 1
        encoder.options = {
            "preset": "veryfast", "profile": "main", "forced-idr": "1", "x264-params": X264,
            "maxrate": str(self._bit_rate * 3 // 2), "bufsize": str(self._bit_rate * 3),
        }  # fmt: skip
        return encoder

    def _take(self, packets: list[av.Packet[av.VideoStream]]) -> Iterator[Made]:
        for packet in packets:
            assert packet.pts is not None
            while self._ends and packet.pts >= self._ends[0]:
                end = self._ends.popleft()
                if self._pictures:
                    yield self._cut(end, last=False)
            self._pictures.append(Coded(packet.pts, bytes(packet), packet.is_keyframe))

    def _cut(self, end: int, *, last: bool) -> Made:
        """What is pending up to `end` (ticks), the sound beside it too, as one fragment."""
        pictures, self._pictures = self._pictures, []
        init = b""
        if self._opened is None:
            init = self._begin(pictures[0].data)
        assert self._opened
        places = [*(one.place for one in pictures), max(end, pictures[-1].place + 1)]
        shown = [
            Sample(fmp4.avc_sample(one.data), after - one.place, one.keyframe)
            for one, after in zip(pictures, places[1:], strict=True)
        ]
        sounds = self._sounds_before(self._opened.audio, end, last=last)
        heard = [Sample(one.data, one.duration, True) for one in sounds]
        self._fragments += 1
        runs = [Run(VIDEO_TRACK, places[0], shown), Run(AUDIO_TRACK, sounds[0].place if sounds else 0, heard)]
        data = fmp4.fragment(self._fragments, runs)
        made = Fragment(
            self._opened.number, self._length + len(init), len(data), places[0], places[-1] - places[0],
            pictures[0].keyframe, 0, 0, None, None, sounds[-1].place + sounds[-1].duration if sounds else None,
            time.time(), zlib.crc32(data),
        )  # fmt: skip
        self._length += len(init) + len(data)
        return Made(init + data, self._opened if init else None, made)

    def _sounds_before(self, audio: Audio | None, end: int, *, last: bool) -> list[Coded]:
        found = list[Coded]()
        while audio and self._sounds and (last or self._sounds[0].place * VIDEO_TIMESCALE < end * audio.rate):
            found.append(self._sounds.popleft())
        return found

    def _begin(self, keyframe: bytes) -> bytes:
        camera = self._part.opened
        video = Video(*self._size, *fmp4.parameter_sets(keyframe))
        init = fmp4.init_segment(video, camera.audio)
        self._opened = PartOpened(
            camera.number, low_rung.file_name(camera.number), len(init), camera.epoch, camera.boot_id,
            camera.origin_ns, camera.start, fmp4.codecs(video, camera.audio), video, camera.audio, zlib.crc32(init),
        )  # fmt: skip
        return init


def _as_in_file(camera: Part) -> Part:
    """The part where the times in its file have it: one that was joined to the lesson plays later there."""
    by = camera.opened.moved
    fragments = [replace(one, start=one.start - by) for one in camera.fragments]
    return Part(replace(camera.opened, start=camera.opened.start - by), fragments, camera.closed)


def make_part(folder: Path, camera: Part, bit_rate: int) -> Part | None:
    """Write the low file of a part, durably; what the index says of it, None when nothing of it can be played. Raises
    OSError, av.FFmpegError."""
    name = low_rung.file_name(camera.opened.number)
    temporary = folder / f".{name}.tmp"
    low: Part | None = None
    media = Bounded(folder / camera.opened.file, camera.length)
    with media, temporary.open("wb") as file:
        by = camera.opened.moved
        for data, opened, fragment in Lower(_as_in_file(camera), bit_rate).run(media):
            low = Part(replace(opened, start=opened.start + by, moved=by)) if opened else low
            assert low
            low.fragments.append(replace(fragment, start=fragment.start + by))
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if low is None:
        temporary.unlink()
        return None
    low.closed = "made"
    temporary.rename(folder / name)
    durable.sync_folder(folder)
    return low


def make(folder: Path, bit_rate: int) -> None:
    """Make what is missing, part by part. Raises OSError."""
    recording = fold(parse((folder / NAME).read_bytes()).records)
    if recording is None or recording.state == "live":
        return
    for torn in folder.glob(f".{low_rung.LOW}-*.tmp"):
        torn.unlink()
    cameras = {part.opened.number: part for part in low_rung.recorded(recording)}
    made = {
        low.opened.number: low
        for low in low_rung.read(folder).parts
        if low.opened.number in cameras and low_rung.fits(low, cameras[low.opened.number])
        if (folder / low.opened.file).exists()
    }
    for number in sorted(cameras.keys() - made.keys()):
        try:
            low = make_part(folder, cameras[number], bit_rate)
        except (av.FFmpegError, IndexError) as error:
            log.warning("no low rung of a part", folder=folder.name, part=number, error=str(error))
            continue
        if low:
            made[number] = low
            write_index(folder, made)
    write_index(folder, made)


def write_index(folder: Path, made: dict[int, Part]) -> None:
    records = (record for number in sorted(made) for record in low_rung.records(made[number]))
    durable.write(folder / low_rung.INDEX, encode(records, 1))


def main(arguments: list[str]) -> None:
    folder, bit_rate = arguments
    die_with(os.getppid(), signal.SIGKILL)
    os.nice(NICENESS)
    make(Path(folder), int(bit_rate))


if __name__ == "__main__":
    main(sys.argv[1:])
