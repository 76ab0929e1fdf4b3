"""A lesson watched from another host whose network goes and returns.

``python -m tests.e2e.lost_lesson KIT INTERFACE NAMESPACE ADDRESS NEXT_ADDRESS``, run inside the kit's network namespace
by tests.e2e.test_reconnect; Chromium runs in NAMESPACE. Prints one JSON object: seconds from the network's return to a
present picture that moves, by what had happened. A second browser there sleeps while the first one's network goes and
returns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Page

from tests.browser import (
    chromium,
    launch,
    new_context,
    program,
    pupil_page,
    tone_db,
    wait_live,
)
from tests.kit import Kit, wait_until

MOVING = "preauProbe.pictureAge().then((age) => age < 1000 && preauProbe.clockAdvances()).catch(() => false)"
TONE_HZ, AUDIBLE_DB = 1000, 20
SHORT_S, LONG_S = 4.0, 20.0  # within and past the time after which the kit lets a silent viewer rest
BOUND_S = 15


class Tablet:
    """The other host: its link and its browser's processes."""

    def __init__(self, namespace: str, address: str) -> None:
        self._namespace, self.address = namespace, address

    def ip(self, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self._namespace, *arguments], check=True, capture_output=True)

    def down(self) -> None:
        self.ip("link", "set", "veth0", "down")

    def up(self) -> None:
        self.ip("link", "set", "veth0", "up")
        self.ip("route", "replace", "default", "dev", "veth0")

    def move(self, address: str) -> None:
        self.ip("address", "delete", f"{self.address}/24", "dev", "veth0")
        self.ip("address", "add", f"{address}/24", "dev", "veth0")
        self.address = address


@contextmanager
def asleep(processes: set[psutil.Process]) -> Iterator[None]:
    """Stop all of these, as a closed lid does."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def browsers() -> set[psutil.Process]:
    """The processes of all browsers that this one started."""
    return {
        process
        for process in psutil.Process().children(recursive=True)
        if "chromium" in (process.name() + " ".join(process.cmdline()[:1]))
    }


def until_moving(page: Page, since: float) -> float:
    """Seconds from `since` until a present picture is shown that goes on moving: what stalls once more is not back."""
    began = time.monotonic()

    def moving() -> bool:
        nonlocal began
        began = time.monotonic()
        return bool(page.evaluate(MOVING))

    wait_until(moving, BOUND_S, "a moving picture")
    wait_live(page, BOUND_S)
    return round(began - since, 2)


def main(address: str, interface: str, namespace: str, tablet_address: str, next_address: str) -> None:
    tablet = Tablet(namespace, tablet_address)
    tablet.up()
    took: dict[str, float] = {}
    there = ["ip", "netns", "exec", namespace]
    with (
        tempfile.TemporaryDirectory(prefix="preau-test-") as folder,
        Kit(Path(folder) / "data", http_host=address, ice_interfaces=interface) as kit,
        chromium(prefix=there) as browser,
    ):
        lesson = kit.api("POST", "lessons", {"title": "Réseau"})
        page = pupil_page(new_context(browser), kit, lesson["code"], "Zoé")
        wait_live(page)
        others = browsers()
        second = launch(browser.browser_type, executable=program(there, Path(folder)))
        sleeper = pupil_page(new_context(second), kit, lesson["code"], "Ada")
        wait_live(sleeper)
        with asleep(browsers() - others):
            for what, seconds in (("short loss", SHORT_S), ("long loss", LONG_S)):
                tablet.down()
                threading.Event().wait(seconds)
                returned = time.monotonic()
                tablet.up()
                took[what] = until_moving(page, returned)
            wait_until(lambda: kit.metric("preau_streaming_viewers") == 1, BOUND_S, "the sleeper to rest")
        took["sleep"] = until_moving(sleeper, time.monotonic())
        assert tone_db(sleeper, TONE_HZ) > AUDIBLE_DB
        sleeper.goto("about:blank")  # hangs up
        second.close()
        wait_until(lambda: kit.metric("preau_streaming_viewers") == 1, BOUND_S, "the sleeper to be gone")
        tablet.down()
        threading.Event().wait(SHORT_S)
        tablet.move(next_address)
        returned = time.monotonic()
        tablet.up()
        took["loss and another address"] = until_moving(page, returned)
        returned = time.monotonic()
        tablet.move(tablet_address)
        tablet.up()
        took["another address at once"] = until_moving(page, returned)
        assert tone_db(page, TONE_HZ) > AUDIBLE_DB
        # What the page left behind at its last address rests as any silent viewer does.
        wait_until(lambda: kit.metric("preau_streaming_viewers") == 1, LONG_S, "one session to count")
        browser.close()
    sys.stdout.write(json.dumps({"seconds": took}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
