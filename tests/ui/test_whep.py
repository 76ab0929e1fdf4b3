"""WHEP signalling: who is let in, and what HTTP says."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Kit
from tests.ui.doubles import ANSWER
from ui.whep import FRAGMENT, SDP

OFFER = "v=0\r\n"


def test_the_teacher_always_watches(kit: Kit) -> None:
    response = kit.client("10.1.2.3").post("/whep", data=OFFER, content_type=SDP, headers=kit.teacher())
    assert response.status_code == 201 and response.content_type == SDP and response.text == ANSWER
    assert response.headers["Location"] == "/whep/s1" and response.headers["ETag"] == '"e1"'
    assert kit.streaming.peers == ["10.1.2.3"]


def test_a_pupil_watches_while_a_lesson_is_live(kit: Kit) -> None:
    client, pupil, teacher = kit.client(), kit.pupil(), kit.teacher()
    assert client.post("/whep", data=OFFER, content_type=SDP, headers=pupil).status_code == 409
    id = client.post("/api/v1/lessons", json={}, headers=teacher).get_json()["id"]
    assert client.post("/whep", data=OFFER, content_type=SDP, headers=pupil).status_code == 201
    client.post(f"/api/v1/lessons/{id}/stop", headers=teacher)
    assert client.post("/whep", data=OFFER, content_type=SDP, headers=pupil).status_code == 409


@pytest.mark.parametrize(
    ("body", "kind", "known", "status"),
    [
        (OFFER, SDP, False, 401),
        (OFFER, "text/plain", True, 415),
        ("nonsense", SDP, True, 400),
        ("", SDP, True, 400),
        (b"\xff\xfe", SDP, True, 400),
        ("v=0" + "a" * 70_000, SDP, True, 413),
    ],
)
def test_offers_that_are_refused(kit: Kit, body: str | bytes, kind: str, known: bool, status: int) -> None:
    response = kit.client().post("/whep", data=body, content_type=kind, headers=kit.teacher() if known else {})
    assert response.status_code == status and response.content_type == "application/problem+json"


def test_options(kit: Kit) -> None:
    response = kit.client().options("/whep")
    assert response.status_code == 204 and response.headers["Accept-Post"] == SDP


@pytest.mark.parametrize(
    ("etag", "kind", "status"),
    [
        ('"e1"', FRAGMENT, 204),
        ("*", FRAGMENT, 200),
        ('"old"', FRAGMENT, 412),
        (None, FRAGMENT, 428),
        ('"e1"', SDP, 415),
    ],
)
def test_patch(kit: Kit, etag: str | None, kind: str, status: int) -> None:
    client, teacher = kit.client(), kit.teacher()
    where = client.post("/whep", data=OFFER, content_type=SDP, headers=teacher).headers["Location"]
    headers = {**teacher, **({"If-Match": etag} if etag else {})}
    response = client.patch(where, data="a=end-of-candidates\r\n", content_type=kind, headers=headers)
    assert response.status_code == status


def test_a_session_is_its_viewers_own(kit: Kit) -> None:
    client, teacher = kit.client(), kit.teacher()
    where = client.post("/whep", data=OFFER, content_type=SDP, headers=teacher).headers["Location"]
    assert client.delete(where, headers=kit.pupil()).status_code == 404
    assert client.delete(where).status_code == 401
    assert client.delete(where, headers=teacher).status_code == 200
    assert client.delete(where, headers=teacher).status_code == 404
