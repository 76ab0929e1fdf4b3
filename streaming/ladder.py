"""Which rung a viewer can carry: a controller from feedback and time to one of three steps. Pure; times in ns.

Down: at the first sign that the line carries less than is sent. Up: after a calm that doubles with every climb that
failed, as a trial: the top rung is sent, and the first sign of congestion ends it. So a line that never carries the
upper rung sees ever rarer trials, and there is no oscillation. Sound is no matter of this module: it is always sent.

A receiver's estimate (REMB) is bounded by what it receives, and grows slowly after a quiet scene. What tells is not
that it is low but that it fell, or stays, below what is being sent.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

NS = 1_000_000_000


class Step(IntEnum):
    """Ordered: more is better."""

    STILL = 0
    LOW = 1
    HIGH = 2


HEAVY_LOSS = 0.15  # of one report: congestion
LIGHT_LOSS = 0.08  # of two reports in a row: congestion, too
NACK_RATIO = 0.25
NACK_LEAST = 10  # packets asked for again within the window; fewer say nothing
WINDOW_NS = NS
ESTIMATE_SHARE = 0.9  # an estimate below this share of what is sent, and not rising, is congestion
ESTIMATE_FELL = 0.97
FLAT_ESTIMATES = 3  # so many low ones in a row, none rising
NO_PICTURE_BPS = 150_000  # a line that carries less gets stills
SETTLE_NS = 2 * NS  # after a step down its queues drain: what is heard meanwhile is about the step above
TRIAL_NS = 10 * NS
CALM_NS = 10 * NS
LONGEST_CALM_NS = 320 * NS
PROVEN_NS = 60 * NS  # a climb that lasted so long was none too many
TROUBLE_LASTS_NS = NS * 8 // 10
TROUBLE_FORGOTTEN_NS = 3 * NS


class Ladder:
    """One viewer's controller. `step` is what to send, `top` at most; every method may change it."""

    def __init__(self, now_ns: int, top: Step = Step.HIGH) -> None:
        self.step = top
        self._top = top
        self._changed_ns = now_ns
        self._calm_since_ns = now_ns
        self._calm_ns = CALM_NS
        self._climbed_ns: int | None = None
        self._trouble_ns = now_ns - TROUBLE_FORGOTTEN_NS - 1
        self._on_trial = False
        self._light = 0
        self._estimate: int | None = None
        self._flat = 0
        self._nacked: deque[tuple[int, int]] = deque()
        self._sent: deque[tuple[int, int, int]] = deque()

    def sent(self, now_ns: int, packets: int, octets: int) -> None:
        """Running totals of what went to the viewer. Called a few times a second and with every report."""
        self._sent.append((now_ns, packets, octets))
        while len(self._sent) > 2 and self._sent[1][0] <= now_ns - WINDOW_NS:
            self._sent.popleft()
        self._climb(now_ns)

    def loss(self, now_ns: int, fraction: float) -> None:
        """A report block: the fraction lost, 0 to 1, since the one before (RFC 3550 section 6.4.1)."""
        self._light = self._light + 1 if fraction >= LIGHT_LOSS else 0
        if fraction >= HEAVY_LOSS or self._light >= 2:
            self._congested(now_ns)

    def nacked(self, now_ns: int, packets: int) -> None:
        """So many packets were asked for again."""
        self._nacked.append((now_ns, packets))
        while self._nacked[0][0] <= now_ns - WINDOW_NS:
            self._nacked.popleft()
        asked = sum(count for _, count in self._nacked)
        sent, _ = self._rate()
        if sent and asked >= max(NACK_LEAST, NACK_RATIO * sent):
            self._congested(now_ns)

    def estimate(self, now_ns: int, bits_per_second: int) -> None:
        """The viewer's own estimate of the line (REMB)."""
        before, self._estimate = self._estimate, bits_per_second
        _, sending = self._rate()
        if bits_per_second >= ESTIMATE_SHARE * sending:
            self._flat = 0
            return
        if before is None or bits_per_second > before:
            self._flat = 0
            return
        self._flat += 1
        if bits_per_second < ESTIMATE_FELL * before or self._flat >= FLAT_ESTIMATES:
            self._congested(now_ns)

    def full(self, now_ns: int) -> None:
        """The socket had no room."""
        self._congested(now_ns)

    def _rate(self) -> tuple[int, float]:
        """Packets and bits a second, of the last window."""
        if len(self._sent) < 2:
            return 0, 0.0
        (begun_ns, packets, octets), (now_ns, packets_now, octets_now) = self._sent[0], self._sent[-1]
        seconds = max(0.2, (now_ns - begun_ns) / NS)
        return round((packets_now - packets) / seconds), (octets_now - octets) * 8 / seconds

    def _congested(self, now_ns: int) -> None:
        self._calm_since_ns = now_ns
        if self.step is Step.STILL or (not self._on_trial and now_ns - self._changed_ns < SETTLE_NS):
            return
        if self.step is Step.LOW and not self._on_trial and not self._is_too_thin(now_ns):
            return
        # A climb that did not last was a mistake, whether it ended as a trial or soon after.
        lasted = self._climbed_ns is None or now_ns - self._climbed_ns >= PROVEN_NS
        self._calm_ns = CALM_NS if lasted else min(2 * self._calm_ns, LONGEST_CALM_NS)
        self._go(now_ns, Step(self.step - 1), trial=False)

    def _is_too_thin(self, now_ns: int) -> bool:
        """Whether the low rung is too much as well: by the estimate, or because congestion lasts. One bad moment does
        not take the picture away."""
        if self._estimate is not None and self._estimate < NO_PICTURE_BPS:
            return True
        since, self._trouble_ns = now_ns - self._trouble_ns, self._trouble_ns
        if since > TROUBLE_FORGOTTEN_NS:
            self._trouble_ns = now_ns
            return False
        return since >= TROUBLE_LASTS_NS

    def _climb(self, now_ns: int) -> None:
        if self._on_trial and now_ns - self._changed_ns >= TRIAL_NS:
            self._on_trial = False
        if self._on_trial or self.step is self._top or now_ns - self._calm_since_ns < self._calm_ns:
            return
        self._climbed_ns = now_ns
        self._go(now_ns, Step(self.step + 1), trial=True)

    def _go(self, now_ns: int, step: Step, *, trial: bool) -> None:
        self.step = step
        self._changed_ns = self._calm_since_ns = now_ns
        self._on_trial = trial
        self._light = self._flat = 0
        self._nacked.clear()
