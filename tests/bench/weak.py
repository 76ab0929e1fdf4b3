"""Pupils on weak lines, and what the others notice of them: whole kit, recording on, each weak pupil a real Chromium.

    python -m tests.bench.weak [--seconds 20] [--weak-seconds 60]

The kit, the healthy pupils (ten that only count packets, and one Chromium) and each weak pupil are hosts of their own;
all that a weak pupil's host sends and gets, pages and stills included, goes through a relay in userspace. Lines:
300 kb/s with a queue of 300 ms; 5% loss in bursts of four packets and 80 ms each way; one that is good but for 20 s
without any packet. The camera is a real film at the full 1.5 Mb/s, whose pictures tell their age, with a steady tone.

The healthy ones are measured three times: alone; beside the same three tablets on good lines, as all browsers share
this machine's cores; and beside them on their weak lines, for the whole time from the press of Join. Needs root and TUN
devices; where there are none, it says so and has no figures.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

from tests import clockfilm, tunnels, witness
from tests.bench.receivers import Receivers, conclude, say
from tests.browser import chromium, launch, new_context, program, wait_live
from tests.kit import Kit
from tests.relay import Line
from tests.tunnels import INTERFACE, KIT_ADDRESS, KitHost, Tablet, tablet

MS = 1_000_000
QUEUE_S = 0.3
SLOW = Line(rate=300_000, queue_bytes=round(300_000 * QUEUE_S / 8), delay_ns=10 * MS)
LOSSY = Line(loss=0.05, burst=4, delay_ns=80 * MS)
GOOD = Line(delay_ns=5 * MS)
LINES = {"slow": SLOW, "lossy": LOSSY, "outage": GOOD}
OUTAGE_S, OUTAGE_AFTER_S = 20.0, 15.0
HEALTHY = 10
SETTLE_S = 8.0
SIZE = {"width": 480, "height": 360}
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"


@dataclass
class Healthy:
    """What the healthy ones got within a while."""

    frames_per_s: float
    delay_ms: float
    packets_per_s: float


@dataclass
class Weak:
    """A pupil on a weak line, and what its page noted. Times are wall clock, ms."""

    name: str
    host: Tablet
    context: BrowserContext
    joined: float = 0.0
    cut: float = float("inf")
    mended: float = float("inf")
    ticks: list[witness.Tick] = field(default_factory=list)


def visitor(stack: ExitStack, browser: Browser) -> BrowserContext:
    context = new_context(browser, viewport=SIZE)
    stack.callback(context.close)
    context.add_init_script(witness.SCRIPT)
    return context


def arrive(context: BrowserContext, url: str, name: str) -> Page:
    """The kit's page, about to join, in a tab that knows nothing of an earlier visit."""
    for earlier in context.pages:
        earlier.goto("about:blank")
        earlier.close()
    page = context.new_page()
    page.goto(url)
    page.fill("#name", name)
    page.evaluate("preauWitness.start()")
    return page


def join(page: Page) -> float:
    """Press, and return when that was."""
    pressed = time.time() * 1000
    page.click("#join-button")
    return pressed


def observe(page: Page, receivers: Receivers, began_ms: float, seconds: float) -> Healthy:
    page.evaluate("preauWitness.take()")
    packets, began = receivers.datagrams(), time.monotonic()
    places = page.evaluate("count => preauProbe.ages(count)", round(seconds * clockfilm.FRAMES_PER_S))
    packets, took = receivers.datagrams() - packets, time.monotonic() - began
    noted = page.evaluate("preauWitness.take()")
    ages = [(place - began_ms) % (clockfilm.SECONDS * 1000) for place in places]
    frames = sum(one["framesDecoded"] for one in noted) / sum(one["elapsed"] for one in noted) * 1000
    return Healthy(frames, statistics.median(ages), packets / took / HEALTHY)


def judge(weak: Weak) -> dict[str, float]:
    """The figures of one weak pupil. An outage, and what it takes to come back from it, are figures of their own."""
    before = witness.between(weak.ticks, weak.joined, weak.cut)
    seen, heard = [before], [before]
    since, shown = witness.settled(before)
    figures = {"settled_s": round((since - weak.joined) / 1000, 1)}
    told = f"settled on {shown} after {figures['settled_s']} s"
    if weak.mended < float("inf"):
        picture = witness.first_frame_after(weak.ticks, weak.mended)
        sound = witness.first_sound_after(weak.ticks, weak.mended)
        figures["picture_back_s"] = round((picture - weak.mended) / 1000, 2)
        figures["sound_back_s"] = round((sound - weak.mended) / 1000, 2)
        told += f", picture {figures['picture_back_s']} s and sound {figures['sound_back_s']} s after the outage"
        seen.append([tick for tick in weak.ticks if tick.at > picture])
        heard.append([tick for tick in weak.ticks if tick.at > sound])
    figures["audio_gap_ms"] = round(max(map(witness.longest_gap, heard)), 1)
    figures["freezes"] = sum(tick.freezes for ticks in seen for tick in ticks)
    figures["frozen_s"] = round(sum(tick.frozen for ticks in seen for tick in ticks) / 1000, 1)
    told += f", longest gap in the sound {figures['audio_gap_ms']:.0f} ms"
    say(f"{weak.name:8} {told}, {figures['freezes']} freezes ({figures['frozen_s']} s)")
    return {f"{weak.name}_{figure}": value for figure, value in figures.items()}


def phases(weak: list[Weak], url: str, options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """What the healthy ones are to be observed beside, one after the other, and for how many seconds."""
    time.sleep(SETTLE_S)
    yield "alone", options.seconds
    for each in weak:
        page = arrive(each.context, url, each.name)
        join(page)
        wait_live(page)
    time.sleep(SETTLE_S)
    yield "good", options.seconds
    meet(weak, [arrive(each.context, url, each.name) for each in weak])
    yield "weak", options.weak_seconds


def show(beside: str, got: Healthy) -> Healthy:
    say(f"healthy ones beside {beside:6} {got.frames_per_s:5.1f} pictures/s, {got.delay_ms:4.0f} ms late in the median")
    return got


def meet(weak: list[Weak], pages: list[Page]) -> None:
    """All join on their own lines; the last one's is cut after a while, and mended."""
    for each, page in zip(weak, pages, strict=True):
        each.host.relay.change(LINES[each.name])
        each.joined = join(page)

    def cut() -> None:
        weak[-1].host.relay.cut()
        weak[-1].cut = time.time() * 1000

    def mend() -> None:
        weak[-1].mended = time.time() * 1000
        weak[-1].host.relay.mend()

    for after_s, act in ((OUTAGE_AFTER_S, cut), (OUTAGE_AFTER_S + OUTAGE_S, mend)):
        timer = threading.Timer(after_s, act)
        timer.daemon = True
        timer.start()


def run(options: argparse.Namespace) -> dict[str, float]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preau-bench-")))
        film = folder / "film.mp4"
        clockfilm.make(film)
        sources = {"camera": f"file:{film}", "microphone": f"file:{film}"}
        data = folder / "data"
        kit = stack.enter_context(Kit(data, http_host=KIT_ADDRESS, ice_interfaces=INTERFACE, **sources))
        lesson = kit.api("POST", "lessons", {"title": "Bench"})
        url = f"{kit.url}/join/{lesson['code']}"
        browser = stack.enter_context(chromium(AUTOPLAY))
        began_ms = (clockfilm.began_ns(data / "run") + time.time_ns() - time.monotonic_ns()) / MS
        receivers = stack.enter_context(Receivers([KIT_ADDRESS, kit.url, lesson["code"]]))
        receivers.open(HEALTHY)
        page = arrive(visitor(stack, browser), url, "Sain")
        join(page)
        wait_live(page)
        weak = []
        for number, name in enumerate(LINES, 1):
            host = stack.enter_context(tablet(number, GOOD, seed=number))
            (folder / name).mkdir()
            executable = program(host.prefix, folder / name)
            there = launch(browser.browser_type, AUTOPLAY, executable=executable)
            stack.callback(there.close)
            weak.append(Weak(name, host, visitor(stack, there)))
        alone, beside, together = (
            show(name, observe(page, receivers, began_ms, seconds)) for name, seconds in phases(weak, url, options)
        )
        for each in weak:
            (page,) = each.context.pages
            each.ticks = witness.read(page.evaluate("preauWitness.take()"))
        kit.api("POST", f"lessons/{lesson['id']}/stop")
    figures = {
        "healthy_fps_ratio": round(together.frames_per_s / alone.frames_per_s, 3),
        "healthy_packets_ratio": round(together.packets_per_s / alone.packets_per_s, 3),
        "healthy_delay_ratio": round(together.delay_ms / beside.delay_ms, 3),
        "healthy_delay_ratio_to_alone": round(together.delay_ms / alone.delay_ms, 3),
        "healthy_delay_ms": round(together.delay_ms, 1),
    }
    judged = [judge(each) for each in weak]
    figures["weak_audio_gap_ms_max"] = max(one[key] for one in judged for key in one if key.endswith("audio_gap_ms"))
    return {key: value for one in (figures, *judged) for key, value in one.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Weak lines, and the healthy ones beside them.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--weak-seconds", type=float, default=60.0)
    parser.add_argument("--on-kit-host", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_kit_host:
        conclude("weak", run(options))
    elif reason := tunnels.unavailable() or ("" if clockfilm.FILM.exists() else f"needs {clockfilm.FILM}"):
        say(f"not measured: {reason}")
        conclude("weak", {})
    else:
        with KitHost() as host:
            command = [*host.prefix, sys.executable, "-m", "tests.bench.weak", "--on-kit-host", *sys.argv[1:]]
            raise SystemExit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
