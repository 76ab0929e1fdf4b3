"""A film as camera: refused with a clear message, or played in real time with its sound, around the loop."""

import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from appliance.settings import Settings
from capture import film, sources
from capture.film import FilmError, FilmPlayer
from capture.frames import HEIGHT, SAMPLE_RATE, WIDTH, RawFrame, RawSound


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second at 25 fps, 320x240, with a tone."""
    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        audio = out.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for n in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((360, 320), 16 + n * 8, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            out.mux(video.encode(frame))
        wave = np.sin(np.arange(SAMPLE_RATE) * 2 * np.pi * 440 / SAMPLE_RATE).astype(np.float32)
        for start in range(0, SAMPLE_RATE, 1024):
            sound = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            sound.sample_rate, sound.pts = SAMPLE_RATE, start
            out.mux(audio.encode(sound))
        out.mux(video.encode())
        out.mux(audio.encode())
    return path


def test_it_plays_in_real_time_and_loops_without_a_hole(clip: Path) -> None:
    frames: list[tuple[RawFrame, int]] = []
    sounds: list[tuple[RawSound, int]] = []
    enough = threading.Event()

    def on_frame(frame: RawFrame) -> None:
        frames.append((frame, time.monotonic_ns()))
        if len(frames) >= 40:
            enough.set()

    player = FilmPlayer(clip, on_frame, lambda sound: sounds.append((sound, time.monotonic_ns())))
    player.run(enough)
    steps = [b.pts_ns - a.pts_ns for (a, _), (b, _) in zip(frames, frames[1:], strict=False)]
    assert max(steps) < 90_000_000
    assert all(frame.picture.shape == (HEIGHT * 3 // 2, WIDTH) for frame, _ in frames)
    assert frames[5][0].picture[10, 10] <= 16  # the bar beside a 4:3 picture
    late = [(at - frame.pts_ns) / 1e6 for frame, at in frames]
    assert min(late) >= 0
    # Sound comes when its end has been heard, so a line of samples can be made of it in order.
    stamps = [sound.pts_ns for sound, _ in sounds]
    assert stamps == sorted(stamps)
    seconds = sum(len(sound.samples) for sound, _ in sounds) / SAMPLE_RATE
    assert seconds == pytest.approx((stamps[-1] - stamps[0]) / 1e9, abs=0.15)


def test_what_cannot_be_played_is_refused_by_name(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film at all" * 100)
    silent = tmp_path / "silent.mp4"
    with av.open(str(clip)) as source, av.open(str(silent), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    sound_only = tmp_path / "sound.wav"
    with av.open(str(sound_only), "w") as out:
        voice = out.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        out.mux(voice.encode(frame))
    for path, reason in [
        (tmp_path / "absent.mp4", "no such file"),
        (broken, "cannot be read"),
        (sound_only, "no video"),
    ]:
        with pytest.raises(FilmError, match=reason) as caught:
            sources.check(Settings(camera=f"file:{path}"))
        assert str(path) in str(caught.value)
        assert "PREAU_CAMERA" in str(caught.value)
    sources.check(Settings(camera=f"file:{silent}"))
    with pytest.raises(FilmError, match="no sound"):
        film.check(silent, picture=False, sound=True)
