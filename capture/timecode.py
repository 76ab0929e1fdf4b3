"""A time that machines can read back from a picture, after any codec and any scaling.

A strip of black and white cells at the top of the picture: 48 bits of Unix time in milliseconds, most significant
first, then 8 bits that are the exclusive or of its six bytes. Tests and benchmarks read it in the browser to know how
old the picture is that a pupil sees.
"""

from __future__ import annotations

import numpy as np

from capture.frames import Picture

TIME_BITS, CHECK_BITS = 48, 8
CELLS = TIME_BITS + CHECK_BITS
CELL = 20  # pixels, at 1280 wide
LEFT, TOP = 80, 0
BLACK, WHITE = 16, 235  # limited-range luma (ITU-R BT.709)


def draw(luma: Picture, unix_ms: int) -> None:
    """Write the strip into the luma plane, uint8 of shape (HEIGHT, WIDTH), in place."""
    cells = np.where(_bits(unix_ms), WHITE, BLACK).astype(np.uint8)
    luma[TOP : TOP + CELL, LEFT : LEFT + CELL * CELLS] = np.repeat(cells, CELL)


def read(luma: Picture) -> int | None:
    """The time in a luma plane of any size with the picture's proportions, or None where the check fails."""
    scale = luma.shape[1] / 1280
    row = luma[int((TOP + CELL / 2) * scale)]
    columns = ((LEFT + CELL * (np.arange(CELLS) + 0.5)) * scale).astype(int)
    bits = row[columns] > (BLACK + WHITE) // 2
    value = int("".join("1" if bit else "0" for bit in bits[:TIME_BITS]), 2)
    return value if np.array_equal(_bits(value), bits) else None


def _bits(unix_ms: int) -> np.ndarray:
    body = unix_ms.to_bytes(TIME_BITS // 8, "big")
    check = 0
    for byte in body:
        check ^= byte
    return np.unpackbits(np.frombuffer(body + bytes([check]), np.uint8)).astype(bool)
