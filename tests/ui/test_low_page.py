"""The replay of a recording with a low rung, in Chromium: chosen by hand, or by what the line carries."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from appliance.messages import Packet, VideoFormat
from lessons import low
from tests.browser import chromium, wait_page
from tests.lessons.media import FRAME_NS, ORIGIN_NS, arrivals, sounds
from tests.lessons.room import ID, record
from tests.ui.conftest import CODE, make_kit
from tests.ui.recorded import RecordedLessons, open_replay, served
from tests.ui.test_browser import violations

SECONDS = 40
BIT_RATE = 3_000_000
THIN_LINE = 150_000  # bytes a second: less than half of that
VIDEO = "document.getElementById('video')"
HELD = """() => {
  const video = document.getElementById('video');
  window.held = 0;
  video.addEventListener('waiting', () => (window.held += 1));
}"""


@cache
def busy_pictures() -> tuple[Packet, ...]:
    """Squares of changing colours: as many bits as the encoder may spend."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.bit_rate = 1280, 720, "yuv420p", BIT_RATE
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.options = {
        "preset": "ultrafast", "tune": "zerolatency", "maxrate": str(BIT_RATE), "bufsize": str(BIT_RATE // 2),
        "x264-params": "keyint=30:min-keyint=30:scenecut=0:bframes=0:annexb=1:repeat-headers=1",
    }  # fmt: skip
    random = np.random.default_rng(1)
    packets = []
    for number in range(SECONDS * 30):
        if number % 3 == 0:
            image = random.integers(0, 256, (45, 80, 3), np.uint8).repeat(16, axis=0).repeat(16, axis=1)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return tuple(
        Packet("camera", "720p", "h264", 1, number, ORIGIN_NS + number * 1_000_000_000 // 30, FRAME_NS,
               bool(one.is_keyframe), VideoFormat(1280, 720), bytes(one))
        for number, one in enumerate(packets)
    )  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root: Path = tmp_path_factory.mktemp("replay")
    low.make(record(root / "lessons", arrivals(busy_pictures(), sounds(SECONDS))), 400_000)
    with served(make_kit(root, recordings=RecordedLessons(root)).app) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(
        locale="fr-FR", base_url=address, viewport={"width": 1366, "height": 768}
    )
    context.set_default_timeout(15_000)
    assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok
    yield context.new_page()
    context.close()


def shown(page: Page, width: int) -> None:
    wait_page(page, f"{VIDEO}.videoWidth == {width}")


def test_the_rung_is_chosen_by_hand_while_it_plays(page: Page) -> None:
    open_replay(page, ID)
    shown(page, 1280)
    page.evaluate(f"{VIDEO}.play()")
    wait_page(page, f"{VIDEO}.currentTime > 0.5")
    page.evaluate(HELD)
    choice = page.get_by_label("Image", exact=True)
    expect(choice).to_have_value("automatic")
    choice.select_option("saving")
    shown(page, 640)
    began = page.evaluate(f"{VIDEO}.currentTime")
    choice.select_option("sharp")
    shown(page, 1280)
    assert page.evaluate(f"{VIDEO}.currentTime") < began + 10 and not page.evaluate(f"{VIDEO}.paused")
    assert page.evaluate("window.held") == 0  # not once did it wait for the other rung
    choice.select_option("saving")
    shown(page, 640)
    assert violations(page) == []
    page.set_viewport_size({"width": 800, "height": 1200})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    open_replay(page, ID)
    expect(choice).to_have_value("saving")  # remembered, and nothing of the other is fetched
    shown(page, 640)
    page.evaluate(f"{VIDEO}.currentTime = 20")
    wait_page(page, f"{VIDEO}.readyState > 2 && {VIDEO}.currentTime >= 20")
    assert "low-0001.mp4" in asked and "part-0001.mp4" not in asked


def test_a_thin_line_gets_the_small_picture_by_itself(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    line = {"offline": False, "latency": 20, "downloadThroughput": THIN_LINE, "uploadThroughput": THIN_LINE}
    page.goto("/lessons")  # the scripts come over the good line
    open_replay(page, ID)
    session.send("Network.emulateNetworkConditions", line)
    page.evaluate(f"{VIDEO}.currentTime = 18")
    page.evaluate(f"{VIDEO}.play()")
    wait_page(page, f"{VIDEO}.videoWidth == 640 && {VIDEO}.currentTime > 19", 30)
    page.evaluate(HELD)
    start = page.evaluate(f"{VIDEO}.currentTime")
    wait_page(page, f"{VIDEO}.currentTime > {start} + 5", 30)
    assert page.evaluate("window.held") == 0
