"""All tests, in shares at the same time (tests.shares): `python -m tests [PATHS AND OPTIONS OF PYTEST]`.

The share that measures writes as it goes, what the others wrote follows. The exit status is 0 when all were good.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

from tests.shares import SHARES

NICER = 5
NOTHING_TO_DO = 5  # pytest's status where there is no test


def begin(share: str, told: IO[str] | None) -> subprocess.Popen[bytes]:
    """One share's run; one that writes into a file stands back, and leaves pytest's cache to the other."""
    command = [sys.executable, "-m", "pytest", "--share", share, *sys.argv[1:]]
    if told is None:
        return subprocess.Popen(command)
    command += ["-p", "no:cacheprovider"]
    return subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(NICER))


def main() -> int:
    first, *others = SHARES
    with ExitStack() as stack:
        files = [stack.enter_context(TemporaryFile("w+", prefix="preau-test-")) for _ in others]
        running = [begin(first, None), *map(begin, others, files)]
        try:
            statuses = {each.wait() for each in running}
        except KeyboardInterrupt:  # all got it as well
            statuses = {each.wait() for each in running}
        for told in files:
            told.seek(0)
            sys.stdout.write(told.read())
    if statuses == {NOTHING_TO_DO}:
        return NOTHING_TO_DO
    return int(bool(statuses - {0, NOTHING_TO_DO}))


if __name__ == "__main__":
    raise SystemExit(main())
