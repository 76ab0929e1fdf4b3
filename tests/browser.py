"""Debian's Chromium for tests and benchmarks, and what its pages can prove of picture and sound."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, BrowserContext, BrowserType, ConsoleMessage, Page, sync_playwright

from tests.kit import PIN, Kit, wait_until

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    # Chromium gathers no candidate on loopback by default in a machine without other interfaces.
    "--allow-loopback-in-peer-connection",
    "--force-webrtc-ip-handling-policy=default",
]
PROBE = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")
# A tab that a browser with these flags shares when a page asks for the screen.
SHARED = Path(__file__).parent / "shared.html"
SHARED_HZ = 1500
SHARING = (
    "--auto-select-tab-capture-source-by-title=Le tableau du cours",
    "--autoplay-policy=no-user-gesture-required",
)


def launch(kind: BrowserType, *flags: str, executable: str = CHROMIUM, mute: bool = True) -> Browser:
    # Playwright mutes browsers without a window, and then a tab that is shared has no sound either.
    ignored = [] if mute else ["--mute-audio"]
    return kind.launch(executable_path=executable, args=[*FLAGS, *flags], ignore_default_args=ignored)


def program(prefix: Sequence[str], folder: Path) -> str:
    """Chromium run through a command, as one file in `folder`."""
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {shlex.join([*prefix, CHROMIUM])} "$@"\n')
    script.chmod(0o755)
    return str(script)


@contextmanager
def chromium(*flags: str, prefix: Sequence[str] = (), mute: bool = True) -> Iterator[Browser]:
    """A browser, run through the command `prefix` (another network namespace)."""
    with sync_playwright() as playwright, TemporaryDirectory(prefix="preau-test-") as folder:
        executable = program(prefix, Path(folder)) if prefix else CHROMIUM
        browser = launch(playwright.chromium, *flags, executable=executable, mute=mute)
        yield browser
        browser.close()


class Visits:
    """Which hosts the pages of one context asked for anything, and what their consoles complained of."""

    def __init__(self, context: BrowserContext, kit: Kit) -> None:
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self._note(request.url, kit.url))
        context.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _note(self, url: str, own: str) -> None:
        if not url.startswith((own, own.replace("http", "ws", 1), "blob:", "data:")):
            self.foreign.append(url)


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    context = browser.new_context(locale="fr-FR", **options)
    context.add_init_script(PROBE)
    return context


def teacher_page(context: BrowserContext, kit: Kit) -> Page:
    """A page that has given the PIN."""
    page = context.new_page()
    page.goto(f"{kit.url}/teacher")
    page.fill("#pin", PIN)
    page.click("#pin-form button")
    page.wait_for_selector("body[data-state=ready], body[data-state=live]")
    return page


def sharing_page(context: BrowserContext, kit: Kit) -> Page:
    """A teacher's page in a browser that has the tab to share."""
    context.new_page().goto(SHARED.as_uri())
    return teacher_page(context, kit)


def start_lesson(page: Page) -> None:
    page.click("#start")
    page.wait_for_selector("body[data-state=live]")


def stop_lesson(page: Page) -> None:
    page.click("#stop")
    page.click("#confirm-yes")
    page.wait_for_selector("body[data-state=ready]")


def pupil_page(context: BrowserContext, kit: Kit, code: str, name: str, url: str = "") -> Page:
    """A page that has joined with the code on its address; `url` is where the browser reaches the kit."""
    page = context.new_page()
    page.goto(f"{url or kit.url}/join/{code}")
    page.fill("#name", name)
    page.click("#join-button")
    page.wait_for_selector("body:not([data-state=join])")
    return page


def wait_live(page: Page, timeout_s: float = 15) -> None:
    page.wait_for_selector("body[data-state=live]", timeout=timeout_s * 1000)


def wait_page(page: Page, expression: str, timeout_s: float = 15) -> None:
    """Wait until a JavaScript expression is true in the page (its security policy forbids playwright's own way)."""
    wait_until(lambda: page.evaluate(expression), timeout_s, expression)


def picture_age_ms(page: Page) -> float:
    """How old the shown picture is: now minus the time that stands in its pixels. Waits for the next picture."""
    return float(page.evaluate("preauProbe.pictureAge()"))


def clock_advances(page: Page) -> bool:
    """Whether two pictures, half a second apart, show different times."""
    return bool(page.evaluate("preauProbe.clockAdvances()"))


def tone_db(page: Page, hertz: int, seconds: float = 1.2) -> float:
    """The strongest level at `hertz` in the page's sound within `seconds`, above the median of all bins, in dB."""
    return float(page.evaluate("([hertz, seconds]) => preauProbe.tone(hertz, seconds)", [hertz, seconds]))


def clap_offset_ms(page: Page, claps: int = 4) -> float:
    """Median of (beep heard - flash seen) over `claps` claps."""
    return float(page.evaluate("claps => preauProbe.clapOffset(claps)", claps))
