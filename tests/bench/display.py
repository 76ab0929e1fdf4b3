"""The phase of a browser's display, for benches that run as root.

    python tests/bench/display.py NANOSECONDS COMMAND...

A browser without a window refreshes its display at whole multiples of 1/60 s of CLOCK_MONOTONIC, whenever it was
started, and the demo camera takes its pictures at whole thirtieths of a second of wall time: of one machine all
browsers would stand to the camera in the same way, for minutes on end. In a time namespace (time_namespaces(7)) a
browser's clock, and with it its display, is moved against the camera's.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REFRESH_NS = 1_000_000_000 // 60
_CLONE_NEWTIME = 0x80  # linux/sched.h


def moved(shift_ns: int) -> list[str]:
    """The command prefix that runs a program with CLOCK_MONOTONIC put forward by `shift_ns`."""
    return [sys.executable, __file__, str(shift_ns)]


def phases(count: int) -> list[Sequence[str]]:
    """Command prefixes for so many browsers whose displays refresh one after the other, evenly spread; empty ones where
    displays cannot be moved (no root, or no time namespaces in the kernel)."""
    prefixes = [moved(REFRESH_NS * number // count) for number in range(count)]
    able = subprocess.run([*moved(0), "true"], check=False, capture_output=True).returncode == 0
    return [prefix if able else [] for prefix in prefixes]


def run_moved(shift_ns: int, command: list[str]) -> None:
    """Become the command, in a time namespace of its own. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "no time namespace")
    Path("/proc/self/timens_offsets").write_text(f"monotonic 0 {shift_ns}\n")
    os.execvp(command[0], command)  # the program that is begun here is the first in the namespace


if __name__ == "__main__":
    run_moved(int(sys.argv[1]), sys.argv[2:])
