"""What a whole kit costs: CPU and memory of all its processes with 0, 1, 10 and 30 viewers, a lesson being recorded.

    python -m tests.bench.kit [--viewers 0 1 10 30] [--seconds 10]

The viewers join as pages do (join, Socket.IO, WHEP) and live in another process, whose cost is not counted. First all
watch the sharp picture, then every third chooses the saving one, so that both rungs are encoded and sent: that state's
figures have the plain names (with one viewer or none there is no such state). Demo sources: drawing the demo picture
is part of the cost, in the place of a camera's decoding.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.receivers import Receivers, conclude, cpu_s, ended_s, over, pss_mib, rss_mib, say
from tests.kit import SERVICES, Kit, wait_until

SETTLE_S = 3.0
SAVING_SHARE = 3
ENCODERS = ("camera/720p", "camera/360p", "microphone/opus", "microphone/aac")


def by_service(kit: Kit) -> dict[str, list[int]]:
    """The process ids of each service and of the supervisor: the one that it started, then those below, which may come
    and go (thumbnails)."""
    found = {"supervisor": [kit.processes()[0].pid]}
    for name in SERVICES:
        process = kit.service(name)
        found[name] = [process.pid, *(child.pid for child in process.children(recursive=True))]
    return found


def used_s(kit: Kit) -> dict[str, float]:
    """Processor time that each has used, with what has ended below it."""
    return {name: over(lambda pid: cpu_s(pid) + ended_s(pid), pids) for name, pids in by_service(kit).items()}


def encoding_s(kit: Kit) -> dict[str, float]:
    """Processor time that each encoder has used, as capture tells."""
    return {track: kit.metric("preau_capture_encode_seconds_total", track=track) for track in ENCODERS}


def cost(kit: Kit, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Cores used by each service, and by each encoder within capture, over `seconds`."""
    encoding = encoding_s(kit)
    before = used_s(kit)
    begun = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    cores = {name: (used - before[name]) / took for name, used in used_s(kit).items()}
    return cores, {track: (after - encoding[track]) / took for track, after in encoding_s(kit).items()}


def measure(kit: Kit, viewers: int, saving: int, seconds: float, suffix: str) -> dict[str, float]:
    """One line of the table, and its figures; their names end with `suffix`."""
    wait_until(lambda: kit.metric("preau_streaming_viewers_saving") == saving, 10, f"{saving} on the saving rung")
    time.sleep(SETTLE_S)
    cores, encoders = cost(kit, seconds)
    pids = by_service(kit).values()
    rss, pss = (sum(over(read, own) for own in pids) for read in (rss_mib, pss_mib))
    total = sum(cores.values())
    columns = "  ".join(f"{used:10.3f}" for used in (*cores.values(), *encoders.values()))
    say(f"{viewers:7}  {saving:6}  {columns}  {total:8.3f}  {rss:7.0f}  {pss:7.0f}")
    figures = {f"cores_720p_{suffix}": total, f"rss_mib_{suffix}": rss, f"pss_mib_{suffix}": pss}
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU and memory of the whole kit.")
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 1, 10, 30])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder, Kit(Path(folder)) as kit:
        lesson = kit.api("POST", "lessons", {"title": "Bench"})
        processors = psutil.cpu_count() or 1
        say(f"720p30 + 360p30 + Opus + AAC, recording on, {options.seconds:g} s a line, {processors} processors; cores")
        names = (*("supervisor", *SERVICES), *(track.rpartition("/")[2] for track in ENCODERS))
        say(f"viewers  saving  {'  '.join(f'{name:>10}' for name in names)}     cores  MiB RSS  MiB PSS")
        with Receivers(["127.0.0.1", kit.url, lesson["code"]]) as receivers:
            for viewers in options.viewers:
                receivers.save(0)
                receivers.open(viewers)
                saving = viewers // SAVING_SHARE
                figures |= measure(kit, viewers, 0, options.seconds, f"{viewers}_sharp" if saving else str(viewers))
                if saving:
                    receivers.save(saving)
                    figures |= measure(kit, viewers, saving, options.seconds, str(viewers))
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    conclude("kit", figures)


if __name__ == "__main__":
    main()
