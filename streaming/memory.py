"""On which step a viewer's next session begins. Pure; times in ns, monotonic.

A page opens a new session when the one before froze, or when it is loaded again: the line is the same.
"""

from __future__ import annotations

from streaming.ladder import Step

LASTS_NS = 120_000_000_000
MOST = 1000


class Memory:
    """Steps below the top, by viewer."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[Step, int]] = {}

    def remember(self, viewer: str, step: Step, now_ns: int) -> None:
        """The viewer's session ended on `step`."""
        self._steps.pop(viewer, None)
        if step is not Step.HIGH:
            self._steps[viewer] = step, now_ns
        while len(self._steps) > MOST:
            del self._steps[next(iter(self._steps))]

    def recall(self, viewer: str, now_ns: int) -> Step:
        """The step that the viewer's line carried lately; the top where nothing is known."""
        step, at_ns = self._steps.get(viewer, (Step.HIGH, now_ns))
        return step if now_ns - at_ns <= LASTS_NS else Step.HIGH
