"""A lesson watched by tablets on whose lines no packet passes for a while, and nothing tells their browsers.

``python -m tests.e2e.outage_lesson LENGTHS``, run on the kit's host (tests.tunnels) by tests.e2e.test_outage. For each
length (s) one tablet, a real Chromium; all lines are cut at once. Prints one JSON object: by length, seconds from the
line's return to a moving picture and to sound.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests import clockfilm, witness
from tests.browser import launch, new_context, program, pupil_page, wait_live
from tests.kit import Kit, wait_until
from tests.relay import Line
from tests.tunnels import INTERFACE, KIT_ADDRESS, Tablet, tablet

LINE = Line(delay_ns=5_000_000)
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
CALM_S, BOUND_S = 4.0, 15.0


def took(page: Page, ticks: list[witness.Tick], mended: float) -> tuple[float, float] | None:
    """Seconds from `mended` (wall clock, ms) to picture and to sound, once there are both. `ticks` grow."""
    ticks += witness.read(page.evaluate("preauWitness.take()"))
    back = witness.first_frame_after(ticks, mended), witness.first_sound_after(ticks, mended)
    return None if float("inf") in back else (round((back[0] - mended) / 1000, 2), round((back[1] - mended) / 1000, 2))


def main(lengths: list[float]) -> None:
    found: dict[str, tuple[float, float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preau-test-")))
        film = folder / "film.mp4"
        clockfilm.make(film)
        sources = {"camera": f"file:{film}", "microphone": f"file:{film}"}
        kit = stack.enter_context(Kit(folder / "data", http_host=KIT_ADDRESS, ice_interfaces=INTERFACE, **sources))
        code = kit.api("POST", "lessons", {"title": "Réseau"})["code"]
        chromium = stack.enter_context(sync_playwright()).chromium
        away: list[tuple[float, Tablet, Page]] = []
        for number, length in enumerate(sorted(lengths), 1):
            host = stack.enter_context(tablet(number, LINE, seed=number))
            (folder / str(number)).mkdir()
            there = launch(chromium, AUTOPLAY, executable=program(host.prefix, folder / str(number)))
            stack.callback(there.close)
            context = new_context(there, viewport={"width": 480, "height": 360})
            context.add_init_script(witness.SCRIPT)
            page = pupil_page(context, kit, code, f"Élève {number}")
            wait_live(page)
            page.evaluate("preauWitness.start()")
            away.append((length, host, page))
        threading.Event().wait(CALM_S)
        cut = time.monotonic()
        for _, host, _ in away:
            host.relay.cut()
        for length, host, page in away:
            threading.Event().wait(max(0.0, cut + length - time.monotonic()))
            mended = time.time() * 1000
            host.relay.mend()
            back = partial(took, page, [], mended)
            found[f"{length:g}"] = wait_until(back, BOUND_S, f"picture and sound after {length} s without")
            wait_live(page)
        wait_until(lambda: kit.metric("preau_streaming_viewers") == len(away), BOUND_S, "everybody to be counted")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main([float(length) for length in sys.argv[1:]])
