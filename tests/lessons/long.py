"""Long lessons made at speed from real packets: ``python -m tests.lessons.long ROOT MINUTES FILM``.

Half a minute of a film is encoded as capture does it, by its own encoders, and then recorded over and over by the
service's own session, with times that go on. The process dies as by loss of power, in mid-lesson: the lesson is live,
and its last picture was taken a moment ago by this boot's clock. Syncs are left out until the end, for nothing is to be
kept before; the disk has all of it when this returns.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import av
import msgspec

from appliance.messages import Packet
from appliance.settings import Settings
from capture.demo import tone
from capture.encoders import AudioEncoder, VideoEncoder, new_epoch
from capture.frames import FRAME_RATE, SAMPLE_RATE
from capture.rungs import ladder
from lessons import session
from lessons.assembler import SECOND
from lessons.journal import Created
from tests.lessons.media import SOUND_DELAY_NS
from tests.lessons.room import metrics

CLIP_S = 24  # whole pictures, seconds between keyframes, and AAC packets (1024 samples)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clip(film: Path) -> list[Packet]:
    """`CLIP_S` seconds of both tracks, from 0 on, in the order of their coming."""
    settings = Settings()
    video = VideoEncoder(new_epoch(), ladder(settings.video_bitrate, settings.video_bitrate_saving)[0])
    audio = AudioEncoder("aac", new_epoch())
    with av.open(str(film)) as container:
        pictures = [frame.reformat(format="yuv420p") for frame in container.decode(video=0)]
    packets: list[Packet] = []
    for number, picture in zip(range(CLIP_S * FRAME_RATE), itertools.cycle(pictures)):  # noqa: B905  one has no end
        packets += video.encode(picture, number * SECOND // FRAME_RATE, number % FRAME_RATE == 0)
    packets += audio.encode(tone(0, CLIP_S * SAMPLE_RATE), 0)
    return sorted(packets, key=lambda one: one.pts_ns + (SOUND_DELAY_NS if one.codec == "aac" else 0))


def over_and_over(packets: list[Packet], begin_ns: int, end_ns: int) -> Iterator[Packet]:
    """The packets again and again, numbers and times going on."""
    counts = {codec: sum(one.codec == codec for one in packets) for codec in ("h264", "aac")}
    for turn in itertools.count():
        shift_ns = begin_ns + turn * CLIP_S * SECOND
        for one in packets:
            if one.pts_ns + shift_ns >= end_ns:
                return
            seq = one.seq + turn * counts[one.codec]
            yield msgspec.structs.replace(one, seq=seq, pts_ns=one.pts_ns + shift_ns)


def record(root: Path, minutes: int, film: Path) -> str:
    """Record so many minutes below `root`, up to now; returns the lesson's id."""
    packets = clip(film)
    fdatasync = os.fdatasync
    setattr(os, "fdatasync", lambda descriptor: None)  # noqa: B010  of this process alone
    now_ns, at = time.monotonic_ns(), time.time()
    begin_ns, began_at = now_ns - minutes * 60 * SECOND, at - minutes * 60
    id = f"{datetime.fromtimestamp(began_at):%Y%m%d-%H%M%S}-{minutes:04x}"
    boot_id = BOOT_ID.read_text().strip()
    created = Created(id, f"{minutes} min", "7Q2F", began_at, boot_id, at + 3600)
    live = session.create(root, created, metrics(), begin_ns)
    for packet in over_and_over(packets, begin_ns, now_ns):
        live.feed(packet, packet.pts_ns, at + (packet.pts_ns - now_ns) / SECOND)
    os.fdatasync = fdatasync
    for path in live.folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return id


def long_lesson(root: Path, minutes: int, film: Path) -> str:
    """Record so in a process of its own."""
    command = [sys.executable, "-m", "tests.lessons.long", str(root), str(minutes), str(film)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    sys.stdout.write(record(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])) + "\n")
