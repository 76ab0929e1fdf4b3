"""A whole way: packets on a real bus, the running service, ICE, DTLS and SRTP on lo, frames decoded by aiortc."""

from __future__ import annotations

import asyncio

from tests.streaming.conftest import Running
from tests.streaming.material import Capture
from tests.streaming.watcher import Watcher


def test_picture_and_sound_arrive(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        await watcher.watch(running.client)
        async with asyncio.timeout(10):
            frames = await watcher.receive("video", 40)
            sound = await watcher.receive("audio", 40)
        await watcher.close()
        assert (frames[0].width, frames[0].height) == (320, 240)
        assert all(later.pts > earlier.pts for earlier, later in zip(frames, frames[1:], strict=False))
        assert sound[0].sample_rate == 48000

    asyncio.run(scenario())
