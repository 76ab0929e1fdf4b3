"""A hostile school: what strangers and a misbehaving viewer send disturbs nobody."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from streaming.fanout import MOST_OF_ONE
from streaming.gate import FEEDBACK_PER_S, MOST_ADDRESSES, MOST_WAITING
from streaming.viewer import CONNECT_TIMEOUT_S
from tests.kit import wait_until
from tests.streaming.conftest import Running
from tests.streaming.hostility import (
    Address,
    Leftovers,
    Mute,
    answered_at,
    check,
    client_hello,
    feedback_floods,
    few_words,
    from_strangers,
    offer_that_leads_nowhere,
    torn_check,
)
from tests.streaming.material import Capture
from tests.streaming.test_sessions import inside
from tests.streaming.watcher import Watcher

FLOOD = 3000


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
        kinds = from_strangers(watchers[0].connection.remote_username, chance)
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


def test_rubbish_under_the_viewers_own_address_changes_nothing(running: Running, capture: Capture) -> None:
    """From whoever can forge it: whole and torn ClientHellos, alerts in clear, records and packets of no key."""
    chance = random.Random(5)

    async def scenario() -> None:
        watcher = await watching(running, "v1")
        pair = watcher.connection._nominated[1]
        forged: list[Callable[[], bytes]] = [
            *from_strangers(watcher.connection.remote_username, chance),
            lambda: b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28",  # fatal alert handshake_failure (RFC 6347)
            lambda: b"\x15\xfe\xfd" + bytes(8) + b"\0\2\1\0",  # close_notify
            lambda: bytes([chance.randrange(20, 64)]) + chance.randbytes(60),
            lambda: bytes([chance.randrange(128, 192)]) + chance.randbytes(60),
        ]
        with pair.protocol.transport.get_extra_info("socket").dup() as own:

            def flood() -> None:
                for number in range(FLOOD):
                    own.sendto(forged[number % len(forged)](), pair.remote_addr)

            await asyncio.gather(asyncio.to_thread(flood), still_watching(watcher))
        await still_watching(watcher)
        await watcher.close()

    with few_words():
        asyncio.run(scenario())


def test_what_comes_before_the_handshake_is_not_kept(running: Running) -> None:
    """Strangers, and the viewer's own address before it answers a check."""

    async def scenario() -> None:
        watcher = Watcher()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        ):
            own.bind(("127.0.0.1", 0))
            candidate = f"a=candidate:1 1 udp 1 127.0.0.1 {own.getsockname()[1]} typ host\r\n"
            reply = await asyncio.to_thread(
                running.client.watch,
                viewer="v1", name="Ada", role="pupil", offer=await watcher.offer() + candidate, peer="127.0.0.1",
            )  # fmt: skip
            address, _ = answered_at(reply.answer)
            assert running.server is not None
            (viewer,) = running.server.fanout.viewers.values()
            connection = viewer.peer._connection
            own.settimeout(5)
            own.recv(2048)  # the kit's check: the address is known
            for _ in range(4):
                for sender in (stranger, own):
                    for first in (0, 3, 22, 128, 255):
                        for _ in range(MOST_WAITING // 4):
                            sender.sendto(bytes([first]) * 1400, address)
                assert connection._queue.qsize() <= MOST_WAITING
            while own.recv(2048)[:2] != b"\x00\x01":  # all before it has been looked at, for it is asked again
                pass
            assert 0 < connection._queue.qsize() <= MOST_WAITING
        await watcher.close()

    with few_words():
        asyncio.run(scenario())


def test_checks_that_only_look_genuine_change_nothing(running: Running, capture: Capture) -> None:
    """From the viewer itself and from who has overheard its user name: torn ones, ones without PRIORITY."""

    async def scenario() -> None:
        watcher = await watching(running, "v1")
        connection = watcher.connection
        username = f"{connection.remote_username}:{connection.local_username}"
        pair = connection._nominated[1]
        nameless = check(username)
        del nameless.attributes["PRIORITY"]
        nameless.add_message_integrity(connection.remote_password.encode())
        torn = [torn_check(username, kind) for kind in (0x0024, 0x8029, 0x802A, 0x0020, 0x0001, 0x000C, 0x8028)]
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
            pair.protocol.transport.get_extra_info("socket").dup() as own,
        ):
            for sender in (stranger, own):
                for data in (*torn, bytes(nameless)) * 10:
                    sender.sendto(data, pair.remote_addr)
        await still_watching(watcher)
        await watcher.close()

    with few_words():
        asyncio.run(scenario())


def test_a_viewer_of_a_thousand_addresses_is_checked_at_few(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher = await watching(running, "v1")
        connection = watcher.connection
        at = connection._nominated[1].remote_addr
        genuine = check(f"{connection.remote_username}:{connection.local_username}")
        genuine.add_message_integrity(connection.remote_password.encode())
        for _ in range(1000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(bytes(genuine), at)
        await still_watching(watcher)
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        assert 2 < len(viewer.peer._connection._remote_candidates) <= MOST_ADDRESSES
        assert len(viewer.peer._connection._check_list) <= MOST_ADDRESSES
        await watcher.close()

    with few_words():
        asyncio.run(scenario())


def test_floods_of_feedback_cost_the_others_nothing(running: Running, capture: Capture) -> None:
    """A viewer with valid keys sends thousands of PLI, FIR, NACK, REMB 0 and nonsense; keyframes stay rare."""

    async def scenario() -> None:
        assert running.server is not None
        hostile, other = await watching(running, "v1"), await watching(running, "v2")
        (viewer,) = [each for each in running.server.fanout.viewers.values() if each.owner == "v1"]
        ssrcs = [lane.negotiated.ssrc for lane in viewer.lanes.values()]
        dtls: Any = hostile.pc.getTransceivers()[0].receiver.transport
        packets = [packet for ssrc in ssrcs for packet in feedback_floods(ssrc)]
        looked_at, feedback = 0, viewer.peer._on_rtcp

        def count(data: bytes) -> None:
            nonlocal looked_at
            looked_at += 1
            feedback(data)

        viewer.peer._on_rtcp = count
        asked, began = capture.keyframe_requests, time.monotonic()
        resent = sum(lane.resent for lane in viewer.lanes.values())

        async def flood() -> None:
            for number in range(FLOOD):
                await dtls._send_rtp(packets[number % len(packets)])
                if number % 50 == 0:
                    await asyncio.sleep(0)

        await asyncio.gather(flood(), still_watching(other))
        # By what it said of its line it gets no picture for a while, unless it insists.
        await asyncio.to_thread(running.client.quality, viewer.session, viewer="v1", choice="sharp")
        await still_watching(hostile, other)
        took = time.monotonic() - began
        assert 100 < looked_at <= FEEDBACK_PER_S * (took + 1)
        assert capture.keyframe_requests - asked <= took + 2
        known = sum(lane.sent for lane in viewer.lanes.values())
        assert sum(lane.resent for lane in viewer.lanes.values()) - resent <= 3 * known
        await hostile.close()
        await other.close()

    with few_words():
        asyncio.run(scenario())


def test_one_viewer_holds_few_sessions(running: Running, capture: Capture) -> None:
    """The newest stay, and those that are connected longest."""

    async def scenario() -> None:
        watcher = await watching(running, "v1")
        other = await watching(running, "v2")
        offers = [Watcher() for _ in range(2 * MOST_OF_ONE)]
        for waiting in offers:
            reply = await asyncio.to_thread(
                running.client.watch,
                viewer="v1", name="Ada", role="pupil", offer=await waiting.offer(), peer="127.0.0.1",
            )  # fmt: skip
        assert running.server is not None
        own = [session for session, one in running.server.fanout.viewers.items() if one.owner == "v1"]
        assert len(own) == MOST_OF_ONE
        assert reply.session in own
        await still_watching(watcher, other)
        for each in (watcher, other, *offers):
            await each.close()

    with few_words():
        asyncio.run(scenario())


def test_a_hundred_offers_that_lead_nowhere_leave_nothing(running: Running, capture: Capture) -> None:
    """Neither objects nor tasks nor sockets: of viewers who never came, who came and said nothing, whose answer was
    refused, and who left in the middle of it."""
    offer = asyncio.run(offer_that_leads_nowhere())
    assert running.server is not None
    fanout = running.server.fanout

    async def pass_time() -> None:
        fanout.tick(time.monotonic_ns() + int((CONNECT_TIMEOUT_S + 1) * 1e9))
        assert not fanout.viewers

    async def scenario(leftovers: Leftovers | None = None) -> None:
        for number in range(80):
            text = offer if number % 4 else offer.replace("a=fingerprint:sha-256", "a=fingerprint:sha-256 00\r\na=x:")
            await asyncio.to_thread(
                running.client.watch, viewer=f"v{number}", name="A", role="pupil", offer=text, peer="127.0.0.1"
            )
        mute = [Mute() for _ in range(20)]
        for number, viewer in enumerate(mute):
            await viewer.watch(running.client, viewer=f"m{number}")
        for viewer in mute[::2]:
            await viewer.close()
        if leftovers is not None:
            leftovers.note(list(fanout.viewers.values()))
        await asyncio.to_thread(inside, running, pass_time())
        for viewer in mute[1::2]:
            await viewer.close()

    asyncio.run(scenario())  # the first time something is made that stays: threads, the client's sockets
    leftovers = Leftovers(running)
    with few_words():
        asyncio.run(scenario(leftovers))
    leftovers.none()


def test_who_never_connects_is_gone_within_fifteen_seconds(running: Running, capture: Capture) -> None:
    """By the clock: one who never comes, one who does ICE and says nothing. Another's picture goes on."""
    offer = asyncio.run(offer_that_leads_nowhere())
    assert running.server is not None
    fanout = running.server.fanout

    async def scenario() -> None:
        watcher = await watching(running, "v1")
        began, mute = time.monotonic(), Mute()
        await mute.watch(running.client, viewer="v2")
        await asyncio.to_thread(
            running.client.watch, viewer="v3", name="B", role="pupil", offer=offer, peer="127.0.0.1"
        )
        leftovers.note([viewer for viewer in fanout.viewers.values() if viewer.owner != "v1"])
        gone = asyncio.ensure_future(
            asyncio.to_thread(wait_until, lambda: len(fanout.viewers) == 1, 15, "who never connected to be gone")
        )
        while not gone.done():
            await still_watching(watcher)
        await gone
        assert began + 10 < time.monotonic(), "a slow line has time to connect"
        await watcher.close()
        await mute.close()

    leftovers = Leftovers(running)
    with few_words():
        asyncio.run(scenario())
    leftovers.none()
