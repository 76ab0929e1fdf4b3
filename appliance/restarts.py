"""When a service that died is started again: pure, one object per service."""

from __future__ import annotations

DELAYS_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
SETTLED_S = 10.0  # a run of this length pays for the failures before it


class RestartPolicy:
    """At once after a long run, then with growing delay while runs stay short."""

    def __init__(self) -> None:
        self._failures = 0
        self.restarts = 0

    def died(self, ran_s: float) -> float:
        """The run lasted `ran_s` seconds; returns the seconds to wait before the next."""
        if ran_s >= SETTLED_S:
            self._failures = 0
        delay = DELAYS_S[min(self._failures, len(DELAYS_S) - 1)]
        self._failures += 1
        self.restarts += 1
        return delay
