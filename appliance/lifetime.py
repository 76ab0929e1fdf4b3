"""How a process of the kit begins and ends beside its parent. Imports next to nothing, for those that only watch."""

from __future__ import annotations

import ctypes
import os
import signal

EXIT_CONFIGURATION = 78  # EX_CONFIG (sysexits.h): restarting will not help
_PR_SET_PDEATHSIG = 1


def die_with_supervisor() -> None:
    """End this process when the supervisor, if one started it, dies, so that nothing holds ports and devices."""
    parent = os.environ.get("PREAU_SUPERVISOR_PID")
    if parent is not None:
        die_with(int(parent), signal.SIGTERM)


def die_with(parent: int, how: signal.Signals) -> None:
    """Ask the kernel to send this process a signal when its parent dies (prctl(2)). Exits when it is already dead."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        raise SystemExit(1)
