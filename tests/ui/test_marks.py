"""Marks over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from lessons.vtt import Cue, parse
from tests.ui.conftest import Kit


def test_a_mark_from_press_to_chapter(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "live").id
    client, teacher = kit.client(), kit.teacher()
    where = f"/api/v1/lessons/{id}/marks"
    made = client.post(where, headers=teacher)
    assert made.status_code == 201
    assert made.get_json() == {"id": "00000000", "at_s": 12.5, "text": "", "kind": "teacher", "still": None}
    assert made.headers["Location"] == f"{where}/00000000"
    changed = client.patch(f"{where}/00000000", json={"text": " La lave "}, headers=teacher)
    assert changed.get_json() == {"id": "00000000", "at_s": 12.5, "text": "La lave", "kind": "teacher", "still": None}
    client.post(where, json={"at_s": 60}, headers=teacher)
    listed = client.get(where, headers=kit.pupil()).get_json()["marks"]
    assert [(one["at_s"], one["text"]) for one in listed] == [(12.5, "La lave"), (60, "")]
    french = {**kit.pupil(), "Accept-Language": "fr"}
    chapters = client.get(f"/lessons/{id}/chapters.vtt", headers=french)
    assert chapters.content_type == "text/vtt; charset=utf-8" and chapters.headers["Cache-Control"] == "no-cache"
    assert parse(chapters.data) == [Cue(12_500, 60_000, "La lave"), Cue(60_000, 3_725_000, "Repère 2")]
    again = {**french, "If-None-Match": chapters.headers["ETag"]}
    assert client.get(f"/lessons/{id}/chapters.vtt", headers=again).status_code == 304
    assert client.delete(f"{where}/00000000", headers=teacher).status_code == 204
    assert len(client.get(where, headers=teacher).get_json()["marks"]) == 1


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("POST", {"at_s": -1}, 400),
        ("POST", {"at_s": "1"}, 400),
        ("POST", {"text": "a\u0007b"}, 400),
        ("POST", {"text": "x" * 201}, 400),
        ("POST", {}, 400),  # the lesson is over
        ("PATCH", {"text": "x"}, 404),
        ("DELETE", None, 404),
    ],
)
def test_refusals(kit: Kit, method: str, body: Any, status: int) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    path = f"/api/v1/lessons/{id}/marks" + ("" if method == "POST" else "/0badcafe")
    response = kit.client().open(path, method=method, json=body, headers=kit.teacher())
    assert response.status_code == status and response.content_type == "application/problem+json"
    assert kit.client().open(path, method=method, json=body, headers=kit.pupil()).status_code == 403
    assert kit.client().open(path, method=method, json=body).status_code == 401
    assert kit.lessons.marks == {}


def test_chapters_of_nothing(kit: Kit) -> None:
    assert kit.client().get("/lessons/nothing/chapters.vtt", headers=kit.pupil()).status_code == 404
    assert kit.client().get("/api/v1/lessons/nothing/marks", headers=kit.pupil()).status_code == 404
    id = kit.lessons.add("Fractions", "ended").id
    assert kit.client().get(f"/lessons/{id}/chapters.vtt", headers=kit.pupil()).text == "WEBVTT\n"
    assert kit.client().get(f"/lessons/{id}/chapters.vtt").status_code == 401


def test_pictures(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, pupil = kit.client(), kit.pupil()
    paths = [f"/lessons/{id}/{name}" for name in ("strip.vtt", "strip/0001.jpg", "stills/5400000.jpg")]
    for path in paths:
        assert client.get(path, headers=pupil).status_code == 404
        assert client.get(path).status_code == 401
    assert b"thumbnails" not in client.get(f"/lessons/{id}", headers=pupil).data
    (kit.lessons.folder / "stills").mkdir()
    for name in ("strip.vtt", "0001.jpg", "stills/5400000.jpg"):
        (kit.lessons.folder / name).write_bytes(b"WEBVTT\n")
    kinds = []
    for path in paths:
        with client.get(path, headers=pupil) as response:
            kinds.append(response.content_type)
    assert kinds == ["text/vtt; charset=utf-8", "image/jpeg", "image/jpeg"]
    assert b"thumbnails" in client.get(f"/lessons/{id}", headers=pupil).data
    kit.lessons.mark(id, at_s=60.0)
    kit.lessons.mark(id, at_s=61.0)
    listed = client.get(f"/api/v1/lessons/{id}/marks", headers=pupil).get_json()["marks"]
    assert [mark["still"] for mark in listed] == [paths[2], None]
    assert client.get(f"/lessons/{id}/stills.pdf").status_code == 401
    for path in ("strip/..%2Fsecrets.jpg", "stills/-1.jpg", "stills/x.jpg"):
        assert client.get(f"/lessons/{id}/{path}", headers=pupil).status_code == 404
