"""The page comes back by itself when the network does: seconds from its return to a present picture are stated."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.network import TwoHosts, unavailable

NEXT_ADDRESS = "10.213.0.77"


@pytest.mark.root
@pytest.mark.timeout(240)
def test_the_page_comes_back_by_itself(state: Callable[[str], None]) -> None:
    if reason := unavailable():
        pytest.skip(reason)
    with TwoHosts() as hosts:
        told = subprocess.run(
            [
                *hosts.left, sys.executable, "-m", "tests.e2e.lost_lesson",
                hosts.left_address, hosts.interface, hosts.right[-1], hosts.right_address, NEXT_ADDRESS,
            ],
            stdout=subprocess.PIPE, text=True, check=True, timeout=200,
        )  # fmt: skip
    found = json.loads(told.stdout.splitlines()[-1])
    for what, seconds in found["seconds"].items():
        state(f"moving picture {seconds:.2f} s after the network's return ({what})")
    assert len(found["seconds"]) == 5
