"""WHEP signalling: who is let in, and what HTTP says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.conftest import PIN, Kit, make_kit
from tests.ui.doubles import ANSWER
from ui import ice
from ui.whep import SDP

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


def test_another_sites_player_needs_a_token(kit: Kit) -> None:
    """RFC 9725 section 4.7; a cookie that the browser would send along authorises nothing."""
    origin = {"Origin": "https://player.example", "Sec-Fetch-Site": "cross-site"}
    client = kit.client()
    response = client.post("/whep", data=OFFER, content_type=SDP, headers={**kit.teacher(), **origin})
    assert response.status_code == 201
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert {"Location", "ETag", "Link"} <= set(response.headers["Access-Control-Expose-Headers"].split(", "))
    client.post("/api/v1/session", json={"pin": PIN})
    response = client.post("/whep", data=OFFER, content_type=SDP, headers=origin)
    assert response.status_code == 403 and response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in client.options("/whep").headers["Access-Control-Allow-Headers"]


def test_ice_servers_are_told_to_those_with_a_token(tmp_path: Path) -> None:
    kit = make_kit(tmp_path, ice_servers=["stun:192.0.2.1", "turn:192.0.2.1?transport=tcp"], turn_secret="north pole")
    client, teacher = kit.client(), kit.teacher()
    assert "Link" not in client.options("/whep").headers
    asked = client.options("/whep", headers=teacher)
    given = client.post("/whep", data=OFFER, content_type=SDP, headers=teacher)
    for response in (asked, given):
        stun, turn = response.headers.getlist("Link")
        assert stun == '<stun:192.0.2.1>; rel="ice-server"'
        assert turn.startswith('<turn:192.0.2.1?transport=tcp>; rel="ice-server"; username="')


def test_turn_credentials_are_the_relays() -> None:
    """By coturn's rule; the digest was made with `openssl dgst -sha1 -hmac`."""
    (stun, turn) = ice.servers(["stun:a.example", "turns:a.example:443"], "north pole", "Abc_-1", 1_000_000.5)
    assert stun == ice.IceServer("stun:a.example")
    assert turn == ice.IceServer("turns:a.example:443", "1014400:Abc_-1", "khVMixJ7evK1OKDJQgIwJt6s0AA=")


def test_a_session_is_its_viewers_own(kit: Kit) -> None:
    client, teacher = kit.client(), kit.teacher()
    where = client.post("/whep", data=OFFER, content_type=SDP, headers=teacher).headers["Location"]
    assert client.delete(where, headers=kit.pupil()).status_code == 404
    assert client.delete(where).status_code == 401
    assert client.delete(where, headers=teacher).status_code == 200
    assert where.removeprefix("/whep/") not in kit.streaming.sessions


def test_a_flood_of_posts_is_refused_and_hurts_no_other_behind_the_address(kit: Kit) -> None:
    client, flooder, other = kit.client("10.1.2.3"), kit.teacher(), kit.teacher()
    posts = [client.post("/whep", data=OFFER, content_type=SDP, headers=flooder) for _ in range(100)]
    assert [post.status_code for post in posts] == [201] * 60 + [429] * 40
    assert 1 <= int(posts[-1].headers["Retry-After"]) <= 11
    assert client.post("/whep", data=OFFER, content_type=SDP, headers=other).status_code == 201


def test_a_viewer_chooses_its_quality(kit: Kit) -> None:
    client, teacher = kit.client(), kit.teacher()
    assert client.post("/whep?quality=saving", data=OFFER, content_type=SDP, headers=teacher).status_code == 201
    asked = client.patch("/whep/s1", json={}, headers=teacher)
    assert asked.get_json() == {"quality": "saving", "showing": "low"}
    chosen = client.patch("/whep/s1", json={"quality": "sound"}, headers=teacher)
    assert chosen.get_json() == {"quality": "sound", "showing": "none"}
    assert client.patch("/whep/s1", json={}, headers=kit.teacher()).status_code == 404


@pytest.mark.parametrize("body", [{"quality": "best"}, {"quality": 3}, {"rung": "720p"}, ["sharp"]])
def test_choices_that_are_none(kit: Kit, body: object) -> None:
    client, teacher = kit.client(), kit.teacher()
    client.post("/whep", data=OFFER, content_type=SDP, headers=teacher)
    assert client.patch("/whep/s1", json=body, headers=teacher).status_code == 400
    assert client.patch("/whep/s1", data=b"{", content_type="application/json", headers=teacher).status_code == 400
    assert client.post("/whep?quality=best", data=OFFER, content_type=SDP, headers=teacher).status_code == 400


def test_stills_for_who_may_watch(kit: Kit) -> None:
    client, teacher, pupil = kit.client(), kit.teacher(), kit.pupil()
    assert client.get("/api/v1/still").status_code == 401
    assert client.get("/api/v1/still", headers=pupil).status_code == 409
    client.post("/api/v1/lessons", json={}, headers=teacher)
    picture = client.get("/api/v1/still", headers=pupil)
    assert (picture.status_code, picture.content_type, picture.data) == (200, "image/jpeg", kit.capture.picture)
    again = client.get("/api/v1/still", headers={**pupil, "If-None-Match": picture.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    kit.capture.picture = b"another"
    assert client.get("/api/v1/still", headers={**pupil, "If-None-Match": picture.headers["ETag"]}).status_code == 200
    kit.capture.picture = None
    assert client.get("/api/v1/still", headers=teacher).status_code == 503
