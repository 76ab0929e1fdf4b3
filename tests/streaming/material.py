"""Real packets for tests: x264 and Opus through PyAV, and what puts them on a bus in real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from fractions import Fraction

import av
import msgspec
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from appliance import bus
from appliance.bus import CommandServer, Publisher
from appliance.messages import (
    CAMERA_360P,
    RUNG_WISH_S,
    AudioFormat,
    Command,
    Done,
    Packet,
    Reply,
    RequestKeyframe,
    VideoFormat,
    WantRung,
)
from appliance.settings import Settings

VIDEO_NS = 33_333_333
AUDIO_NS = 20_000_000


def video_packets(count: int, *, width: int = 320, height: int = 240, bitrate: int = 500_000) -> list[Packet]:
    """`count` frames of a moving picture at 30 a second, a keyframe every 30; pts from 0."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 30), Fraction(30), bitrate
    encoder.profile = "Baseline"
    encoder.thread_count = 1  # one slice a frame and bounded keyframes, as capture has them
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": "keyint=30:scenecut=0:repeat-headers=1:annexb=1:"
        f"vbv-maxrate={bitrate // 1000}:vbv-bufsize={bitrate // 2000}",
    }
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    packets = []
    for number in range(count):
        frame = VideoFrame.from_ndarray(np.roll(noise, number * 4, axis=1) // 4 + number % 128, format="rgb24")
        frame.pts = number
        for encoded in encoder.encode(frame):
            packets.append(
                Packet(
                    "camera",
                    "720p",
                    "h264",
                    1,
                    number + 1,
                    number * VIDEO_NS,
                    VIDEO_NS,
                    encoded.is_keyframe,
                    VideoFormat(width, height),
                    bytes(encoded),
                )  # fmt: skip
            )
    return packets


def audio_packets(count: int) -> list[Packet]:
    """`count` Opus packets of 20 ms, a 440 Hz tone in mono; pts from 0."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "mono", "s16"
    encoder.bit_rate = 32_000
    packets: list[Packet] = []
    for number in range(count):
        angle = (np.arange(960) + 960 * number) * 2 * np.pi * 440 / 48000
        frame = AudioFrame.from_ndarray((np.sin(angle) * 8000).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, number * 960
        for encoded in encoder.encode(frame):
            seq = len(packets) + 1
            packets.append(
                Packet(
                    "microphone",
                    "opus",
                    "opus",
                    1,
                    seq,
                    (seq - 1) * AUDIO_NS,
                    AUDIO_NS,
                    True,
                    AudioFormat(48000, 1),
                    bytes(encoded),
                )  # fmt: skip
            )
    return packets


class Capture:
    """Stands in for the capture service: plays packets on the bus in real time, and answers keyframe wishes by going
    on at the next keyframe of its loop."""

    def __init__(
        self, settings: Settings, video: list[Packet], audio: list[Packet], saving: Sequence[Packet] = ()
    ) -> None:
        settings.bus.mkdir(parents=True, exist_ok=True)
        self._publisher = Publisher(settings.bus, "capture")
        self._server = CommandServer(settings.bus, "capture", self._handle)
        self._media = {"video": video, "audio": audio}
        self._saving = saving
        self._saving_until = 0.0
        self._saving_jump = threading.Event()
        self.wishes = 0
        self.saving_sent = self._saving_position = 0
        self._stopping = threading.Event()
        self._jump = threading.Event()
        self.keyframe_requests = 0
        self._threads = [
            threading.Thread(target=self._play, args=("video", VIDEO_NS), daemon=True),
            threading.Thread(target=self._play, args=("audio", AUDIO_NS), daemon=True),
            threading.Thread(target=self._server.serve, args=(self._stopping,), daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._publisher.close()

    def _handle(self, command: Command) -> Reply:
        if isinstance(command, WantRung):
            self.wishes += 1
            self._saving_until = time.monotonic() + RUNG_WISH_S
            return Done()
        if isinstance(command, RequestKeyframe) and command.track == CAMERA_360P:
            self._saving_jump.set()
            return Done()
        if not isinstance(command, RequestKeyframe):
            raise bus.CommandRefused("invalid", "not in this test")
        self.keyframe_requests += 1
        self._jump.set()
        return Done()

    def _play(self, kind: str, interval_ns: int) -> None:
        packets = self._media[kind]
        begun, position, seq = time.monotonic_ns(), 0, 0
        while packets and not self._stopping.wait(max(0, begun + seq * interval_ns - time.monotonic_ns()) / 1e9):
            if kind == "video" and self._jump.is_set():
                self._jump.clear()
                position = next(
                    number for number in range(position, position + len(packets))
                    if packets[number % len(packets)].keyframe
                )  # fmt: skip
            packet = packets[position % len(packets)]
            seq, position = seq + 1, position + 1
            pts_ns = begun + seq * interval_ns
            self._publisher.send(
                Packet(
                    packet.source,
                    packet.rung,
                    packet.codec,
                    1,
                    seq,
                    pts_ns,
                    interval_ns,
                    packet.keyframe,
                    packet.format,
                    packet.data,
                )  # fmt: skip
            )
            if kind == "video" and self._saving and time.monotonic() < self._saving_until:
                self._play_saving(pts_ns)

    def _play_saving(self, pts_ns: int) -> None:
        """The saving rung's packet of the same picture."""
        packets = self._saving
        if self._saving_jump.is_set():
            self._saving_jump.clear()
            while not packets[self._saving_position % len(packets)].keyframe:
                self._saving_position += 1
        self._publisher.send(
            msgspec.structs.replace(packets[self._saving_position % len(packets)], seq=self.saving_sent, pts_ns=pts_ns)
        )
        self._saving_position += 1
        self.saving_sent += 1

    def wish_over(self) -> bool:
        """Whether the last wish for the saving rung has expired."""
        return time.monotonic() > self._saving_until
