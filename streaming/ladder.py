"""Which rung a viewer can carry: a controller from feedback and time to one of three steps. Pure; times in ns.

Down: at the first sign that the line carries less than is sent (streaming.signs). Up: after a calm, and after a probe:
beside the present rung goes so much more that the line has to carry what the upper one needs. The first sign of
congestion ends the probe, which cost no picture, and doubles the calm before the next; without one, the upper rung is
sent, at first on trial. So a line that never carries the upper rung sees ever rarer probes, and there is no
oscillation. Viewers who cannot be probed get the trial alone. Sound is no matter of this module: it is always sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from streaming.losses import NS
from streaming.signs import Signs


class Step(IntEnum):
    """Ordered: more is better."""

    STILL = 0
    LOW = 1
    HIGH = 2


# What goes to a viewer on each step, bits of RTP payload a second, sound included, until `Ladder.rates` is set.
RATES: Mapping[Step, int] = {Step.STILL: 32_000, Step.LOW: 432_000, Step.HIGH: 1_532_000}
NO_PICTURE_BPS = 150_000  # a line that carries less gets stills
THIN_SHARE = 0.75  # and one that carries less than this share of the low rung
DEAF_NS = NS
SETTLE_NS = NS  # after a step down its queues drain: what is heard meanwhile is about the step above
RAMP_NS = NS * 3 // 2  # a probe grows slowly: it ends before it has filled a queue that sound must pass
HOLD_NS = NS
NO_ANSWER_NS = 6 * NS
PROBE_MARGIN = 1.2  # over the upper rung's mean: packets have headers, keyframes are large
PROBE_QUEUE_NS = NS * 6 // 100  # twice in a row: radio alone makes some packets late
TRIAL_NS = 10 * NS
CALM_NS = 10 * NS
LONGEST_CALM_NS = 320 * NS  # between trials, which cost a piece of picture when they fail
LONGEST_PROBE_CALM_NS = 80 * NS
PROVEN_NS = 60 * NS  # a climb that lasted so long was none too many
TROUBLE_LASTS_NS = NS * 8 // 10
TROUBLE_FORGOTTEN_NS = 3 * NS


class Ladder:
    """One viewer's controller. `step` is what to send, `top` at most; every method may change it.

    `probes` tells whether the line can be probed, `rates` what goes to the viewer on each step. Who owns the ladder
    begins a probe (`begin_probe`) once `due` says so, and sends `extra` beside the rung while `probing`. Running totals
    of what went to the viewer, probes included, are told (`sent`) at the beginning and before anything that is heard.
    """

    def __init__(self, now_ns: int, top: Step = Step.HIGH, start: Step = Step.HIGH, *, probes: bool = False) -> None:
        self.step = min(start, top)
        self.rates = RATES
        self.probes = probes
        self._top = top
        self._signs = Signs(now_ns)
        self._settled_ns = now_ns
        self._changed_ns = self._calm_since_ns = now_ns
        self._calm_ns = CALM_NS
        self._climbed_ns: int | None = None
        self._trouble_ns = now_ns - TROUBLE_FORGOTTEN_NS - 1
        self._on_trial = False
        self._probe_ns: int | None = None
        self._heard_ns = now_ns
        self._deaf_until_ns = now_ns
        self.sent = self._signs.sent
        self.suspicious = self._signs.suspicious

    # --- what is heard ---------------------------------------------------------------------------------------

    def back(self, now_ns: int) -> None:
        """The viewer is heard again after a silence. That nothing came through meanwhile is no sign of a weak line, and
        what is heard within DEAF_NS may be about that time."""
        self._deaf_until_ns = now_ns + DEAF_NS
        self._probe_ns = None
        self._calm_since_ns = now_ns
        self._signs.begin_anew()

    def _is_deaf(self, now_ns: int) -> bool:
        """Forgets, if so, what was heard before."""
        deaf = now_ns < self._deaf_until_ns
        if deaf:
            self._signs.begin_anew()
        return deaf

    def received(self, now_ns: int, stream: int, highest: int, lost: int) -> None:
        """A report block on one of the viewer's streams: highest sequence number and number lost, as running totals."""
        self._heard_ns = now_ns
        deaf = self._is_deaf(now_ns)
        congested = self._signs.received(now_ns, stream, highest, lost)
        if deaf:
            return
        if congested or (self.step is Step.HIGH and self._signs.lossy(stream)):
            self._congested(now_ns)

    def nacked(self, now_ns: int, packets: int) -> None:
        """So many packets were asked for again, each for the first time."""
        if self._signs.nacked(now_ns, packets) and not self._is_deaf(now_ns):
            self._congested(now_ns)

    def estimate(self, now_ns: int, bits_per_second: int) -> None:
        """The viewer's own estimate of the line (REMB)."""
        self._heard_ns = now_ns
        if self._signs.estimate(now_ns, bits_per_second) and not self._is_deaf(now_ns):
            self._congested(now_ns)

    def round_trip(self, now_ns: int, took_ns: int) -> None:
        """The way to the viewer and back."""
        before_ns = self._signs.queue_ns
        congested = self._signs.round_trip(now_ns, took_ns)
        if self._is_deaf(now_ns):
            return
        if congested or (self.probing and min(before_ns, self._signs.queue_ns) >= PROBE_QUEUE_NS):
            self._congested(now_ns)

    def full(self, now_ns: int) -> None:
        """The socket had no room."""
        self._congested(now_ns)

    def pass_time(self, now_ns: int) -> None:
        """To be called at least once a second, and after all that came with one report."""
        if self._on_trial and now_ns - self._changed_ns >= TRIAL_NS:
            self._on_trial = False
        if self._probe_ns is None:
            if not self.probes and self._is_calm(now_ns):
                self._climb(now_ns)
        # What is heard of the second half of its full rate counts, and silence is no consent.
        elif now_ns >= self._probe_ns + NO_ANSWER_NS:
            self._fail(now_ns)
        elif now_ns >= self._probe_ns + RAMP_NS + HOLD_NS <= self._heard_ns + HOLD_NS // 2:
            self._climb(now_ns)

    # --- probes ----------------------------------------------------------------------------------------------

    def due(self, now_ns: int) -> bool:
        """Whether a probe may begin: not while packets queue, which would leave sound no room."""
        idle = self._signs.queue_ns < PROBE_QUEUE_NS
        return idle and self.probes and not self.probing and self._is_calm(now_ns)

    def begin_probe(self, now_ns: int) -> None:
        """Only when one is due."""
        self._probe_ns = now_ns
        self._signs.begin_anew()

    @property
    def probing(self) -> bool:
        """Whether a probe has begun and nothing is decided yet."""
        return self._probe_ns is not None

    def extra(self, now_ns: int) -> int:
        """Bits a second to send beside the rung now, headers included; 0 while a probe is over or there is none."""
        if self._probe_ns is None or now_ns >= self._probe_ns + RAMP_NS + HOLD_NS:
            return 0
        wanted = PROBE_MARGIN * self.rates[Step(self.step + 1)] - self.rates[self.step]
        return max(0, round(wanted * min(1.0, (now_ns - self._probe_ns) / RAMP_NS)))

    # --- decisions -------------------------------------------------------------------------------------------

    def _is_calm(self, now_ns: int) -> bool:
        return not self._on_trial and self.step < self._top and now_ns - self._calm_since_ns >= self._calm_ns

    def _congested(self, now_ns: int) -> None:
        self._calm_since_ns = now_ns
        if self.probing:
            self._fail(now_ns)
            return
        if self.step is Step.STILL or (not self._on_trial and now_ns < self._settled_ns):
            return
        if self.step is Step.LOW and not self._on_trial and not self._is_too_thin(now_ns):
            return
        # A climb that did not last was a mistake, whether it ended as a trial or soon after.
        lasted = self._climbed_ns is None or now_ns - self._climbed_ns >= PROVEN_NS
        self._calm_ns = CALM_NS if lasted else self._longer()
        self._go(now_ns, Step(self.step - 1), trial=False)

    def _is_too_thin(self, now_ns: int) -> bool:
        """Whether the low rung is too much as well: by an estimate that fell below it, or because congestion lasts.
        One bad moment does not take the picture away."""
        estimate = self._signs.estimate_bps
        thin = max(NO_PICTURE_BPS, THIN_SHARE * self.rates[Step.LOW])
        if estimate is not None and self._signs.fell_ns > self._changed_ns and estimate < thin:
            return True
        since, self._trouble_ns = now_ns - self._trouble_ns, self._trouble_ns
        if since > TROUBLE_FORGOTTEN_NS:
            self._trouble_ns = now_ns
            return False
        return since >= TROUBLE_LASTS_NS

    def _fail(self, now_ns: int) -> None:
        """The line did not carry the probe. The rung that it carried goes on; the queue that is left drains."""
        self._probe_ns = None
        self._calm_since_ns = now_ns
        self._calm_ns = self._longer()
        self._settle(now_ns)

    def _longer(self) -> int:
        return min(2 * self._calm_ns, LONGEST_PROBE_CALM_NS if self.probes else LONGEST_CALM_NS)

    def _climb(self, now_ns: int) -> None:
        self._probe_ns = None
        self._climbed_ns = now_ns
        self._go(now_ns, Step(self.step + 1), trial=True)

    def _go(self, now_ns: int, step: Step, *, trial: bool) -> None:
        self.step = step
        self._changed_ns = self._calm_since_ns = now_ns
        self._on_trial = trial
        self._settle(now_ns)

    def _settle(self, now_ns: int) -> None:
        self._settled_ns = now_ns + SETTLE_NS
        self._signs.begin_anew()
