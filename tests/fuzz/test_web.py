"""HTTP bodies, join codes and tokens, through the web application: a clear answer, never a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import FUZZ
from tests.ui.conftest import CODE, Kit, make_kit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["pin", "code", "name", "title"]), inner)
    ),
    max_leaves=8,
)
CALLS = [
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/join"),
    ("POST", "/api/v1/lessons"),
    ("POST", "/whep"),
    ("POST", "/whip/screen"),
    ("PATCH", "/whep/s1"),
    ("DELETE", "/whep/s1"),
]
TYPES = [
    "application/json",
    "application/sdp",
    "application/trickle-ice-sdpfrag",
    "text/plain",
    "",
    "application/sdp;x=é",
]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield make_kit(tmp_path_factory.mktemp("kit"))


@given(call=st.sampled_from(CALLS), body=st.binary(max_size=200), kind=st.sampled_from(TYPES), etag=st.text(max_size=8))
@FUZZ
def test_bodies(web: Kit, call: tuple[str, str], body: bytes, kind: str, etag: str) -> None:
    headers = {**web.teacher(), "If-Match": quote(etag)} if "session" not in call[1] else {}
    response = web.client("192.0.2.1").open(call[1], method=call[0], data=body, content_type=kind, headers=headers)
    assert response.status_code < 500


@given(path=st.sampled_from([path for method, path in CALLS if method == "POST"][:3]), body=JSON)
@FUZZ
def test_json(web: Kit, path: str, body: object) -> None:
    response = web.client("192.0.2.2").post(path, json=body, headers=web.teacher())
    assert response.status_code < 500


@given(code=st.text(max_size=12) | st.sampled_from([CODE, CODE + " ", " " + CODE, CODE[:-1], "١٢٣٤٥٦"]))
@FUZZ
def test_join_codes(web: Kit, code: str) -> None:
    client = web.client("192.0.2.3")
    assert client.get(f"/join/{quote(code, safe='')}").status_code < 500
    response = client.post("/api/v1/join", json={"code": code, "name": "Ada"})
    assert response.status_code < 500
    assert response.status_code >= 400 or "".join(code.split()) == CODE


@given(token=st.text(max_size=80) | st.text(alphabet="abc._-0", max_size=80))
@FUZZ
def test_tokens(web: Kit, token: str) -> None:
    headers = {"Authorization": f"Bearer {quote(token)}"}
    assert web.client().post("/whep", data="v=0", content_type="application/sdp", headers=headers).status_code == 401
