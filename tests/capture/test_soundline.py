"""The line of samples stays whole and on time, whatever the card does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.frames import SAMPLE_RATE, RawSound
from capture.soundline import JUMP_NS, SoundLine, duration_ns, level_dbfs

BLOCK = 960


def block(pts_ns: int, count: int = BLOCK) -> RawSound:
    return RawSound(np.ones(count, np.int16), pts_ns)


@pytest.mark.parametrize("ppm", [-300, -50, 0, 50, 300])
def test_drift_is_followed_for_ten_minutes(ppm: int) -> None:
    line = SoundLine()
    pts = 0.0
    for _ in range(30_000):
        line.add(block(round(pts)))
        pts += BLOCK / SAMPLE_RATE * 1e9 * (1 + ppm / 1e6)
    assert abs(line.end_ns - pts) < 5_000_000


def test_trembling_stamps_change_nothing() -> None:
    line = SoundLine()
    generator = np.random.default_rng(1)
    for n in range(3000):
        line.add(block(duration_ns(n * BLOCK) + int(generator.normal(0, 3e6))))
    assert abs(line.stretched) <= 60
    assert abs(line.end_ns - duration_ns(3000 * BLOCK)) < 12_000_000


def test_a_hole_becomes_silence_and_an_overlap_is_cut() -> None:
    line = SoundLine()
    line.add(block(0))
    filled = line.add(block(1_000_000_000))
    assert len(filled.samples) == SAMPLE_RATE
    assert not filled.samples[0]
    assert filled.samples[-1] == 1
    cut = line.add(block(500_000_000))
    assert len(cut.samples) == 0


def test_silence_fills_the_time_until_now() -> None:
    line = SoundLine()
    line.add(block(0))
    silence = line.fill_until(500_000_000)
    assert silence.pts_ns == 20_000_000
    assert line.end_ns == 500_000_000


@given(st.lists(st.tuples(st.integers(0, 3_000_000_000), st.integers(1, 4800)), min_size=1, max_size=60))
def test_the_line_is_unbroken_and_never_far_from_the_stamps(blocks: list[tuple[int, int]]) -> None:
    line = SoundLine()
    for pts_ns, count in blocks:
        before = line.end_ns if line.start_ns is not None else None
        given_out = line.add(block(pts_ns, count))
        if before is not None:
            assert given_out.pts_ns == before
        assert line.end_ns >= pts_ns + duration_ns(count) - JUMP_NS - 1_000_000 - duration_ns(1)


def test_level() -> None:
    assert level_dbfs(np.zeros(10, np.int16)) == -90
    assert level_dbfs(np.full(10, 16384, np.int16)) == pytest.approx(-6.02, abs=0.01)
    assert level_dbfs(np.empty(0, np.int16)) == -90
