"""Where sound comes from: the demo tone, a film, silence, or a PortAudio device. Each runs on one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import structlog

from capture.demo import WallClock, tone
from capture.film import FilmError, FilmPlayer
from capture.frames import SAMPLE_RATE, RawSound, Samples

log = structlog.get_logger()

BLOCK = 480  # samples asked of the device: 10 ms
BUFFER_S = 0.06  # depth of the device's buffer: the interpreter may be late by this much before sound is lost
DEMO_BLOCK = 480
RETRY_S = 2.0
OPENING_S = 4.0  # a sound server may take its time to wake a device
SILENT_S = 1.0  # a running device that delivers nothing for so long is gone
SoundSink = Callable[[RawSound], None]


class Microphone(Protocol):
    """`run` delivers sound on the calling thread until `stopping` is set."""

    name: str

    def run(self, stopping: threading.Event) -> None: ...


class DemoMicrophone:
    """The clap track, in step with the demo picture."""

    name = "demo"

    def __init__(self, clock: WallClock, deliver: SoundSink) -> None:
        self._clock = clock
        self._deliver = deliver

    def run(self, stopping: threading.Event) -> None:
        start_ns, count = time.monotonic_ns(), 0
        while True:
            pts_ns = start_ns + count * 1_000_000_000 // SAMPLE_RATE
            count += DEMO_BLOCK
            end_ns = start_ns + count * 1_000_000_000 // SAMPLE_RATE
            if stopping.wait(max(0.0, (end_ns - time.monotonic_ns()) / 1e9)):
                return
            self._deliver(RawSound(tone(self._clock.unix_ns(pts_ns), DEMO_BLOCK), pts_ns))


class FilmMicrophone:
    """The sound of a film whose picture is not shown."""

    def __init__(self, player: FilmPlayer, name: str) -> None:
        self.name = name
        self._player = player

    def run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self._player.run(stopping)
            except FilmError as error:
                log.warning("sound file stopped", reason=str(error), retry_s=RETRY_S)
                stopping.wait(RETRY_S)


class Silence:
    """No microphone of its own: `none`, or a film that brings the sound through the camera's player."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, stopping: threading.Event) -> None:
        stopping.wait()


class DeviceMicrophone:
    """A PortAudio input, by name or number, or the default one. Lost, it is opened again every RETRY_S seconds."""

    def __init__(self, portaudio: ModuleType, device: str | None, deliver: SoundSink) -> None:
        self.name = device or "default"
        self._portaudio = portaudio
        self._device: int | str | None = int(device) if device and device.isdigit() else device
        self._deliver = deliver

    def run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self._read(stopping)
            except (self._portaudio.PortAudioError, ValueError) as error:
                log.warning("microphone unavailable", device=self.name, reason=str(error), retry_s=RETRY_S)
                stopping.wait(RETRY_S)
                # PortAudio lists devices once, at its start: begin afresh to see one that was plugged in.
                self._portaudio._terminate()
                self._portaudio._initialize()

    def _read(self, stopping: threading.Event) -> None:
        blocks: SimpleQueue[RawSound] = SimpleQueue()

        def received(data: np.ndarray, frames: int, times: Any, status: object) -> None:
            # PortAudio's own thread: stamp, copy, leave.
            delay_s = times.currentTime - times.inputBufferAdcTime
            if not 0 <= delay_s < 0.5:  # some back-ends leave the stamp empty
                delay_s = frames / SAMPLE_RATE
            blocks.put(RawSound(_mono(data), time.monotonic_ns() - round(delay_s * 1e9)))

        with self._portaudio.InputStream(
            samplerate=SAMPLE_RATE,
            device=self._device,
            channels=1,
            dtype="int16",
            blocksize=BLOCK,
            latency=BUFFER_S,
            callback=received,
        ) as stream:
            patience_s = OPENING_S
            while not stopping.is_set():
                try:
                    self._deliver(blocks.get(timeout=patience_s))
                    patience_s = SILENT_S
                except Empty:
                    raise self._portaudio.PortAudioError(
                        "no sound arrives" if stream.active else "the device went away"
                    ) from None


def _mono(data: np.ndarray) -> Samples:
    return np.array(data[:, 0], np.int16)


def load_portaudio() -> ModuleType | None:
    """sounddevice, or None (logged) where Debian's libportaudio2 is missing."""
    try:
        import sounddevice
    except OSError as error:
        log.warning("no microphone input", reason=str(error))
        return None
    module: ModuleType = sounddevice
    return module


def has_input(portaudio: ModuleType) -> bool:
    """Whether PortAudio's default input can be opened; ALSA also lists devices that nothing stands behind."""
    try:
        portaudio.check_input_settings(samplerate=SAMPLE_RATE, channels=1, dtype="int16")
    except (portaudio.PortAudioError, ValueError):
        return False
    return True
