"""Who publishes what: at most one publisher a source, its packets onto the bus. Belongs to the service's loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from appliance.bus import CommandRefused
from appliance.logs import OncePerSecond
from appliance.messages import Event, Packet, SourceState
from streaming.clock import NS
from streaming.ingest.publisher import Publisher
from streaming.metrics import Metrics
from streaming.offer import Offer

log = structlog.get_logger()

# The track on the bus for each kind of a source's media.
SOURCES: Mapping[str, Mapping[str, str]] = {
    "screen": {"video": "main", "audio": "opus"},
    "talk": {"audio": "opus"},
}
CLOSE_TIMEOUT_S = 3.0


class Sources:
    """`send` puts a packet or event on the bus and must not wait; `ended(source, now_ns)` is called when its publisher
    went."""

    def __init__(
        self, metrics: Metrics, send: Callable[[Packet | Event], None], ended: Callable[[str, int], None]
    ) -> None:
        self.publishers: dict[str, Publisher] = {}
        self._metrics = metrics
        self._send, self._ended = send, ended
        self._closing: set[asyncio.Task[None]] = set()
        self._told: dict[str, SourceState] = {}
        self._counted = (0, 0, 0)
        self._unreadable = OncePerSecond()
        self._gone = [0, 0, 0]

    def open(self, source: str, owner: str, name: str, offer: Offer) -> Publisher:
        """Take in a publisher whose answer is about to be sent. Raises CommandRefused: `not_found`, `invalid`, and
        `conflict` when the source is taken."""
        rungs = SOURCES.get(source)
        if rungs is None:
            raise CommandRefused("not_found", f"there is no source {source}")
        if not set(offer.kinds) <= rungs.keys():
            raise CommandRefused("invalid", f"{source} takes {' and '.join(sorted(rungs))} only")
        if source in self.publishers:
            raise CommandRefused("conflict", f"somebody publishes {source} already")
        publisher = Publisher(
            owner=owner, name=name, source=source, rungs=rungs, offer=offer, on_packets=self._packets,
            on_gone=self.remove,
        )  # fmt: skip
        publisher.opened_ns = time.monotonic_ns()
        self.publishers[source] = publisher
        return publisher

    def find(self, session: str) -> Publisher | None:
        return next((one for one in self.publishers.values() if one.session == session), None)

    def live(self, source: str) -> bool:
        publisher = self.publishers.get(source)
        return publisher is not None and publisher.live

    def want_keyframe(self, track: str) -> bool:
        """Forward a keyframe wish as PLI. False when the track is none of an incoming source."""
        source = track.partition("/")[0]
        if source not in SOURCES:
            return False
        if (publisher := self.publishers.get(source)) is not None:
            publisher.want_keyframe()
        return True

    def _packets(self, publisher: Publisher, packets: list[Packet]) -> None:
        for packet in packets:
            self._send(packet)
        if publisher.source not in self._told or not self._told[publisher.source].live:
            self._announce()

    def remove(self, publisher: Publisher) -> asyncio.Task[None]:
        """Forget a publisher and close it in the background. Idempotent."""
        if self.publishers.get(publisher.source) is publisher:
            del self.publishers[publisher.source]
            for place, count in enumerate(_counts(publisher)):
                self._gone[place] += count
            log.info("publisher gone", source=publisher.source)
            self._ended(publisher.source, time.monotonic_ns())
            self._announce()
        task = asyncio.ensure_future(self._close(publisher))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    async def _close(self, publisher: Publisher) -> None:
        try:
            await asyncio.wait_for(publisher.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            log.warning("a publisher's connection would not close", source=publisher.source)

    async def close(self) -> None:
        """End every session."""
        for publisher in list(self.publishers.values()):
            self.remove(publisher)
        if self._closing:
            await asyncio.wait(list(self._closing), timeout=CLOSE_TIMEOUT_S)

    def tick(self, now_ns: int) -> None:
        """Once a second: the silent ones go, counters, and the event for everybody."""
        for publisher in list(self.publishers.values()):
            if publisher.expired(now_ns):
                log.info("publisher fell silent", source=publisher.source, connected=publisher.connected)
                self.remove(publisher)
        self._count(now_ns)
        self._announce(again=True)

    def _count(self, now_ns: int) -> None:
        counts = [sum(column) for column in zip(self._gone, *map(_counts, self.publishers.values()), strict=True)]
        lost, malformed, unreadable = (now - before for now, before in zip(counts, self._counted, strict=True))
        self._counted = (counts[0], counts[1], counts[2])
        self._metrics.publisher_lost.inc(lost)
        self._metrics.publisher_malformed.inc(malformed + unreadable)
        if malformed + unreadable and (count := self._unreadable.hit(now_ns / NS)):
            log.warning("a publisher sent what cannot be read", packets=malformed + unreadable, count=count)

    def _announce(self, *, again: bool = False) -> None:
        """Publish the state of each source that changed, or (`again`) of all that were ever used."""
        for source in SOURCES:
            state = SourceState(source, self.live(source))
            told = self._told.get(source)
            if (state.live or told is not None) and (again or told != state):
                self._told[source] = state
                self._send(state)


def _counts(publisher: Publisher) -> tuple[int, int, int]:
    """Packets lost, payloads malformed, datagrams unreadable."""
    streams = publisher.streams
    return sum(one.lost for one in streams), sum(one.malformed for one in streams), publisher.unreadable
