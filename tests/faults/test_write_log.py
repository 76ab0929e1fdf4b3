"""A few of the states of `make bench-powercut`: what a disk may hold when the power goes, recovered and judged."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import powercut_beside as beside
from tests.bench.powercut_log import lose, read, states
from tests.lessons.logged import logged

SECONDS, STATES = 5, 24
SEED = 20261126
LONGEST_LOSS_S = 1.2


def test_whatever_the_disk_holds_all_but_the_last_second_is_there(tmp_path: Path, state: Callable[[str], None]) -> None:
    logged(tmp_path, SECONDS)
    file = tmp_path / "log"
    chance = random.Random(SEED)
    found = list(states(read(file), STATES, chance))
    cuts = [lose(file, one) for one in chance.sample(found, STATES)]
    assert [(cut.what, cut.wrong) for cut in cuts if cut.wrong] == []
    losses = sorted(cut.lost_s for cut in cuts)
    state(f"{STATES} states of a disk: lost {losses[STATES // 2]:.2f} s (median), {losses[-1]:.2f} s (most)")
    assert losses[-1] <= LONGEST_LOSS_S
    assert any(cut.lost_s for cut in cuts)


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
