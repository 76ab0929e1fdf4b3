"""A real PortAudio microphone: PulseAudio's null sink, whose monitor hears what is played into the room."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import wave
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
import pytest

from tests.kit import Kit, wait_until

RATE = 48_000
BEFORE_HZ, AFTER_HZ = 700, 1700
AUDIBLE = 0.01  # of full scale

pytestmark = pytest.mark.skipif(
    not shutil.which("pulseaudio"), reason="needs Debian's pulseaudio, pulseaudio-utils and libasound2-plugins"
)


class Room:
    """A PulseAudio server of its own, with one null sink named room. `plug` and `unplug` start and end it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "native"
        self._process: subprocess.Popen[bytes] | None = None
        self.environ = {
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
            "PULSE_COOKIE": str(folder / "cookie"),
        }

    def plug(self) -> None:
        modules = ["module-null-sink sink_name=room", f"module-native-protocol-unix socket={self._socket}"]
        command = [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--log-level=error",
        ]
        command += [part for module in modules for part in ("-L", module)]
        environ = {**os.environ, **self.environ}
        self._process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
        wait_until(self._answers, 10, "PulseAudio")

    def _answers(self) -> bool:
        return not self._run("pactl", "info", check=False).returncode

    def unplug(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._socket.unlink(missing_ok=True)

    def play(self, hertz: int, seconds: float) -> None:
        """Play a sine into the room; returns when it has been heard."""
        file = self._folder / f"{hertz}.wav"
        with wave.open(str(file), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            samples = (round(8000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(round(seconds * RATE)))
            out.writeframes(array("h", samples).tobytes())
        self._run("paplay", "-d", "room", str(file))

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        environ = {**os.environ, **self.environ}
        return subprocess.run(command, env=environ, capture_output=True, check=check, timeout=20)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room(tmp_path / "pulse")
    (tmp_path / "pulse").mkdir(mode=0o700)
    for key, value in room.environ.items():
        monkeypatch.setenv(key, value)
    with ExitStack() as stack:
        stack.callback(room.unplug)
        room.plug()
        yield room


def heard_s(file: Path, hertz: int) -> float:
    """For how long `hertz` is the loudest frequency in a file's sound, and not silence. Seconds."""
    with av.open(str(file)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(container.streams.audio[0])])
    window = RATE // 10
    blocks = sound[: len(sound) // window * window].reshape(-1, window)
    spectrum = np.abs(np.fft.rfft(blocks * np.hanning(window)))
    loudest = spectrum.argmax(axis=1) * RATE / window
    return float(np.sum((loudest == hertz) & (np.abs(blocks).max(axis=1) > AUDIBLE))) / 10


def test_the_room_is_recorded_before_and_after_the_microphone_was_unplugged(room: Room, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with Kit(tmp_path / "data", microphone="pulse") as kit:

        def hears() -> bool:
            return bool(kit.api("GET", "kit")["capture"]["microphone_ok"])

        wait_until(hears, 10, "the microphone")
        lesson = kit.api("POST", "lessons", {"title": "Écouter"})["id"]
        room.play(BEFORE_HZ, 1.5)
        room.unplug()
        wait_until(lambda: not hears(), 10, "the loss to be noticed")
        silent_from = kit.api("GET", f"lessons/{lesson}")["duration_s"]
        wait_until(
            lambda: kit.api("GET", f"lessons/{lesson}")["duration_s"] > silent_from + 1.5, 10, "the picture to go on"
        )
        room.plug()
        wait_until(hears, 15, "the microphone to return")
        room.play(AFTER_HZ, 1.5)
        kit.api("POST", f"lessons/{lesson}/stop")
        file = kit.download(lesson, tmp_path)
    assert heard_s(file, BEFORE_HZ) > 1
    assert heard_s(file, AFTER_HZ) > 1
    assert heard_s(file, (BEFORE_HZ + AFTER_HZ) // 2) == 0
