"""The sources as the second and later streaming processes know them: their publishers are connected to the first.

Packets come over the bus as capture's do, the state with the first process's events, and keyframe wishes go back to it
as commands. Belongs to the service's loop.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.bus import CommandRefused
from appliance.messages import SourceState
from streaming.clock import NS
from streaming.ingest.publisher import Publisher
from streaming.ingest.sources import SOURCES, Sources
from streaming.metrics import Metrics
from streaming.offer import Offer

SILENT_NS = 3 * NS  # the first process speaks once a second


class SourcesElsewhere(Sources):
    """Never has a publisher of its own. `forward(track)` sends a keyframe wish to the first process, `ended` is as for
    Sources; neither must wait."""

    def __init__(self, metrics: Metrics, forward: Callable[[str], None], ended: Callable[[str, int], None]) -> None:
        super().__init__(metrics, lambda message: None, ended)
        self._forward = forward
        self._live_ns: dict[str, int] = {}

    def heard(self, state: SourceState, now_ns: int) -> None:
        """Take in an event of the first process."""
        if state.live:
            self._live_ns[state.source] = now_ns
        else:
            self._over(state.source, now_ns)

    def _over(self, source: str, now_ns: int) -> None:
        if self._live_ns.pop(source, None) is not None:
            self._ended(source, now_ns)

    def open(self, source: str, owner: str, name: str, offer: Offer) -> Publisher:
        raise CommandRefused("invalid", "publishers come in at the first streaming process")

    def live(self, source: str) -> bool:
        return source in self._live_ns

    def want_keyframe(self, track: str) -> bool:
        """Forward a keyframe wish. False when the track is none of an incoming source."""
        if track.partition("/")[0] not in SOURCES:
            return False
        self._forward(track)
        return True

    def tick(self, now_ns: int) -> None:
        """Once a second: a first process that fell silent publishes nothing."""
        for source in [one for one, at_ns in self._live_ns.items() if now_ns - at_ns > SILENT_NS]:
            self._over(source, now_ns)
