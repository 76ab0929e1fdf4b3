"""When a page changes, and when it does not, on pictures of what schools show."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.pages import RULES, Pages
from tests.lessons.drawn import Image, board, grey, shot, slide, text


def found(kind: str, images: Iterable[Image], every_s: float = 1.0, cut: int | None = None) -> list[float]:
    """Where the pages begin (s) when such images come; with `cut`, in two runs of the program."""
    pages = Pages(RULES[kind])
    places = []
    for number, image in enumerate(images):
        if number == cut:
            pages = Pages(RULES[kind], pages.state())
        places += pages.push(round(number * every_s * VIDEO_TIMESCALE), grey(image))
    return [place / VIDEO_TIMESCALE for place in places]


def slides(*parts: tuple[int, int]) -> list[Image]:
    """(number of a slide, how many seconds) one after the other."""
    return [slide(number) for number, seconds in parts for _ in range(seconds)]


def scroll(pixels: int, seconds: int) -> list[Image]:
    """A text that moves up by so many pixels a second, between rests of 10 s."""
    moving = [text(1)[y : y + 720] for y in range(0, min(pixels * seconds, 3600), pixels)]
    return [text(1)[:720]] * 10 + moving + [moving[-1]] * 10


def pointer(second: int) -> Image:
    image = slide(1).copy()
    image[100 + second * 15 : 130 + second * 15, 200 + second * 25 : 225 + second * 25] = 0
    return image


Show = Callable[[], Iterable[Image]]
SCREEN: dict[str, tuple[Show, list[float]]] = {
    "slides": (lambda: slides((1, 30), (2, 40), (3, 25)), [0, 30, 70]),
    "dark slides after light ones": (lambda: slides((1, 30)) + [slide(1, dark=True)] * 30, [0, 30]),
    "one slide": (lambda: slides((1, 90)), [0]),
    "a slide that grows": (lambda: [slide(4, lines) for lines in range(5) for _ in range(25)], [0]),
    "there and back": (lambda: slides((1, 30), (2, 30), (1, 30)), [0, 30, 60]),
    "leafing through": (lambda: slides((1, 30), (2, 1), (3, 1), (4, 1), (5, 30)), [0, 33]),
    "three soon after each other": (lambda: slides((1, 30), (2, 5), (3, 5), (4, 40)), [0, 30, 50]),
    "another text": (lambda: [text(1)[:720]] * 30 + [text(2)[:720]] * 30, [0, 30]),
    "scrolling line by line": (lambda: scroll(50, 40), [0]),
    "scrolling in jumps": (lambda: scroll(240, 12), [0]),
    "scrolling by hand": (lambda: scroll(137, 20), [0]),
    "a pointer": (lambda: [pointer(second) for second in range(40)], [0]),
    "a film": (lambda: [shot(second // 4, second) for second in range(80)], []),
    "a film, then slides": (
        lambda: [shot(second // 4, second) for second in range(40)] + slides((1, 30), (2, 20)),
        [40, 70],
    ),
    "a film between": (lambda: slides((1, 30)) + [shot(5, second) for second in range(30)] + slides((1, 30)), [0]),
}


@pytest.mark.parametrize("what", SCREEN)
@pytest.mark.parametrize("cut", [None, 37])
def test_pages_of_a_screen(what: str, cut: int | None) -> None:
    images, expected = SCREEN[what]
    assert found("screen", images(), cut=cut) == expected


def test_a_screen_with_few_keyframes() -> None:
    images = slides((1, 30), (2, 40))[::3]
    assert found("screen", images, 3.0) == [0, 30]


def minute(draw: Callable[[int], Image], seconds: int = 60) -> list[Image]:
    return [draw(second) for second in range(seconds)]


def walking(second: int) -> int:
    return (second * 170) % 2400 - 600


BOARD: dict[str, tuple[Show, list[float]]] = {
    "a board": (lambda: minute(lambda second: board(1, noise=second + 1)), []),
    "a board that is turned": (lambda: minute(lambda second: board(1 + second // 30, noise=second + 1)), [0, 30]),
    "turned twice": (lambda: minute(lambda second: board(1 + second // 40, noise=second + 1), 110), [0, 40, 80]),
    "somebody walks by": (lambda: minute(lambda second: board(1, person=walking(second))), []),
    "somebody stands here and there": (lambda: minute(lambda second: board(1, person=300 + second // 12 * 180)), []),
    "turned by somebody": (
        lambda: minute(lambda s: board(1 + s // 30, person=walking(s) if 25 < s < 36 else None)),
        [0, 30],
    ),
    "writing": (lambda: minute(lambda second: board(1, lines=second // 10)), []),
    "clouds": (lambda: minute(lambda second: board(1, gain=0.7 + 0.3 * abs(np.sin(second / 9)))), []),
    "lights out": (lambda: minute(lambda second: board(1, gain=1.0 if second < 30 else 0.45)), []),
}


@pytest.mark.parametrize("what", BOARD)
@pytest.mark.parametrize("cut", [None, 31])
def test_pages_of_a_board(what: str, cut: int | None) -> None:
    images, expected = BOARD[what]
    assert found("board", images(), cut=cut) == expected
