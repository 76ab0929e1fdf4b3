"""Changes of rung, as an aiortc viewer sees them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from appliance.bus import CommandRefused
from appliance.messages import Packet, Quality, QualityChoice
from appliance.settings import Settings
from streaming.clock import NS
from streaming.ladder import HOLD_NS, RAMP_NS, RATES, Step
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


def test_a_probe_leads_back_to_the_sharp_picture(running: Running, two_rungs: material.Capture) -> None:
    """Beside the small picture goes padding on the stream of RTX, which the receiver reports on."""

    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        await until_width(watcher, 320)
        assert running.server is not None and running.loop is not None
        (viewer,) = running.server.fanout.viewers.values()

        def congest() -> None:
            viewer.full()
            viewer.quality.ladder._calm_ns = 0
            shown.append([track.name for track in viewer.lanes])

        await watcher.receive("audio", 1)
        shown: list[list[str]] = []
        running.loop.call_soon_threadsafe(congest)
        await until_width(watcher, 160)
        assert shown == [["microphone/opus"]]  # the large picture did not go on until the small one came
        picture, _ = sorted(viewer.every_lane, key=lambda lane: lane.negotiated.kind, reverse=True)
        assert picture.negotiated.repair_payload_type
        begun = time.monotonic()
        await until_width(watcher, 320)
        assert time.monotonic() - begun > (RAMP_NS + HOLD_NS) / 1e9
        assert picture.padded > 20
        assert picture.resent == 0
        await watcher.close()

    asyncio.run(scenario())


def test_a_queue_that_only_round_trips_show_stops_the_large_picture_at_once(
    running: Running, two_rungs: material.Capture
) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        await until_width(watcher, 320)
        assert running.server is not None and running.loop is not None
        (viewer,) = running.server.fanout.viewers.values()
        trips = iter([NS // 50, NS])

        async def round_trip_ns() -> int:
            return next(trips)

        async def look() -> list[list[str]]:
            assert viewer._prober is not None
            shown = []
            for _ in range(2):
                await viewer._prober._look(viewer.quality.ladder)
                shown.append([track.name for track in viewer.lanes])
            return shown

        viewer.peer.round_trip_ns = round_trip_ns  # type: ignore[method-assign]
        looked = asyncio.run_coroutine_threadsafe(look(), running.loop)
        shown = await asyncio.wrap_future(looked)
        assert [sorted(each) for each in shown] == [["camera/720p", "microphone/opus"], ["microphone/opus"]]
        await until_width(watcher, 160)
        await watcher.close()

    asyncio.run(scenario())


def test_a_busy_line_is_not_probed(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        await until_width(watcher, 320)
        assert running.server is not None and running.loop is not None
        (viewer,) = running.server.fanout.viewers.values()
        ladder, took_ns = viewer.quality.ladder, [NS // 50]

        async def round_trip_ns() -> int:
            return took_ns[0]

        async def probe() -> tuple[bool, bool, bool]:
            assert viewer._prober is not None
            await viewer._prober._look(ladder)
            viewer.full()
            ladder._calm_ns = 0
            due = ladder.due(time.monotonic_ns())
            took_ns[0] = NS // 10
            viewer.probe()
            await asyncio.wait(viewer._prober._tasks)
            return due, ladder.due(time.monotonic_ns()), viewer.probing

        viewer.peer.round_trip_ns = round_trip_ns  # type: ignore[method-assign]
        probed = asyncio.run_coroutine_threadsafe(probe(), running.loop)
        assert await asyncio.wrap_future(probed) == (True, False, False)
        assert not any(lane.padded for lane in viewer.every_lane)
        await watcher.close()

    asyncio.run(scenario())


def test_who_is_congested_leaves_the_others(running: Running, two_rungs: material.Capture) -> None:
    """Served together until one's line is full: that one's large picture stops at once, the other's goes on whole."""

    async def scenario() -> None:
        weak, healthy = Watcher(), Watcher()
        for viewer, watcher in (("v1", weak), ("v2", healthy)):
            await watcher.watch(running.client, viewer=viewer)
            await until_width(watcher, 320)
        assert running.server is not None and running.loop is not None
        one, other = running.server.fanout.viewers.values()
        slow, quick = (lane for each in (one, other) for lane in each.every_lane if lane.negotiated.kind == "video")
        await asyncio.to_thread(
            wait_until, lambda: slow.cohort is not None and slow.cohort is quick.cohort, 10, "the two to be in step"
        )
        found: list[object] = []

        def congest() -> None:
            one.full()
            found.extend((slow.cohort, list(slow.backlog), slow in one.lanes.values(), quick in other.lanes.values()))

        running.loop.call_soon_threadsafe(congest)
        frames = await healthy.receive("video", 30)
        await until_width(weak, 160)
        assert found == [None, [], False, True]
        assert {frame.width for frame in frames} == {320}
        steps = [later.pts - earlier.pts for earlier, later in zip(frames, frames[1:], strict=False)]
        assert max(steps) < 2 * 3003, steps
        await weak.close()
        await healthy.close()

    asyncio.run(scenario())


def test_the_next_session_begins_where_the_last_one_was(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        first = Watcher()
        reply = await first.watch(running.client)
        await until_width(first, 320)
        assert running.server is not None and running.loop is not None
        (viewer,) = running.server.fanout.viewers.values()
        running.loop.call_soon_threadsafe(lambda: viewer.quality.ladder.full(time.monotonic_ns()))
        await asyncio.to_thread(wait_until, lambda: viewer.line is Step.LOW, 5, "the step down")
        beside = Watcher()
        await beside.watch(running.client)
        assert (await beside.receive("video", 1))[0].width == 160
        await beside.close()
        await asyncio.to_thread(running.client.close, reply.session, viewer="v1")
        await first.close()
        again, other = Watcher(), Watcher()
        await again.watch(running.client)
        assert (await again.receive("video", 1))[0].width == 160
        await other.watch(running.client, viewer="v2")
        assert (await other.receive("video", 1))[0].width == 320
        await again.close()
        await other.close()

    asyncio.run(scenario())


def test_a_line_without_picture_is_remembered_too(running: Running, two_rungs: material.Capture) -> None:
    async def scenario() -> None:
        first = Watcher()
        reply = await first.watch(running.client)
        await until_width(first, 320)
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        viewer.quality.ladder.step = Step.STILL
        await asyncio.to_thread(running.client.close, reply.session, viewer="v1")
        await first.close()
        again = Watcher()
        reply = await again.watch(running.client)
        assert (await asyncio.to_thread(running.client.quality, reply.session, viewer="v1")).showing == "still"
        async with asyncio.timeout(10):
            await again.receive("audio", 20)
        (viewer,) = running.server.fanout.viewers.values()
        assert {lane.negotiated.kind: bool(lane.sent) for lane in viewer.every_lane} == {"video": False, "audio": True}
        changes: list[None] = []
        viewer._on_change = lambda: changes.append(None)
        viewer.steer()
        assert not changes, "each report of such a viewer would break up who is served together"
        await again.close()

    asyncio.run(scenario())


def test_sound_begins_with_the_first_picture(
    running: Running, two_rungs: material.Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.viewer.SOUND_WAITS_NS", 10**11)  # however slow this machine is now

    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        await asyncio.to_thread(wait_until, lambda: len(viewer.every_lane) == 2, 10, "the tracks")
        lanes = {lane.negotiated.kind: lane for lane in viewer.every_lane}
        await asyncio.to_thread(wait_until, lambda: lanes["audio"].sent, 10, "sound")
        assert lanes["video"].sent
        await watcher.close()

    asyncio.run(scenario())


def test_sound_does_not_wait_long_for_a_picture(running: Running, settings: Settings, audio: list[Packet]) -> None:
    source = material.Capture(settings, [], audio)
    source.start()

    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        async with asyncio.timeout(10):
            await watcher.receive("audio", 20)
        assert running.server is not None
        (viewer,) = running.server.fanout.viewers.values()
        assert viewer.quality.ladder.rates[Step.HIGH] == RATES[Step.HIGH], "a probe for a picture of no weight"
        await watcher.close()

    asyncio.run(scenario())
    source.stop()


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
