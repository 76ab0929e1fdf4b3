"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep-03) by the letter of HTTP, for both at once."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.ui.conftest import Kit
from tests.ui.doubles import ANSWER
from ui.auth import CHALLENGE
from ui.whep import FRAGMENT, SDP

OFFER = "v=0\r\n"
CANDIDATE = "a=ice-ufrag:abcd\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=end-of-candidates\r\n"
ENDPOINTS = pytest.mark.parametrize("endpoint", ["/whep", "/whip/screen"])
ENDPOINT_METHODS = {"GET", "HEAD", "OPTIONS", "POST"}
SESSION_METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}


def opened(kit: Kit, endpoint: str, teacher: dict[str, str]) -> TestResponse:
    response = kit.client().post(endpoint, data=OFFER, content_type=SDP, headers=teacher)
    assert response.status_code == 201
    return response


def methods(response: TestResponse, header: str = "Allow") -> set[str]:
    return set(response.headers[header].split(", "))


@ENDPOINTS
def test_an_offer_is_answered(kit: Kit, endpoint: str) -> None:
    """Sections 4.2 and 4.3.1 of RFC 9725."""
    response = opened(kit, endpoint, kit.teacher())
    assert response.content_type == SDP and response.text == ANSWER
    assert response.headers["Location"] == f"{endpoint}/s1"
    assert response.headers["ETag"] == '"e1"'  # strong: quoted, without W/
    assert FRAGMENT in response.headers["Accept-Patch"]
    assert response.headers["Cache-Control"] == "no-store"


@ENDPOINTS
@pytest.mark.parametrize(
    ("body", "kind", "status", "told"),
    [
        (OFFER, "text/plain", 415, {"Accept-Post": SDP}),
        (OFFER, FRAGMENT, 415, {"Accept-Post": SDP}),
        (OFFER, None, 415, {"Accept-Post": SDP}),
        ("nonsense", SDP, 400, {}),
        ("", SDP, 400, {}),
        (b"\xff\xfe", SDP, 400, {}),
        ("v=0" + "a" * 70_000, SDP, 413, {}),
    ],
)
def test_offers_that_are_refused(
    kit: Kit, endpoint: str, body: str | bytes, kind: str | None, status: int, told: dict[str, str]
) -> None:
    response = kit.client().post(endpoint, data=body, content_type=kind, headers=kit.teacher())
    assert response.status_code == status and response.content_type == "application/problem+json"
    assert told.items() <= dict(response.headers).items()
    assert kit.streaming.sessions == {}


@ENDPOINTS
def test_a_token_is_needed(kit: Kit, endpoint: str) -> None:
    """RFC 6750: a challenge, which says of a token that was shown what is wrong with it."""
    where = opened(kit, endpoint, kit.teacher()).headers["Location"]
    for method, path in (("POST", endpoint), ("GET", endpoint), ("PATCH", where), ("DELETE", where), ("GET", where)):
        kind = SDP if method == "POST" else FRAGMENT
        bare = kit.client().open(path, method=method, data=OFFER, content_type=kind)
        assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, CHALLENGE), method
        wrong = {"Authorization": "Bearer forged"}
        forged = kit.client().open(path, method=method, headers=wrong, data=OFFER, content_type=kind)
        assert forged.status_code == 401
        assert forged.headers["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    assert kit.streaming.sessions.keys() == {"s1"}


@ENDPOINTS
def test_options_are_free(kit: Kit, endpoint: str) -> None:
    """Section 4.2, and CORS: nobody needs a token to ask. GStreamer's whipsink takes 204 only."""
    response = kit.client().options(endpoint)
    assert (response.status_code, response.data, response.headers["Accept-Post"]) == (204, b"", SDP)
    assert methods(response) == methods(response, "Access-Control-Allow-Methods") == ENDPOINT_METHODS
    where = opened(kit, endpoint, kit.teacher()).headers["Location"]
    response = kit.client().options(where)
    assert response.status_code == 204 and FRAGMENT in response.headers["Accept-Patch"]
    assert methods(response) == methods(response, "Access-Control-Allow-Methods") == SESSION_METHODS
    assert {"authorization", "content-type", "if-match"} <= {
        name.lower() for name in methods(response, "Access-Control-Allow-Headers")
    }


@ENDPOINTS
def test_a_get_succeeds_and_shows_nothing(kit: Kit, endpoint: str) -> None:
    """Section 4.1."""
    teacher = kit.teacher()
    where = opened(kit, endpoint, teacher).headers["Location"]
    for path in (endpoint, where):
        for method in ("GET", "HEAD"):
            response = kit.client().open(path, method=method, headers=teacher)
            assert (response.status_code, response.data) == (204, b"")


@ENDPOINTS
def test_other_methods_are_kept_for_later(kit: Kit, endpoint: str) -> None:
    teacher = kit.teacher()
    where = opened(kit, endpoint, teacher).headers["Location"]
    for path, method, allowed in (
        (endpoint, "PUT", ENDPOINT_METHODS),
        (endpoint, "PATCH", ENDPOINT_METHODS),
        (endpoint, "DELETE", ENDPOINT_METHODS),
        (where, "POST", SESSION_METHODS),
        (where, "PUT", SESSION_METHODS),
    ):
        response = kit.client().open(path, method=method, headers=teacher, data=OFFER, content_type=SDP)
        assert response.status_code == 405 and methods(response) == allowed, (path, method)
        assert response.content_type == "application/problem+json"


@ENDPOINTS
@pytest.mark.parametrize(
    ("etag", "kind", "body", "status"),
    [
        ('"e1"', FRAGMENT, CANDIDATE, 204),
        ("*", FRAGMENT, CANDIDATE, 200),
        ('"old"', FRAGMENT, CANDIDATE, 412),
        ('W/"e1"', FRAGMENT, CANDIDATE, 412),  # weak tags never match here (RFC 9110 section 13.1.1)
        ('"e1", "old"', FRAGMENT, CANDIDATE, 412),
        ("", FRAGMENT, CANDIDATE, 412),
        (None, FRAGMENT, CANDIDATE, 428),
        ('"e1"', SDP, CANDIDATE, 415),
        ('"e1"', None, CANDIDATE, 415),
        ('"e1"', FRAGMENT, "", 400),
        ('"e1"', FRAGMENT, b"\xff\xfe", 400),
    ],
)
def test_patch(kit: Kit, endpoint: str, etag: str | None, kind: str | None, body: str | bytes, status: int) -> None:
    """Sections 4.3.1 to 4.3.3: candidates trickle (204, no new tag), or ICE begins anew (200, another tag)."""
    teacher = kit.teacher()
    where = opened(kit, endpoint, teacher).headers["Location"]
    headers = {**teacher, **({} if etag is None else {"If-Match": etag})}
    response = kit.client().patch(where, data=body, content_type=kind, headers=headers)
    assert response.status_code == status
    if status == 204:
        assert response.data == b"" and "ETag" not in response.headers
    elif status == 200:
        assert response.content_type == FRAGMENT and response.headers["ETag"] == '"e2"'
        assert "a=ice-ufrag:" in response.text
    else:
        assert response.content_type == "application/problem+json"
    if status == 415:
        assert response.headers["Accept-Patch"] == FRAGMENT


@ENDPOINTS
def test_unknown_sessions(kit: Kit, endpoint: str) -> None:
    teacher, other = kit.teacher(), kit.teacher()
    where = opened(kit, endpoint, teacher).headers["Location"]
    for path, who in ((f"{endpoint}/nothing", teacher), (where, other)):
        headers = {**who, "If-Match": '"e1"'}
        patched = kit.client().patch(path, data=CANDIDATE, content_type=FRAGMENT, headers=headers)
        assert patched.status_code == 404
        assert kit.client().delete(path, headers=who).status_code == 404
    assert kit.streaming.sessions.keys() == {"s1"}


@ENDPOINTS
def test_a_session_is_ended_once_and_for_all(kit: Kit, endpoint: str) -> None:
    """Whatever entity tag comes along (section 4.3.1), and also after it ended by itself (OBS and browsers close the
    connection first) or with its streaming process, whose successor never knew it."""
    teacher = kit.teacher()
    where = opened(kit, endpoint, teacher).headers["Location"]
    first = kit.client().delete(where, headers={**teacher, "If-Match": '"old"'})
    again = kit.client().delete(where, headers=teacher)
    forgotten = kit.client().delete(f"{endpoint}/a-session_of_old", headers=teacher)
    assert [(one.status_code, one.data) for one in (first, again, forgotten)] == [(200, b"")] * 3
    headers = {**teacher, "If-Match": '"e1"'}
    assert kit.client().patch(where, data=CANDIDATE, content_type=FRAGMENT, headers=headers).status_code == 404


@ENDPOINTS
def test_under_load(kit: Kit, endpoint: str) -> None:
    """Section 4.5."""
    kit.streaming.overloaded = True
    response = kit.client().post(endpoint, data=OFFER, content_type=SDP, headers=kit.teacher())
    assert response.status_code == 503 and int(response.headers["Retry-After"]) >= 1


@ENDPOINTS
def test_floods_are_held_back(kit: Kit, endpoint: str) -> None:
    """The security considerations of both."""
    teacher = kit.teacher()
    posts = [kit.client().post(endpoint, data=OFFER, content_type=SDP, headers=teacher) for _ in range(61)]
    assert posts[-1].status_code == 429 and int(posts[-1].headers["Retry-After"]) >= 1


def test_nothing_to_watch_yet(kit: Kit) -> None:
    """WHEP section 4.2: 409 says when to ask again."""
    for path, who in (("/whep", kit.pupil()), ("/whep?source=screen", kit.teacher())):
        response = kit.client().post(path, data=OFFER, content_type=SDP, headers=who)
        assert response.status_code == 409 and int(response.headers["Retry-After"]) >= 1
