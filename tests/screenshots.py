"""The pictures of the replay page in docs/: `python -m tests.screenshots`, which takes some ten seconds.

The lesson in them is really recorded: the demo camera's picture, a shared screen with slides, and a gap of two minutes.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import msgspec
import numpy as np
from playwright.sync_api import Browser

from appliance.messages import Packet, VideoFormat
from capture.demo import DemoPicture
from capture.frames import Picture
from lessons.session import Session
from tests.browser import chromium, wait_page
from tests.lessons.media import ORIGIN_NS, arrivals, moved, pictures, sounds
from tests.lessons.room import AT, ID, begin, feed
from tests.lessons.test_screen import mixed
from tests.ui.conftest import CODE, Kit, make_kit
from tests.ui.recorded import RecordedLessons, open_replay, served

DOCS = Path(__file__).parents[1] / "docs"
SECOND = 1_000_000_000
RATE = 10
SLIDES = (("Les volcans", "1. Le magma monte"), ("Les volcans", "2. La lave coule"))


def slide(heading: str, line: str) -> Picture:
    image = np.full((720, 1280, 3), 248, np.uint8)
    cv2.rectangle(image, (0, 0), (1280, 130), (58, 64, 18), -1)
    cv2.putText(image, heading, (60, 92), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.putText(image, line, (60, 260), cv2.FONT_HERSHEY_SIMPLEX, 1.9, (40, 40, 40), 4, cv2.LINE_AA)
    cv2.fillPoly(image, [np.array([(420, 660), (600, 360), (680, 360), (860, 660)])], (70, 90, 120))
    cv2.ellipse(image, (640, 362), (60, 22), 0, 0, 360, (40, 80, 230), -1, cv2.LINE_AA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)


def encoded(images: list[Picture], source: str = "camera", from_s: float = 0.0) -> list[Packet]:
    """The images as capture encodes them, RATE a second, from a time of the lesson on."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 1280, 720, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
    options = f"keyint={RATE}:min-keyint={RATE}:scenecut=0:bframes=0:annexb=1:aud=1:repeat-headers=1"
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "x264-params": options}
    made = []
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="yuv420p")
        frame.pts = number
        made += encoder.encode(frame)
    made += encoder.encode(None)
    model = msgspec.structs.replace(pictures(1)[0], source=source, rung="720p" if source == "camera" else "main")
    return [
        msgspec.structs.replace(
            model, seq=number, pts_ns=ORIGIN_NS + int(from_s * SECOND) + number * SECOND // RATE,
            duration_ns=SECOND // RATE, keyframe=bool(one.is_keyframe), format=VideoFormat(1280, 720), data=bytes(one),
        )
        for number, one in enumerate(made)
    ]  # fmt: skip


def recorded(root: Path) -> Session:
    """A lesson that is still live."""
    demo = DemoPicture("Salle 12")
    camera = [demo.draw(int(AT * SECOND) + number * SECOND // RATE) for number in range(40 * RATE)]
    shared = encoded([slide(*SLIDES[number // (8 * RATE)]) for number in range(16 * RATE)], "screen", 2.0)
    live = begin(root)
    feed(live, mixed(*arrivals(encoded(camera[: 24 * RATE]), sounds(24)), *shared))
    feed(live, moved(arrivals(encoded(camera[24 * RATE :]), sounds(16)), epoch=2, by_s=24 + 134.0))
    return live


def photograph(browser: Browser, address: str, size: tuple[int, int], place: float, name: str) -> None:
    context = browser.new_context(
        locale="fr-FR", base_url=address, viewport={"width": size[0], "height": size[1]}, has_touch=size[0] < size[1]
    )
    assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok
    page = context.new_page()
    open_replay(page, ID)
    page.evaluate(f"document.getElementById('video').currentTime = {place}")
    page.wait_for_selector(".player[data-screen]")
    # The screen's picture is there when it no longer seeks.
    wait_page(page, "(({ readyState, seeking }) => readyState > 2 && !seeking)(document.getElementById('screen'))")
    wait_page(page, "(({ readyState, seeking }) => readyState > 2 && !seeking)(document.getElementById('video'))")
    page.screenshot(path=DOCS / name)
    context.close()


def main() -> None:
    with TemporaryDirectory(prefix="preau-test-") as folder, chromium() as browser:
        root = Path(folder)
        live = recorded(root / "lessons")
        kit: Kit = make_kit(root, recordings=RecordedLessons(root))
        kit.state.note(live.state())
        with served(kit.app) as address:
            photograph(browser, address, (800, 1280), 6, "replay-live.png")
            live.stop(0, AT + 60)
            kit.state.note(live.state())
            photograph(browser, address, (1366, 768), 12, "replay.png")


if __name__ == "__main__":
    main()
