"""One unbroken line of samples on CLOCK_MONOTONIC, whatever the sound card does.

A card's crystal and the kernel's clock drift apart (50 ppm is 0.18 s an hour), blocks come late, devices vanish.
`SoundLine` turns stamped blocks into samples whose time is known by counting: small drift is removed by stretching a
block by one sample, a hole is filled with silence, an overlap is cut. Pure: time comes with the blocks.
"""

from __future__ import annotations

import numpy as np

from capture.frames import SAMPLE_RATE, RawSound, Samples

JUMP_NS = 100_000_000  # a greater error is a hole or an overlap, not drift
SMOOTHING = 0.02  # share of a new block's error in the running mean: about a second of 20 ms blocks
TOLERANCE_NS = 2_000_000


def duration_ns(count: int) -> int:
    return count * 1_000_000_000 // SAMPLE_RATE


class SoundLine:
    """`start_ns` is the time of sample 0; `count` samples have been given out since."""

    def __init__(self) -> None:
        self.start_ns: int | None = None
        self.count = 0
        self.stretched = 0
        self.filled = 0
        self._error_ns = 0.0

    @property
    def end_ns(self) -> int:
        """The time of the next sample to be given out."""
        return (self.start_ns or 0) + duration_ns(self.count)

    def add(self, sound: RawSound) -> RawSound:
        """The samples that follow from `sound`, possibly none; their time is exactly the line's end."""
        if self.start_ns is None:
            self.start_ns = sound.pts_ns
        error_ns = sound.pts_ns - self.end_ns
        samples = sound.samples
        if error_ns > JUMP_NS:
            missing = error_ns * SAMPLE_RATE // 1_000_000_000
            samples = np.concatenate((np.zeros(missing, np.int16), samples))
            self.filled += missing
            self._error_ns = 0.0
        elif error_ns < -JUMP_NS:
            samples = samples[-error_ns * SAMPLE_RATE // 1_000_000_000 :]
            self._error_ns = 0.0
        else:
            samples = self._correct_drift(samples, error_ns)
        return self._give(samples)

    def fill_until(self, now_ns: int) -> RawSound:
        """Silence up to `now_ns`: nothing came, but time goes on."""
        if self.start_ns is None:
            self.start_ns = now_ns
        missing = max(0, (now_ns - self.end_ns) * SAMPLE_RATE // 1_000_000_000)
        self.filled += missing
        return self._give(np.zeros(missing, np.int16))

    def _correct_drift(self, samples: Samples, error_ns: int) -> Samples:
        self._error_ns += SMOOTHING * (error_ns - self._error_ns)
        if abs(self._error_ns) < TOLERANCE_NS or len(samples) < 2:
            return samples
        change = 1 if self._error_ns > 0 else -1
        self.stretched += change
        self._error_ns -= change * 1e9 / SAMPLE_RATE
        places = np.linspace(0, len(samples) - 1, len(samples) + change)
        return np.interp(places, np.arange(len(samples)), samples).astype(np.int16)

    def _give(self, samples: Samples) -> RawSound:
        given = RawSound(samples, self.end_ns)
        self.count += len(samples)
        return given


def level_dbfs(samples: Samples) -> float:
    """RMS of int16 samples in dB of full scale; -90 for silence."""
    if not len(samples):
        return -90.0
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float32))))) / 32768
    return max(-90.0, 20 * float(np.log10(max(rms, 1e-9))))
