"""After an outage of which nothing tells the browser, picture and sound are back within 3 s of the line's return."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests import clockfilm, tunnels

# Seconds. A browser looks for its way for fifteen, then waits to be looked for; after thirty it forgets it.
LENGTHS = ("5", "18", "32")
WITHIN_S = 3.0


@pytest.mark.root
@pytest.mark.timeout(180)
def test_a_line_that_was_dead_for_a_while(state: Callable[[str], None]) -> None:
    if reason := tunnels.unavailable() or ("" if clockfilm.FILM.exists() else f"needs {clockfilm.FILM}"):
        pytest.skip(reason)
    with tunnels.KitHost() as host:
        told = subprocess.run(
            [*host.prefix, sys.executable, "-m", "tests.e2e.outage_lesson", *LENGTHS],
            stdout=subprocess.PIPE, text=True, check=True, timeout=160,
        )  # fmt: skip
    found = json.loads(told.stdout.splitlines()[-1])
    for length, (picture_s, sound_s) in found.items():
        state(f"after {length} s without a packet: picture {picture_s:.2f} s, sound {sound_s:.2f} s after the return")
    assert list(found) == list(LENGTHS)
    assert max(second for pair in found.values() for second in pair) < WITHIN_S, found
