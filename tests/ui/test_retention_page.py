"""In Chromium: when a recording goes, and the button that keeps it longer."""

from __future__ import annotations

import time

import msgspec
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.kit import wait_until
from tests.ui.conftest import Kit
from tests.ui.test_browser import address, browser, context, kit, sign_in, violations

__all__ = ["address", "browser", "context", "kit"]  # fixtures of the pages' own test
A_DAY = 86_400.0


@pytest.mark.parametrize("path", ["/lessons", "/lessons/LESSON"])
def test_a_teacher_keeps_a_lesson_longer(kit: Kit, context: BrowserContext, path: str) -> None:
    lesson = next(iter(kit.lessons.known.values()))
    ends_at = time.time() + 4.5 * A_DAY
    kept = msgspec.structs.replace(lesson, ends_at=ends_at, warned_at=ends_at - 7 * A_DAY)
    kit.lessons.known[lesson.id] = kept
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto(path.replace("LESSON", lesson.id))
    line = page.locator(f"[data-ending='{lesson.id}']")
    expect(line).to_contain_text("Sera supprimé dans 5 jours, pas envoyé")
    assert violations(page) == []
    line.get_by_role("button", name="Garder 180 jours de plus").click()
    expect(line).to_contain_text("Sera supprimé le ")
    expect(line).not_to_have_class("ending soon")
    assert kit.lessons.known[lesson.id].ends_at == pytest.approx(ends_at + 180 * A_DAY, abs=1)
    line.get_by_role("button").click()
    expect(line.locator("[data-part=failed]")).to_have_text("")
    wait_until(lambda: (kit.lessons.known[lesson.id].ends_at or 0) > ends_at + 359 * A_DAY, 5, "kept again")
    kit.lessons.silent = True
    line.get_by_role("button").click()
    expect(line.get_by_role("alert")).to_have_text("Cela n’a pas marché. Réessayez.")
    kit.lessons.silent = False
    assert violations(page) == []
    for width, height in ((1280, 800), (800, 1200), (360, 640)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
