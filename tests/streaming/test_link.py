"""A browser's own socket beside the one of its port: who gets what, on lo."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pylibsrtp import Policy, Session

from streaming.consent import Consent, Credentials
from streaming.link import Link

Heard = tuple[str, bytes, tuple[str, int]]


def a_socket(host: str) -> socket.socket:
    result = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    result.bind((host, 0))
    return result


class Port(asyncio.DatagramProtocol):
    """A port as aioice has it, a browser, and another; `heard` tells which socket got what from whom."""

    def __init__(self, host: str) -> None:
        self.heard: asyncio.Queue[Heard] = asyncio.Queue()
        self.browser, self.other = a_socket(host), a_socket(host)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.bound: Any = transport.get_extra_info("socket")
        self.address = self.bound.getsockname()

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.heard.put_nowait(("bound", data, address))

    def link(self) -> Link:
        srtp = Session(Policy(key=bytes(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
        at = self.browser.getsockname()[:2]
        consent = Consent(Credentials("a", "b", "c", "d"), at, 1, 0)
        return Link(self.bound, at, srtp, consent, lambda data, address: self.heard.put_nowait(("link", data, address)))

    async def hears(self, sender: socket.socket, data: bytes) -> str:
        """Which socket gets what `sender` sends."""
        sender.sendto(data, self.address)
        async with asyncio.timeout(5):
            which, got, address = await self.heard.get()
        assert (got, address) == (data, sender.getsockname())
        return which


@asynccontextmanager
async def port(host: str = "127.0.0.1") -> AsyncIterator[Port]:
    loop = asyncio.get_running_loop()
    transport, result = await loop.create_datagram_endpoint(lambda: Port(host), local_addr=(host, 0))
    try:
        yield result
    finally:
        transport.abort()
        result.browser.close()
        result.other.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_browser_is_heard_by_its_own_socket_and_everybody_else_by_the_ports(host: str) -> None:
    async def scenario() -> None:
        async with port(host) as each:
            assert await each.hears(each.browser, b"before") == "bound"
            link = each.link()
            assert await each.hears(each.browser, b"one") == "link"
            assert await each.hears(each.other, b"two") == "bound"
            assert await each.hears(each.browser, b"") == "link"
            link.close()
            link.close()
            assert await each.hears(each.browser, b"three") == "bound"
            again = each.link()  # as after a restart of ICE that ends at the same pair
            assert await each.hears(each.browser, b"four") == "link"
            again.close()

    asyncio.run(scenario())


def test_it_sends_from_the_port_that_ice_checked() -> None:
    async def scenario() -> None:
        async with port() as each:
            link = each.link()
            each.browser.settimeout(5)
            link.send_rtcp(b"\x80\xc8\x00\x06" + bytes(24))
            assert await asyncio.to_thread(lambda: each.browser.recvfrom(2048)[1]) == each.address
            link.tick(6_000_000_000)
            assert (await asyncio.to_thread(each.browser.recv, 2048))[:2] == b"\0\1"
            link.close()

    asyncio.run(scenario())


def test_nobody_else_gets_the_port() -> None:
    async def scenario() -> None:
        async with port() as each:
            link = each.link()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with pytest.raises(OSError) as refused:
                    thief.bind(each.address)
                assert refused.value.errno == errno.EADDRINUSE
            link.close()

    asyncio.run(scenario())


def test_a_browser_that_closes_its_port_ends_nothing() -> None:
    """ICMP says so: the loop hears of it, and what comes afterwards is heard and sent as before."""

    async def scenario() -> None:
        async with port() as each:
            link = each.link()
            at = each.browser.getsockname()
            each.browser.close()
            for _ in range(5):
                link.send_rtcp(b"\x80\xc8\x00\x06" + bytes(24))
                await asyncio.sleep(0)
            each.browser = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.browser.bind(at)
            assert await each.hears(each.browser, b"again") == "link"
            each.browser.settimeout(5)
            link.send_rtcp(b"\x80\xc8\x00\x06" + bytes(24))
            await asyncio.to_thread(each.browser.recv, 2048)
            link.close()

    asyncio.run(scenario())


def test_no_way_to_the_browser_leaves_no_socket() -> None:
    async def scenario() -> None:
        async with port() as each:
            at = each.browser.getsockname()
            each.browser.close()
            each.browser = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.browser.bind(at)
            consent = Consent(Credentials("a", "b", "c", "d"), at, 1, 0)
            with pytest.raises(OSError):
                Link(each.bound, ("203.0.113.1", 9), None, consent, each.datagram_received)  # from lo
            assert await each.hears(each.browser, b"still") == "bound"

    asyncio.run(scenario())
