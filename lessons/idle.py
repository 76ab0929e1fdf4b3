"""Processes that do for lessons what can wait: decoders and encoders stay out of the recorder's process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

LOOK_S = 0.2


def run(module: str, arguments: Sequence[str], must_end: Callable[[], bool], limit_s: float) -> int | None:
    """Run `python -m module` and wait for it; its status, or None when it was ended: `must_end` said so, or `limit_s`
    was over. Raises OSError when it cannot be started."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            if must_end() or time.monotonic() > deadline:
                process.kill()
                process.wait()
                return None
