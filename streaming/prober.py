"""Feels one viewer's line for the ladder: round trips, and padding beside the picture. Belongs to the service's loop.

The ladder decides; this sends. Round trips are those of ICE's own checks (RFC 8445 section 7): a browser answers them
at once, where its reports wait for their time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

from streaming import clock
from streaming.aiortc_private import Peer
from streaming.burst import Times
from streaming.ladder import Ladder
from streaming.lane import PADDING_BYTES, Lane
from streaming.padding import EVERY_NS, Budget
from streaming.track import Track

CLOSER_NS = clock.NS // 20  # between round trips, when it matters
SELDOM_NS = 10 * clock.NS  # to know the shortest


class Prober:
    """`track` lends its clock to `lane`'s padding. `on_heard` is told when the ladder has heard of a round trip, which
    may have changed its step. `close` ends what is under way."""

    def __init__(self, peer: Peer, track: Track, lane: Lane, on_heard: Callable[[], None]) -> None:
        self._peer, self._track, self._lane, self._on_heard = peer, track, lane, on_heard
        self._tasks: set[asyncio.Task[None]] = set()
        self._probe: asyncio.Task[None] | None = None
        self._asked_ns: int | None = None

    @property
    def probing(self) -> bool:
        return self._probe is not None and not self._probe.done()

    def look(self, ladder: Ladder, now_ns: int) -> None:
        """See how long the way is now, if that was not done lately: often while the ladder suspects or probes."""
        pause_ns = CLOSER_NS if ladder.probing or ladder.suspicious(now_ns) else SELDOM_NS
        if self._asked_ns is None or now_ns - self._asked_ns >= pause_ns:
            self._asked_ns = now_ns
            self._start(self._look(ladder))

    def begin(self, ladder: Ladder) -> None:
        """Probe, until the ladder has decided."""
        self._probe = self._start(self._send(ladder))

    def close(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()

    def _start(self, run: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look(self, ladder: Ladder) -> None:
        took_ns = await self._peer.round_trip_ns()
        if took_ns is not None:
            ladder.round_trip(time.monotonic_ns(), took_ns)
            self._on_heard()

    async def _send(self, ladder: Ladder) -> None:
        await self._look(ladder)  # something else may be on its way now, a still perhaps
        now_ns = time.monotonic_ns()
        if not ladder.due(now_ns):
            return
        ladder.begin_probe(now_ns)
        budget = Budget(now_ns, PADDING_BYTES + self._lane.overhead)
        while ladder.probing:
            await asyncio.sleep(EVERY_NS / clock.NS)
            now_ns = time.monotonic_ns()
            self.look(ladder, now_ns)
            if not self._pad(budget.due(now_ns, ladder.extra(now_ns)), now_ns):
                ladder.full(now_ns)

    def _pad(self, packets: int, now_ns: int) -> bool:
        """False when the socket was full: picture and sound need what room it has."""
        path, ntp = self._peer.path, self._track.ntp(now_ns)
        if path is None:
            return True
        ticks, times = clock.ticks(now_ns, self._track.rate), Times(clock.abs_send_time(ntp), ntp)
        return all(path.send_packet(self._lane.padding(ticks, times)) for _ in range(packets))
