"""What strangers and misbehaving viewers send, and how tests see that it changed nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from struct import pack
from typing import Any

import psutil
import pytest
from aioice import stun
from OpenSSL import SSL
from structlog.testing import capture_logs

from streaming.viewer import Viewer
from tests.kit import wait_until
from tests.streaming.conftest import Running
from tests.streaming.watcher import Watcher

Address = tuple[str, int]


def client_hello() -> bytes:
    """The first datagram of a DTLS client that nobody has asked for."""
    connection = SSL.Connection(SSL.Context(SSL.DTLS_METHOD), None)
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(4096)


def check(username: str, kind: stun.Class = stun.Class.REQUEST, **attributes: Any) -> stun.Message:
    """An ICE connectivity check (RFC 8445 section 7.2.4) without integrity."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=kind)
    message.attributes = {"USERNAME": username, "PRIORITY": 1, "ICE-CONTROLLING": 7, **attributes}
    return message


def check_of_a_stranger(username: str) -> bytes:
    """A check whose integrity is wrong."""
    message = check(username)
    message.add_message_integrity(b"not the password of this session")
    return bytes(message)


def torn_check(username: str, kind: int = 0x0024, value: bytes = b"\x00\x00\x01") -> bytes:
    """A check with an attribute (PRIORITY) that is shorter than it must be (RFC 8489 section 14)."""
    name = username.encode()
    attributes = pack("!HH", 0x0006, len(name)) + name + bytes(-len(name) % 4)
    attributes += pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
    return pack("!HHI12s", 1, len(attributes), stun.COOKIE, b"transaction!") + attributes


def from_strangers(ufrag: str, chance: random.Random) -> list[Callable[[], bytes]]:
    """What makes datagrams for a media port; `ufrag` is the one of the session that they aim at."""
    return [
        bytes,  # an empty datagram
        lambda: chance.randbytes(chance.randrange(1400)),
        lambda: check_of_a_stranger("who:ever"),
        lambda: check_of_a_stranger(f"{ufrag}:x"),
        lambda: torn_check(f"{ufrag}:x"),
        lambda: bytes(1400),
        lambda: b"\x80\xc8" + chance.randbytes(60),
        client_hello,
        lambda: client_hello()[:40],
    ]


def answered_at(answer: str) -> tuple[Address, str]:
    """Where an answer's first candidate listens (RFC 8839 section 5.1), and its ufrag."""
    lines = answer.splitlines()
    candidate = next(line for line in lines if line.startswith("a=candidate:")).split()
    ufrag = next(line for line in lines if line.startswith("a=ice-ufrag:")).removeprefix("a=ice-ufrag:")
    return (candidate[4], int(candidate[5])), ufrag


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


class Mute(Watcher):
    """A viewer that does ICE and then says nothing: no DTLS."""

    async def accept(self, answer: str) -> None:
        dtls: Any = self.pc.getTransceivers()[0].receiver.transport
        self.silence = asyncio.Event()

        async def start(parameters: object) -> None:
            await self.silence.wait()

        dtls.start = start
        await super().accept(answer)

    async def close(self) -> None:
        await super().close()
        self.silence.set()


async def offer_that_leads_nowhere() -> str:
    watcher = Watcher()
    text = await watcher.offer()
    await watcher.close()
    return text


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def few_words() -> Iterator[None]:
    """Meanwhile the service logs at most about a line a second; libraries, asyncio too, nothing worth a warning."""
    began, libraries = time.monotonic(), _Lines()
    logging.getLogger().addHandler(libraries)
    try:
        with capture_logs() as lines:
            yield
    finally:
        logging.getLogger().removeHandler(libraries)
    assert len(lines) <= time.monotonic() - began + 5, lines
    assert not libraries.said


def media_sockets() -> int:
    """How many this process has open. UDP only: ZeroMQ makes and ends those of the bus whenever it likes, and a count
    of both would differ from run to run."""
    return len(psutil.Process().net_connections("udp"))


class Leftovers:
    """What sessions leave in the service: made when there are none, it remembers each that it is shown."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._sockets, self._tasks = media_sockets(), self._count_tasks()
        self._objects: list[weakref.ref[object]] = []

    def _count_tasks(self) -> int:
        async def count() -> int:
            return len(asyncio.all_tasks())

        assert self._running.loop is not None
        return asyncio.run_coroutine_threadsafe(count(), self._running.loop).result(10)

    def note(self, viewers: list[Viewer]) -> None:
        for viewer in viewers:
            peer: Any = viewer.peer
            for thing in (viewer, peer, peer._pc, peer._dtls, peer._connection, *peer._connection._protocols):
                self._objects.append(weakref.ref(thing))

    def _found(self) -> list[str]:
        """Names of what is left now. A frame of the service's thread may hold an object for a moment."""
        gc.collect()
        found = [type(thing).__name__ for one in self._objects if (thing := one()) is not None]
        found += ["socket"] * (media_sockets() - self._sockets) + ["task"] * (self._count_tasks() - self._tasks)
        return found

    def none(self, within_s: float = 10.0) -> None:
        """Fails unless everything is gone in time."""
        assert self._objects
        with suppress(AssertionError):
            wait_until(lambda: not self._found(), within_s, "sessions to leave nothing")
        left = self._found()
        assert not left, left
