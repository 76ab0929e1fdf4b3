"""The teacher's marks in Chromium: one key in mid-lesson, words afterwards, and nothing while somebody writes."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from appliance.messages import LessonState
from tests.kit import wait_until
from tests.ui.conftest import CODE, Kit
from tests.ui.test_browser import address, browser, context, kit, sign_in, violations

__all__ = ["address", "browser", "context", "kit"]  # fixtures of the pages' own test


def teacher(kit: Kit, context: BrowserContext) -> Page:
    """The teacher's page in a live lesson."""
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/teacher")
    expect(page.locator("#marks")).to_be_hidden()
    lesson = kit.lessons.add("Les volcans", "live")
    kit.state.note(LessonState(lesson.id, CODE, lesson.title, "live", lesson.started_at, 12.0, 1000))
    expect(page.locator("#marks")).to_be_visible()
    return page


def test_one_key_sets_a_mark(kit: Kit, context: BrowserContext) -> None:
    page = teacher(kit, context)
    page.keyboard.press("Control+m")
    page.keyboard.press("m")
    expect(page.locator("#mark-said")).to_have_text("Un repère est posé à 0:12.")
    expect(page.locator("#mark-form")).to_be_visible()
    assert [mark.text for mark in kit.lessons.marks.values()] == [""]
    page.fill("#mark-text", "")
    page.locator("#mark-text").press_sequentially("La lave mm")
    page.press("#mark-text", "Enter")
    expect(page.locator("#mark-said")).to_have_text("0:12 : La lave mm")
    expect(page.locator("#mark-form")).to_be_hidden()
    expect(page.locator("#mark")).to_be_focused()
    assert [mark.text for mark in kit.lessons.marks.values()] == ["La lave mm"]
    page.keyboard.press("Enter")
    expect(page.locator("#mark-form")).to_be_visible()
    assert violations(page) == []
    page.set_viewport_size({"width": 800, "height": 1200})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("#mark-remove")
    expect(page.locator("#mark-said")).to_have_text("Le repère est retiré.")
    assert len(kit.lessons.marks) == 1
    kit.lessons.silent = True
    page.click("#mark")
    expect(page.locator("#mark-said")).to_have_text("Cela n’a pas marché. Réessayez.")
    kit.lessons.silent = False
    over = next(iter(kit.lessons.known.values()))
    live = [one for one in kit.lessons.known.values() if one.state == "live"][0]
    kit.state.note(LessonState(live.id, CODE, live.title, "ended", live.started_at, over.duration_s, 1000))
    expect(page.locator("#marks")).to_be_hidden()
    page.keyboard.press("m")
    expect(page.locator("#title-field")).to_be_visible()
    assert len(kit.lessons.marks) == 1


def test_the_key_can_be_turned_off(kit: Kit, context: BrowserContext) -> None:
    page = teacher(kit, context)
    before = len(kit.lessons.marks)
    page.uncheck("#mark-key")
    page.keyboard.press("m")
    page.click("#mark")
    expect(page.locator("#mark-said")).to_have_text("Un repère est posé à 0:12.")
    assert len(kit.lessons.marks) == before + 1
    page.reload()
    expect(page.locator("#mark-key")).not_to_be_checked()
    expect(page.locator("#mark kbd")).to_be_hidden()
    page.check("#mark-key")
    page.keyboard.press("m")
    wait_until(lambda: len(kit.lessons.marks) == before + 2, 5, "the second mark")
