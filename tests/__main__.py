"""All tests: `python -m tests [PATHS AND OPTIONS OF PYTEST]`. Several shares at the same time, then what measures, by
itself (tests.shares).

The first share writes as it goes, what the others wrote follows. The exit status is 0 when all were good.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

from tests.shares import ALONE, SHARES

NOTHING_TO_DO = 5  # pytest's status where there is no test


def begin(share: str, told: IO[str] | None = None) -> subprocess.Popen[bytes]:
    """One share's run. Those that write into a file leave pytest's cache to the other."""
    command = [sys.executable, "-m", "pytest", "--share", share, *sys.argv[1:]]
    if told is None:
        return subprocess.Popen(command)
    return subprocess.Popen([*command, "-p", "no:cacheprovider"], stdout=told, stderr=subprocess.STDOUT)


def together() -> set[int]:
    """The statuses of all shares but what is alone."""
    first, *others = SHARES
    with ExitStack() as stack:
        files = [stack.enter_context(TemporaryFile("w+", prefix="preau-test-")) for _ in others]
        running = [begin(first), *map(begin, others, files)]
        try:
            return {each.wait() for each in running}
        finally:  # also when interrupted: they were as well
            for each in running:
                each.wait()
            for told in files:
                told.seek(0)
                sys.stdout.write(told.read())
            sys.stdout.flush()


def main() -> int:
    statuses = together() | {begin(ALONE).wait()}
    return NOTHING_TO_DO if statuses == {NOTHING_TO_DO} else int(bool(statuses - {0, NOTHING_TO_DO}))


if __name__ == "__main__":
    raise SystemExit(main())
