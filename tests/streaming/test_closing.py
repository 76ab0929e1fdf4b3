"""Connections end whole, whenever who closes them stops waiting, and whatever their sockets still hold."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any, Literal, get_args

import pytest

from streaming import offer
from streaming.aiortc_private import Peer
from streaming.lane import Ssrcs
from tests.kit import wait_until
from tests.streaming.hostility import few_words, media_sockets
from tests.streaming.watcher import Watcher

SSRCS = {"video": Ssrcs(17, 18), "audio": Ssrcs(19, 20)}
MOST_TURNS = 60


Progress = Literal["answered", "checked", "connected"]


async def connection(progress: Progress) -> tuple[Watcher, Peer]:
    """A viewer's connection that has just come so far: no more than answered, with ICE done, with DTLS done."""
    watcher, ready = Watcher(), asyncio.Event()
    peer = Peer(("video", "audio"), SSRCS, on_ready=lambda _: ready.set(), on_rtcp=lambda _: None, on_gone=lambda: None)
    answer = await peer.answer(offer.read(await watcher.offer(), "127.0.0.1"), ["127.0.0.1"])
    if progress != "answered":
        await watcher.accept(answer)
        async with asyncio.timeout(5):
            while not (peer._connection._nominated if progress == "checked" else ready.is_set()):
                await asyncio.sleep(0)
    return watcher, peer


async def nothing_left(sockets: int, other: object) -> None:
    """No media sockets but so many, and no task but this one; what aioice forgets in the `other` side's connection,
    which is closed as it comes, does not count."""
    loop, own = asyncio.get_running_loop(), asyncio.current_task()

    def left() -> tuple[int, list[str]]:
        gc.collect()
        coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks(loop) if task is not own]
        frames = [(one, one.cr_frame) for one in coroutines if one.cr_frame]
        return media_sockets() - sockets, [
            one.__qualname__ for one, frame in frames if frame.f_locals.get("self") is not other
        ]

    await asyncio.to_thread(wait_until, lambda: left() == (0, []), 5, "sockets and tasks to be gone")


@pytest.mark.parametrize("progress", get_args(Progress))
def test_a_close_that_is_cut_short_ends_all_the_same(progress: Progress) -> None:
    """At every turn of the loop that it takes."""

    async def cut(turns: int) -> bool:
        sockets = media_sockets()
        watcher, peer = await connection(progress)
        closing = asyncio.ensure_future(peer.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        whole = closing.done()
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
        await watcher.close()
        other = watcher.connection
        del closing, peer, watcher
        await nothing_left(sockets, other)
        return whole

    with few_words():
        needed = next(turns for turns in range(1, MOST_TURNS) if asyncio.run(cut(turns)))
    assert needed > 1, "nothing was cut short"


def test_what_a_full_socket_keeps_does_not_hold_up_the_close() -> None:
    """A weak line's socket sends for seconds what it holds, and asyncio holds what has no room in it."""

    async def scenario() -> None:
        sockets = media_sockets()
        watcher, peer = await connection("connected")
        protocol: Any = peer._connection._nominated[1].protocol
        protocol.transport._buffer.append((b"never sent", ("127.0.0.1", 9)))
        async with asyncio.timeout(5):
            await peer.close()
        await watcher.close()
        await nothing_left(sockets, watcher.connection)

    asyncio.run(scenario())
