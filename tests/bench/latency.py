"""Glass to glass: from the making of a picture to its showing in Chromium, with 1, 10 and 30 viewers, recording on.

    python -m tests.bench.latency [--viewers 1 10 30] [--seconds 8] [--joins 4]

One viewer is Chromium: it reads the time that stands in each shown picture and takes it from the moment that
requestVideoFrameCallback names for its display. The others only count packets, in another process on the same
machine. The first seconds after a join, in which the browser fits its buffers, are reported apart.

Pictures wait for the display's next refresh, so a figure depends on how camera and display stand to each other. Each
join is therefore that of a browser started afresh, its display moved against the camera by another part of a refresh
(tests.bench.display), and the figures are of all joins together.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.bench.display import phases
from tests.bench.receivers import Receivers, conclude, say
from tests.browser import chromium, new_context, pupil_page, wait_live
from tests.kit import Kit

FRAMES_PER_S = 30
SETTLE_S = 10.0


def ages_ms(page: Page, seconds: float) -> list[float]:
    """The age of each picture shown during about `seconds`, in milliseconds, sorted."""
    return sorted(page.evaluate("count => preauProbe.ages(count)", round(seconds * FRAMES_PER_S)))


def measure(kit: Kit, browser: Browser, code: str, seconds: float) -> tuple[list[float], list[float]]:
    """The ages in the first two seconds after a join, and once settled."""
    context = new_context(browser)
    page = pupil_page(context, kit, code, "Mesure")
    wait_live(page)
    early = ages_ms(page, 2)
    time.sleep(SETTLE_S)
    settled = ages_ms(page, seconds)
    context.close()
    return early, settled


def measure_joins(kit: Kit, code: str, joins: int, seconds: float) -> tuple[list[float], list[float]]:
    """The same of several joins together, each by a browser of its own, their displays' phases spread; sorted."""
    early: list[float] = []
    settled: list[float] = []
    for prefix in phases(joins):
        with chromium(prefix=prefix) as browser:
            first, later = measure(kit, browser, code, seconds)
        early += first
        settled += later
    return sorted(early), sorted(settled)


def main() -> None:
    parser = argparse.ArgumentParser(description="Glass to glass delay in Chromium.")
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--joins", type=int, default=4)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder, Kit(Path(folder)) as kit:
        lesson = kit.api("POST", "lessons", {"title": "Bench"})
        spread = "as many phases of the display" if any(phases(1)) else "the display in one phase, as it happens"
        say(f"glass to glass, ms, {options.joins} joins of {options.seconds:g} s a line, {spread}, recording on")
        say("viewers  first 2 s p50     p50     p95     p99")
        with Receivers(["127.0.0.1", kit.url, lesson["code"]]) as receivers:
            for viewers in options.viewers:
                receivers.open(viewers - 1)
                first, settled = measure_joins(kit, lesson["code"], options.joins, options.seconds)
                early = statistics.median(first)
                p50, p95, p99 = (settled[round(share * (len(settled) - 1))] for share in (0.5, 0.95, 0.99))
                say(f"{viewers:7}  {early:13.0f}  {p50:6.0f}  {p95:6.0f}  {p99:6.0f}")
                figures[f"early_p50_ms_{viewers}"] = round(early, 1)
                for name, value in (("p50", p50), ("p95", p95), ("p99", p99)):
                    figures[f"{name}_ms_{viewers}"] = round(value, 1)
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    conclude("latency", figures)


if __name__ == "__main__":
    main()
