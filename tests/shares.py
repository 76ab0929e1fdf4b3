"""The shares of the tests that `python -m tests` runs at the same time. Pure.

Most of a run is waiting, so that three runs beside each other take hardly longer than the longest. What drives whole
kits and judges how soon, how late or how much stays in the first share, one after the other; the others stand back.
What of the kits' tests mostly waits, for a timeout or behind a slow line, is in another share, so that none is much
longer than the others.
"""

from __future__ import annotations

KITS, PAGES, PARTS = SHARES = ("kits", "pages", "parts")
# The first that a test's name begins with counts.
_SHARES = {
    "tests/e2e/test_divided.py": PAGES,
    "tests/e2e/test_reconnect.py": PAGES,
    "tests/faults/test_flood.py": PARTS,
    "tests/e2e/": KITS,
    "tests/faults/": KITS,
    "tests/ui/": PAGES,
    "tests/": PARTS,
}


def share_of(test: str) -> str:
    """The share of a test, by its id, which begins with its file's path from the project's folder."""
    return next(share for prefix, share in _SHARES.items() if test.startswith(prefix))
