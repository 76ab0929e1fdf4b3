"""Datagrams at a media port, from anyone and from the viewer itself: nothing escapes, little is kept."""

from __future__ import annotations

import asyncio
from struct import pack
from typing import Any

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from streaming import gate, offer
from streaming.aiortc_private import Peer
from tests.fuzz import FUZZ
from tests.fuzz.test_sdp import SSRCS
from tests.streaming.hostility import check
from tests.streaming.watcher import Watcher

KINDS = sorted(stun.ATTRIBUTES_BY_TYPE) + [0x0024, 0x0025, 0x7FFF]
INTEGRITY = 0x0008
OWN = ("127.0.0.1", 40000)
SOURCES = st.sampled_from([OWN, ("127.0.0.1", 40001), ("192.0.2.1", 9), ("::1", 9, 0, 0)])

Draft = tuple[bytes, str, list[tuple[int, bytes]], bool]


@st.composite
def messages(draw: st.DrawFn) -> Draft:
    """First bytes, what is done to the user name, attributes, and whether the message is signed as the viewer would."""
    kind = draw(
        st.sampled_from([b"\x00\x01", b"\x00\x11", b"\x01\x01", b"\x01\x11", b"\x00\x03"]) | st.binary(max_size=2)
    )
    attributes = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=24)), max_size=5))
    return kind, draw(st.sampled_from(["%s", "%s", "%s:x", "x%s", "\udce9%s"])), attributes, draw(st.booleans())


def written(draft: Draft, username: str, password: str) -> bytes:
    """The message; lengths are true, values may be anything."""
    kind, form, attributes, signed = draft
    name = (form % username).encode(errors="surrogateescape")
    body = b"".join(
        pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)
        for number, value in [(0x0006, name), *attributes]
    )
    head = kind + len(body).to_bytes(2) + stun.COOKIE.to_bytes(4) + b"transaction!"
    if not signed:
        return head + body
    mac = stun.message_integrity(head + body, password.encode())
    return stun.set_body_length(head + body, len(body) + 24) + pack("!HH", INTEGRITY, len(mac)) + mac


async def at_the_port(drafts: list[tuple[Draft | bytes, Any]]) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    watcher = Watcher()
    text = await watcher.offer() + f"a=candidate:1 1 udp 1 {OWN[0]} {OWN[1]} typ host\r\n"
    await watcher.close()
    peer = Peer(("video", "audio"), SSRCS, on_ready=lambda _: None, on_rtcp=lambda _: None, on_gone=lambda: None)
    await peer.answer(offer.read(text, "127.0.0.1"), ["127.0.0.1"])
    connection = peer._connection
    while not connection._check_list:  # until ICE has begun, and knows the address
        await asyncio.sleep(0)
    (protocol,) = connection._protocols
    names = f"{connection.local_username}:{connection.remote_username}"
    for draft, source in drafts:
        data = draft if isinstance(draft, bytes) else written(draft, names, connection.local_password)
        protocol.datagram_received(data, source)
        await asyncio.sleep(0)
        assert connection._queue.qsize() <= gate.MOST_WAITING
        assert len(connection._remote_candidates) <= gate.MOST_ADDRESSES
    assert peer._pc.connectionState in ("new", "connecting")
    await peer.close()
    assert not complaints


@given(st.lists(st.tuples(messages() | st.binary(max_size=1600), SOURCES), max_size=12))
@FUZZ
def test_datagrams(drafts: list[tuple[Draft | bytes, Any]]) -> None:
    asyncio.run(at_the_port(drafts))


def test_what_is_drawn_can_be_genuine() -> None:
    """Else the fuzzer would only ever be shown the door."""
    plain: Draft = (b"\x00\x01", "%s", [(0x0024, bytes(4)), (0x802A, bytes(8))], True)
    message = stun.parse_message(written(plain, "abcd:efgh", "secret"))
    assert message.attributes["USERNAME"] == check("abcd:efgh").attributes["USERNAME"]
    assert message.check_message_integrity(b"secret")
