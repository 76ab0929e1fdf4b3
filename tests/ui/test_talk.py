"""The switch for pupils' voices over HTTP and in Chromium, who is told, and the replay of what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.messages import LessonState
from tests.browser import chromium, wait_page
from tests.lessons import test_talk as spoken
from tests.lessons.media import film
from tests.lessons.room import AT, ID
from tests.ui.conftest import CODE, Kit, make_kit
from tests.ui.recorded import RecordedLessons, open_replay, served
from tests.ui.test_browser import FLAGS, violations
from ui.push import messages
from ui.state import Change

BEGIN_S, LENGTH_S = 2.0, 6
MEDIA = "document.getElementById('talk')"
DRIFT = f"{MEDIA}.currentTime + {BEGIN_S} - document.getElementById('video').currentTime"


def told(kit: Kit, *, records_talk: bool) -> str:
    """A live lesson, as the service tells it."""
    lesson = next((one for one in kit.lessons.known.values() if one.state == "live"), None)
    lesson = lesson or kit.lessons.add("Les volcans", "live")
    state = LessonState(lesson.id, CODE, lesson.title, "live", lesson.started_at, 12.0, 1000, records_talk=records_talk)
    kit.state.note(state)
    return lesson.id


def test_the_school_says_no(kit: Kit) -> None:
    where = f"/api/v1/lessons/{told(kit, records_talk=False)}/talk"
    refused = kit.client().put(where, json={"record": True}, headers=kit.teacher())
    assert refused.status_code == 409 and "does not allow" in refused.get_json()["detail"]
    assert not kit.lessons.records_talk
    page = kit.client().get("/teacher", headers=kit.teacher()).text
    assert "record-voices" not in page


@pytest.fixture
def allowed(tmp_path: Path) -> Kit:
    kit = make_kit(tmp_path, record_talk=True)
    kit.lessons.talk_allowed = True
    return kit


def test_the_switch_is_the_teachers(allowed: Kit) -> None:
    where = f"/api/v1/lessons/{told(allowed, records_talk=False)}/talk"
    client, teacher = allowed.client(), allowed.teacher()
    for record in (True, True, False):
        answer = client.put(where, json={"record": record}, headers=teacher)
        assert (answer.status_code, answer.get_json()) == (200, {"record": record})
        assert allowed.lessons.records_talk is record
    for body, headers, status in (
        ({"record": True}, allowed.pupil(), 403),
        ({"record": True}, {}, 401),
        ({"record": "yes"}, teacher, 400),
        ({}, teacher, 400),
    ):
        assert client.put(where, json=body, headers=headers).status_code == status
    assert client.put("/api/v1/lessons/nothing/talk", json={"record": True}, headers=teacher).status_code == 404
    over = allowed.lessons.add("Hier", "ended").id
    assert client.put(f"/api/v1/lessons/{over}/talk", json={"record": True}, headers=teacher).status_code == 409


def test_everybody_is_told_at_once(allowed: Kit) -> None:
    heard: list[set[Change]] = []
    told(allowed, records_talk=False)
    allowed.state.on_change(heard.append)
    for record in (True, True, False):
        told(allowed, records_talk=record)
    assert [changes & {"lesson"} for changes in heard] == [{"lesson"}, set(), {"lesson"}]
    for role in ("teacher", "pupil"):
        told(allowed, records_talk=True)
        ((name, lesson),) = messages(allowed.app.extensions["preau"], {"lesson"}, role)
        assert name == "lesson" and lesson["records_talk"] is True


def test_what_is_recorded_of_them_is_served(kit: Kit) -> None:
    id = kit.lessons.add("Avec des voix", "ended", screen_s=150.0).id
    kit.lessons.spoken[id] = [(30.0, 12.0, True)]
    client, pupil = kit.client(), kit.pupil()
    found = client.get(f"/lessons/{id}/timeline.json", headers=pupil).get_json()
    assert found["talk"] == [{"start_s": 30.0, "duration_s": 12.0, "sound": True}]
    assert client.get(f"/lessons/{id}/talk.m3u8", headers=pupil).content_type == "application/vnd.apple.mpegurl"
    whole = client.get(f"/lessons/{id}/talk.mp4", headers={**pupil, "Accept-Language": "fr"})
    assert whole.status_code == 200 and "Voix" in whole.headers["Content-Disposition"]
    for path in ("talk.m3u8", "talk.mp4"):
        assert client.get(f"/lessons/{id}/{path}").status_code == 401
        silent = kit.lessons.add("Sans voix", "ended").id
        assert client.get(f"/lessons/{silent}/{path}", headers=pupil).status_code == 404


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*FLAGS) as started:
        yield started


def opened(browser: Browser, address: str, role: str) -> Page:
    context = browser.new_context(locale="fr-FR", base_url=address, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    if role == "teacher":
        assert context.request.post("/api/v1/session", data={"pin": "271828"}).ok
    else:
        assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok
    return context.new_page()


def test_teacher_and_pupils_see_that_voices_are_recorded(allowed: Kit, browser: Browser) -> None:
    with served(allowed.app) as address:
        teacher, pupil = opened(browser, address, "teacher"), opened(browser, address, "pupil")
        teacher.goto("/teacher")
        expect(teacher.locator("#voices")).to_be_hidden()
        told(allowed, records_talk=False)
        switch = teacher.get_by_role("switch", name="Enregistrer les voix des élèves")
        expect(switch).to_be_visible()
        expect(switch).not_to_be_checked()
        pupil.goto(f"/join/{CODE}")
        pupil.fill("#name", "Léa")
        pupil.click("#join-button")
        expect(pupil.locator("#room")).to_be_visible()
        expect(pupil.locator("#voices")).to_have_text("")
        switch.focus()
        teacher.keyboard.press("Space")
        expect(teacher.locator("#voices-said")).to_have_text("Les voix des élèves sont enregistrées.")
        expect(pupil.locator("#voices")).to_have_text("")  # the kit has not told it yet
        told(allowed, records_talk=True)
        expect(teacher.locator("#voices-said")).to_have_text("Les voix des élèves sont enregistrées.")
        expect(pupil.locator("#voices")).to_have_text("Les voix des élèves sont enregistrées.")
        expect(pupil.locator("#voices")).to_be_visible()
        assert allowed.lessons.records_talk
        for page in (teacher, pupil):
            for width, height in ((1280, 800), (800, 1200), (390, 800)):
                page.set_viewport_size({"width": width, "height": height})
                assert violations(page) == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        allowed.lessons.silent = True
        switch.press("Space")
        expect(teacher.locator("#voices-error")).to_have_text("Cela n’a pas marché. Réessayez.")
        expect(switch).to_be_checked()
        allowed.lessons.silent = False
        switch.press("Space")
        told(allowed, records_talk=False)
        expect(pupil.locator("#voices")).to_have_text("")
        expect(teacher.locator("#voices-said")).to_have_text("")
        expect(switch).not_to_be_checked()
        for page in (teacher, pupil):
            page.context.close()


@pytest.fixture
def replay(tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """A lesson in which a pupil speaks from BEGIN_S on."""
    (tmp_path / "lessons").mkdir()
    live = spoken.begin(tmp_path / "lessons")
    spoken.feed(live, *film(12), *spoken.said(BEGIN_S, LENGTH_S), switches={0.5: spoken.ON})
    live.stop(0, AT)
    kit = make_kit(tmp_path, recordings=RecordedLessons(tmp_path))
    with served(kit.app) as address:
        page = opened(browser, address, "pupil")
        yield page
        page.context.close()


def test_the_replay_plays_them_beside_the_lesson(replay: Page) -> None:
    open_replay(replay, ID)
    sound: Any = replay.locator("#talk-sound")
    expect(sound).to_be_visible()
    expect(sound).to_have_attribute("aria-pressed", "true")
    replay.locator(".files summary").click()
    expect(replay.get_by_role("link", name="Télécharger les voix")).to_be_visible()
    replay.evaluate("document.getElementById('video').play()")
    wait_page(replay, "document.getElementById('video').currentTime > 0.5")
    assert replay.evaluate(f"{MEDIA}.paused")  # nobody has spoken yet
    for place in (BEGIN_S + 0.5, BEGIN_S + 3.5):
        replay.evaluate(f"document.getElementById('video').currentTime = {place}")
        wait_page(replay, f"document.getElementById('video').currentTime > {place} + 0.7 && !{MEDIA}.paused")
        assert abs(replay.evaluate(DRIFT)) < 0.25
    assert replay.evaluate(f"{MEDIA}.webkitAudioDecodedByteCount") > 1000
    wait_page(replay, f"document.getElementById('video').currentTime > {BEGIN_S + LENGTH_S} && {MEDIA}.paused")
    replay.evaluate("document.getElementById('video').muted = false")
    wait_page(replay, f"!{MEDIA}.muted")
    sound.click()
    wait_page(replay, f"{MEDIA}.muted")
    assert violations(replay) == []
