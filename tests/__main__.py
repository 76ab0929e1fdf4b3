"""All tests, in two shares at the same time (tests.shares): `python -m tests [PATHS AND OPTIONS OF PYTEST]`.

The share that measures writes as it goes, what the other one wrote follows. The exit status is 0 when both were good.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.shares import KITS, REST

NICER = 5
NOTHING_TO_DO = 5  # pytest's status where there is no test


def main() -> int:
    command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    with tempfile.TemporaryFile("w+", prefix="preau-test-") as told:
        beside = [*command, "--share", REST, "-p", "no:cacheprovider"]  # one writes the cache
        rest = subprocess.Popen(beside, stdout=told, stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(NICER))
        kits = subprocess.Popen([*command, "--share", KITS])
        try:
            statuses = {kits.wait(), rest.wait()}
        except KeyboardInterrupt:  # both got it as well
            statuses = {kits.wait(), rest.wait()}
        told.seek(0)
        sys.stdout.write(told.read())
    if statuses == {NOTHING_TO_DO}:
        return NOTHING_TO_DO
    return int(bool(statuses - {0, NOTHING_TO_DO}))


if __name__ == "__main__":
    raise SystemExit(main())
