"""What one viewer gets for a picture: its own choice, and within that the ladder's. Pure; times in ns, monotonic."""

from __future__ import annotations

from appliance.messages import QualityChoice, Showing
from streaming.ladder import Ladder, Step

_NAMES: dict[Step, Showing] = {Step.HIGH: "high", Step.LOW: "low", Step.STILL: "still"}


class Quality:
    """`ladder` is to be told of all feedback, whatever the choice. A source of one rung has no ladder to climb:
    with `fixed` the picture is sent or not, as the viewer chose."""

    def __init__(self, choice: QualityChoice, now_ns: int, *, fixed: bool = False, start: Step = Step.HIGH) -> None:
        self._fixed = fixed
        self._begin(choice, now_ns, start, probes=False)

    def choose(self, choice: QualityChoice, now_ns: int) -> None:
        """Take the viewer's choice; the ladder begins anew at its top."""
        self._begin(choice, now_ns, Step.HIGH, probes=self.ladder.probes)

    def _begin(self, choice: QualityChoice, now_ns: int, start: Step, *, probes: bool) -> None:
        self.choice = choice
        self.ladder = Ladder(now_ns, Step.LOW if choice == "saving" else Step.HIGH, start, probes=probes)

    @property
    def step(self) -> Step | None:
        """The step to send; None for no picture at all."""
        if self.choice == "sound":
            return None
        return Step.HIGH if self._fixed or self.choice == "sharp" else self.ladder.step

    @property
    def showing(self) -> Showing:
        step = self.step
        return "none" if step is None else _NAMES[step]
