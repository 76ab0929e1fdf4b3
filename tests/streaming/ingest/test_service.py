"""WHIP sessions of the running service: what comes out on the bus, who may publish, how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from appliance import bus
from appliance.bus import CommandRefused
from appliance.messages import Event, Packet, RequestKeyframe, SourceState
from streaming import rtp_h264
from streaming.fanout import LINGER_NS
from streaming.ingest.publisher import SILENCE_TIMEOUT_S
from tests.streaming.caster import Caster
from tests.streaming.conftest import Running
from tests.streaming.test_sessions import inside
from tests.streaming.watcher import Watcher


def listen(running: Running, *topics: bytes) -> bus.Subscriber:
    return bus.Subscriber(running.settings.bus, ["streaming"], list(topics), queue=1000)


def take(subscriber: bus.Subscriber, wanted: Callable[[Packet | Event], bool], count: int = 1) -> list[Any]:
    """The first `count` messages that are wanted."""
    found: list[Any] = []
    while len(found) < count:
        message = subscriber.receive(10)
        assert message is not None, f"{len(found)} of {count} came"
        if wanted(message):
            found.append(message)
    return found


def units(packet: Packet) -> tuple[bytes, ...]:
    return tuple(rtp_h264.nal_units(packet.data))


def state(live: bool) -> Callable[[Packet | Event], bool]:
    return lambda message: message == SourceState("screen", live)


def test_what_is_published_comes_out_on_the_bus(running: Running, video: list[Packet], audio: list[Packet]) -> None:
    subscriber = listen(running, b"media/screen/", bus.EVENT_TOPIC)

    async def scenario() -> None:
        caster = Caster({"video": video, "audio": audio})
        began_ns = time.monotonic_ns()
        reply = await caster.publish(running.client)
        pictures = await asyncio.to_thread(
            take, subscriber, lambda message: isinstance(message, Packet) and message.rung == "main", 40
        )
        sounds = await asyncio.to_thread(
            take, subscriber, lambda message: isinstance(message, Packet) and message.rung == "opus", 40
        )
        known = {units(packet): packet for packet in video}
        assert {units(packet) for packet in pictures} <= known.keys(), "some picture is not what was sent"
        for packet in pictures:
            original = known[units(packet)]
            assert (packet.source, packet.codec, packet.keyframe) == ("screen", "h264", original.keyframe)
            assert packet.format == original.format
        assert pictures[0].keyframe
        assert [packet.seq for packet in pictures] == list(range(1, 41))
        assert began_ns < pictures[0].pts_ns < time.monotonic_ns()
        steps = [after.pts_ns - before.pts_ns for before, after in zip(pictures, pictures[1:], strict=False)]
        assert sum(steps) / len(steps) == pytest.approx(1e9 / 30, rel=0.1)
        assert {packet.data for packet in sounds} <= {packet.data for packet in audio}
        assert {packet.duration_ns for packet in sounds} == {20_000_000}
        await asyncio.to_thread(running.client.close, reply.session, viewer="t1")
        await caster.close()

    asyncio.run(scenario())
    take(subscriber, state(live=False))
    subscriber.close()
    assert running.server is not None
    assert running.server.sources.publishers == {}


def test_viewers_see_the_screen_until_it_ends(running: Running, video: list[Packet]) -> None:
    subscriber = listen(running, bus.EVENT_TOPIC)

    async def scenario() -> None:
        early = Watcher()
        with pytest.raises(CommandRefused) as refused:
            await early.watch(running.client, source="screen")
        assert refused.value.kind == "conflict"
        await early.close()
        caster = Caster({"video": video})
        await caster.publish(running.client)
        await asyncio.to_thread(take, subscriber, state(live=True))
        watcher = Watcher()
        await watcher.watch(running.client, source="screen")
        async with asyncio.timeout(10):
            frames = await watcher.receive("video", 30)
        assert (frames[0].width, frames[0].height) == (320, 240)
        await caster.close()
        await asyncio.to_thread(take, subscriber, state(live=False))
        assert running.server is not None
        fanout = running.server.fanout

        async def pass_time() -> None:
            assert len(fanout.viewers) == 1
            fanout.tick(time.monotonic_ns() + LINGER_NS)
            assert not fanout.viewers

        await asyncio.to_thread(inside, running, pass_time())
        await watcher.close()

    asyncio.run(scenario())
    subscriber.close()


def test_a_source_has_one_publisher(running: Running, video: list[Packet], audio: list[Packet]) -> None:
    async def scenario() -> None:
        first, second, third, fourth = Caster({"video": video}), *(Caster({"video": video}) for _ in range(3))
        reply = await first.publish(running.client)
        for caster, source, kind in (
            (second, "screen", "conflict"),
            (third, "board", "not_found"),
            (fourth, "talk", "invalid"),
        ):
            with pytest.raises(CommandRefused) as refused:
                await caster.publish(running.client, source=source)
            assert refused.value.kind == kind
        with pytest.raises(CommandRefused) as refused:
            await asyncio.to_thread(running.client.close, reply.session, viewer="t2")
        assert refused.value.kind == "not_found"
        voice = Caster({"audio": audio})
        await voice.publish(running.client, source="talk", viewer="p1")
        await asyncio.to_thread(running.client.close, reply.session, viewer="t1")
        again = Caster({"video": video})
        await again.publish(running.client)
        for caster in (first, second, third, fourth, voice, again):
            await caster.close()

    asyncio.run(scenario())


def test_bad_offers_leave_the_source_free(running: Running) -> None:
    async def recvonly() -> str:
        watcher = Watcher()
        offer = await watcher.offer()
        await watcher.close()
        return offer

    for text in ("", "v=0\r\n", "nonsense", asyncio.run(recvonly())):
        with pytest.raises(CommandRefused) as refused:
            running.client.publish("screen", viewer="t1", name="T", offer=text, peer="127.0.0.1")
        assert refused.value.kind == "invalid"
    assert running.server is not None
    assert running.server.sources.publishers == {}


def test_a_publisher_that_dies_is_forgotten(running: Running, video: list[Packet]) -> None:
    subscriber = listen(running, bus.EVENT_TOPIC)

    async def scenario() -> None:
        caster = Caster({"video": video})
        await caster.publish(running.client)
        await asyncio.to_thread(take, subscriber, state(live=True))
        assert running.server is not None
        sources = running.server.sources
        publisher = sources.publishers["screen"]

        async def pass_time() -> None:
            heard_ns = publisher.peer.heard_ns
            sources.tick(heard_ns + int((SILENCE_TIMEOUT_S - 1) * 1e9))
            assert sources.publishers
            setattr(publisher.peer, "_is_peer", lambda address: False)  # noqa: B010 (the line is cut)
            sources.tick(publisher.peer.heard_ns + int((SILENCE_TIMEOUT_S + 1) * 1e9))
            assert not sources.publishers

        await asyncio.to_thread(inside, running, pass_time())
        await asyncio.to_thread(take, subscriber, state(live=False))
        await caster.close()

    asyncio.run(scenario())
    subscriber.close()


def test_keyframe_wishes_go_to_the_publisher_once_a_second(running: Running, video: list[Packet]) -> None:
    async def scenario() -> None:
        caster = Caster({"video": [packet for packet in video if not packet.keyframe]})
        plis = 0
        sender: Any = caster.pc.getTransceivers()[0].sender
        original, asked = sender._handle_rtcp_packet, asyncio.Event()

        async def count(packet: Any) -> None:
            nonlocal plis
            if getattr(packet, "fmt", 0) == 1 and type(packet).__name__ == "RtcpPsfbPacket":
                plis += 1
                asked.set()
            await original(packet)

        sender._handle_rtcp_packet = count
        began = time.monotonic()
        await caster.publish(running.client)
        async with asyncio.timeout(5):
            await asked.wait()
        for _ in range(20):
            await asyncio.to_thread(bus.call, running.settings.bus, "streaming", RequestKeyframe("screen/main"))
        asked.clear()
        async with asyncio.timeout(5):
            await asked.wait()
        assert plis <= 1 + time.monotonic() - began
        await caster.close()

    asyncio.run(scenario())


def test_lost_packets_are_asked_for_and_resent(running: Running, video: list[Packet]) -> None:
    """Every twentieth datagram of media is dropped on the way in."""
    subscriber = listen(running, b"media/screen/")

    async def scenario() -> None:
        caster = Caster({"video": video})
        await caster.publish(running.client)
        assert running.server is not None
        publisher = running.server.sources.publishers["screen"]
        counted = 0

        async def tear() -> None:
            for protocol in publisher.peer._connection._protocols:
                receive = protocol.datagram_received

                def lossy(data: bytes, address: Any, receive: Callable[[bytes, Any], None] = receive) -> None:
                    nonlocal counted
                    counted += data[0] >= 128
                    if data[0] < 128 or counted % 20:
                        receive(data, address)

                protocol.datagram_received = lossy

        await asyncio.to_thread(inside, running, tear())
        pictures = await asyncio.to_thread(take, subscriber, lambda message: isinstance(message, Packet), 90)
        numbers = {units(packet): number for number, packet in enumerate(video)}
        order = [numbers[units(packet)] for packet in pictures]
        steps = [(after - before) % len(video) for before, after in zip(order, order[1:], strict=False)]
        assert steps.count(1) > 0.9 * len(steps)
        await caster.close()

    asyncio.run(scenario())
    subscriber.close()
