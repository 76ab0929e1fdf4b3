"""Power cuts by a replayed log: what the disk may hold at any moment of a lesson, recovered and judged."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from lessons.assembler import SECOND
from lessons.catalogue import FILE, Catalogue
from tests.disk import SYNCS, Disk, Policy, Tree, cut
from tests.lessons.logged import Log
from tests.lessons.recovered import Finding, judge
from tests.lessons.room import ID

POLICIES: tuple[Literal["lost", "kept", "newest", "random"], ...] = ("lost", "kept", "newest", "random")
AWAY_S = 20.0  # how long the power is


class State(NamedTuple):
    """The power goes at `at_ns`; what had not been synced is left by `policy`, by a chance of its own where that says
    so."""

    at_ns: int
    policy: Literal["lost", "kept", "newest", "random"]
    seed: int


class Cut(NamedTuple):
    """What a power cut cost: of the lesson, in seconds; `given_s` of the lesson had been given to the recorder by then,
    and `wrong` is what is not as it must be."""

    what: str
    given_s: float
    lost_s: float
    wrong: list[str]


def states(log: Log, moments: int, chance: random.Random) -> Iterator[State]:
    """Every moment at which a sync has not quite returned, by chance what is left; and moments from anywhere."""
    for entry in log.entries:
        if isinstance(entry.op, SYNCS):
            yield State(entry.ended_ns - 1, "random", chance.getrandbits(32))
    for number in range(moments):
        at_ns = chance.randrange(log.began_ns, log.stopped_ns + SECOND)
        yield State(at_ns, POLICIES[number % len(POLICIES)], chance.getrandbits(32))


def lose(file: Path, state: State) -> Cut:
    """One cut of the lesson whose log is in `file`. Runs in any process."""
    log = read(file)
    chance = random.Random(state.seed)
    policy: Policy = chance if state.policy == "random" else state.policy
    with tempfile.TemporaryDirectory(prefix="preau-cut-") as name:
        data = Path(name)
        _catalogue(data, log, state.at_ns, chance)
        write(data, cut(log.entries, state.at_ns, policy))
        (data / "lessons").mkdir(exist_ok=True)
        finding = judge(data, ID, log.at + (state.at_ns - log.began_ns) / SECOND + AWAY_S)
    fed_ns = log.fed_ns(state.at_ns)
    ended_ns = log.first_ns if finding.end_ns is None else finding.end_ns
    what = f"log {state.policy} seed {state.seed} at {(state.at_ns - log.began_ns) / SECOND:.6f} s"
    wrong = [*finding.complaints, *_broken_promises(log, state, finding)]
    return Cut(what, (fed_ns - log.first_ns) / SECOND, max(0, fed_ns - ended_ns) / SECOND, wrong)


def _broken_promises(log: Log, state: State, finding: Finding) -> Iterator[str]:
    """What had been said to be durable, and is not there."""
    if state.at_ns >= log.there_ns and not finding.lesson:
        yield "the lesson is not there"
    missing = {one.id for one in log.marked if one.at_ns <= state.at_ns} - finding.marks
    if missing:
        yield f"marks are not there: {sorted(missing)}"
    if state.at_ns >= log.stopped_ns and finding.goes_on:
        yield "it was stopped, and goes on"


@cache
def read(file: Path) -> Log:
    return msgspec.msgpack.decode(file.read_bytes(), type=Log)


def write(folder: Path, tree: Tree) -> None:
    """Make the files of `tree` in `folder`."""
    for path, data in sorted(tree.items()):
        if data is None:
            (folder / path).mkdir(exist_ok=True)
        else:
            (folder / path).write_bytes(data)


def _catalogue(data: Path, log: Log, before_ns: int, chance: random.Random) -> None:
    """Leave a catalogue in `data`: of an earlier moment, the same torn or garbled, or none. It is only a cache, and may
    be as old and as broken as it likes."""
    kind = chance.choice(["none", "earlier", "torn", "garbled"])
    if kind == "none":
        return
    with tempfile.TemporaryDirectory(prefix="preau-cut-") as name:
        earlier = Path(name)
        disk = Disk()
        at_ns = chance.randrange(log.began_ns, max(before_ns, log.began_ns + 1))
        for entry in log.entries:
            if entry.ended_ns <= at_ns:
                disk.apply(entry.op)
        write(earlier, disk.left("kept"))
        Catalogue(earlier / FILE, earlier / "lessons").close()
        rows = bytearray((earlier / FILE).read_bytes())
    if kind == "torn":
        del rows[chance.randrange(len(rows)) :]
    elif kind == "garbled":
        place = chance.randrange(len(rows) - 512)
        rows[place : place + 512] = chance.randbytes(512)
    (data / FILE).write_bytes(rows)
