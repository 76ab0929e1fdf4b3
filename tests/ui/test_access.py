"""Who may see which recording, by every address that there is below /lessons/ID, and in what pages are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from appliance.messages import Lesson, LessonState, Visibility
from tests.ui.conftest import CODE, SECRETS, Kit, make_kit
from ui.access import pupil_may_see
from ui.auth import Tokens
from ui.push import for_pupils
from ui.views import live_view

# What an address of each kind names in the lesson of these tests; a new kind of address is to be added.
NAMES = {
    "name": "part-0001",
    "at": 5_400_000,
    "part": 1,
    "first": 100,
    "last": 199,
    "mark": "00000000",
    "kind": "captions",
    "language": "fr",
}
ELSEWHERE = {"media.sheet": {"name": "0001"}}
BODIES: dict[str, dict[str, Any]] = {"api.put_track": {"data": "WEBVTT\n", "content_type": "text/vtt"}}
NOBODY = "20260101-000000-abcd"


@pytest.mark.parametrize(
    ("own", "live", "visibility", "seen"),
    [
        (True, False, "class", True),
        (True, False, "teacher", False),
        (True, False, "school", True),
        (False, False, "class", False),
        (False, False, "teacher", False),
        (False, False, "school", True),
        (True, True, "class", True),
        (True, True, "teacher", True),
        (True, True, "school", True),
        (False, True, "class", False),
        (False, True, "teacher", False),
        (False, True, "school", True),
    ],
)
def test_who_may_see(own: bool, live: bool, visibility: Visibility, seen: bool) -> None:
    assert pupil_may_see(CODE, CODE if own else "999999", visibility, live) is seen


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return make_kit(tmp_path)


def full_lesson(kit: Kit, title: str = "Les volcans") -> Lesson:
    """A lesson that has all that a lesson can have, so that no address of it is unknown for another reason."""
    lesson = kit.lessons.add(title, "ended", thumbnail=True, screen_s=150.0)
    kit.lessons.mark(lesson.id, "La lave", 60.0)
    kit.lessons.put_track(lesson.id, "captions", "fr", "Français", "WEBVTT\n\n00:01.000 --> 00:02.000\nBonjour\n")
    kit.lessons.spoken[lesson.id] = [(30.0, 12.0, True)]
    kit.lessons.lowered.add(lesson.id)
    (kit.lessons.folder / "stills").mkdir(exist_ok=True)
    for name in ("thumbnail.jpg", "0001.jpg", "stills/5400000.jpg"):
        (kit.lessons.folder / name).write_bytes(JPEG)
    (kit.lessons.folder / "strip.vtt").write_text("WEBVTT\n")
    return lesson


JPEG = bytes.fromhex("ffd8ffc0000b080001000101011100ffd9")


def of_lessons(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every address and method that names a lesson."""
    for rule in app.url_map.iter_rules():
        if "/lessons/<" in rule.rule:
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                yield rule, method


def ask(kit: Kit, rule: Rule, method: str, id: str, who: dict[str, str]) -> TestResponse:
    unknown = rule.arguments - {"id"} - NAMES.keys()
    assert not unknown, f"{rule.rule}: say in NAMES what {unknown} names"
    values = {name: NAMES[name] for name in rule.arguments - {"id"}} | ELSEWHERE.get(rule.endpoint, {}) | {"id": id}
    with kit.app.test_request_context():
        path = kit.app.url_map.bind("localhost").build(rule.endpoint, values, method)
    return kit.client().open(path, method=method, headers=who, **BODIES.get(rule.endpoint, {}))


def told(response: TestResponse, id: str) -> tuple[int, str]:
    """What a response tells, whichever lesson it is about."""
    with response:
        return response.status_code, response.get_data(as_text=True).replace(id, "ID")


def escapes(kit: Kit, hidden: Lesson, pupil: dict[str, str]) -> list[str]:
    """The addresses that tell pupils something of a lesson that is hidden from them."""
    return [
        f"{method} {rule.rule}"
        for rule, method in of_lessons(kit.app)
        if told(ask(kit, rule, method, hidden.id, pupil), hidden.id)
        != told(ask(kit, rule, method, NOBODY, pupil), NOBODY)
        or ask(kit, rule, method, hidden.id, pupil).status_code not in (403, 404)
    ]


def test_no_address_tells_pupils_of_a_lesson_that_is_not_for_them(kit: Kit) -> None:
    hidden = full_lesson(kit)
    kit.lessons.describe(hidden.id, visibility="teacher")
    assert escapes(kit, hidden, kit.pupil()) == []
    reads = [(rule, method) for rule, method in of_lessons(kit.app) if method == "GET"]
    assert len(reads) >= 17
    for rule, method in reads:  # there is something to be seen behind each
        with ask(kit, rule, method, hidden.id, kit.teacher()) as response:
            assert response.status_code == 200, rule.rule
        pupil = ask(kit, rule, method, hidden.id, kit.pupil())
        assert pupil.status_code == 404, rule.rule


def test_an_address_that_forgets_to_ask_is_found(kit: Kit) -> None:
    """The walk above would not pass if a route did not look."""

    def forgetful(id: str) -> str:
        return "".join(lesson.title for lesson in kit.lessons.list() if lesson.id == id)

    kit.app.add_url_rule("/lessons/<id>/forgetful.txt", "forgetful", forgetful)
    hidden = full_lesson(kit)
    kit.lessons.describe(hidden.id, visibility="teacher")
    assert escapes(kit, hidden, kit.pupil()) == [f"{method} /lessons/<id>/forgetful.txt" for method in ("GET", "HEAD")]


@pytest.mark.parametrize("visibility", ["class", "school"])
def test_what_is_for_pupils_is_whole(kit: Kit, visibility: Visibility) -> None:
    lesson = full_lesson(kit)
    kit.lessons.describe(lesson.id, visibility=visibility)
    for rule, method in of_lessons(kit.app):
        if method == "GET":
            with ask(kit, rule, method, lesson.id, kit.pupil()) as response:
                assert response.status_code == 200, rule.rule


def other_pupil(kit: Kit) -> dict[str, str]:
    """A pupil of this kit, of the code that it has now; the lesson's was another."""
    return {"Authorization": f"Bearer {Tokens(SECRETS).issue('pupil', 'Noé', 'v')}"}


@pytest.mark.parametrize(("visibility", "seen"), [("class", False), ("teacher", False), ("school", True)])
def test_a_lesson_of_another_code(kit: Kit, visibility: Visibility, seen: bool) -> None:
    lesson = kit.lessons.describe(kit.lessons.add("D'une autre année", "ended").id, visibility=visibility)
    kit.lessons.known[lesson.id] = msgspec.structs.replace(lesson, code="999999")
    client, pupil = kit.client(), other_pupil(kit)
    assert (client.get(f"/lessons/{lesson.id}/index.m3u8", headers=pupil).status_code == 200) is seen
    assert (client.get(f"/api/v1/lessons/{lesson.id}", headers=pupil).status_code == 200) is seen
    assert (lesson.title in client.get("/lessons", headers={**pupil}).text.replace("&#39;", "'")) is seen
    assert client.get(f"/lessons/{lesson.id}/index.m3u8", headers=kit.teacher()).status_code == 200


def test_lists_hold_only_what_may_be_seen(kit: Kit) -> None:
    for visibility in ("class", "teacher", "school"):
        id = kit.lessons.add(f"Pour {visibility}", "ended").id
        kit.lessons.describe(id, visibility=visibility, subject=f"Matière {visibility}")

    def titles(who: dict[str, str]) -> list[str]:
        answer = kit.client().get("/api/v1/lessons", headers=who).get_json()
        page = kit.client().get("/lessons", headers=who).text
        found = [lesson["title"] for lesson in answer["lessons"]]
        assert answer["total"] == len(found) == len(answer["subjects"])
        assert all((f"Pour {one}" in page) == (f"Pour {one}" in found) for one in ("class", "teacher", "school"))
        assert ("Matière teacher" in page) == ("Pour teacher" in found)
        return sorted(found)

    assert titles(kit.teacher()) == ["Pour class", "Pour school", "Pour teacher"]
    assert titles(kit.pupil()) == ["Pour class", "Pour school"]


def test_a_live_lesson_is_its_classs_and_then_the_teachers(kit: Kit) -> None:
    lesson = kit.lessons.describe(kit.lessons.add("Les volcans", "live").id, visibility="teacher")
    client, pupil = kit.client(), kit.pupil()
    paths = [f"/lessons/{lesson.id}/index.m3u8", f"/lessons/{lesson.id}", f"/api/v1/lessons/{lesson.id}"]
    assert [client.get(path, headers=pupil).status_code for path in paths] == [200] * 3
    assert client.get("/api/v1/lessons", headers=pupil).get_json()["total"] == 1
    kit.lessons.stop(lesson.id)
    assert [client.get(path, headers=pupil).status_code for path in paths] == [404] * 3
    assert client.get("/api/v1/lessons", headers=pupil).get_json()["total"] == 0


def test_a_live_lesson_that_the_disk_refuses_is_its_classs(kit: Kit) -> None:
    lesson = kit.lessons.add("Les volcans", "live")
    kit.lessons.unsettled.add(lesson.id)
    path = f"/api/v1/lessons/{lesson.id}"
    assert kit.client().get(path, headers=kit.teacher()).status_code == 200
    assert kit.client().get(path, headers=kit.pupil()).status_code == 404
    kit.state.note(LessonState(lesson.id, lesson.code, lesson.title, "live", 1000.0, 0.0, 0, "disk_full"))
    assert kit.client().get(path, headers=kit.pupil()).status_code == 200
    assert kit.client().get("/api/v1/lessons/another", headers=kit.pupil()).status_code == 404


def test_pages_of_pupils_hear_that_a_lesson_is_over_but_nothing_of_its_recording(kit: Kit) -> None:
    context: Any = kit.app.extensions["preau"]

    def heard(state: Any, visibility: Visibility) -> dict[str, Any] | None:
        lesson = LessonState("x", CODE, "Les volcans", state, 1000.0, 5.0, 1, visibility=visibility)
        return for_pupils(context, lesson, live_view(lesson, 0.0))

    for state, visibility in (("ended", "teacher"), ("interrupted", "teacher"), ("deleted", "class")):
        view = heard(state, visibility)  # type: ignore[arg-type]
        assert view and (view["state"], view["title"], view["page"]) == (state, "", None)
    for state, visibility in (("live", "teacher"), ("ended", "class"), ("ended", "school")):
        view = heard(state, visibility)  # type: ignore[arg-type]
        assert view and (view["title"], view["page"]) == ("Les volcans", "/lessons/x")
    assert for_pupils(context, None, None) is None


def test_a_page_that_comes_later_hears_nothing_of_a_recording_that_is_not_for_it(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.engine.welcome", lambda *_: True)  # the test client comes in behind the door
    lesson = LessonState("x", CODE, "Les volcans", "live", 1000.0, 5.0, 1, visibility="teacher")
    kit.state.note(lesson)
    socketio = kit.app.extensions["socketio"]

    def heard(page: Any) -> list[Any]:
        return [one["args"][0] for one in page.get_received() if one["name"] == "lesson"]

    there = socketio.test_client(kit.app, auth={"token": kit.pupil_token()})
    assert [one["title"] for one in heard(there)] == ["Les volcans"]
    kit.state.note(msgspec.structs.replace(lesson, state="ended"))
    assert [(one["state"], one["title"], one["page"]) for one in heard(there)] == [("ended", "", None)]
    later = socketio.test_client(kit.app, auth={"token": kit.pupil_token()})
    assert heard(later) == [None]
    teacher = socketio.test_client(kit.app, auth={"token": kit.teacher_token()})
    assert [one["title"] for one in heard(teacher)] == ["Les volcans"]
    for page in (there, later, teacher):
        page.disconnect()
