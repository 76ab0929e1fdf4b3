"""What a camera or a shared screen may show, drawn with OpenCV: slides, long texts, films, a board in a room."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lessons.pages import HEIGHT, WIDTH

Image = NDArray[np.uint8]
WORDS = (
    "la",
    "lave",
    "sort",
    "du",
    "volcan",
    "et",
    "coule",
    "vers",
    "une",
    "plaine",
    "noire",
    "puis",
    "devient",
    "dure",
)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def grey(image: Image) -> Image:
    """The image as the detector wants it."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def write(image: Image, words: str, x: int, y: int, size: float, ink: int) -> None:
    cv2.putText(image, words, (x, y), FONT, size, (ink, ink, ink), round(size * 2), cv2.LINE_AA)


@cache
def slide(number: int, lines: int = 4, dark: bool = False) -> Image:
    """A title and some points, 1280x720."""
    chance = np.random.default_rng(number)
    image = np.full((720, 1280, 3), 20 if dark else 255, np.uint8)
    ink = 235 if dark else 20
    write(image, " ".join(chance.choice(WORDS, 4)), 60, 110, 2.2, ink)
    for line in range(lines):
        write(image, "- " + " ".join(chance.choice(WORDS, int(chance.integers(4, 8)))), 80, 240 + 110 * line, 1.5, ink)
    return image


@cache
def text(number: int, pages: int = 6) -> Image:
    """A long text, 1280 wide and so many screens high."""
    chance = np.random.default_rng(number)
    image = np.full((720 * pages, 1280, 3), 250, np.uint8)
    for y in range(60, 720 * pages, 50):
        if chance.random() < 0.85:
            write(image, " ".join(chance.choice(WORDS, int(chance.integers(5, 11)))), 40, y, 1.1, 20)
    return image


def shot(number: int, frame: int) -> Image:
    """A film: shapes that move before a pattern, others in each shot."""
    chance = np.random.default_rng(number)
    low = chance.integers(0, 255, (6, 10, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(low, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8).copy()
    image = np.roll(image, 40 * frame, axis=1)
    for _ in range(6):
        x, y, dx, dy, size = (int(value) for value in chance.integers((0, 0, -90, -40, 60), (1280, 720, 90, 40, 200)))
        colour = tuple(int(value) for value in chance.integers(0, 255, 3))
        cv2.circle(image, ((x + dx * frame) % 1280, (y + dy * frame) % 720), size, colour, -1)
    return image


@cache
def room() -> Image:
    chance = np.random.default_rng(99)
    low = chance.integers(90, 170, (9, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(low, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8)


def board(panel: int, lines: int = 6, person: int | None = None, gain: float = 1.0, noise: int = 0) -> Image:
    """A board that fills most of the camera's picture. `panel` is what hangs there, `person` how far (px) from the left
    somebody stands before it, `gain` the light, `noise` the camera's."""
    image = room().copy()
    chance = np.random.default_rng(panel)
    shade = 60 if panel % 2 else 190
    image[40:690, 60:1220] = shade
    for line in range(lines):
        words = " ".join(chance.choice(WORDS, 6))
        write(image, words, 90, 130 + 95 * line, 1.7, 235 if shade < 128 else 25)
    if person is not None:
        cv2.ellipse(image, (person, 480), (110, 330), 0, 0, 360, (70, 50, 120), -1)
        cv2.circle(image, (person, 140), 75, (140, 170, 210), -1)
    lit = image.astype(np.float32) * gain
    if noise:
        lit += np.random.default_rng(noise).normal(0, 8, image.shape)
    return np.asarray(lit.clip(0, 255), np.uint8)
