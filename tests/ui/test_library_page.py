"""The library in Chromium: what is said of a lesson, before it starts and when it is over."""

from __future__ import annotations

import re

import msgspec
from playwright.sync_api import BrowserContext, expect

from appliance.messages import LessonState
from tests.ui.conftest import CODE, Kit
from tests.ui.test_browser import address, browser, context, kit, sign_in, violations

__all__ = ["address", "browser", "context", "kit"]  # fixtures of the pages' own test


def test_what_was_said_last_is_there_at_the_next_start(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/teacher")
    page.wait_for_selector("body[data-state=ready]")
    page.locator("#about summary").press("Enter")
    page.fill("#subject", "Géologie")
    page.fill("#teacher", "Mme Roux")
    expect(page.locator("#about-said")).to_have_text("Géologie · Mme Roux")
    assert violations(page) == []
    page.click("#start")
    page.wait_for_selector("body[data-state=live]")
    expect(page.locator("#about")).to_be_hidden()
    [first] = [lesson for lesson in kit.lessons.known.values() if lesson.state == "live"]
    assert (first.subject, first.group, first.teacher) == ("Géologie", "", "Mme Roux")
    kit.state.note_lesson(kit.lessons.stop(first.id))
    page.wait_for_selector("body[data-state=ready]")
    page.reload()
    page.wait_for_selector("body[data-state=ready]")
    expect(page.locator("#about-said")).to_have_text("Géologie · Mme Roux")
    page.click("#start")  # one button still suffices
    page.wait_for_selector("body[data-state=live]")
    [second] = [lesson for lesson in kit.lessons.known.values() if lesson.state == "live"]
    assert (second.subject, second.teacher) == ("Géologie", "Mme Roux")
    kit.state.note_lesson(kit.lessons.stop(second.id))


def test_a_lesson_is_corrected_in_the_list_by_keyboard(kit: Kit, context: BrowserContext) -> None:
    id = kit.lessons.add("Sans nom", "ended").id
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/lessons")
    card = page.locator(f"[data-lesson='{id}']")
    card.get_by_role("button", name="Modifier Sans nom").press("Enter")
    title = card.get_by_label("Titre")
    expect(title).to_be_focused()
    assert violations(page) == []
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    title.press("Escape")
    expect(card.locator("form")).to_have_count(0)
    expect(card.get_by_role("button", name="Modifier")).to_be_focused()
    page.keyboard.press("Enter")
    title.fill("Les volcans")
    card.get_by_role("textbox", name="Classe").fill("3e B")
    card.get_by_label("Qui peut le voir").select_option("teacher")
    title.press("Enter")
    expect(page.locator("#said")).to_have_text("Enregistré : Les volcans")
    expect(card.get_by_role("heading")).to_have_text("Les volcans")
    expect(card).to_contain_text("3e B")
    expect(card.get_by_text("L’enseignant seul")).to_be_visible()
    expect(card.get_by_role("button", name="Modifier Les volcans")).to_be_focused()
    lesson = kit.lessons.get(id)
    assert (lesson.title, lesson.group, lesson.visibility) == ("Les volcans", "3e B", "teacher")
    assert violations(page) == []
    kit.lessons.silent = True
    page.keyboard.press("Enter")
    title.press("Enter")
    expect(card.get_by_role("alert")).to_have_text("Cela n’a pas marché. Réessayez.")
    kit.lessons.silent = False


def test_recordings_are_searched_by_keyboard(kit: Kit, context: BrowserContext) -> None:
    kit.lessons.describe(kit.lessons.add("Équations", "ended").id, subject="Maths", group="3e B")
    sign_in(context, "pupil")
    page = context.new_page()
    page.goto("/lessons")
    assert violations(page) == []
    search = page.get_by_role("searchbox", name="Chercher")
    search.fill("equa")
    search.press("Enter")
    expect(page).to_have_url(re.compile("q=equa"))
    expect(page.locator("[data-lesson] h2")).to_have_text(["Équations"])
    expect(page.get_by_role("status").last).to_have_text("Enregistrements trouvés : 1")
    page.get_by_label("Matière").select_option("Maths")
    page.get_by_label("Ordre").select_option("title")
    page.get_by_role("button", name="Chercher").press("Enter")
    expect(page.locator("[data-lesson] h2")).to_have_text(["Équations"])
    expect(page.get_by_label("Matière")).to_have_value("Maths")
    expect(page.get_by_label("Ordre")).to_have_value("title")
    for width in (400, 800, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    assert violations(page) == []
    search.fill("rien de tel")
    search.press("Enter")
    expect(page.get_by_role("status").last).to_have_text("Aucun enregistrement ne correspond.")
    assert violations(page) == []
    page.get_by_role("link", name="Tout montrer").press("Enter")
    expect(page).to_have_url(re.compile("/lessons$"))
    expect(page.locator("[data-lesson]")).not_to_have_count(1)


def test_two_recordings_become_one_by_keyboard(kit: Kit, context: BrowserContext) -> None:
    first, second = kit.lessons.add("Avant la sonnerie", "ended"), kit.lessons.add("Après la sonnerie", "ended")
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/lessons?q=sonnerie")
    card = page.locator(f"[data-lesson='{first.id}']")
    card.get_by_role("button", name="Réunir à un autre Avant la sonnerie").press("Enter")
    choice = card.get_by_role("combobox")
    expect(choice).to_be_focused()
    expect(choice).to_have_value(second.id)  # the one that comes next
    assert violations(page) == []
    choice.press("Escape")
    expect(card.locator("form")).to_have_count(0)
    page.keyboard.press("Enter")
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    card.get_by_role("button", name="Les réunir").press("Enter")
    expect(page.locator("#said")).to_have_text(
        "Après la sonnerie suit maintenant Avant la sonnerie : c’est un seul enregistrement."
    )
    expect(page.locator("[data-lesson]")).to_have_count(1)
    expect(card.locator(".length")).to_have_text("2:04:10")
    expect(card.get_by_role("button", name="Réunir à un autre")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card.get_by_role("alert")).to_have_text("Il n’y a pas d’autre enregistrement dans cette liste.")
    assert violations(page) == []


def test_a_pupil_is_shown_no_way_to_a_recording_that_is_the_teachers(kit: Kit, context: BrowserContext) -> None:
    lesson = LessonState("20261123-081509-4f2a", CODE, "À part", "live", 1000.0, 5.0, 1000, visibility="teacher")
    page = context.new_page()
    page.goto(f"/join/{CODE}")
    page.fill("#name", "Léa")
    page.press("#name", "Enter")
    page.wait_for_selector("body[data-state=waiting]")
    kit.state.note(lesson)
    expect(page.locator("#lesson-title")).to_have_text("À part")
    kit.state.note(msgspec.structs.replace(lesson, state="ended"))
    page.wait_for_selector("body[data-state=ended]")
    expect(page.locator("#replay")).to_be_hidden()
    kit.state.note(msgspec.structs.replace(lesson, id="20261123-081510-4f2a", visibility="class"))
    kit.state.note(msgspec.structs.replace(lesson, id="20261123-081510-4f2a", visibility="class", state="ended"))
    page.wait_for_selector("body[data-state=ended]")
    expect(page.locator("#replay")).to_have_attribute("href", "/lessons/20261123-081510-4f2a")
    expect(page.locator("#replay")).to_be_visible()
