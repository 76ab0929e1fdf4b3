"""The service's counters, as Prometheus shows them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SYNC_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """One set per process, registered in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"preau_lessons_{name}", text, labels, registry=registry)

        self.packets = counter("packets_total", "Packets given to the recorder.", ("track",))
        self.dropped = counter("dropped_packets_total", "Packets that never came: holes in their numbers.")
        self.gaps = counter("gaps_total", "Times that something of a lesson was not recorded.", ("reason",))
        self.overflows = counter("overflows_total", "Times that the disk was too slow for too long.")
        self.overflowed = counter("overflowed_packets_total", "Packets that then found no room to wait.")
        self.fragments = counter("fragments_total", "Fragments made durable.")
        self.recorded = counter("recorded_bytes_total", "Media bytes made durable.")
        self.disk_errors = counter("disk_errors_total", "Writes that the disk refused.", ("incident",))
        self.sync = Histogram(
            "preau_lessons_sync_seconds", "Time to make a fragment and its journal line durable.",
            buckets=SYNC_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self.backlog = Gauge("preau_lessons_backlog_seconds", "How long the disk is behind.", registry=registry)
        self.live = Gauge("preau_lessons_live", "1 while a lesson is being recorded.", registry=registry)
