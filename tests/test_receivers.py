"""What benches read of processes, some of which end meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.bench.receivers import cpu_s, ended_s, over, pss_mib, rss_mib

BUSY = "import time\nwhile time.process_time() < 0.25: pass"


def test_what_has_ended_below_a_process_counts_once() -> None:
    own = os.getpid()
    before = ended_s(own)
    with subprocess.Popen([sys.executable, "-c", BUSY]) as child:
        child.wait()
    assert 0.2 <= ended_s(own) - before < 2
    for read in (cpu_s, ended_s, rss_mib, pss_mib):
        alone = read(own)
        assert alone > 0
        assert over(read, [own, child.pid]) == pytest.approx(alone, rel=0.05)  # others share its pages, and it works on


def test_the_process_itself_must_be_there() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    for read in (cpu_s, ended_s, rss_mib, pss_mib):
        with pytest.raises(FileNotFoundError):
            over(read, [child.pid, os.getpid()])
