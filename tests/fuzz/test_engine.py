"""Engine.IO, Socket.IO and WebSocket frames: the libraries can read all that is let through to them; nothing that comes
makes them stumble."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from engineio import packet as engineio
from hypothesis import given
from hypothesis import strategies as st
from socketio import packet as socketio

from tests.fuzz import FUZZ
from tests.ui.conftest import Kit, make_kit
from ui.engine import Link, Talk

PIECES = ["0", "1", "2", "3", "40", "41", "42", "451-", "5", "6", "2probe", "40{", "40[", "}", '{"token":', '"a.b-c"']
PIECES += ["null", "b", "/admin,", "\x1e", " ", "\n", "é", "٤", '["event"]', "0" * 30, '"_placeholder":true']
SAID = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=6).map("".join)
ADDRESSES = itertools.count()
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]
HANDSHAKE = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/socket.io/",
    "HTTP_HOST": "kit",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
}
QUERIES = [
    "EIO=4",
    "EIO=3",
    "EIO=x",
    "transport=polling",
    "transport=websocket",
    "transport=",
    "j=0",
    "j=x",
    "sid=nobody",
]


@given(said=SAID, websocket=st.booleans())
@FUZZ
def test_what_is_let_through_can_be_read(said: str, websocket: bool) -> None:
    if not Talk(0.0).accepts(said, 0.0, websocket=websocket):
        return
    outer = engineio.Packet(encoded_packet=said)
    if outer.packet_type == engineio.MESSAGE:
        inner = socketio.Packet(encoded_packet=outer.data)
        assert inner.packet_type in (socketio.CONNECT, socketio.DISCONNECT)
        assert inner.namespace in (None, "/") and inner.attachment_count == 0
        assert inner.data is None or set(inner.data) <= {"token"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield make_kit(tmp_path_factory.mktemp("kit"))


@given(
    method=st.sampled_from(METHODS),
    query=st.lists(st.sampled_from(QUERIES) | st.text(max_size=8).map(quote), max_size=5).map("&".join),
    body=st.binary(max_size=100) | SAID.map(str.encode),
    upgrade=st.sampled_from([None, "websocket", "h2c"]),
    origin=st.sampled_from([None, "http://localhost", "http://elsewhere.example", "null", ""]),
)
@FUZZ
def test_requests(web: Kit, method: str, query: str, body: bytes, upgrade: str | None, origin: str | None) -> None:
    headers = {name: value for name, value in (("Upgrade", upgrade), ("Origin", origin)) if value is not None}
    response = web.client("192.0.2.4").open(f"/socket.io/?{query}", method=method, data=body, headers=headers)
    assert response.status_code < 500, response.data


@given(said=st.lists(SAID.map(str.encode) | st.binary(max_size=50), max_size=4).map(b"\x1e".join))
@FUZZ
def test_what_a_connection_says(web: Kit, said: bytes) -> None:
    """As the first that is said; with what engineio makes of it, a wrong one ends that connection alone."""
    client = web.client(f"198.51.100.{next(ADDRESSES) % 250}")  # one would be held back
    sid = json.loads(client.get("/socket.io/?EIO=4&transport=polling").data[1:])["sid"]
    response = client.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", data=said)
    assert response.status_code in (200, 400), response.data


def frame(opcode: int, payload: bytes, masked: bool) -> bytes:
    """RFC 6455 section 5.2; any first byte."""
    short = len(payload) if len(payload) < 126 else 126
    length = bytes([short | 0x80 * masked]) + (len(payload).to_bytes(2) if short == 126 else b"")
    return bytes([opcode]) + length + bytes(4 * masked) + payload


OPCODES = st.sampled_from([0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8A]) | st.integers(0, 255)
PAYLOADS = st.sampled_from(["40", "3", "2probe", "5", "42[]"]).map(str.encode) | SAID.map(str.encode) | st.binary()
FRAMES = st.builds(frame, OPCODES, PAYLOADS, st.sampled_from([True, True, True, False]))


@given(sent=st.lists(FRAMES | st.binary(max_size=40), max_size=8))
@FUZZ
def test_frames(sent: list[bytes]) -> None:
    """Whatever comes, it ends with the connection, and only what a page says has been heard."""
    theirs, ours = socket.socketpair()
    heard: list[str] = []

    def hear(link: Link) -> None:
        while (said := link.wait()) is not None:
            heard.append(said)

    environ: dict[str, Any] = {**HANDSHAKE, "werkzeug.socket": ours, "preau.talk": Talk(time.monotonic())}
    with theirs:
        theirs.sendall(b"".join(sent))
        theirs.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            Link(hear, None)(environ, _nothing)
        assert time.monotonic() - began < 2
    assert all(Talk(0.0).accepts(said, 0.0, websocket=True) for said in heard)


def _nothing(*_: object) -> Callable[[bytes], object]:
    raise AssertionError("a connection that was taken over is not answered")
