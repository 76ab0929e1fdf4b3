"""From press to picture: one pupil in Chromium, again and again; then thirty pupils within five seconds.

    python -m tests.bench.join [--joins 20] [--storm 30] [--seconds 5]

The single join is timed in the page, from the click on the button to the moment that the browser names for the
display of the first picture: once by a pupil who has spent a second on the first name, once by one who presses while
the browser still finishes the page. Where the time goes is told by the browser's own marks (Resource Timing, and the
arrival that requestVideoFrameCallback names). The storm is of counting receivers in one process on the same machine,
whose own handshakes are part of the time; forced keyframes are capture's count.
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

TYPING_MS = 1000
WATCH = """() => {
  window.joinTimes = {};
  document.addEventListener("click", (event) => (joinTimes.pressed = event.timeStamp), { capture: true, once: true });
  document.getElementById("video").requestVideoFrameCallback((_, data) => {
    Object.assign(joinTimes, { received: data.receiveTime, shown: data.expectedDisplayTime });
  });
}"""
# Milliseconds after the press; null until the picture is there.
MARKS = """() => {
  if (!joinTimes.shown) return null;
  const answered = (end) => performance.getEntriesByType("resource").find(({ name }) => name.endsWith(end)).responseEnd;
  const { pressed, received, shown } = joinTimes;
  return [answered("/join"), answered("/whep"), received, shown].map((at) => at - pressed);
}"""
MARK_NAMES = ("joined", "answered", "received", "shown")


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]


def single_ms(kit: Kit, browser: Browser, code: str, typing_ms: int) -> list[float]:
    """One pupil on a fresh tablet, who presses after `typing_ms`: milliseconds from the press to each of MARK_NAMES."""
    context = new_context(browser)
    page = context.new_page()
    page.goto(f"{kit.url}/join/{code}")
    page.fill("#name", "Mesure")
    page.wait_for_timeout(typing_ms)
    page.evaluate(WATCH)
    page.click("#join-button")
    page.wait_for_selector("body[data-state=live]")
    while (marks := page.evaluate(MARKS)) is None:
        page.wait_for_timeout(20)
    context.close()
    return [float(at) for at in marks]


def alone(kit: Kit, browser: Browser, code: str, joins: int, typing_ms: int) -> list[float]:
    """So many pupils, one after the other: says where the time went, returns milliseconds to the first picture."""
    marks = [single_ms(kit, browser, code, typing_ms) for _ in range(joins)]
    took = [each[-1] for each in marks]
    middles = [percentile([each[number] for each in marks], 0.5) for number in range(len(MARK_NAMES))]
    say(
        f"alone, {joins} joins, press after {typing_ms / 1000:g} s: "
        f"p50 {percentile(took, 0.5):.0f} ms, p95 {percentile(took, 0.95):.0f} ms; "
        f"medians: {', '.join(f'{name} {at:.0f}' for name, at in zip(MARK_NAMES, middles, strict=True))}"
    )
    return took


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
            single_ms(kit, browser, lesson["code"], 0)  # the browser's own first start is not the kit's
            single, hurried = (alone(kit, browser, lesson["code"], options.joins, ms) for ms in (TYPING_MS, 0))
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
            "p50_ms_single": round(percentile(single, 0.5), 1),
            "p95_ms_single": round(percentile(single, 0.95), 1),
            "p50_ms_hurried": round(percentile(hurried, 0.5), 1),
            "p95_ms_hurried": round(percentile(hurried, 0.95), 1),
            f"p50_ms_storm{options.storm}": round(percentile(storm, 0.5), 1),
            f"p95_ms_storm{options.storm}": round(percentile(storm, 0.95), 1),
            "forced_keyframes_per_s_max": keyframes.most,
        },
    )


if __name__ == "__main__":
    main()
