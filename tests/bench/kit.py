"""What a whole kit costs: CPU and memory of all its processes with 0, 1, 10 and 30 viewers, a lesson being recorded.

    python -m tests.bench.kit [--viewers 0 1 10 30] [--seconds 10]

The viewers join as pages do (join, Socket.IO, WHEP) and live in another process, whose cost is not counted. Demo
sources: drawing the demo picture is part of the cost, in the place of a camera's decoding.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.receivers import Receivers, conclude, cpu_s, pss_mib, rss_mib, say
from tests.kit import SERVICES, Kit

SETTLE_S = 3.0


def by_service(kit: Kit) -> dict[str, list[int]]:
    """The process ids of each service, and of the supervisor."""
    found = {"supervisor": [kit.processes()[0].pid]}
    for name in SERVICES:
        process = kit.service(name)
        found[name] = [process.pid, *(child.pid for child in process.children(recursive=True))]
    return found


def cost(pids: dict[str, list[int]], seconds: float) -> dict[str, float]:
    """Cores used by each service over `seconds`."""
    before = {name: sum(map(cpu_s, own)) for name, own in pids.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    return {name: (sum(map(cpu_s, own)) - before[name]) / took for name, own in pids.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU and memory of the whole kit.")
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 1, 10, 30])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder, Kit(Path(folder)) as kit:
        lesson = kit.api("POST", "lessons", {"title": "Bench"})
        processors = psutil.cpu_count() or 1
        say(f"720p30 + Opus + AAC, recording on, {options.seconds:g} s a line, {processors} processors; cores")
        say(f"viewers  {'  '.join(f'{name:>10}' for name in ('supervisor', *SERVICES))}     cores  MiB RSS  MiB PSS")
        with Receivers(["127.0.0.1", kit.url, lesson["code"]]) as receivers:
            for viewers in options.viewers:
                receivers.open(viewers)
                time.sleep(SETTLE_S)
                pids = by_service(kit)
                cores = cost(pids, options.seconds)
                everything = [pid for own in pids.values() for pid in own]
                total, rss, pss = sum(cores.values()), sum(map(rss_mib, everything)), sum(map(pss_mib, everything))
                figures[f"cores_720p_{viewers}"] = round(total, 3)
                figures[f"rss_mib_{viewers}"] = round(rss, 1)
                figures[f"pss_mib_{viewers}"] = round(pss, 1)
                columns = "  ".join(f"{cores[name]:10.3f}" for name in pids)
                say(f"{viewers:7}  {columns}  {total:8.3f}  {rss:7.0f}  {pss:7.0f}")
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    conclude("kit", figures)


if __name__ == "__main__":
    main()
