"""Text tracks over HTTP, and put in on the replay's page in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.ui.conftest import Kit, make_kit
from tests.ui.test_browser import address, browser, context, kit, sign_in, violations
from ui.tracks import LARGEST, in_words, own_name

__all__ = ["address", "browser", "context", "kit"]  # fixtures of the pages' own test
VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\nBonjour\n"


@pytest.fixture
def fresh(tmp_path: Path) -> Kit:
    return make_kit(tmp_path)


def test_captions_come_and_go(fresh: Kit) -> None:
    id = fresh.lessons.add("Fractions", "ended").id
    client, teacher, pupil = fresh.client(), fresh.teacher(), fresh.pupil()
    where = f"/api/v1/lessons/{id}/tracks"
    put = client.put(f"{where}/captions/fr", data=VTT, content_type="text/vtt", headers=teacher)
    assert put.status_code == 204
    named = f"{where}/captions/pt-BR?label=Portugu%C3%AAs"
    assert client.put(named, data=VTT, content_type="text/vtt; charset=utf-8", headers=teacher).status_code == 204
    listed = client.get(where, headers=pupil).get_json()["tracks"]
    assert [(one["language"], one["label"]) for one in listed] == [("fr", "français"), ("pt-BR", "Português")]
    served = client.get(listed[0]["src"], headers=pupil)
    assert served.content_type == "text/vtt; charset=utf-8" and served.text == VTT
    assert client.get(listed[0]["src"]).status_code == 401
    page = client.get(f"/lessons/{id}", headers=pupil).text
    assert f'srclang="fr" label="français" src="{listed[0]["src"]}"' in page and "tracks-form" not in page
    assert client.delete(f"{where}/captions/fr", headers=teacher).status_code == 204
    assert client.get(listed[0]["src"], headers=pupil).status_code == 404


def test_what_is_wrong_is_said_in_the_language_of_the_page(fresh: Kit) -> None:
    id = fresh.lessons.add("Fractions", "ended").id

    def said(text: str, language: str) -> str:
        headers = {**fresh.teacher(), "Accept-Language": language}
        where = f"/api/v1/lessons/{id}/tracks/captions/fr"
        response = fresh.client().put(where, data=text, content_type="text/vtt", headers=headers)
        return str(response.get_json()["detail"])

    timeless = "WEBVTT\n\n00:00:01 --> 00:00:04\nBonjour\n"
    assert said(timeless, "en") == "line 3: the times must be written as 00:01.000 --> 00:04.000"
    assert said(timeless, "fr") == "ligne 3 : les temps s’écrivent 00:01.000 --> 00:04.000"
    assert said("Bonjour", "fr") == "ligne 1 : le fichier doit commencer par WEBVTT"
    assert in_words("something new: 4") == "something new: 4"


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("captions/fr", "nonsense", "text/vtt", 400),
        ("captions/fr", b"WEBVTT\n\xff", "text/vtt", 400),
        ("captions/fr?label=%00", VTT, "text/vtt", 400),
        ("captions/fr", VTT, "text/plain", 415),
        ("captions/fr", "WEBVTT\n" + "x" * LARGEST, "text/vtt", 413),
        ("metadata/fr", VTT, "text/vtt", 404),
    ],
)
def test_refusals(fresh: Kit, path: str, body: str | bytes, kind: str, status: int) -> None:
    id = fresh.lessons.add("Fractions", "ended").id
    where = f"/api/v1/lessons/{id}/tracks/{path}"
    response = fresh.client().put(where, data=body, content_type=kind, headers=fresh.teacher())
    assert response.status_code == status and response.content_type == "application/problem+json"
    if status != 404:
        assert fresh.client().put(where, data=body, content_type=kind, headers=fresh.pupil()).status_code == 403
        assert fresh.client().put(where, data=body, content_type=kind).status_code == 401
    assert fresh.lessons.tracks == {}


def test_more_than_other_bodies_may_hold_is_taken(fresh: Kit) -> None:
    id = fresh.lessons.add("Fractions", "ended").id
    body = VTT + "\nNOTE " + "x" * 1_000_000 + "\n"
    path = f"/api/v1/lessons/{id}/tracks/captions/fr"
    answer = fresh.client().put(path, data=body, content_type="text/vtt", headers=fresh.teacher())
    assert answer.status_code == 204


def test_names_of_languages() -> None:
    assert [own_name(tag) for tag in ("fr", "en", "pt-BR", "xx", "?")] == [
        *("français", "English", "português (Brasil)", "xx", "?"),
    ]


def test_a_teacher_puts_captions_in(kit: Kit, context: BrowserContext, tmp_path: Path) -> None:
    lesson = next(iter(kit.lessons.known.values()))
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto(f"/lessons/{lesson.id}")
    page.wait_for_selector("body[data-state=ready]")
    page.click(".tracks summary")
    assert violations(page) == []
    for name, text in (("wrong", "00:01"), ("right", VTT)):
        (tmp_path / f"{name}.vtt").write_text(text)
    page.set_input_files("#tracks-file", tmp_path / "wrong.vtt")
    page.click("#tracks-form button")
    expect(page.locator("#tracks-said")).to_have_text(
        "Ce fichier ne peut pas servir : ligne 1 : le fichier doit commencer par WEBVTT"
    )
    page.set_input_files("#tracks-file", tmp_path / "right.vtt")
    page.click("#tracks-form button")
    page.locator("media-captions-button").wait_for()
    page.wait_for_selector("body[data-state=ready]")
    assert kit.lessons.tracks == {"fr": "français"}
    shown = page.evaluate(
        """() => new Promise((resolve) => {
          const track = document.querySelector("track[kind=captions]");
          track.addEventListener("load", () => resolve([...track.track.cues].map((cue) => cue.text)));
          track.track.mode = "showing";
        })"""
    )
    assert shown == ["Bonjour"]
    page.click(".tracks summary")
    assert violations(page) == []
    page.click("[data-remove-track=fr]")
    page.locator("media-captions-button").wait_for(state="detached")
    assert kit.lessons.tracks == {}


def test_a_teacher_corrects_chapters(kit: Kit, context: BrowserContext) -> None:
    lesson = next(iter(kit.lessons.known.values()))
    kit.lessons.tracks.clear()
    kit.lessons.marks.clear()
    first, second = kit.lessons.mark(lesson.id, "Vieux", 12.0), kit.lessons.mark(lesson.id, at_s=75.0)
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto(f"/lessons/{lesson.id}")
    page.wait_for_selector("body[data-state=ready]")
    page.click(".tracks summary")
    assert violations(page) == []
    words = page.get_by_label("Texte du chapitre à 1:15")
    expect(words).to_have_attribute("placeholder", "Repère 2")
    words.fill("La lave")
    words.press("Enter")
    expect(page.locator("#tracks-said")).to_contain_text("Les chapitres sont corrigés")
    page.click("button[aria-label='Retirer le chapitre à 0:12']")
    expect(page.locator(".marked li")).to_have_count(1)
    assert [(mark.id, mark.text) for mark in kit.lessons.marks.values()] == [(second.id, "La lave")]
    assert first.id not in kit.lessons.marks
    page.set_viewport_size({"width": 800, "height": 1200})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
