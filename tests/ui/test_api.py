"""The rules of /api/v1, one line of a table each where they fit in one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ui.conftest import CODE, PIN, Kit
from ui.api import DESCRIPTION


def is_problem(response: Any, status: int) -> bool:
    body = response.get_json(force=True)
    return bool(
        response.status_code == status
        and response.content_type == "application/problem+json"
        and body["status"] == status
        and {"type", "title", "detail"} <= body.keys()
    )


def test_session_gives_token_and_cookie(kit: Kit) -> None:
    client = kit.client()
    response = client.post("/api/v1/session", json={"pin": PIN})
    assert response.status_code == 200
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert client.post("/api/v1/lessons", json={}).status_code == 201
    assert client.delete("/api/v1/session").status_code == 204
    assert is_problem(client.post("/api/v1/lessons", json={}), 401)


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("session", b"{", "application/json", 400),
        ("session", b"", "application/json", 400),
        ("session", b'{"pin": 271828}', "application/json", 400),
        ("session", b"[]", "application/json", 400),
        ("session", b'{"pin": "\xff"}', "application/json", 400),
        ("session", b"pin=271828", "application/x-www-form-urlencoded", 415),
        ("session", b'{"pin": "000000"}', "application/json", 401),
        ("session", b'{"pin": "' + b"9" * 70_000 + b'"}', "application/json", 413),
        ("join", b'{"code": "123456"}', "application/json", 400),
        ("join", b'{"code": "123456", "name": ""}', "application/json", 400),
        ("join", b'{"code": "123456", "name": "   "}', "application/json", 400),
        ("join", b'{"code": "123456", "name": "a\\u0007b"}', "application/json", 400),
        ("join", b'{"code": "123456", "name": "a\\u202eb"}', "application/json", 400),
        ("join", b'{"code": "123456", "name": "' + b"x" * 41 + b'"}', "application/json", 400),
        ("join", b'{"code": 123456, "name": "A"}', "application/json", 400),
        ("join", b'{"code": "654321", "name": "A"}', "application/json", 404),
        ("lessons", b"{}", "application/json", 401),
        ("nowhere", b"{}", "application/json", 404),
        ("kit", b"{}", "application/json", 405),
    ],
)
def test_refusals_are_problems(kit: Kit, path: str, body: bytes, kind: str, status: int) -> None:
    response = kit.client().post(f"/api/v1/{path}", data=body, content_type=kind)
    assert is_problem(response, status)


@pytest.mark.parametrize("name", ["Zoé", "  Zoé  ", "x" * 40, "Anne-Lise O'Brien", "李"])
def test_join(kit: Kit, name: str) -> None:
    response = kit.client().post("/api/v1/join", json={"code": "123 456", "name": name})
    body = response.get_json()
    assert response.status_code == 200 and body["lesson"] is None and body["token"] and body["viewer"]


def test_a_lesson_from_start_to_deletion(kit: Kit) -> None:
    client, teacher = kit.client(), kit.teacher()
    started = client.post("/api/v1/lessons", json={"title": " Fractions "}, headers=teacher)
    lesson = started.get_json()
    assert started.status_code == 201 and lesson["title"] == "Fractions" and lesson["state"] == "live"
    assert {"id", "code", "started_at"} <= lesson.keys()
    where = started.headers["Location"]
    assert client.get(where, headers=teacher).get_json()["id"] == lesson["id"]
    assert is_problem(client.post("/api/v1/lessons", json={}, headers=teacher), 409)
    joined = client.post("/api/v1/join", json={"code": CODE, "name": "Léa"}).get_json()
    assert joined["lesson"]["id"] == lesson["id"]
    assert is_problem(client.delete(where, headers=teacher), 409)
    stopped = client.post(f"{where}/stop", headers=teacher)
    assert stopped.status_code == 200 and stopped.get_json()["state"] == "ended"
    assert kit.streaming.closed_pupils.wait(5)
    assert client.get("/api/v1/kit").get_json()["lesson"] is None
    assert len(client.get("/api/v1/lessons", headers=teacher).get_json()["lessons"]) == 1
    assert client.delete(where, headers=teacher).status_code == 204
    assert is_problem(client.get(where, headers=teacher), 404)


@pytest.mark.parametrize(("minutes", "status"), [(45, 201), (None, 201), (0, 400), (1441, 400), ("45", 400)])
def test_how_long_a_lesson_is_planned(kit: Kit, minutes: object, status: int) -> None:
    body = {"title": "Fractions", "minutes": minutes}
    assert kit.client().post("/api/v1/lessons", json=body, headers=kit.teacher()).status_code == status
    if status == 201:
        assert kit.lessons.minutes == minutes


def test_a_lesson_needs_no_title(kit: Kit) -> None:
    response = kit.client().post("/api/v1/lessons", headers={**kit.teacher(), "Accept-Language": "fr"})
    assert response.status_code == 201 and response.get_json()["title"].startswith("Cours du ")


@pytest.mark.parametrize("title", ["a\u0000b", "x" * 121])
def test_an_unusable_title(kit: Kit, title: str) -> None:
    assert is_problem(kit.client().post("/api/v1/lessons", json={"title": title}, headers=kit.teacher()), 400)


@pytest.mark.parametrize(("method", "path"), [("post", "lessons"), ("delete", "lessons/x"), ("post", "lessons/x/stop")])
def test_pupils_may_not(kit: Kit, method: str, path: str) -> None:
    assert is_problem(kit.client().open(f"/api/v1/{path}", method=method.upper(), headers=kit.pupil()), 403)


def test_only_the_teacher_sees_code_and_level(kit: Kit) -> None:
    client = kit.client()
    assert "join" not in client.get("/api/v1/kit").get_json()
    known = client.get("/api/v1/kit", headers=kit.teacher()).get_json()
    assert known["join"]["code"] == CODE and known["join"]["url"].endswith(f"/join/{CODE}")
    assert known["capture"]["level_dbfs"] == -23.5
    assert known["services"]["lessons"]["up"] is True


def test_a_silent_service_is_503(kit: Kit) -> None:
    kit.lessons.silent = True
    response = kit.client().get("/api/v1/lessons", headers=kit.teacher())
    assert is_problem(response, 503) and int(response.headers["Retry-After"]) > 0


def test_wrong_pins_are_slowed_down_per_address(kit: Kit) -> None:
    guesser, other = kit.client("10.0.0.1"), kit.client("10.0.0.2")
    for _ in range(5):
        assert guesser.post("/api/v1/session", json={"pin": "000000"}).status_code == 401
    refused = guesser.post("/api/v1/session", json={"pin": PIN})
    assert is_problem(refused, 429) and 1 <= int(refused.headers["Retry-After"]) <= 61
    assert other.post("/api/v1/session", json={"pin": PIN}).status_code == 200


def test_right_pins_and_codes_are_never_slowed_down(kit: Kit) -> None:
    client = kit.client()
    for _ in range(30):
        assert client.post("/api/v1/session", json={"pin": PIN}).status_code == 200
        assert client.post("/api/v1/join", json={"code": CODE, "name": "A"}).status_code == 200


def test_wrong_codes_are_slowed_down(kit: Kit) -> None:
    client = kit.client()
    answers = [client.post("/api/v1/join", json={"code": "0", "name": "A"}).status_code for _ in range(21)]
    assert answers == [404] * 20 + [429]


def test_every_route_is_described_and_every_description_a_route(kit: Kit) -> None:
    document = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    served = set()
    for rule in kit.app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in ("api", "whep", "whip", "quality", "stream", "media", "health"):
            path = "".join(f"{{{part}}}" if is_dynamic else part for is_dynamic, part in rule._trace).lstrip("|")
            methods = set(rule.methods or ()) - {"HEAD", "OPTIONS"}
            if rule.endpoint.endswith("options"):
                methods = {"OPTIONS"}
            served |= {(path, method) for method in methods}
    assert served == described
    assert kit.client().get("/api/v1/openapi.json").get_json() == document


def test_every_reference_of_the_description_resolves() -> None:
    text = DESCRIPTION.read_text(encoding="utf-8")
    document = json.loads(text)

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    for reference in references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
