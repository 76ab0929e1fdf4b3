"""A tablet behind its weak line reaches the kit, at the line's pace, and not at all while that is cut."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import tunnels

DELAY_MS = 30
PROGRAM = f"""
import socket, subprocess, sys
from tests.relay import Line
from tests.tunnels import KIT_ADDRESS, tablet

ASK = '''
import socket, sys, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.settimeout(0.3)
began = time.monotonic()
link.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
try:
    link.recv(10)
    print(round((time.monotonic() - began) * 1000))
except TimeoutError:
    print("nothing")
'''

with tablet(1, Line(delay_ns={DELAY_MS} * 10**6)) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kit:
    kit.bind((KIT_ADDRESS, 0))
    ask = [*one.prefix, sys.executable, "-c", ASK, KIT_ADDRESS, str(kit.getsockname()[1])]
    for cut in (False, True):
        one.relay.to_far.cut = one.relay.to_near.cut = cut
        asking = subprocess.Popen(ask, stdout=subprocess.PIPE, text=True)
        kit.settimeout(5 if not cut else 1)
        try:
            kit.sendto(*kit.recvfrom(10))
        except TimeoutError:
            pass
        print(asking.communicate()[0].strip(), flush=True)
"""


@pytest.mark.root
@pytest.mark.skipif(bool(tunnels.unavailable()), reason=tunnels.unavailable())
def test_what_a_tablet_says_takes_its_lines_time() -> None:
    with tunnels.KitHost() as kit:
        result = subprocess.run(
            [*kit.prefix, sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True, timeout=60
        )
    round_trip, cut = result.stdout.split()
    assert 2 * DELAY_MS <= int(round_trip) < 300
    assert cut == "nothing"
