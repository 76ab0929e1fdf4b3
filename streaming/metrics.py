"""The service's counters (Prometheus), registered in the process's registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Counters are incremented by batches: once a frame or once a second, not once a packet."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"preau_streaming_{name}", text, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"preau_streaming_{name}", text, registry=registry)

        self.viewers = gauge("viewers", "Viewers with ICE and DTLS done.")
        self.saving_viewers = gauge("viewers_saving", "Viewers of the saving rung.")
        self.tasks = gauge("tasks", "Tasks of the service's loop.")
        self.worst_loss = gauge("worst_loss_ratio", "Largest fraction lost in the viewers' last reports.")
        self.sessions = counter("sessions", "Sessions opened.")
        self.packets_sent = counter("packets_sent", "RTP packets sent, without those resent.")
        self.packets_resent = counter("packets_resent", "RTP packets sent again after a NACK.")
        self.bytes_sent = counter("bytes_sent", "RTP payload bytes sent.")
        self.keyframe_requests = counter("keyframe_requests", "Keyframes asked of capture.")
        self.bus_drops = counter("bus_drops", "Packets missing on the bus.")
        self.viewer_drops = counter("viewer_drops", "Times a viewer's full socket made it wait for a keyframe.")
        self.refused = counter("refused", "Offers refused.")
        self.publisher_lost = counter("publisher_lost", "RTP packets that publishers sent and that never came.")
        self.publisher_malformed = counter("publisher_malformed", "Datagrams of publishers that could not be read.")
