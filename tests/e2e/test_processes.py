"""Two streaming processes share a lesson's viewers, in real Chromium; one of them is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response

from tests.browser import (
    clock_advances,
    new_context,
    picture_age_ms,
    pupil_page,
    start_lesson,
    stop_lesson,
    teacher_page,
    wait_live,
    wait_page,
)
from tests.e2e.test_screen import CANVAS, shown
from tests.kit import Kit, running_kit, wait_until

# Remembers the longest time between two pictures.
WATCH_GAPS = """() => {
  const video = document.getElementById("video");
  let last = performance.now();
  window.longestGap = 0;
  const next = () => video.requestVideoFrameCallback((now) => {
    window.longestGap = Math.max(window.longestGap, now - last);
    last = now;
    next();
  });
  next();
}"""
LONGEST_GAP_MS = 1000  # its own process starting costs a page several seconds


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"), streaming_processes="2")


@pytest.fixture
def teacher(browser: Browser, kit: Kit) -> Iterator[BrowserContext]:
    context = new_context(browser)
    context.add_init_script(CANVAS)
    yield context
    context.close()


class Sessions:
    """The WHEP sessions that the pages of a context open: what they asked for, and of which process they are."""

    def __init__(self, context: BrowserContext) -> None:
        self.opened: list[tuple[str, int]] = []
        context.on("response", self._note)

    def _note(self, response: Response) -> None:
        if response.request.method == "POST" and "/whep" in response.url and response.status == 201:
            session = response.headers["location"].rpartition("/")[2]
            source = "screen" if "source=screen" in response.url else "camera"
            self.opened.append((source, int(session[0]) if session[1] == "." else 1))


@pytest.mark.alone
def test_two_processes_share_a_lesson(
    kit: Kit, browser: Browser, teacher: BrowserContext, state: Callable[[str], None]
) -> None:
    assert json.loads(kit.request("GET", "/healthz")[1])["services"]["streaming-2"]["up"]
    page = teacher_page(teacher, kit)
    start_lesson(page)
    wait_until(lambda: kit.metric("preau_streaming_viewers") == 1, 10, "the teacher's preview")
    code = kit.api("GET", "kit")["join"]["code"]
    contexts = [new_context(browser) for _ in range(2)]
    sessions = [Sessions(context) for context in contexts]
    pupils = []
    for context, name in zip(contexts, ("Ada", "Léo"), strict=True):
        pupils.append(pupil_page(context, kit, code, name))
        wait_live(pupils[-1])
    ada, leo = pupils
    assert [one.opened for one in sessions] == [[("camera", 2)], [("camera", 1)]]
    assert all(clock_advances(one) for one in pupils)

    page.click("#share")
    wait_until(lambda: all(map(shown, pupils)), 15, "the screen on both pupils' pages")
    assert [one.opened[1:] for one in sessions] == [[("screen", 2)], [("screen", 1)]]
    count(page, kit, 2)

    leo.evaluate(WATCH_GAPS)
    began = time.monotonic()
    kit.kill_service("streaming-2")
    wait_page(ada, "preauProbe.pictureAge().then((age) => age < 1000, () => false)")
    back_s = time.monotonic() - began
    wait_live(ada)
    assert clock_advances(ada)
    assert picture_age_ms(ada) < 1000
    wait_until(lambda: shown(ada), 15, "the screen to be back")
    gap_ms = leo.evaluate("window.longestGap")
    state(f"one of two streaming processes killed: its viewer sees the picture again after {back_s:.1f} s")
    state(f"  between two pictures of a viewer of the other, at most {gap_ms:.0f} ms")
    assert gap_ms < LONGEST_GAP_MS
    assert shown(leo)
    assert sessions[1].opened == [("camera", 1), ("screen", 1)], "nobody else opened anything"
    count(page, kit, 2)
    status = teacher.new_page()
    status.goto(f"{kit.url}/status")
    row = status.locator("tr", has=status.locator("th", has_text="streaming-2")).first
    assert row.locator("td").nth(2).inner_text() == "1"
    stop_lesson(page)
    wait_until(lambda: kit.metric("preau_streaming_viewers") == 1, 10, "all pupils to be hung up on")
    for context in contexts:
        context.close()


def count(page: Page, kit: Kit, pupils: int) -> None:
    """Wait until everybody is counted once, on the teacher's page and in the counters."""
    wait_page(page, f"document.getElementById('names').children.length === {pupils}")
    wait_until(lambda: kit.metric("preau_streaming_viewers") == pupils + 1, 10, "everybody to be counted once")
