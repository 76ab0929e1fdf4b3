"""A lesson cut in Chromium by its teacher, on its really recorded replay; and what pupils see of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import wait_page
from tests.lessons.media import film, moved
from tests.lessons.room import AT, begin, feed
from tests.lessons.test_screen import mixed, screen
from tests.ui.conftest import CODE, Kit, make_kit
from tests.ui.recorded import RecordedLessons, open_replay, served
from tests.ui.test_browser import sign_in, violations
from tests.ui.test_replay import at, browser, playing

__all__ = ["browser"]  # the fixture of the replay's own test
LESSON, LIVE = "20261123-081502-4f2a", "20261123-091502-4f2a"
GAP_S = 12.0


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    root = tmp_path_factory.mktemp("trim")
    whole = begin(root / "lessons", LESSON)
    feed(whole, mixed(*film(12), *screen(2.0, seconds=8)))
    feed(whole, moved(film(12), epoch=2, by_s=GAP_S + 30))
    whole.stop(0, AT + 60)
    feed(begin(root / "lessons", LIVE), film(4))
    return make_kit(root, recordings=RecordedLessons(root))


@pytest.fixture(scope="module")
def address(kit: Kit) -> Iterator[str]:
    with served(kit.app) as address:
        yield address


@pytest.fixture
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="fr-FR", base_url=address, viewport={"width": 1366, "height": 768})
    context.set_default_timeout(15_000)
    yield context
    context.close()


def length(page: Page) -> float:
    return float(page.evaluate("document.getElementById('video').duration"))


def press(page: Page, button: str) -> None:
    page.focus(button)
    page.keyboard.press("Enter")


def test_a_teacher_cuts_by_keyboard_and_shows_all_of_it_again(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    open_replay(page, LESSON)
    page.focus("#trim summary")
    page.keyboard.press("Enter")
    expect(page.locator("#trim-do")).to_be_disabled()
    expect(page.locator("#trim-undo")).to_be_hidden()
    for key in ("ArrowRight", "l"):
        page.keyboard.press(key)
    press(page, "#trim-end")
    expect(page.locator("#trim-said")).to_have_text("Le cours finirait à 0:15. « Couper » le fait.")
    page.keyboard.press("j")
    press(page, "#trim-start")
    expect(page.locator("#trim-said")).to_have_text("Le cours commencerait à 0:05. « Couper » le fait.")
    shades = [one.bounding_box() for one in page.locator("#cut-away span").all()]
    layer = page.locator("#cut-away").bounding_box()
    assert layer and shades[0] and shades[1]
    assert [round(one["width"] / layer["width"] * 24) for one in shades if one] == [5, 9]
    assert violations(page) == []
    page.set_viewport_size({"width": 800, "height": 1200})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    press(page, "#trim-do")
    expect(page.locator("#trim-said")).to_have_text("Le cours est coupé.")
    expect(page.locator("#trim-said")).to_be_focused()
    expect(page.locator("#trim p").nth(1)).to_have_text("Coupé : 0:05 au début, 0:09 à la fin.")
    wait_page(page, "document.getElementById('video').readyState >= 2")
    assert length(page) == pytest.approx(10, abs=0.2)
    assert violations(page) == []
    press(page, "#trim-undo")
    expect(page.locator("#trim-said")).to_have_text("Tout le cours est de nouveau montré.")
    wait_page(page, "document.getElementById('video').readyState >= 2")
    assert length(page) == pytest.approx(24, abs=0.2)
    press(page, "#trim-end")
    press(page, "#trim-do")
    expect(page.locator("#trim-said")).to_have_text("Il ne resterait rien du cours : choisissez d’autres endroits.")


def test_pupils_see_the_cut_lesson_all_through(kit: Kit, context: BrowserContext) -> None:
    recordings = RecordedLessons(kit.lessons.folder.parent)
    recordings.trim(LESSON, 5.4, 20.0)
    assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok
    page = context.new_page()
    refused: list[str] = []
    page.on("response", lambda response: refused.append(response.url) if response.status == 403 else None)
    open_replay(page, LESSON)
    assert page.locator("#trim").count() == 0
    assert length(page) == pytest.approx(15, abs=0.2) and at(page) == 0
    expect(page.locator("#missing button")).to_contain_text("0:07 30 s non enregistrés ici.")
    page.keyboard.press("Space")
    playing(page, 1.5)
    page.wait_for_selector(".player[data-screen]")
    screen_at = page.evaluate("document.getElementById('screen').currentTime")
    assert screen_at == pytest.approx(at(page), abs=0.4)
    page.keyboard.press("4")
    playing(page, 7.5)  # over the gap
    page.keyboard.press("9")
    wait_page(page, "document.getElementById('video').ended")
    assert at(page) == pytest.approx(15, abs=0.2) and refused == []
    recordings.trim(LESSON)


def test_a_live_lesson_cannot_be_cut(context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto(f"/lessons/{LIVE}")
    page.wait_for_selector("body[data-state=ready]")
    assert page.locator("#trim").count() == 0
