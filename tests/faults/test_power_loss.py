"""kill -9 of everything at a random moment, twenty times: the lesson is there, plays to within 1.2 s, is listed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.judge import probe, recorded_times
from tests.kit import Kit

CUTS = 20
LONGEST_LOSS_S = 1.2


@pytest.mark.timeout(600)
def test_twenty_power_cuts(tmp_path: Path, state: Callable[[str], None]) -> None:
    moments = random.Random(20261123)
    folder = tmp_path / "data"
    folder.mkdir()
    losses: list[float] = []
    kit = Kit(folder)
    kit.start()
    try:
        for cut in range(CUTS):
            lesson = kit.api("POST", "lessons", {"title": f"Coupure {cut}"})["id"]
            threading.Event().wait(moments.uniform(1.3, 3.5))
            cut_at_ms = time.time() * 1000
            kit.kill()
            kit.start()
            listed = {entry["id"]: entry for entry in kit.api("GET", "lessons")["lessons"]}
            assert lesson in listed
            kit.api("POST", f"lessons/{lesson}/stop")
            file = kit.download(lesson, tmp_path)
            verdict = probe(file)
            assert verdict.complaints == ""
            before_cut = [moment for moment in recorded_times(file) if moment <= cut_at_ms]
            losses.append((cut_at_ms - before_cut[-1]) / 1000)
            shown = kit.api("GET", f"lessons/{lesson}")
            assert shown["state"] == "ended"
            assert abs(shown["duration_s"] - verdict.duration_s) < 0.2
        assert len(kit.api("GET", "lessons")["lessons"]) == CUTS
    finally:
        kit.kill()
    state(f"{CUTS} power cuts: lost {sorted(losses)[CUTS // 2]:.2f} s (median), {max(losses):.2f} s (most)")
    assert max(losses) <= LONGEST_LOSS_S, losses
