"""WHIP signalling: who may publish, and what HTTP says."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Kit
from tests.ui.doubles import ANSWER
from ui.whep import SDP

OFFER = "v=0\r\n"


def presenter(kit: Kit) -> dict[str, str]:
    token = kit.app.extensions["preau"].tokens.issue("presenter", "OBS", "obs")
    return {"Authorization": f"Bearer {token}"}


def test_the_teacher_publishes_the_screen(kit: Kit) -> None:
    client, teacher = kit.client("10.1.2.3"), kit.teacher()
    response = client.post("/whip/screen", data=OFFER, content_type=SDP, headers=teacher)
    assert response.status_code == 201 and response.content_type == SDP and response.text == ANSWER
    where = response.headers["Location"]
    assert where == "/whip/screen/s1" and response.headers["ETag"] == '"e1"'
    taken = client.post("/whip/screen", data=OFFER, content_type=SDP, headers=presenter(kit))
    assert taken.status_code == 409 and taken.content_type == "application/problem+json"
    assert client.delete(where, headers=presenter(kit)).status_code == 404
    assert client.delete(where, headers=teacher).status_code == 200
    assert client.post("/whip/screen", data=OFFER, content_type=SDP, headers=presenter(kit)).status_code == 201


@pytest.mark.parametrize(
    ("source", "body", "kind", "who", "status"),
    [
        ("screen", OFFER, SDP, "nobody", 401),
        ("screen", OFFER, SDP, "pupil", 403),
        ("screen", OFFER, SDP, "wrong", 401),
        ("talk", OFFER, SDP, "presenter", 403),
        ("talk", OFFER, SDP, "teacher", 201),
        ("board", OFFER, SDP, "teacher", 404),
        ("screen", OFFER, "text/plain", "teacher", 415),
        ("screen", "nonsense", SDP, "teacher", 400),
        ("screen", "", SDP, "teacher", 400),
        ("screen", b"\xff\xfe", SDP, "teacher", 400),
        ("screen", "v=0" + "a" * 70_000, SDP, "teacher", 413),
    ],
)
def test_offers(kit: Kit, source: str, body: str | bytes, kind: str, who: str, status: int) -> None:
    headers = {
        "nobody": {},
        "wrong": {"Authorization": "Bearer wrong"},
        "pupil": kit.pupil(),
        "teacher": kit.teacher(),
        "presenter": presenter(kit),
    }[who]
    response = kit.client().post(f"/whip/{source}", data=body, content_type=kind, headers=headers)
    assert response.status_code == status
    if status >= 400:
        assert response.content_type == "application/problem+json"


def test_a_presenter_can_do_nothing_else(kit: Kit) -> None:
    client, token = kit.client(), presenter(kit)
    assert client.post("/whep", data=OFFER, content_type=SDP, headers=token).status_code == 403
    assert client.post("/api/v1/lessons", json={}, headers=token).status_code == 403
    assert client.get("/api/v1/lessons", headers=token).status_code == 403
    assert client.get("/lessons", headers=token).status_code == 302


def test_the_screen_is_watched_while_it_is_shared(kit: Kit) -> None:
    client, teacher = kit.client(), kit.teacher()
    watch = {"data": OFFER, "content_type": SDP, "headers": teacher}
    assert client.post("/whep?source=screen", **watch).status_code == 409
    client.post("/whip/screen", **watch)
    assert client.post("/whep?source=screen", **watch).status_code == 201
    assert client.post("/whep?source=attic", **watch).status_code == 409
