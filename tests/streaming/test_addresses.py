"""A viewer whose address changes, and one whose ICE restarts where it is."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any

from aioice.ice import CandidatePair

from streaming.consent import NS
from streaming.offer import read_fragment
from streaming.viewer import Viewer
from tests.kit import wait_until
from tests.streaming.conftest import Running
from tests.streaming.material import Capture
from tests.streaming.test_sessions import inside
from tests.streaming.watcher import Watcher


async def watching(running: Running) -> tuple[Watcher, Viewer, str]:
    watcher = Watcher()
    reply = await watcher.watch(running.client)
    await pictures(watcher, 1)
    assert running.server is not None
    (viewer,) = running.server.fanout.viewers.values()
    return watcher, viewer, reply.session


async def pictures(watcher: Watcher, count: int) -> None:
    """So many come, in order."""
    async with asyncio.timeout(15):
        frames = await watcher.receive("video", count)
    assert all(later.pts > earlier.pts for earlier, later in zip(frames, frames[1:], strict=False))


async def nominate(watcher: Watcher, protocol: Any) -> None:
    """Check and nominate the way to the kit that begins at `protocol`, as a browser's roaming does."""
    connection = watcher.connection
    pair: Any = CandidatePair(protocol, connection._nominated[1].remote_candidate)
    connection._check_list.append(pair)
    connection.check_start_task(pair)
    await pair.task
    assert connection._nominated[1] is pair


def goes_to(viewer: Viewer, protocol: Any) -> bool:
    return bool(viewer.peer._pair.remote_addr[1] == protocol.local_candidate.port)


def test_a_viewer_that_turns_up_elsewhere_goes_on_there(running: Running, capture: Capture) -> None:
    """Without a restart: checks from a new address, the old one gone; and back again while the other stays."""

    async def scenario() -> None:
        watcher, viewer, _ = await watching(running)
        connection = watcher.connection
        (old,) = connection._protocols
        connection._local_candidates += await connection.get_component_candidates(1, [watcher.address])
        new = connection._protocols[-1]
        for protocol in (new, old, new):
            await nominate(watcher, protocol)
            await asyncio.to_thread(wait_until, functools.partial(goes_to, viewer, protocol), 5, "the way")
            await pictures(watcher, 20)
        connection._protocols.remove(old)
        await old.close()
        await pictures(watcher, 60)
        await watcher.close()

    asyncio.run(scenario())


def test_a_check_that_nominates_the_pair_in_use_again_changes_nothing(running: Running, capture: Capture) -> None:
    """As every check of a browser's does: its viewer stays in step with the others."""

    async def scenario() -> None:
        watcher, viewer, _ = await watching(running)
        changes: list[None] = []
        viewer.peer._on_path = lambda: changes.append(None)
        link, connection = viewer.peer._link, watcher.connection
        for _ in range(3):
            await nominate(watcher, connection._protocols[0])
        assert viewer.peer._link is link
        assert not changes
        await pictures(watcher, 10)
        await watcher.close()

    asyncio.run(scenario())


def test_ice_may_restart_and_end_at_the_same_pair(running: Running, capture: Capture) -> None:
    async def scenario() -> None:
        watcher, viewer, session = await watching(running)
        first, connection = viewer.peer._pair, watcher.connection
        fragment = f"a=ice-ufrag:anew\r\na=ice-pwd:{'p' * 22}\r\n"
        restarted = await asyncio.to_thread(
            running.client.patch, session, viewer="v1", etag="*", fragment=fragment, peer="127.0.0.1"
        )
        assert restarted is not None
        own = read_fragment(restarted.answer, "127.0.0.1")
        connection._check_list.clear()
        connection._local_username, connection._local_password = "anew", "p" * 22
        connection.remote_username, connection.remote_password = own.username, own.password
        (protocol,) = connection._protocols
        await nominate(watcher, protocol)
        await asyncio.to_thread(wait_until, lambda: viewer.peer._pair is not first, 5, "the new pair")
        assert viewer.peer._pair.remote_addr == first.remote_addr
        await pictures(watcher, 60)
        await agreed(running, viewer)
        await watcher.close()

    asyncio.run(scenario())


async def agreed(running: Running, viewer: Viewer) -> None:
    """The kit asks for consent, and gets it."""
    link: Any = viewer.peer._link

    async def ask() -> None:
        viewer.peer.tick(time.monotonic_ns() + 6 * NS)
        assert link._consent._pending is not None

    await asyncio.to_thread(inside, running, ask())
    await asyncio.to_thread(wait_until, lambda: link._consent._pending is None, 5, "consent")
