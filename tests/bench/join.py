"""From press to picture: one pupil in Chromium, again and again; then thirty pupils within five seconds.

    python -m tests.bench.join [--joins 20] [--storm 30] [--seconds 5]

The single join is timed in the page, from the click on the button to the moment that the browser names for the
display of the first picture. The storm is of counting receivers in one process on the same machine, whose own
handshakes are part of the time; forced keyframes are capture's count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Browser

from tests.bench.receivers import conclude, say
from tests.browser import chromium, new_context
from tests.kit import Kit

WATCH = """() => {
  window.joinTimes = {};
  document.addEventListener("click", (event) => (joinTimes.pressed = event.timeStamp), { capture: true, once: true });
  document.getElementById("video").requestVideoFrameCallback((_, data) => (joinTimes.shown = data.expectedDisplayTime));
}"""
SHOWN = "() => joinTimes.shown ? joinTimes.shown - joinTimes.pressed : null"


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]


def single_ms(kit: Kit, browser: Browser, code: str) -> float:
    """One pupil on a fresh tablet: milliseconds from the press to the first picture."""
    context = new_context(browser)
    page = context.new_page()
    page.goto(f"{kit.url}/join/{code}")
    page.fill("#name", "Mesure")
    page.evaluate(WATCH)
    page.click("#join-button")
    page.wait_for_selector("body[data-state=live]")
    while (took := page.evaluate(SHOWN)) is None:
        page.wait_for_timeout(20)
    context.close()
    return float(took)


class KeyframeWatch:
    """Samples capture's counter of forced keyframes about once a second, as often as it is published."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._counts: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def _sample(self) -> None:
        while True:
            self._counts.append(self._kit.metric("preau_capture_keyframes_forced"))
            if self._stop.wait(1.0):
                return

    def __enter__(self) -> KeyframeWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def most(self) -> float:
        """The largest step between two samples."""
        return max((after - before for before, after in zip(self._counts, self._counts[1:], strict=False)), default=0.0)


def storm_ms(kit: Kit, code: str, viewers: int, seconds: float) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.join_storm", kit.url, code, str(viewers), str(seconds)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    took: list[float] = json.loads(result.stdout.splitlines()[-1])
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description="Press to picture.")
    parser.add_argument("--joins", type=int, default=20)
    parser.add_argument("--storm", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="preau-bench-") as folder, Kit(Path(folder)) as kit:
        lesson = kit.api("POST", "lessons", {"title": "Bench"})
        with chromium() as browser:
            single_ms(kit, browser, lesson["code"])  # the browser's own first start is not the kit's
            alone = [single_ms(kit, browser, lesson["code"]) for _ in range(options.joins)]
        say(f"alone, {options.joins} joins: p50 {percentile(alone, 0.5):.0f} ms, p95 {percentile(alone, 0.95):.0f} ms")
        with KeyframeWatch(kit) as keyframes:
            storm = storm_ms(kit, lesson["code"], options.storm, options.seconds)
        say(
            f"{options.storm} within {options.seconds:g} s: p50 {percentile(storm, 0.5):.0f} ms, "
            f"p95 {percentile(storm, 0.95):.0f} ms, forced keyframes a second at most {keyframes.most:g}"
        )
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    conclude(
        "join",
        {
            "p50_ms_single": round(percentile(alone, 0.5), 1),
            "p95_ms_single": round(percentile(alone, 0.95), 1),
            f"p50_ms_storm{options.storm}": round(percentile(storm, 0.5), 1),
            f"p95_ms_storm{options.storm}": round(percentile(storm, 0.95), 1),
            "forced_keyframes_per_s_max": keyframes.most,
        },
    )


if __name__ == "__main__":
    main()
