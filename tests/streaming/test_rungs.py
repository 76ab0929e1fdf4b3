"""Changes of rung, as an aiortc viewer sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from appliance.bus import CommandRefused
from appliance.messages import Packet, Quality, QualityChoice
from appliance.settings import Settings
from tests.kit import wait_until
from tests.streaming import material
from tests.streaming.conftest import Running
from tests.streaming.watcher import Watcher


@pytest.fixture
def two_rungs(settings: Settings, video: list[Packet], audio: list[Packet]) -> Iterator[material.Capture]:
    saving = [
        msgspec.structs.replace(packet, rung="360p") for packet in material.video_packets(90, width=160, height=120)
    ]
    source = material.Capture(settings, video, audio, saving)
    source.start()
    yield source
    source.stop()


async def until_width(watcher: Watcher, width: int) -> list[Any]:
    """The frames received up to the first of `width`."""
    frames: list[Any] = []
    async with asyncio.timeout(10):
        while not frames or frames[-1].width != width:
            frames += await watcher.receive("video", 1)
    return frames


def test_the_picture_changes_its_size_and_goes_on(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client)

        async def choose(choice: Any) -> Quality:
            return await asyncio.to_thread(running.client.quality, reply.session, viewer="v1", choice=choice)

        frames = await until_width(watcher, 320)
        assert two_rungs.saving_sent == 0
        assert await choose("saving") == Quality("saving", "low")
        frames += await until_width(watcher, 160)
        frames += await watcher.receive("video", 40)
        assert await choose("sharp") == Quality("sharp", "high")
        frames += await until_width(watcher, 320)
        frames += await watcher.receive("video", 40)
        assert await choose(None) == Quality("sharp", "high")
        steps = [later.pts - earlier.pts for earlier, later in zip(frames, frames[1:], strict=False)]
        assert all(0 < step < 4 * 3003 for step in steps), steps
        with pytest.raises(CommandRefused, match="no such session"):
            await asyncio.to_thread(running.client.quality, reply.session, viewer="other", choice="saving")
        await watcher.close()

    asyncio.run(scenario())
    sent = two_rungs.saving_sent
    assert sent > 0


def test_nobody_watches_and_the_wish_ends(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client, quality="saving")
        assert (await watcher.receive("video", 1))[0].width == 160
        await watcher.close()

    asyncio.run(scenario())
    assert running.server is not None
    fanout = running.server.fanout
    wait_until(lambda: not fanout.viewers, 20, "the viewer to be gone")
    wishes = two_rungs.wishes
    wait_until(lambda: two_rungs.wish_over(), 10, "the wish to end")
    assert two_rungs.wishes <= wishes + 1


def test_sound_only_stops_the_picture_and_goes_on_with_sound(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client)
        await until_width(watcher, 320)
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        answer = await asyncio.to_thread(running.client.quality, reply.session, viewer="v1", choice="sound")
        assert answer == Quality("sound", "none")
        picture, sound = viewer.every_lane
        sent = picture.sent
        async with asyncio.timeout(10):
            await watcher.receive("audio", 100)
        assert picture.sent == sent
        assert sound.sent > 90
        await asyncio.to_thread(running.client.quality, reply.session, viewer="v1", choice="automatic")
        await asyncio.to_thread(wait_until, lambda: picture.sent > sent, 10, "the picture to go on")
        await watcher.close()

    asyncio.run(scenario())


def test_losses_around_a_change_are_repaired(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client)
        await until_width(watcher, 320)
        (protocol,) = watcher.connection._protocols
        receive, counted = protocol.datagram_received, [0]

        def lossy(data: bytes, address: Any) -> None:
            counted[0] += 1
            if data[0] < 128 or counted[0] % 25:
                receive(data, address)

        protocol.datagram_received = lossy
        changes: list[tuple[QualityChoice, int]] = [("saving", 160), ("sharp", 320), ("saving", 160)]
        for choice, width in changes:
            await asyncio.to_thread(running.client.quality, reply.session, viewer="v1", choice=choice)
            await until_width(watcher, width)
            async with asyncio.timeout(10):
                await watcher.receive("video", 20)
        await watcher.close()

    asyncio.run(scenario())
    resent = running.service.registry.get_sample_value("preau_streaming_packets_resent_total")
    assert resent


def test_congestion_leads_to_the_saving_rung(running: Running, two_rungs: material.Capture) -> None:
    """Every third datagram is lost: the reports say so, and within a few seconds the small picture comes."""

    async def scenario() -> None:
        watcher = Watcher()
        reply = await watcher.watch(running.client)
        await until_width(watcher, 320)
        (protocol,) = watcher.connection._protocols
        receive, counted = protocol.datagram_received, [0]

        def lossy(data: bytes, address: Any) -> None:
            counted[0] += 1
            if data[0] < 128 or counted[0] % 3:
                receive(data, address)

        protocol.datagram_received = lossy
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        await asyncio.to_thread(
            wait_until, lambda: viewer.quality.showing != "high", 10, "the ladder to take a step down"
        )
        protocol.datagram_received = receive
        assert (await asyncio.to_thread(running.client.quality, reply.session, viewer="v1")).quality == "automatic"
        await watcher.close()

    asyncio.run(scenario())
