"""Dates of lessons, and receipts of deleted ones, over HTTP and in words."""

from __future__ import annotations

import msgspec
import pytest

from tests.ui.conftest import Kit
from tests.ui.doubles import STARTED_AT
from ui.retention import ending_text, goes_at, kept_until


def test_a_deleted_lesson_leaves_a_receipt_for_teachers(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, teacher = kit.client(), kit.teacher()
    assert client.get("/api/v1/receipts", headers=teacher).get_json() == {"receipts": []}
    assert client.delete(f"/api/v1/lessons/{id}", headers=teacher).status_code == 204
    response = client.get("/api/v1/receipts", headers=teacher)
    [receipt] = response.get_json()["receipts"]
    assert (receipt["id"], receipt["why"], receipt["by"]) == (id, "hand", "teacher")
    assert receipt["uplinks"] == [{"name": "nuage", "told_at": None}]
    assert receipt["erased_at"] > receipt["wall"] and len(receipt["sha256"]) == 64
    assert "Fractions" not in response.text
    assert client.get("/api/v1/receipts", headers=kit.pupil()).status_code == 403
    assert client.get("/api/v1/receipts").status_code == 401


def put(kit: Kit, id: str, body: object, headers: dict[str, str]) -> int:
    return kit.client().put(f"/api/v1/lessons/{id}/end", json=body, headers=headers).status_code


def test_a_teacher_sets_when_a_lesson_goes(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, teacher = kit.client(), kit.teacher()
    response = client.put(f"/api/v1/lessons/{id}/end", json={"ends_at": STARTED_AT + 5}, headers=teacher)
    assert response.status_code == 200 and response.get_json()["ends_at"] == STARTED_AT + 5
    for body in ({}, {"ends_at": None}, {"ends_at": "tomorrow"}, {"ends_at": 0}):
        assert put(kit, id, body, teacher) == 400
    assert put(kit, "nothing", {"ends_at": STARTED_AT + 5}, teacher) == 404
    assert put(kit, id, {"ends_at": STARTED_AT + 5}, kit.pupil()) == 403
    assert put(kit, id, {"ends_at": STARTED_AT + 5}, {}) == 401


def test_only_teachers_are_told_when_a_lesson_goes(kit: Kit) -> None:
    lesson = kit.lessons.add("Fractions", "ended")
    kit.lessons.known[lesson.id] = msgspec.structs.replace(lesson, ends_at=STARTED_AT + 5, warned_at=STARTED_AT)
    told = {"ends_at": STARTED_AT + 5, "sent": False, "warned_at": STARTED_AT}
    for path in (f"/api/v1/lessons/{lesson.id}", "/api/v1/lessons"):
        answer = kit.client().get(path, headers=kit.teacher()).get_json()
        assert told.items() <= (answer["lessons"][0] if "lessons" in answer else answer).items()
        assert "ends_at" not in kit.client().get(path, headers=kit.pupil()).text
    assert "data-ending" not in kit.client().get("/lessons", headers=kit.pupil()).text
    assert "data-ending" not in kit.client().get(f"/lessons/{lesson.id}", headers=kit.pupil()).text


NOW = STARTED_AT
A_DAY = 86_400.0


@pytest.mark.parametrize(
    ("ends_in", "sent", "warned", "goes_in", "text"),
    [
        (30.0, False, None, 30.0, "Will be deleted on December 23, 2026"),
        (30.0, True, None, 30.0, "Sent; will be deleted on December 23, 2026"),
        (5.0, False, -2.0, 5.0, "Will be deleted in 5 days, not sent"),
        (4.5, False, -2.0, 5.0, "Will be deleted in 5 days, not sent"),
        (0.5, False, -6.5, 0.5, "Will be deleted within a day, not sent"),
        (-9.0, False, -6.0, 1.0, "Will be deleted within a day, not sent"),
        (-9.0, False, -8.0, 0.0, "Will be deleted today, not sent"),  # the clock is in doubt
        (-9.0, False, None, 7.0, "Will be deleted on November 30, 2026"),
        (-9.0, True, -30.0, 0.0, "Sent; will be deleted on November 23, 2026"),
    ],
)
def test_when_a_lesson_goes_in_words(
    kit: Kit, ends_in: float, sent: bool, warned: float | None, goes_in: float, text: str
) -> None:
    warned_at = None if warned is None else NOW + warned * A_DAY
    lesson = msgspec.structs.replace(
        kit.lessons.add("Fractions", "ended"), ends_at=NOW + ends_in * A_DAY, sent=sent, warned_at=warned_at
    )
    assert goes_at(lesson, NOW) == NOW + goes_in * A_DAY
    with kit.app.test_request_context("/?lang=en"):
        assert ending_text(lesson, NOW, "en") == text


def test_longer_is_by_the_schools_setting_and_never_too_long(kit: Kit) -> None:
    lesson = msgspec.structs.replace(kit.lessons.add("Fractions", "ended"), ends_at=NOW + 5)
    assert kept_until(lesson, 180, NOW) == NOW + 5 + 180 * A_DAY
    assert kept_until(lesson, 180, NOW + 100 * A_DAY) == NOW + 280 * A_DAY
    assert kept_until(lesson, 3650, NOW) < NOW + 3650 * A_DAY


def test_the_teachers_page_says_how_many_will_go(kit: Kit) -> None:
    first, second, third = (kit.lessons.add("Fractions", "ended") for _ in range(3))
    english = {**kit.teacher(), "Accept-Language": "en"}

    def page() -> str:
        return kit.client().get("/teacher", headers=english).text

    assert "not sent" not in page()
    kit.lessons.known[first.id] = msgspec.structs.replace(first, ends_at=NOW, warned_at=NOW)
    kit.lessons.known[second.id] = msgspec.structs.replace(second, ends_at=NOW, warned_at=NOW, sent=True)
    assert "One recording that was not sent will be deleted within a week." in page()
    kit.lessons.known[third.id] = msgspec.structs.replace(third, ends_at=NOW, warned_at=NOW)
    assert "2 recordings that were not sent will be deleted within a week." in page()
    kit.lessons.silent = True
    assert "not sent" not in page() and 'id="start"' in page()
