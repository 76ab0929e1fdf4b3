"""From two settings, `camera` and `microphone`, to the two objects that will deliver."""

from __future__ import annotations

from pathlib import Path

from appliance.settings import Settings
from capture import film
from capture.camera import Camera, DemoCamera, DeviceCamera, FilmCamera, FrameSink, find_device
from capture.demo import WallClock
from capture.film import FilmError, FilmPlayer
from capture.microphone import (
    DemoMicrophone,
    DeviceMicrophone,
    FilmMicrophone,
    Microphone,
    Silence,
    SoundSink,
    has_input,
    load_portaudio,
)

FILE = "file:"


def check(settings: Settings) -> None:
    """Raise FilmError, naming setting and file, when a `file:` source cannot be played."""
    wanted = {"camera": settings.camera, "microphone": settings.microphone or ""}
    for key, source in wanted.items():
        if not source.startswith(FILE):
            continue
        # A film without sound is shown in silence; a file named as the microphone must have some.
        try:
            film.check(_path(source), picture=key == "camera", sound=key == "microphone")
        except FilmError as error:
            raise FilmError(f"{key} (or PREAU_{key.upper()}): {error}") from None


def build(settings: Settings, on_frame: FrameSink, on_sound: SoundSink) -> tuple[Camera, Microphone]:
    """The camera and the microphone that the settings name; nothing runs yet."""
    clock = WallClock()
    together = settings.camera.startswith(FILE) and settings.microphone_source == settings.camera
    camera = _camera(settings, clock, on_frame, on_sound if together else None)
    microphone = Silence(settings.camera) if together else _microphone(settings, clock, on_sound)
    return camera, microphone


def _camera(settings: Settings, clock: WallClock, on_frame: FrameSink, on_sound: SoundSink | None) -> Camera:
    wanted = settings.camera
    if wanted.startswith(FILE):
        path = _path(wanted)
        return FilmCamera(FilmPlayer(path, on_frame, on_sound), path)
    device = find_device() if wanted == "auto" else wanted
    if wanted == "demo" or device is None:
        return DemoCamera(settings.room, clock, on_frame)
    return DeviceCamera(device, on_frame)


def _microphone(settings: Settings, clock: WallClock, on_sound: SoundSink) -> Microphone:
    wanted = settings.microphone_source
    if wanted.startswith(FILE):
        return FilmMicrophone(FilmPlayer(_path(wanted), None, on_sound), wanted)
    if wanted == "none":
        return Silence(wanted)
    if wanted == "demo":
        return DemoMicrophone(clock, on_sound)
    portaudio = load_portaudio()
    if portaudio is None or (wanted == "auto" and not has_input(portaudio)):
        return DemoMicrophone(clock, on_sound)
    return DeviceMicrophone(portaudio, None if wanted == "auto" else wanted, on_sound)


def _path(source: str) -> Path:
    return Path(source.removeprefix(FILE)).expanduser()
