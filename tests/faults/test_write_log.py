"""A few of the states of `make bench-powercut`: what a disk may hold when the power goes, recovered and judged."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lessons.assembler import SECOND
from tests.bench import powercut_beside as beside
from tests.bench.powercut_log import lose, read, states, write
from tests.disk import SYNCS, Tree, cut
from tests.lessons.logged import logged
from tests.lessons.recovered import Finding, judge, recover_noted
from tests.lessons.room import ID

SECONDS, STATES, RECOVERIES = 5, 24, 2
SEED = 20261126
LONGEST_LOSS_S = 1.2


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a recording."""
    folder = tmp_path_factory.mktemp("logged")
    logged(folder, SECONDS)
    return folder / "log"


def test_whatever_the_disk_holds_all_but_the_last_second_is_there(file: Path, state: Callable[[str], None]) -> None:
    chance = random.Random(SEED)
    found = list(states(read(file), STATES, chance))
    cuts = [lose(file, one) for one in chance.sample(found, STATES)]
    assert [(cut.what, cut.wrong) for cut in cuts if cut.wrong] == []
    losses = sorted(cut.lost_s for cut in cuts)
    state(f"{STATES} states of a disk: lost {losses[STATES // 2]:.2f} s (median), {losses[-1]:.2f} s (most)")
    assert losses[-1] <= LONGEST_LOSS_S
    assert any(cut.lost_s for cut in cuts)


def test_power_that_goes_again_during_recovery_costs_nothing_more(file: Path, tmp_path: Path) -> None:
    log = read(file)
    chance = random.Random(SEED)
    found = [one for one in states(log, 0, chance) if one.at_ns > log.first_ns + 2 * SECOND]
    entries, at = 0, log.at + 30
    for number, first in enumerate(chance.sample(found, RECOVERIES)):
        before = cut(log.entries, first.at_ns, chance)
        once = _judged(tmp_path / f"once-{number}", before, at)
        (data := tmp_path / f"noted-{number}").mkdir()
        write(data, before)
        noted = recover_noted(data, at)
        entries += len(noted)
        for moment in [entry.ended_ns - 1 for entry in noted if isinstance(entry.op, SYNCS)]:
            again = _judged(tmp_path / f"again-{number}-{moment}", cut(noted, moment, chance, before), at + 30)
            assert (again.complaints, again.lesson, again.goes_on) == ([], True, once.goes_on), first
            assert again.recorded_s >= once.recorded_s
            assert again.marks == once.marks
    assert entries > 10 * RECOVERIES


def _judged(data: Path, tree: Tree, at: float) -> Finding:
    data.mkdir()
    write(data, tree)
    return judge(data, ID, at)


@pytest.mark.parametrize(
    ("given_s", "phase_s", "kill_s", "power_s"),
    [
        (0.0, 0, 0.0, 0.0), (0.9, 0, 0.9, 0.9), (1.0, 0, 1.0, 1.0), (1.1, 0, 0.1, 1.1), (20.5, 0, 0.5, 20.5),
        (35.5, 0, 0.5, 1.5), (69.9, 0, 0.9, 35.9), (31.5, 1.5, 0.5, 0.5), (30.9, 1.5, 0.9, 30.9),
    ],
)  # fmt: skip
def test_the_model_beside_it_does_what_the_documentation_says(
    given_s: float, phase_s: float, kill_s: float, power_s: float
) -> None:
    assert beside.lost(given_s, phase_s) == pytest.approx((kill_s, power_s))
