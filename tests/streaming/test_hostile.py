"""A hostile school: what strangers and a misbehaving viewer send disturbs nobody."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import pack
from typing import Any

import pytest
from aioice import stun
from OpenSSL import SSL
from structlog.testing import capture_logs

from tests.streaming.conftest import Running
from tests.streaming.material import Capture
from tests.streaming.watcher import Watcher

FLOOD = 3000
Address = tuple[str, int]


def client_hello() -> bytes:
    """The first datagram of a DTLS client that nobody has asked for."""
    connection = SSL.Connection(SSL.Context(SSL.DTLS_METHOD), None)
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(4096)


def check_of_a_stranger(username: str) -> bytes:
    """An ICE connectivity check (RFC 8445 section 7.2.4) whose integrity is wrong."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 7
    message.add_message_integrity(b"not the password of this session")
    return bytes(message)


def answered_at(answer: str) -> tuple[Address, str]:
    """Where an answer's first candidate listens (RFC 8839 section 5.1), and its ufrag."""
    lines = answer.splitlines()
    candidate = next(line for line in lines if line.startswith("a=candidate:")).split()
    ufrag = next(line for line in lines if line.startswith("a=ice-ufrag:")).removeprefix("a=ice-ufrag:")
    return (candidate[4], int(candidate[5])), ufrag


async def watching(running: Running, viewer: str) -> Watcher:
    """A viewer that has its picture. Sound would pile up in it: nobody here listens."""
    watcher = Watcher(("video",))
    await watcher.watch(running.client, viewer=viewer)
    async with asyncio.timeout(10):
        await watcher.receive("video", 1)
    return watcher


async def still_watching(*watchers: Watcher) -> None:
    """Each goes on to receive two seconds of pictures."""
    async with asyncio.timeout(15):
        await asyncio.gather(*(watcher.receive("video", 60) for watcher in watchers))
    assert {watcher.pc.connectionState for watcher in watchers} == {"connected"}


@contextmanager
def few_words() -> Iterator[None]:
    """The service logs at most about a line a second meanwhile."""
    began = time.monotonic()
    with capture_logs() as lines:
        yield
    noisy = [line for line in lines if line["log_level"] in ("warning", "error")]
    assert len(noisy) <= time.monotonic() - began + 2, noisy


def test_a_strangers_handshake_before_the_pupils_is_ignored(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        offer = await watcher.offer()
        reply = await asyncio.to_thread(
            running.client.watch, viewer="v1", name="Ada", role="pupil", offer=offer, peer="127.0.0.1"
        )
        address, _ = answered_at(reply.answer)
        hello = client_hello()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(50):
                stranger.sendto(hello, address)
            await watcher.accept(reply.answer)
            for _ in range(50):
                stranger.sendto(hello, address)
            stranger.setblocking(False)
            await still_watching(watcher)
            with pytest.raises(BlockingIOError):
                stranger.recv(2048)  # not even answered
        await watcher.close()

    with few_words():
        asyncio.run(scenario())


def test_floods_from_strangers_disturb_nobody(running: Running, capture: Capture) -> None:
    chance = random.Random(3)

    async def scenario() -> None:
        watchers = [await watching(running, f"v{number}") for number in range(2)]
        address = watchers[0].connection._nominated[1].remote_addr
        kinds: list[Callable[[], bytes]] = [
            lambda: chance.randbytes(chance.randrange(1400)),
            lambda: check_of_a_stranger("who:ever"),
            lambda: check_of_a_stranger(f"{watchers[0].connection.remote_username}:x"),
            lambda: b"\x80\xc8" + chance.randbytes(60),
            client_hello,
        ]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

            def flood() -> None:
                for number in range(FLOOD):
                    stranger.sendto(kinds[number % len(kinds)](), address)

            await asyncio.gather(asyncio.to_thread(flood), still_watching(*watchers))
        for watcher in watchers:
            await watcher.close()

    with few_words():
        asyncio.run(scenario())


def test_replayed_datagrams_change_nothing(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher = await watching(running, "v1")
        pair = watcher.connection._nominated[1]
        sent: list[bytes] = []
        send = pair.protocol.send_data

        async def recorded(data: bytes, address: Address) -> None:
            sent.append(data)
            await send(data, address)

        pair.protocol.send_data = recorded
        await still_watching(watcher)
        assert sent
        with pair.protocol.transport.get_extra_info("socket").dup() as own:
            for data in sent * 50:
                own.sendto(data, pair.remote_addr)
        await still_watching(watcher)
        await watcher.close()

    with few_words():
        asyncio.run(scenario())


def feedback_floods(ssrc: int) -> list[bytes]:
    """Valid and invalid RTCP that a viewer may send too much of (RFC 4585, RFC 5104, draft-alvestrand-rmcat-remb)."""
    everything_lost = b"".join(pack("!HH", first, 0xFFFF) for first in range(0, 3000, 17))
    return [
        pack("!BBHII", 0x81, 206, 2, 1, ssrc),  # PLI
        pack("!BBHIIIB3x", 0x84, 206, 4, 1, 0, ssrc, 7),  # FIR
        pack("!BBHII", 0x81, 205, 2 + len(everything_lost) // 4, 1, ssrc) + everything_lost,  # generic NACK
        pack("!BBHII4sBBHI", 0x8F, 206, 5, 1, 0, b"REMB", 1, 0, 0, ssrc),  # REMB of 0 bit/s
        pack("!BBHI", 0x81, 201, 40, 1),  # longer than the datagram
        pack("!BBHI", 0x9F, 201, 1, 1),  # 31 report blocks that are not there
        pack("!BBHI", 0x81, 203, 1, ssrc),  # BYE in another's name
    ]


def test_floods_of_feedback_cost_the_others_nothing(running: Running, capture: Capture) -> None:
    """A viewer with valid keys sends thousands of PLI, FIR, NACK, REMB 0 and nonsense; keyframes stay rare."""

    async def scenario() -> None:
        assert running.server is not None
        hostile, other = await watching(running, "v1"), await watching(running, "v2")
        (viewer,) = [each for each in running.server.fanout.viewers.values() if each.owner == "v1"]
        ssrcs = [lane.negotiated.ssrc for lane in viewer.lanes.values()]
        dtls: Any = hostile.pc.getTransceivers()[0].receiver.transport
        packets = [packet for ssrc in ssrcs for packet in feedback_floods(ssrc)]
        asked, began = capture.keyframe_requests, time.monotonic()
        resent = sum(lane.resent for lane in viewer.lanes.values())

        async def flood() -> None:
            for number in range(FLOOD):
                await dtls._send_rtp(packets[number % len(packets)])
                if number % 50 == 0:
                    await asyncio.sleep(0)

        await asyncio.gather(flood(), still_watching(other))
        await still_watching(hostile, other)
        took = time.monotonic() - began
        assert capture.keyframe_requests - asked <= took + 2
        known = sum(lane.sent for lane in viewer.lanes.values())
        assert sum(lane.resent for lane in viewer.lanes.values()) - resent <= 3 * known
        await hostile.close()
        await other.close()

    with few_words():
        asyncio.run(scenario())
