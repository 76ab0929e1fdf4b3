"""The picture's quality in real Chromium: two rungs, sound only, stills."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from capture.demo import TONE_HZ
from tests.browser import (
    clock_advances,
    picture_age_ms,
    pupil_page,
    start_lesson,
    stop_lesson,
    teacher_page,
    tone_db,
    wait_live,
    wait_page,
)
from tests.kit import Kit, running_kit

AUDIBLE_DB = 30
WIDTH = "document.getElementById('video').videoWidth"
DECODED = "document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames"
STANDS_STILL = f"new Promise((tell) => {{ const was = {DECODED}; setTimeout(() => tell({DECODED} === was), 500); }})"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def pupil(kit: Kit, context: BrowserContext) -> Iterator[Page]:
    """A pupil who sees the sharp picture of a live lesson."""
    teacher = teacher_page(context, kit)
    start_lesson(teacher)
    page = pupil_page(context, kit, kit.api("GET", "kit")["join"]["code"], "Ada")
    wait_live(page)
    wait_page(page, f"{WIDTH} === 1280")
    yield page
    stop_lesson(teacher)


def test_the_picture_changes_its_size_while_its_clock_goes_on(kit: Kit, pupil: Page) -> None:
    pupil.evaluate(
        "window.lost = 0; new MutationObserver(() => document.body.dataset.state === 'live' || (window.lost += 1))"
        ".observe(document.body, { attributeFilter: ['data-state'] })"
    )
    for choice, width in (("saving", 640), ("sharp", 1280), ("saving", 640), ("automatic", 1280)):
        pupil.select_option("#quality", choice)
        wait_page(pupil, f"{WIDTH} === {width}")
        assert clock_advances(pupil)
        assert picture_age_ms(pupil) < 1000
    assert pupil.evaluate("window.lost") == 0
    assert tone_db(pupil, TONE_HZ) > AUDIBLE_DB


def test_sound_only_by_keyboard_and_remembered(kit: Kit, pupil: Page) -> None:
    pupil.focus("#quality")
    pupil.keyboard.press("End")  # the last choice
    wait_page(pupil, "document.body.dataset.showing === 'none'")
    assert pupil.input_value("#quality") == "sound"
    wait_page(pupil, STANDS_STILL)  # what was on its way has come
    before = pupil.evaluate(DECODED)
    assert tone_db(pupil, TONE_HZ) > AUDIBLE_DB
    assert pupil.evaluate(DECODED) <= before + 1
    pupil.reload()
    wait_live(pupil)
    wait_page(pupil, "document.body.dataset.showing === 'none'")
    assert pupil.input_value("#quality") == "sound"
    assert pupil.get_by_role("status").inner_text() != ""
    pupil.select_option("#quality", "automatic")
    wait_page(pupil, f"document.body.dataset.showing === 'video' && {WIDTH} === 1280")
    assert clock_advances(pupil)


def test_stills_stand_in_for_the_picture(kit: Kit, pupil: Page) -> None:
    """The kit's word is changed on its way: it sends sound alone, and says that it is for the line's sake."""

    def say_still(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps({**answer.json(), "showing": "still"}))

    pupil.route("**/whep/*", say_still)
    pupil.select_option("#quality", "sound")
    wait_page(pupil, "document.body.dataset.showing === 'still'")
    wait_page(pupil, "document.getElementById('still').naturalWidth === 960")
    assert pupil.is_visible("#still")
    first = pupil.evaluate("document.getElementById('still').src")
    wait_page(pupil, f"document.getElementById('still').src !== {json.dumps(first)}")
    pupil.unroute("**/whep/*")
    pupil.select_option("#quality", "sharp")
    wait_page(pupil, "document.body.dataset.showing === 'video'")
    wait_page(pupil, "document.getElementById('still').hidden")
    assert clock_advances(pupil)
