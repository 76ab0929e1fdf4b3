"""What viewers on WebSockets cost the web service: its CPU and memory with 0, 1, 10 and 30 of them.

    python -m tests.bench.websocket [--viewers 0 1 10 30] [--seconds 10]

The viewers are plain readers in another process, whose cost is not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import simple_websocket

from tests.bench.kit import by_service
from tests.bench.receivers import conclude, cpu_s, over, rss_mib, say
from tests.kit import Kit, wait_until

SETTLE_S = 3.0


def read(url: str, token: str) -> None:
    """Take everything until the kit hangs up."""
    link = simple_websocket.Client(url)
    link.send(token)
    try:
        while True:
            link.receive()
    except simple_websocket.ConnectionClosed:
        return


def readers(url: str, count: str) -> None:
    """The other process: tokens come line by line."""
    for _ in range(int(count)):
        threading.Thread(target=read, args=(url, sys.stdin.readline().strip()), daemon=True).start()
    sys.stdin.read()


def measure(kit: Kit, code: str, viewers: int, seconds: float) -> tuple[float, float]:
    """Cores and MiB of the web service."""
    tokens = [kit.api("POST", "join", {"code": code, "name": f"E{number}"})["token"] for number in range(viewers)]
    url = kit.url.replace("http", "ws", 1) + "/stream"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.websocket", "--readers", url, str(viewers)],
        stdin=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        process.stdin.write("".join(f"{token}\n" for token in tokens))
        process.stdin.flush()
        wait_until(lambda: kit.metric("preau_ui_streamed_viewers") == viewers, 20, f"{viewers} viewers")
        time.sleep(SETTLE_S)
        pids = by_service(kit)["ui"]
        before, begun = over(cpu_s, pids), time.monotonic()
        time.sleep(seconds)
        cores = (over(cpu_s, pids) - before) / (time.monotonic() - begun)
        mib = over(rss_mib, pids)
        process.kill()
    wait_until(lambda: kit.metric("preau_ui_streamed_viewers") == 0, 20, "all to be gone")
    return cores, mib


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU and memory of viewers on WebSockets.")
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 1, 10, 30])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--readers", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.readers:
        readers(*options.readers)
        return
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder, Kit(Path(folder)) as kit:
        lesson = kit.api("POST", "lessons", {"title": "Bench"})
        say("viewers   cores of ui   MiB RSS of ui")
        for viewers in options.viewers:
            cores, mib = measure(kit, lesson["code"], viewers, options.seconds)
            figures[f"cores_ui_{viewers}"] = round(cores, 3)
            figures[f"rss_mib_ui_{viewers}"] = round(mib, 1)
            say(f"{viewers:7}   {cores:11.3f}   {mib:13.0f}")
        figures["drops"] = kit.metric("preau_ui_stream_drops_total")
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    conclude("websocket", figures)


if __name__ == "__main__":
    main()
