"""kill -9 of everything at a random moment, twenty times: the lesson is there, plays to within 1.2 s, is listed.

Two kits at once, each with its own folder: while one starts again, the other records. A kit that records beside one
that starts has it harder than alone.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.judge import probe, recorded_times
from tests.kit import Kit

CUTS, KITS = 20, 2
SEED = 20261123
LONGEST_LOSS_S = 1.2


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_twenty_power_cuts(tmp_path: Path, state: Callable[[str], None]) -> None:
    folders = [tmp_path / f"kit-{number}" for number in range(KITS)]
    for folder in folders:
        (folder / "data").mkdir(parents=True)
    kits = [Kit(folder / "data") for folder in folders]  # all ports before the first is used
    moments = [random.Random(SEED + number) for number in range(KITS)]
    with ThreadPoolExecutor(KITS) as threads:
        found = list(threads.map(losses_of, kits, folders, moments))
    losses = sorted(loss for losses in found for loss in losses)
    assert len(losses) == CUTS
    state(f"{CUTS} power cuts: lost {losses[CUTS // 2]:.2f} s (median), {losses[-1]:.2f} s (most)")
    assert losses[-1] <= LONGEST_LOSS_S, losses


def losses_of(kit: Kit, folder: Path, moments: random.Random) -> list[float]:
    """This kit's share of the cuts; the seconds lost with each."""
    kit.start()
    try:
        losses = [cut(kit, folder, moments.uniform(1.3, 3.5)) for _ in range(CUTS // KITS)]
        assert len(kit.api("GET", "lessons")["lessons"]) == len(losses)
    finally:
        kit.kill()
    return losses


def cut(kit: Kit, folder: Path, after_s: float) -> float:
    """One lesson, cut off after so many seconds; how many of them are lost. The kit runs again."""
    lesson = kit.api("POST", "lessons", {"title": "Coupure"})["id"]
    threading.Event().wait(after_s)
    cut_at_ms = time.time() * 1000
    kit.kill()
    kit.start()
    listed = {entry["id"]: entry for entry in kit.api("GET", "lessons")["lessons"]}
    assert lesson in listed
    kit.api("POST", f"lessons/{lesson}/stop")
    file = kit.download(lesson, folder)
    verdict = probe(file)
    assert verdict.complaints == ""
    before_cut = [moment for moment in recorded_times(file) if moment <= cut_at_ms]
    shown = kit.api("GET", f"lessons/{lesson}")
    assert shown["state"] == "ended"
    assert abs(shown["duration_s"] - verdict.duration_s) < 0.2
    return (cut_at_ms - before_cut[-1]) / 1000
