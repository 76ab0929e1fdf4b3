"""Power cuts at random moments of a lesson: what is lost, and is what is left in order?

    python -m tests.bench.powercut [--kills 100] [--moments 200] [--seconds 60] [--seed 1]

Two kinds. kill -9 of a real recorder process that is fed in real time. And a replayed log: all that a real recording
of `--seconds` asks of the disk is noted, call by call, and the disk's state is made as it may be when the power goes at
each moment at which a sync has not quite returned, and at `--moments` others: unsynced writes dropped, torn at sectors,
reordered, names of files that were not synced missing, beside a catalogue that is older, torn, garbled or absent
(tests/disk.py). Each state is recovered on another boot; every picture and sound of it decoded; lengths, catalogue and
playlists compared with what a fresh process makes of the journal; then it goes on for two seconds, is stopped, and all
is seen again. `unplayable` counts those of which anything was not as it must be. Lost is what had been given to the
recorder and is not there. Beside it what MediaMTX's documentation promises for the same cuts: a model, no measurement
(tests/bench/powercut_beside.py).
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import random
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog

from tests.bench import powercut_beside as beside
from tests.bench.powercut_kill import find, kill
from tests.bench.powercut_log import Cut, lose, read, states
from tests.bench.receivers import conclude, say
from tests.disk import SYNCS
from tests.lessons.logged import logged, packets

LANES = 2


def quiet() -> None:
    """The service logs every recovery; here there are hundreds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def kills(folder: Path, count: int, chance: random.Random, judges: ProcessPoolExecutor) -> list[Cut]:
    """So many kills, two recorders at a time; judged when all are over, for judging takes what the recorders need."""
    seeds = [chance.getrandbits(32) for _ in range(count)]
    with ThreadPoolExecutor(LANES) as lanes:
        killed = list(lanes.map(partial(kill, folder=folder), range(count), seeds))
    return list(judges.map(find, *zip(*killed, strict=True))) if killed else []


def replays(folder: Path, seconds: int, moments: int, chance: random.Random, judges: ProcessPoolExecutor) -> list[Cut]:
    logged(folder, seconds)
    file = folder / "log"
    log = read(file)
    syncs = sorted(entry.ended_ns - entry.began_ns for entry in log.entries if isinstance(entry.op, SYNCS))
    say(
        f"log of {seconds} s: {len(log.entries)} calls, {len(syncs)} of them syncs of "
        f"{syncs[len(syncs) // 2] / 1e6:.2f} ms (median), {syncs[-1] / 1e6:.2f} ms (most)"
    )
    return list(judges.map(partial(lose, file), states(log, moments, chance), chunksize=4))


def report(name: str, cuts: Sequence[Cut]) -> None:
    """Say what a kind of cuts cost, and every one that left something wrong."""
    for cut in cuts:
        for wrong in cut.wrong:
            say(f"{name}: {cut.what}: {wrong}")
    if cuts:
        losses = sorted(cut.lost_s for cut in cuts)
        say(
            f"{name}: {len(cuts)} cuts, lost {statistics.median(losses):.3f} s (median), "
            f"{losses[len(losses) * 95 // 100]:.3f} s (95%), {losses[-1]:.3f} s (most)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Power cuts at random moments.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    packets(5)  # encoded once, before anything is timed
    context = multiprocessing.get_context("forkserver")
    with (
        tempfile.TemporaryDirectory(prefix="preau-bench-") as name,
        ProcessPoolExecutor(LANES, context, initializer=quiet) as judges,
    ):
        folder = Path(name)
        killed = kills(folder, options.kills, chance, judges)
        report("kill -9", killed)
        replayed = replays(folder, options.seconds, options.moments, chance, judges)
        report("replayed log", replayed)
    modelled = [beside.lost(cut.given_s, chance.uniform(0, beside.WAKE_S)) for cut in replayed]
    cuts = [*killed, *replayed]
    figures = {
        "cuts": len(cuts),
        "unplayable": sum(bool(cut.wrong) for cut in cuts),
        "lost_s_max": round(max(cut.lost_s for cut in cuts), 3),
        "lost_s_median": round(statistics.median(cut.lost_s for cut in cuts), 3),
        "cuts_kill": len(killed),
        "cuts_log": len(replayed),
        "mediamtx_lost_s_kill": round(max(one.kill_s for one in modelled), 3),
        "mediamtx_lost_s_power": round(max(one.power_s for one in modelled), 3),
    }
    by_kill, by_power = (statistics.median(losses) for losses in zip(*modelled, strict=True))
    say(
        "MediaMTX 1.20.1 by the same log, modelled from its documentation, not measured: "
        f"a kill costs {by_kill:.1f} s (median), {figures['mediamtx_lost_s_kill']:.1f} s (most), "
        f"loss of power {by_power:.1f} s (median), {figures['mediamtx_lost_s_power']:.1f} s (most)"
    )
    conclude("powercut", figures)


if __name__ == "__main__":
    main()
