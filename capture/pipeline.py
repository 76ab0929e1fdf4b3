"""From raw frames to packets on the bus: the encoder threads and what they share.

The camera thread calls `on_frame`, the microphone's thread `on_sound`; the two encoder threads run `encode_video`
and `encode_audio`; the command thread asks for keyframes and history.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue

import av
import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from appliance.bus import Publisher
from appliance.messages import CaptureState, Packet
from capture.camera import later_than
from capture.demo import slate
from capture.encoders import AudioEncoder, VideoEncoder, new_epoch, video_frame
from capture.frames import FRAME_NS, OneSlotBox, RawFrame, RawSound
from capture.history import History
from capture.keyframes import KeyframePolicy
from capture.rungs import Rung, Wishes
from capture.soundline import SoundLine, level_dbfs
from capture.still import Stills

CAMERA_LOST_S = 1.0  # no picture for so long: the slate stands in
SOUND_LATE_S = 0.3  # no sound for so long: silence stands in
SLATE_INTERVAL_S = 0.2
LEVEL_BLOCKS = 10


class Counters:
    """What capture counts (Prometheus)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.frames = Counter("preau_capture_frames", "Pictures taken from the camera.", registry=registry)
        self.skipped = Gauge("preau_capture_frames_skipped", "Pictures the encoder had no time for.", registry=registry)
        self.packets = Counter("preau_capture_packets", "Encoded packets.", ["track"], registry=registry)
        self.bytes = Counter("preau_capture_bytes", "Encoded bytes.", ["track"], registry=registry)
        self.forced = Gauge("preau_capture_keyframes_forced", "Keyframes made on request.", registry=registry)
        self.encode = Counter(
            "preau_capture_encode_seconds", "Processor time spent scaling and encoding.", ["track"], registry=registry
        )
        self.stretched = Gauge("preau_capture_drift_samples", "Samples added for the card's drift.", registry=registry)
        self.filled = Gauge("preau_capture_silence_samples", "Samples of silence put in holes.", registry=registry)
        self.sound_drops = Counter("preau_capture_sound_drops", "Blocks dropped before encoding.", registry=registry)
        self.sound_queue = Gauge("preau_capture_sound_queue", "Blocks waiting to be encoded.", registry=registry)


class VideoRung:
    """One rung's encoder and keyframes; the encoder is made when it is first needed."""

    def __init__(self, rung: Rung, epoch: int) -> None:
        self.rung = rung
        self.keyframes = KeyframePolicy(rung.keyframe_ns)
        self._epoch = epoch
        self._encoder: VideoEncoder | None = None

    def encode(self, picture: av.VideoFrame, pts_ns: int) -> list[Packet]:
        if self._encoder is None:
            self._encoder = VideoEncoder(self._epoch, self.rung)
        return self._encoder.encode(picture, pts_ns, self.keyframes.decide(pts_ns))


class Pipeline:
    """The shared middle of the service; see the module's text for which thread calls what."""

    def __init__(self, publisher: Publisher, registry: CollectorRegistry, rungs: list[Rung]) -> None:
        self.history = History()
        self.wishes = Wishes()
        self.stills = Stills()
        self.camera_ok = False
        self.microphone_ok = False
        self._publisher = publisher
        self._count = Counters(registry)
        self._box = OneSlotBox()
        self._sound: Queue[RawSound] = Queue(maxsize=100)
        self._levels: deque[float] = deque([-90.0], maxlen=LEVEL_BLOCKS)
        epoch = new_epoch()
        self.video = {rung.track: VideoRung(rung, epoch) for rung in rungs}
        self._audio = [AudioEncoder("opus", epoch), AudioEncoder("aac", epoch)]

    def on_frame(self, frame: RawFrame) -> None:
        self._count.frames.inc()
        self._box.put(frame)

    def on_sound(self, sound: RawSound) -> None:
        try:
            self._sound.put_nowait(sound)
        except Full:
            self._count.sound_drops.inc()

    def encode_video(self, stopping: threading.Event) -> None:
        """Encode each picture once; when none comes, the slate keeps the stream alive."""
        absent = slate(["Camera absente", "Camera not available"])
        last_ns = 0
        while not stopping.is_set():
            frame = self._box.take(CAMERA_LOST_S if self.camera_ok else SLATE_INTERVAL_S)
            self.camera_ok = frame is not None
            if frame is None:
                frame = RawFrame(absent, later_than(last_ns))
            if frame.pts_ns <= last_ns:  # a late picture behind the slate's: time does not run backwards
                continue
            last_ns = frame.pts_ns
            self._encode_rungs(frame)
            self._count.skipped.set(self._box.skipped)
            self._count.forced.set(sum(video.keyframes.forced for video in self.video.values()))

    def _encode_rungs(self, frame: RawFrame) -> None:
        """Encode the picture as every rung that is wanted, the best first: streaming relies on that order."""
        picture = video_frame(frame)
        self.stills.see(picture, frame.pts_ns)
        for track, video in self.video.items():
            if video.rung.always or self.wishes.wanted(track, time.monotonic_ns()):
                with self._counted(track):
                    packets = video.encode(picture, frame.pts_ns)
                self._send(packets, keep=video.rung.always)

    def encode_audio(self, stopping: threading.Event) -> None:
        """Make one line of samples and encode it twice; when no sound comes, silence keeps the line whole."""
        line = SoundLine()
        while not stopping.is_set():
            try:
                sound = line.add(self._sound.get(timeout=SOUND_LATE_S if self.microphone_ok else FRAME_NS / 1e9))
                self.microphone_ok = True
            except Empty:
                self.microphone_ok = False
                # Stay a little behind, so that a device that comes back is not cut at its first block.
                sound = line.fill_until(time.monotonic_ns() - round(SOUND_LATE_S * 1e9))
            self._levels.append(level_dbfs(sound.samples))
            for encoder in self._audio:
                with self._counted(encoder.track):
                    packets = encoder.encode(sound.samples, sound.pts_ns)
                self._send(packets)
            self._count.stretched.set(line.stretched)
            self._count.filled.set(line.filled)
            self._count.sound_queue.set(self._sound.qsize())

    def state(self, camera: str, microphone: str) -> CaptureState:
        """What to tell the pages; the level is the energy mean of the last blocks."""
        powers = [10 ** (level / 10) for level in self._levels]
        level = 10 * float(np.log10(sum(powers) / len(powers)))
        return CaptureState(camera, microphone, self.camera_ok, self.microphone_ok, level)

    @contextmanager
    def _counted(self, track: str) -> Iterator[None]:
        """What the thread does meanwhile it does for this track; the encoders work on the thread that calls them."""
        began = time.thread_time()
        yield
        self._count.encode.labels(track).inc(time.thread_time() - began)

    def _send(self, packets: list[Packet], *, keep: bool = True) -> None:
        for packet in packets:
            if keep:
                self.history.add(packet)
            self._publisher.send(packet)
            self._count.packets.labels(packet.track).inc()
            self._count.bytes.labels(packet.track).inc(len(packet.data))
