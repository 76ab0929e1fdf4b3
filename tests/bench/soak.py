"""A long day in short: viewers who join and leave at random while a lesson is recorded. What grows, what is left over?

    python -m tests.bench.soak [--minutes 30] [--viewers 30] [--seed 1]

Viewers come as pages do. Some leave without a goodbye, some never do anything with the answer. Every few seconds
memory, descriptors and threads of each service are read, and the tasks of streaming's loop. When all have left and
every time-out has passed, what is left over is counted beside what was there before the first came. Demo sources, lo.

Threads of a pool are counted apart: a pool starts one whenever all are busy, up to its limit, and keeps it, so that it
has as many as were ever busy at once. One that something holds up for ever would hold a socket, and be seen by that.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import random
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.bench.receivers import conclude, say
from tests.bench.receivers_process import Counter, PageClient, connect
from tests.kit import SERVICES, Kit
from tests.streaming.watcher import Watcher

SAMPLE_S = 5.0
WARM_UP_SHARE = 0.2  # of the time: caches and pools fill
STAY_S = (5.0, 60.0)
VANISH_SHARE, MUTE_SHARE = 0.2, 0.1
GONE_S = 150.0  # who falls silent rests for two minutes
POOLS = ("ThreadPoolExecutor", "asyncio")  # gunicorn's (http_threads at most), and the event loop's


class Sample(NamedTuple):
    """Of one service: MiB resident, descriptors, sockets and threads."""

    rss_mib: float
    descriptors: int
    sockets: int
    threads: int


@dataclass
class Records:
    at_s: list[float] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=lambda: {name: [] for name in SERVICES})

    def slope_mib_per_h(self, name: str) -> float:
        """Least squares over what came after the warm-up; 0 for too few samples."""
        begin = int(len(self.at_s) * WARM_UP_SHARE)
        times, sizes = self.at_s[begin:], [sample.rss_mib for sample in self.samples[name][begin:]]
        if len(times) < 3:
            return 0.0
        middle, mean = sum(times) / len(times), sum(sizes) / len(sizes)
        above = sum((at - middle) * (size - mean) for at, size in zip(times, sizes, strict=True))
        return 3600 * above / sum((at - middle) ** 2 for at in times)


def look(kit: Kit, name: str) -> Sample:
    """A service with what is below it at the moment."""
    process = kit.service(name)
    samples = [sample_of(process)]
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a thumbnail is made
            samples.append(sample_of(child))
    return Sample(*map(sum, zip(*samples, strict=True)))


def sample_of(process: psutil.Process) -> Sample:
    sockets = len(process.net_connections("inet"))
    return Sample(process.memory_info().rss / 2**20, process.num_fds(), sockets, process.num_threads())


def threads_by_kind(kit: Kit) -> collections.Counter[tuple[str, str]]:
    """How many threads each service has of each kind, as it says itself once a second."""
    text = kit.request("GET", "/metrics")[1].decode()
    samples = re.findall(r'^preau_(\w+)_threads{kind="([^"]*)"} (\S+)$', text, re.MULTILINE)
    return collections.Counter({(service, kind): int(float(count)) for service, kind, count in samples})


class Crowd:
    """Viewers by name, and how each will leave."""

    def __init__(self, kit: Kit, code: str, seed: int) -> None:
        self.joins = 0
        self._client = PageClient(kit.url, code)
        self._counter = Counter()
        self._chance = random.Random(seed)
        self._visits: set[asyncio.Task[None]] = set()

    async def run(self, viewers: int, seconds: float) -> None:
        """About so many at a time for so long, then all leave."""
        looking = asyncio.ensure_future(self._counter.run())
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            if len(self._visits) < viewers:
                self.joins += 1
                left_s = max(0.0, end_s - time.monotonic())
                visit = asyncio.ensure_future(self._visit(f"v{self.joins}", min(left_s, self._chance.uniform(*STAY_S))))
                self._visits.add(visit)
                visit.add_done_callback(self._left)
            await asyncio.sleep(self._chance.uniform(0.0, 1.5))
        await asyncio.gather(*self._visits)
        looking.cancel()
        self._client.close()

    def _left(self, visit: asyncio.Task[None]) -> None:
        self._visits.discard(visit)
        visit.result()

    async def _visit(self, name: str, stay_s: float) -> None:
        way, watcher = self._chance.random(), Watcher()
        if way < MUTE_SHARE:
            offer = await watcher.offer()
            await asyncio.to_thread(
                self._client.watch, viewer=name, name=name, role="pupil", offer=offer, peer="127.0.0.1"
            )
            await asyncio.sleep(stay_s)
        else:
            await connect(watcher, self._client, name)
            self._counter.attach(watcher)
            await asyncio.sleep(stay_s)
            self._counter.detach(watcher)
            if way < MUTE_SHARE + VANISH_SHARE:
                for protocol in watcher.connection._protocols:
                    protocol.transport.abort()  # nothing more is heard of it, not even a goodbye
            else:
                await asyncio.to_thread(self._client.end, name)
        with suppress(ConnectionError):
            await watcher.close()
        await asyncio.to_thread(self._client.leave, name)


async def sample(kit: Kit, records: Records, began_s: float) -> None:
    while True:
        records.at_s.append(time.monotonic() - began_s)
        for name in SERVICES:
            records.samples[name].append(await asyncio.to_thread(look, kit, name))
        tasks = await asyncio.to_thread(kit.metric, "preau_streaming_tasks")
        sizes = "  ".join(f"{name} {records.samples[name][-1].rss_mib:6.1f}" for name in SERVICES)
        say(f"{records.at_s[-1]:7.0f} s  {sizes} MiB  streaming: {records.samples['streaming'][-1].sockets} sockets, "
            f"{tasks:.0f} tasks")  # fmt: skip
        await asyncio.sleep(SAMPLE_S)


async def soak(kit: Kit, code: str, options: argparse.Namespace) -> dict[str, float]:
    await Crowd(kit, code, options.seed).run(3, 10.0)  # what is made for the first and then stays
    await asyncio.sleep(GONE_S)
    before, tasks = {name: look(kit, name) for name in SERVICES}, kit.metric("preau_streaming_tasks")
    kinds = threads_by_kind(kit)
    records, crowd = Records(), Crowd(kit, code, options.seed + 1)
    sampling = asyncio.ensure_future(sample(kit, records, time.monotonic()))
    await crowd.run(options.viewers, options.minutes * 60)
    sampling.cancel()
    await asyncio.sleep(GONE_S)
    after = {name: look(kit, name) for name in SERVICES}
    figures: dict[str, float] = {"minutes": options.minutes, "joins": crowd.joins}
    for name in SERVICES:
        figures[f"rss_slope_mib_per_h_{name}"] = round(records.slope_mib_per_h(name), 1)
        figures[f"rss_grown_mib_{name}"] = round(after[name].rss_mib - before[name].rss_mib, 1)
    for what in ("descriptors", "sockets", "threads"):
        figures[f"{what}_left"] = sum(getattr(after[name], what) - getattr(before[name], what) for name in SERVICES)
    grown = threads_by_kind(kit)
    grown.subtract(kinds)
    for (service, kind), more in sorted(grown.items()):
        if more:
            say(f"threads of {service}: {more:+} {kind}")
    figures["pool_threads_grown"] = sum(more for (_, kind), more in grown.items() if kind in POOLS)
    figures["threads_left"] -= figures["pool_threads_grown"]
    figures["tasks_left"] = kit.metric("preau_streaming_tasks") - tasks
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Viewers who join and leave at random.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder, Kit(Path(folder) / "data") as kit:
        lesson = kit.api("POST", "lessons", {"title": "Soak"})
        figures = asyncio.run(soak(kit, lesson["code"], options))
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    conclude("soak", figures)


if __name__ == "__main__":
    main()
