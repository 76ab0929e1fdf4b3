"""The time in the picture comes back through scaling and compression."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture import timecode
from capture.demo import SECOND_NS, DemoPicture, tone
from capture.frames import HEIGHT, SAMPLE_RATE, WIDTH


@given(st.integers(0, 2**48 - 1))
def test_what_is_drawn_is_read(unix_ms: int) -> None:
    luma = np.full((HEIGHT, WIDTH), 128, np.uint8)
    timecode.draw(luma, unix_ms)
    assert timecode.read(luma) == unix_ms


@pytest.mark.parametrize("width", [320, 640, 1920])
def test_it_survives_scaling(width: int) -> None:
    luma = np.ascontiguousarray(DemoPicture("x").draw(1_790_000_000_123_000_000)[:HEIGHT])
    scaled = cv2.resize(luma, (width, width * 9 // 16), interpolation=cv2.INTER_AREA)
    assert timecode.read(np.asarray(scaled, np.uint8)) == 1_790_000_000_123


def test_another_picture_has_no_time() -> None:
    assert timecode.read(np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))) is None


def test_flash_and_beep_stand_at_the_same_moment() -> None:
    picture = DemoPicture("x")
    row, column = 560, 200
    for offset_ns, on in [(-1_000_000, False), (0, True), (79_000_000, True), (81_000_000, False)]:
        unix_ns = 1_790_000_000 * SECOND_NS + offset_ns
        assert (picture.draw(unix_ns)[row, column] == timecode.WHITE) == on
    samples = np.abs(tone(1_790_000_000 * SECOND_NS - SECOND_NS // 2, SAMPLE_RATE))
    loud = np.flatnonzero(samples > 500)
    assert abs(loud[0] - SAMPLE_RATE / 2) < SAMPLE_RATE * 0.002
    assert abs(loud[-1] - SAMPLE_RATE * 0.58) < SAMPLE_RATE * 0.002
