"""The shares of the tests that `python -m tests` runs at the same time, and the one that it runs by itself. Pure.

Most of a run is waiting: for a kit to start, for what takes its time, for a timeout. Several runs beside each other
take hardly longer than the longest. What measures (`pytest.mark.alone`) is not for that: it has the machine to itself.
"""

from __future__ import annotations

# Two, so that hardly ever more than two browsers run at once: a page without a processor for 15 s is taken for broken.
SHARES = ("kits", "pages")
ALONE = "alone"
# The first that a test's name begins with counts: chosen so that the shares take about the same time.
_SHARES = {
    "tests/e2e/": "kits",
    "tests/faults/": "kits",
    "tests/": "pages",
}


def share_of(test: str, *, alone: bool = False) -> str:
    """The share of a test, by its id, which begins with its file's path from the project's folder."""
    return ALONE if alone else next(share for prefix, share in _SHARES.items() if test.startswith(prefix))
