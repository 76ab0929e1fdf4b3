"""Sessions of the running service: how they end, who may touch them, what a hostile datagram does."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
import zmq

from appliance import bus
from appliance.bus import CommandRefused
from appliance.messages import Refused, StopLesson, ViewersState
from streaming.aiortc_private import Peer
from streaming.offer import read_fragment
from streaming.viewer import CONNECT_TIMEOUT_S, REST_TIMEOUT_S, SILENCE_TIMEOUT_S
from tests.kit import wait_until
from tests.streaming.conftest import Running
from tests.streaming.material import Capture
from tests.streaming.watcher import Watcher

T = TypeVar("T")


def inside(running: Running, work: Coroutine[Any, Any, T]) -> T:
    """Run on the service's own loop."""
    assert running.loop is not None
    return asyncio.run_coroutine_threadsafe(work, running.loop).result(10)


def viewers_state(subscriber: bus.Subscriber, pupils: int) -> ViewersState:
    """Wait for the event that says so many pupils."""
    for _ in range(100):
        message = subscriber.receive(5)
        if isinstance(message, ViewersState) and message.pupils == pupils:
            return message
    raise AssertionError("the event did not come")


async def when_closed(watcher: Watcher) -> None:
    closed = asyncio.Event()

    def changed() -> None:
        if watcher.pc.connectionState == "closed":
            closed.set()

    watcher.pc.on("connectionstatechange", changed)
    if watcher.pc.connectionState != "closed":
        async with asyncio.timeout(5):
            await closed.wait()


@pytest.mark.parametrize("how", ["close", "close_viewers", "viewer leaves"])
def test_a_session_ends_and_leaves_nothing(running: Running, capture: Capture, how: str) -> None:
    events = bus.Subscriber(running.settings.bus, ["streaming"], [bus.EVENT_TOPIC], queue=100)

    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client, name="Ada")
        async with asyncio.timeout(10):
            await watcher.receive("video", 1)
        assert (await asyncio.to_thread(viewers_state, events, 1)).names == ["Ada"]
        if how == "close":
            await asyncio.to_thread(running.client.close, reply.session, viewer="v1")
            await when_closed(watcher)
        elif how == "close_viewers":
            await asyncio.to_thread(running.client.close_viewers)
            await when_closed(watcher)
        await watcher.close()
        await asyncio.to_thread(viewers_state, events, 0)
        for over in (reply.session, "before-a_restart"):  # again, or late
            await asyncio.to_thread(running.client.close, over, viewer="v1")
        with pytest.raises(CommandRefused) as refused:
            await asyncio.to_thread(running.client.close, "nothing", viewer="v1")
        assert refused.value.kind == "not_found"

    asyncio.run(scenario())
    events.close()
    assert running.server is not None
    assert running.server.fanout.viewers == {}
    inside(running, running.server.fanout.close())
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Peer) and thing._socket is not None]


async def lone_offer() -> str:
    """The offer of a viewer who then goes away."""
    watcher = Watcher()
    text = await watcher.offer()
    await watcher.close()
    return text


def watch(running: Running, **options: Any) -> None:
    offer = asyncio.run(lone_offer())
    running.client.watch(viewer="v1", name="Ada", role="pupil", offer=offer, peer="127.0.0.1", **options)


def test_the_first_keyframe_is_asked_for_with_the_offer(running: Running) -> None:
    def asked() -> float | None:
        return running.service.registry.get_sample_value("preau_streaming_keyframe_requests_total")

    watch(running, quality="sound")
    assert asked() == 0
    watch(running)
    watch(running)
    assert asked() == 1


def test_a_handshake_that_never_comes_is_forgotten(running: Running) -> None:
    watch(running)
    assert running.server is not None
    fanout = running.server.fanout
    (viewer,) = fanout.viewers.values()

    async def pass_time() -> None:
        fanout.tick(viewer.opened_ns + int((CONNECT_TIMEOUT_S - 1) * 1e9))
        assert fanout.viewers
        fanout.tick(viewer.opened_ns + int((CONNECT_TIMEOUT_S + 1) * 1e9))
        assert not fanout.viewers
        await fanout.close()

    inside(running, pass_time())


def test_a_viewer_that_falls_silent_rests_until_it_is_heard_and_is_forgotten_at_last(
    running: Running, capture: Capture
) -> None:
    events = bus.Subscriber(running.settings.bus, ["streaming"], [bus.EVENT_TOPIC], queue=100)

    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client, name="Ada")
        async with asyncio.timeout(10):
            await watcher.receive("video", 1)
        assert (await asyncio.to_thread(viewers_state, events, 1)).names == ["Ada"]
        assert running.server is not None
        fanout = running.server.fanout
        (viewer,) = fanout.viewers.values()
        sent = 0

        async def pass_time(seconds: float, *, resting: bool) -> None:
            nonlocal sent
            fanout.tick(viewer.peer.heard_ns + int(seconds * 1e9))
            assert viewer.resting is resting
            sent = sum(lane.sent for lane in viewer.every_lane)

        async def look() -> tuple[bool, bool]:
            return viewer.resting, sum(lane.sent for lane in viewer.every_lane) > sent

        await asyncio.to_thread(inside, running, pass_time(SILENCE_TIMEOUT_S - 1, resting=False))
        await asyncio.to_thread(inside, running, pass_time(SILENCE_TIMEOUT_S + 1, resting=True))
        assert (await asyncio.to_thread(viewers_state, events, 0)).names == []
        # The watcher is there all the time: with its next report it is heard, and answers the check.
        await asyncio.to_thread(wait_until, lambda: inside(running, look()) == (False, True), 10, "the viewer's return")
        assert (await asyncio.to_thread(viewers_state, events, 1)).names == ["Ada"]
        async with asyncio.timeout(10):
            await watcher.receive("video", 1)

        async def give_up() -> None:
            fanout.tick(viewer.peer.heard_ns + int((SILENCE_TIMEOUT_S + REST_TIMEOUT_S + 1) * 1e9))
            assert not fanout.viewers
            await fanout.close()

        await asyncio.to_thread(inside, running, give_up())
        await watcher.close()

    asyncio.run(scenario())
    events.close()


def test_sessions_are_guarded(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client)
        fragment = "a=candidate:1 1 udp 21 127.0.0.1 9 typ host\r\n"

        def patch(
            session: str = reply.session, viewer: str = "v1", etag: str = reply.etag, text: str = fragment
        ) -> None:
            running.client.patch(session, viewer=viewer, etag=etag, fragment=text, peer="127.0.0.1")

        patch()
        patch(text=fragment + "a=end-of-candidates\r\n")
        for kind, wrong in (
            ("not_found", {"session": "x"}),
            ("not_found", {"viewer": "v2"}),
            ("precondition", {"etag": "x"}),
            ("invalid", {"text": ""}),
            ("invalid", {"text": "a=ice-ufrag:other\r\n" + fragment}),
            ("invalid", {"text": "a=ice-ufrag:other\r\na=ice-pwd:short\r\n"}),
            ("precondition", {"text": f"a=ice-ufrag:other\r\na=ice-pwd:{'x' * 22}\r\n", "etag": "old"}),
        ):
            with pytest.raises(CommandRefused) as refused:
                patch(**wrong)
            assert refused.value.kind == kind
        with pytest.raises(CommandRefused) as refused:
            running.client.close(reply.session, viewer="v2")
        assert refused.value.kind == "not_found"
        await watcher.close()

    asyncio.run(scenario())


def test_ice_restarts_under_new_credentials(running: Running, capture: Capture) -> None:
    """The picture goes on, over another port of the viewer's, with the same keys and sequence numbers."""

    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client)
        async with asyncio.timeout(10):
            await watcher.receive("video", 1)
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        first = viewer.peer._pair
        fragment = f"a=ice-ufrag:anew\r\na=ice-pwd:{'p' * 22}\r\n"
        answers = []
        for etag in ("*", "*"):  # the second asks for an answer that was lost on the way
            answers.append(
                await asyncio.to_thread(
                    running.client.patch, reply.session, viewer="v1", etag=etag, fragment=fragment, peer="127.0.0.1"
                )
            )
        restarted = answers[0]
        assert restarted is not None and answers[1] == restarted
        assert restarted.etag != reply.etag
        with pytest.raises(CommandRefused) as refused:
            await asyncio.to_thread(
                running.client.patch, reply.session, viewer="v1", etag=reply.etag, fragment=fragment, peer="127.0.0.1"
            )
        assert refused.value.kind == "precondition"
        own = read_fragment(restarted.answer, "127.0.0.1")
        assert own.username and own.password and own.candidates
        await watcher.restart("anew", "p" * 22, own)
        async with asyncio.timeout(10):
            frames = await watcher.receive("video", 60)
        assert all(later.pts > earlier.pts for earlier, later in zip(frames, frames[1:], strict=False))
        assert viewer.peer._pair is not first and viewer.peer._pair.remote_addr != first.remote_addr
        await asyncio.to_thread(running.client.close, reply.session, viewer="v1")
        await watcher.close()

    asyncio.run(scenario())


def test_bad_commands_are_answered(running: Running) -> None:
    with pytest.raises(CommandRefused, match="the offer is empty"):
        running.client.watch(viewer="v", name="A", role="pupil", offer="", peer="")
    with pytest.raises(CommandRefused, match="does not know"):
        bus.call(running.settings.bus, "streaming", StopLesson("x"))
    foreign: Any = zmq.Context.instance().socket(zmq.REQ)
    with foreign:
        foreign.set(zmq.LINGER, 0)
        foreign.connect(bus.address(running.settings.bus, "streaming", "cmd"))
        foreign.send(b"\xff\xff")
        assert foreign.poll(5000)
        reply = bus._replies.decode(foreign.recv())
    assert isinstance(reply, Refused)
    assert reply.kind == "invalid"


def test_hostile_datagrams_do_not_end_a_session(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        async with asyncio.timeout(10):
            await watcher.receive("video", 1)
        pair = watcher.connection._nominated[1]
        hostile = [b"", b"\x16", b"\x80", b"\x80\xc8", b"\x80" * 3000, b"\x80\xc8" + bytes(60), b"\x90\x60" + bytes(60)]
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
            pair.protocol.transport.get_extra_info("socket").dup() as own,
        ):
            for data in hostile:
                stranger.sendto(data, pair.remote_addr)
                own.sendto(data, pair.remote_addr)
        async with asyncio.timeout(10):
            await watcher.receive("video", 60)
        assert watcher.pc.connectionState == "connected"
        await watcher.close()

    asyncio.run(scenario())


def test_a_lost_picture_is_repaired(running: Running, capture: Capture) -> None:
    """Drops every twentieth datagram on the way in: NACKs bring them back, few or no keyframes are asked for."""

    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        async with asyncio.timeout(10):
            await watcher.receive("video", 1)
        (protocol,) = watcher.connection._protocols
        receive, counted = protocol.datagram_received, [0]

        def lossy(data: bytes, address: Any) -> None:
            counted[0] += 1
            if data[0] < 128 or counted[0] % 20:
                receive(data, address)

        protocol.datagram_received = lossy
        async with asyncio.timeout(15):
            frames = await watcher.receive("video", 60)
        assert all(later.pts > earlier.pts for earlier, later in zip(frames, frames[1:], strict=False))
        await watcher.close()

    asyncio.run(scenario())
    assert running.server is not None

    def resent() -> float:
        return running.service.registry.get_sample_value("preau_streaming_packets_resent_total") or 0.0

    wait_until(lambda: resent() > 3, 5, "what was resent to be counted")
