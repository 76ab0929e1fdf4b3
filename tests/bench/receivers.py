"""What benches share: the receiving process, a process's time on the processor, and the last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class Receivers:
    """Counting viewers in a process of their own, spoken to by lines. `prefix` runs it on another host.

    `arguments` are those of tests.bench.receivers_process.
    """

    def __init__(
        self, arguments: Sequence[str], prefix: Sequence[str] = (), environ: Mapping[str, str] = os.environ
    ) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.bench.receivers_process", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environ),
        )  # fmt: skip

    def __enter__(self) -> Receivers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def open(self, viewers: int) -> None:
        """Have so many viewers in all; returns when each is connected."""
        self._ask(f"open {viewers}")

    def save(self, viewers: int) -> None:
        """Let so many of them choose the saving picture, the others the automatic one."""
        self._ask(f"saving {viewers}")

    def datagrams(self) -> int:
        """Media datagrams received so far, by all."""
        return self._ask("count")

    def _ask(self, line: str) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


# What reading of a process says that has ended meanwhile.
ENDED = (FileNotFoundError, ProcessLookupError)


def cpu_s(pid: int) -> float:
    """Time the process's threads spent on a processor (proc(5), schedstat: nanoseconds)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(*ENDED):  # a thread that has ended since
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def ended_s(pid: int) -> float:
    """Time that those of the process's children used which have ended (proc(5), stat: cutime and cstime, ticks)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def over(read: Callable[[int], float], pids: Sequence[int]) -> float:
    """The sum over a process, which must be there, and those below it, of which any may have ended meanwhile."""
    first, *below = pids
    total = read(first)
    for pid in below:
        with suppress(*ENDED):
            total += read(pid)
    return total


def rss_mib(pid: int) -> float:
    """Resident memory (proc(5), statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def pss_mib(pid: int) -> float:
    """Resident memory with pages that processes share divided among them (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024  # none in a zombie's


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def conclude(bench: str, figures: Mapping[str, float]) -> None:
    """The last line of every bench."""
    say(json.dumps({"bench": bench, "figures": dict(figures)}))
