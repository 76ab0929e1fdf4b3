"""The two shares of the tests that `python -m tests` runs at the same time. Pure.

Most of a run is waiting, so that two runs beside each other take little longer than one. What drives whole kits and
judges how soon, how late or how much (`KITS`) stays in one share, one after the other, with the processors to itself
where it wants them; the other one stands back. What of the kits' tests mostly waits for a timeout or behind a slow line
is in the other share, so that both are equally long.
"""

from __future__ import annotations

KITS, REST = "kits", "rest"
SHARES = (KITS, REST)
_KITS = ("tests/e2e/", "tests/faults/")
_WAITING = ("tests/e2e/test_divided.py", "tests/faults/test_flood.py")


def share_of(test: str) -> str:
    """The share of a test, by its id or its file's path from the project's folder."""
    return KITS if test.startswith(_KITS) and not test.startswith(_WAITING) else REST
