"""What feedback says about a viewer's line: whether it carries less than is sent. Pure; times in ns, monotonic.

Losses, the receiver's estimate (REMB) and the round trip each know half the truth. Radio loses packets on lines that
are nearly empty. An estimate is cut to 0.85 of what arrives as soon as packets come late, be it those of one keyframe,
then grows for half a minute: that it is low means nothing, and that it fell, little. The round trip grows with a
keyframe, too. So each is a strong sign when it is extreme, else a weak one: two weak ones of different kinds within
SIGN_LASTS_NS are congestion.
"""

from __future__ import annotations

from collections import deque

from streaming.losses import HEARD_KEPT, NS, WINDOW_NS, Losses

LOSS, STRONG_LOSS = 0.08, 0.3  # of the last second
LONG_LOSS = 0.15  # of the last four: sound breaks off, whatever the reason; only fewer packets may help
NACK_LEAST = 10  # packets asked for again within the window; fewer say nothing
ESTIMATE_SHARE, STRONG_ESTIMATE_SHARE = 0.9, 0.65  # of what is sent
ESTIMATE_FELL = 0.97
QUEUE_NS, STRONG_QUEUE_NS = NS // 5, NS // 2  # a round trip longer than the shortest by that
ROUND_TRIPS_NS = 60 * NS
SIGN_LASTS_NS = NS * 3 // 2


class Signs:
    """Each method that takes in feedback returns whether the line is congested, as far as it can tell then."""

    def __init__(self, now_ns: int) -> None:
        self.estimate_bps: int | None = None
        self.fell_ns = now_ns  # when the estimate last fell below what was sent
        self._losses: dict[int, Losses] = {}
        self._nacked: deque[tuple[int, int]] = deque(maxlen=HEARD_KEPT)
        self._sent: deque[tuple[int, int, int]] = deque(maxlen=HEARD_KEPT)
        self._trips: deque[tuple[int, int]] = deque()
        self._weak: dict[str, int] = {}

    def begin_anew(self) -> None:
        """What was heard so far is about what is sent no more."""
        for forgotten in (self._losses, self._nacked, self._weak):
            forgotten.clear()

    def sent(self, now_ns: int, packets: int, octets: int) -> None:
        """Running totals of what went to the viewer."""
        self._sent.append((now_ns, packets, octets))
        while len(self._sent) > 2 and self._sent[1][0] <= now_ns - WINDOW_NS:
            self._sent.popleft()

    def received(self, now_ns: int, stream: int, highest: int, lost: int) -> bool:
        """A report block on one of the viewer's streams."""
        losses = self._losses.setdefault(stream, Losses())
        losses.report(now_ns, highest, lost)
        fraction = losses.fraction()
        return fraction >= STRONG_LOSS or (fraction >= LOSS and self._is_second("loss", now_ns))

    def lossy(self, stream: int) -> bool:
        """Whether losses of the stream have lasted so long and are so many that nothing else need be known."""
        return stream in self._losses and self._losses[stream].long_fraction() >= LONG_LOSS

    def nacked(self, now_ns: int, packets: int) -> bool:
        """So many packets were asked for again, each for the first time."""
        self._nacked.append((now_ns, packets))
        while self._nacked[0][0] <= now_ns - WINDOW_NS:
            self._nacked.popleft()
        asked, sent = sum(count for _, count in self._nacked), self._sending()[0]
        if asked < NACK_LEAST or asked < LOSS * sent:
            return False
        return bool(sent and asked >= STRONG_LOSS * sent) or self._is_second("loss", now_ns)

    def estimate(self, now_ns: int, bits_per_second: int) -> bool:
        """The viewer's own estimate of the line."""
        before, self.estimate_bps = self.estimate_bps, bits_per_second
        _, sending = self._sending()
        if before is None or bits_per_second >= min(ESTIMATE_FELL * before, ESTIMATE_SHARE * sending):
            return False
        self.fell_ns = now_ns
        return bits_per_second < STRONG_ESTIMATE_SHARE * sending or self._is_second("estimate", now_ns)

    def round_trip(self, now_ns: int, took_ns: int) -> bool:
        """The way to the viewer and back, with what queues there."""
        self._trips.append((now_ns, took_ns))
        while self._trips[0][0] <= now_ns - ROUND_TRIPS_NS:
            self._trips.popleft()
        return self.queue_ns >= STRONG_QUEUE_NS or (self.queue_ns >= QUEUE_NS and self._is_second("queue", now_ns))

    @property
    def queue_ns(self) -> int:
        """By how much the last round trip was longer than the shortest."""
        return self._trips[-1][1] - min(took_ns for _, took_ns in self._trips) if self._trips else 0

    def suspicious(self, now_ns: int) -> bool:
        """Whether there is one weak sign, so that it is worth while to look at the round trip now."""
        return any(now_ns - at_ns <= SIGN_LASTS_NS for at_ns in self._weak.values())

    def _is_second(self, kind: str, now_ns: int) -> bool:
        self._weak[kind] = now_ns
        return sum(now_ns - at_ns <= SIGN_LASTS_NS for at_ns in self._weak.values()) >= 2

    def _sending(self) -> tuple[int, float]:
        """Packets within the last window, and bits a second."""
        if len(self._sent) < 2:
            return 0, 0.0
        (begun_ns, packets, octets), (now_ns, packets_now, octets_now) = self._sent[0], self._sent[-1]
        seconds = max(0.2, (now_ns - begun_ns) / NS)
        return packets_now - packets, (octets_now - octets) * 8 / seconds
