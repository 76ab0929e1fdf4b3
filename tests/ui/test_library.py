"""The library over HTTP: what is said of lessons, and how they are found by it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from appliance.messages import LessonState
from tests.ui.conftest import Kit


def test_a_lesson_starts_with_what_is_said_of_it(kit: Kit) -> None:
    body = {"title": "Les volcans", "subject": " Géologie ", "group": "3e B", "teacher": "Mme Roux"}
    lesson = kit.client().post("/api/v1/lessons", json=body, headers=kit.teacher()).get_json()
    assert [lesson[name] for name in ("subject", "group", "teacher", "visibility")] == [
        "Géologie", "3e B", "Mme Roux", "class",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [{"subject": "x" * 61}, {"group": "a\u0007"}, {"teacher": 3}])
def test_a_lesson_does_not_start_with_what_nobody_can_read(kit: Kit, body: dict[str, Any]) -> None:
    assert kit.client().post("/api/v1/lessons", json=body, headers=kit.teacher()).status_code == 400
    assert kit.lessons.known == {}


def test_a_lesson_is_corrected(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, teacher = kit.client(), kit.teacher()
    where = f"/api/v1/lessons/{id}"
    changed = client.patch(where, json={"title": " Les fractions ", "group": "6e A"}, headers=teacher)
    assert changed.status_code == 200 and changed.get_json()["title"] == "Les fractions"
    client.patch(where, json={"visibility": "school", "subject": "Maths"}, headers=teacher)
    lesson = client.patch(where, json={"group": ""}, headers=teacher).get_json()
    assert [lesson[name] for name in ("title", "subject", "group", "visibility")] == [
        "Les fractions", "Maths", "", "school",
    ]  # fmt: skip
    assert client.get(where, headers=teacher).get_json() == lesson


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"title": ""}, 400),
        ({"title": "x" * 121}, 400),
        ({"title": 3}, 400),
        ({"subject": "x" * 61}, 400),
        ({"teacher": "a\u202eb"}, 400),
        ({"visibility": "everybody"}, 400),
        ([], 400),
    ],
)
def test_corrections_that_are_refused(kit: Kit, body: Any, status: int) -> None:
    before = kit.lessons.add("Fractions", "ended")
    where = f"/api/v1/lessons/{before.id}"
    response = kit.client().patch(where, json=body, headers=kit.teacher())
    assert response.status_code == status and response.content_type == "application/problem+json"
    assert kit.client().patch(where, json={"title": "Mien"}, headers=kit.pupil()).status_code == 403
    assert kit.client().patch(where, json={"title": "Mien"}).status_code == 401
    assert kit.lessons.get(before.id) == before
    assert kit.client().patch("/api/v1/lessons/x", json={"title": "A"}, headers=kit.teacher()).status_code == 404


def test_the_last_lesson_is_told_as_it_was_corrected_and_a_live_one_is_left_to_the_recorder(kit: Kit) -> None:
    lesson = kit.lessons.add("Fractions", "live")
    state = LessonState(lesson.id, lesson.code, lesson.title, "live", lesson.started_at, 5.0, 1, "no_video")
    kit.state.note(state)
    client, teacher = kit.client(), kit.teacher()
    client.patch(f"/api/v1/lessons/{lesson.id}", json={"title": "Les fractions"}, headers=teacher)
    assert kit.state.lesson == state
    client.post(f"/api/v1/lessons/{lesson.id}/stop", headers=teacher)
    client.patch(f"/api/v1/lessons/{lesson.id}", json={"title": "Toutes les fractions"}, headers=teacher)
    assert kit.state.lesson and kit.state.lesson.title == "Toutes les fractions"


def test_the_list_says_what_lessons_are_about(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    kit.lessons.describe(id, subject="Maths", teacher="<b>M. Petit</b>")
    page = kit.client().get("/lessons", headers=kit.pupil()).text
    assert "Maths" in page and "&lt;b&gt;M. Petit" in page and "data-do" not in page and "<template" not in page
    assert 'data-do="edit"' in kit.client().get("/lessons", headers=kit.teacher()).text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Ballons", "Équations", "Fractions"]),
        ("q=equa", ["Équations"]),
        ("subject=MATHS&sort=title", ["Équations", "Fractions"]),
        ("sort=title&order=desc&limit=2", ["Fractions", "Équations"]),
        ("limit=1&offset=2", ["Fractions"]),
        ("since=2026-11-24", []),
        ("since=2026-11-23&until=2026-11-23", ["Ballons", "Équations", "Fractions"]),
        ("since=1795420802", ["Ballons", "Équations"]),
        ("until=1795420802.5", ["Équations", "Fractions"]),
        ("order=asc", ["Fractions", "Équations", "Ballons"]),
    ],
)
def test_lessons_are_found(kit: Kit, query: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for title, subject in (("Fractions", "Maths"), ("Équations", "maths"), ("Ballons", "Sport")):
        kit.lessons.describe(kit.lessons.add(title, "ended").id, subject=subject)
    answer = kit.client().get(f"/api/v1/lessons?{query}", headers=kit.teacher()).get_json()
    assert [lesson["title"] for lesson in answer["lessons"]] == found
    assert answer["subjects"] == ["Maths", "Sport", "maths"] and answer["total"] >= len(found)


@pytest.mark.parametrize(
    "query",
    ["sort=size", "order=up", "limit=0", "limit=1001", "limit=x", "offset=-1", "limit=٣", "since=today", "until=1e999",
     "since=2026-13-01", "until=nan", "until=9999-12-31", "since=2026-11-23T08:00"],
)  # fmt: skip
def test_searches_that_nobody_understands(kit: Kit, query: str) -> None:
    response = kit.client().get(f"/api/v1/lessons?{query}", headers=kit.pupil())
    assert response.status_code == 400 and response.get_json()["detail"].startswith(query.partition("=")[0])
    assert kit.client().get("/lessons?sort=date:up", headers=kit.pupil()).status_code == 400


def test_the_list_shows_a_page_at_a_time(kit: Kit) -> None:
    for number in range(130):
        kit.lessons.add(f"Cours {number}", "ended")
    client, pupil = kit.client(), kit.pupil()
    pages = [client.get(f"/lessons?q=cours&offset={offset}", headers=pupil).text for offset in (0, 60, 120)]
    assert [page.count('class="card lesson"') for page in pages] == [60, 60, 10]
    assert 'href="/lessons?q=cours&amp;offset=60" rel="next"' in pages[0] and 'rel="prev"' not in pages[0]
    assert 'offset=0" rel="prev"' in pages[1] and 'offset=120" rel="next"' in pages[1]
    assert 'rel="next"' not in pages[2]
    nothing = client.get("/lessons?q=%22%3E%3Cb%3E", headers={**pupil, "Accept-Language": "en"}).text
    assert "No recording is like this." in nothing and '"><b>' not in nothing
    assert 'name="q"' not in kit.client().get("/", headers=pupil).text


def test_two_recordings_become_one(kit: Kit) -> None:
    first, second = kit.lessons.add("Avant la sonnerie", "ended"), kit.lessons.add("Après", "ended")
    live = kit.lessons.add("Maintenant", "live")
    client, teacher = kit.client(), kit.teacher()
    where = f"/api/v1/lessons/{first.id}/join"
    for body, status in (
        ({"next": "x"}, 404),
        ({"next": first.id}, 400),
        ({"next": live.id}, 409),
        ({}, 400),
        ({"next": 3}, 400),
    ):
        assert client.post(where, json=body, headers=teacher).status_code == status
    assert client.post(where, json={"next": second.id}, headers=kit.pupil()).status_code == 403
    assert client.post(where, json={"next": second.id}).status_code == 401
    joined = client.post(where, json={"next": second.id}, headers=teacher)
    assert joined.status_code == 200 and joined.get_json()["duration_s"] == 2 * 3725.0
    assert kit.lessons.known.keys() == {first.id, live.id}
