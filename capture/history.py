"""The last seconds of encoded packets, so that a reader that was away (a restarted recorder) misses nothing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection

from appliance.messages import Packet

KEPT_NS = 15_000_000_000


class History:
    """Bounded by time, per track. Any thread may add and read."""

    def __init__(self, kept_ns: int = KEPT_NS) -> None:
        self._kept_ns = kept_ns
        self._lock = threading.Lock()
        self._tracks: dict[str, deque[Packet]] = {}

    def add(self, packet: Packet) -> None:
        with self._lock:
            kept = self._tracks.setdefault(packet.track, deque())
            kept.append(packet)
            while kept[0].pts_ns < packet.pts_ns - self._kept_ns:
                kept.popleft()

    def since(self, tracks: Collection[str], since_ns: int) -> list[Packet]:
        """The packets of `tracks` with ``pts_ns >= since_ns``, oldest first."""
        with self._lock:
            found = [p for track in tracks for p in self._tracks.get(track, ()) if p.pts_ns >= since_ns]
        return sorted(found, key=lambda packet: packet.pts_ns)
