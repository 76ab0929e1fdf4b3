"""A teacher shares a screen in real Chromium: pupils see it beside the camera, until it ends."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import (
    CHROMIUM,
    FLAGS,
    Visits,
    clock_advances,
    new_context,
    pupil_page,
    start_lesson,
    stop_lesson,
    teacher_page,
    wait_live,
    wait_page,
)
from tests.judge import probe
from tests.kit import PIN, Kit, Problem, running_kit, wait_until

# In place of the browser's own choice of a screen: a picture whose left half is magenta and whose right half counts.
CANVAS = """
navigator.mediaDevices.getDisplayMedia = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
  const context = canvas.getContext("2d");
  let count = 0;
  const draw = () => {
    context.fillStyle = "#ff00ff";
    context.fillRect(0, 0, 640, 720);
    context.fillStyle = `hsl(${(count++ * 7) % 360} 80% 50%)`;
    context.fillRect(640, 0, 640, 720);
  };
  draw();
  setInterval(draw, 66);
  return canvas.captureStream(15);
};
"""
PIXEL = """(id) => {
  const video = document.getElementById(id);
  if (!video.videoWidth) return null;
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 36 });
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 64, 36);
  return [...context.getImageData(8, 18, 1, 1).data.slice(0, 3), video.videoWidth, video.videoHeight];
}"""

OFFER = """async () => {
  const connection = new RTCPeerConnection();
  connection.addTransceiver("video", { direction: "sendonly" });
  await connection.setLocalDescription(await connection.createOffer());
  return connection.localDescription.sdp;
}"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture(autouse=True)
def nothing_left_live(kit: Kit) -> Iterator[None]:
    """A test that failed in mid-lesson is not the next one's trouble."""
    yield
    live = kit.api("GET", "kit")["lesson"]
    if live and live["state"] == "live":
        kit.api("POST", f"lessons/{live['id']}/stop")


@pytest.fixture
def teacher(browser: Browser, kit: Kit) -> Iterator[BrowserContext]:
    context = new_context(browser)
    context.add_init_script(CANVAS)
    yield context
    context.close()


def is_magenta(page: Page, id: str) -> bool:
    found = page.evaluate(PIXEL, id)
    if found is None:
        return False
    red, green, blue, _, _ = found
    return bool(red > 180 and green < 90 and blue > 180)


def shown(page: Page) -> bool:
    """Whether the shared screen is on the page, in pixels."""
    return bool(page.evaluate("document.body.hasAttribute('data-shared')")) and is_magenta(page, "shared")


def test_pupils_see_the_screen_beside_the_camera(kit: Kit, teacher: BrowserContext, context: BrowserContext) -> None:
    visits = Visits(context, kit)
    page = teacher_page(teacher, kit)
    start_lesson(page)
    code = kit.api("GET", "kit")["join"]["code"]
    pupil = pupil_page(context, kit, code, "Zoé")
    wait_live(pupil)
    page.focus("#share")
    page.keyboard.press("Enter")
    wait_until(lambda: shown(pupil), 15, "the screen on the pupil's page")
    wait_page(page, "document.getElementById('share-state').textContent.includes('partagé')")
    assert clock_advances(pupil)
    large, small = pupil.locator("#shared").bounding_box(), pupil.locator("#video").bounding_box()
    assert large and small and large["width"] > 2 * small["width"]
    latecomer = pupil_page(context, kit, code, "Inès")
    wait_until(lambda: shown(latecomer), 15, "the screen on a latecomer's page")
    # Who also watches the screen counts once.
    wait_until(lambda: kit.metric("preau_streaming_viewers") == 3, 5, "three viewers to be counted")
    page.click("#share")
    for each in (pupil, latecomer):
        wait_page(each, "!document.body.hasAttribute('data-shared') && document.getElementById('shared').hidden")
        assert clock_advances(each)
    assert visits.foreign == []
    # Also when the kit has noticed that a page closed its connection before it hears of the end of its session.
    assert visits.complaints == []
    stop_lesson(page)
    latecomer.close()


def test_sharing_survives_the_streaming_service(kit: Kit, teacher: BrowserContext, context: BrowserContext) -> None:
    page = teacher_page(teacher, kit)
    start_lesson(page)
    pupil = pupil_page(context, kit, kit.api("GET", "kit")["join"]["code"], "Noé")
    page.click("#share")
    wait_until(lambda: shown(pupil), 15, "the screen on the pupil's page")
    kit.kill_service("streaming")
    wait_page(pupil, "!document.body.hasAttribute('data-shared')")
    wait_until(lambda: shown(pupil), 20, "the screen to be back")
    stop_lesson(page)


def test_a_publisher_that_is_killed_is_gone_within_fifteen_seconds(
    kit: Kit, browser: Browser, context: BrowserContext
) -> None:
    mark = f"--preau-victim={uuid.uuid4()}"
    victim = browser.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, mark])
    abroad = new_context(victim)
    abroad.add_init_script(CANVAS)
    page = teacher_page(abroad, kit)
    start_lesson(page)
    pupil = pupil_page(context, kit, kit.api("GET", "kit")["join"]["code"], "Noé")
    page.click("#share")
    wait_until(lambda: shown(pupil), 15, "the screen on the pupil's page")
    second = teacher_page(context, kit)
    wait_page(second, "document.getElementById('share').disabled")
    offer = page.evaluate(OFFER)
    for token, body, status in (
        (kit.token, offer, 409),
        ("wrong", offer, 401),
        (kit.token, "nonsense", 400),
        (kit.token, offer.replace("a=ice-ufrag", "a=ufrag"), 400),
        (kit.token, offer.replace("H264", "H265"), 400),
    ):
        with pytest.raises(Problem) as problem:
            kit.request(
                "POST", "/whip/screen", body.encode(), Content_Type="application/sdp", Authorization=f"Bearer {token}"
            )
        assert problem.value.status == status, problem.value.document
    for process in [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]:
        process.kill()
    cut = time.monotonic()
    wait_page(pupil, "!document.body.hasAttribute('data-shared')", 20)
    assert time.monotonic() - cut < 15
    wait_page(second, "!document.getElementById('share').disabled")
    stop_lesson(second)


def test_the_screen_is_recorded_and_replayed_beside_the_camera(
    kit: Kit, teacher: BrowserContext, context: BrowserContext, tmp_path: Path
) -> None:
    page = teacher_page(teacher, kit)
    start_lesson(page)
    lesson = kit.api("GET", "lessons")["lessons"][0]["id"]
    wait_until(lambda: kit.api("GET", f"lessons/{lesson}")["duration_s"] > 1, 10, "a second of the lesson")
    page.click("#share")
    wait_until(lambda: recorded_s(kit, lesson) > 5, 30, "five seconds of the screen")
    page.click("#share")
    wait_page(page, "!document.body.hasAttribute('data-sharing')")
    ended = kit.api("GET", f"lessons/{lesson}")["duration_s"]
    wait_until(lambda: kit.api("GET", f"lessons/{lesson}")["duration_s"] > ended + 4, 20, "the lesson to go on")
    stop_lesson(page)
    shown = kit.api("GET", f"lessons/{lesson}")
    spans = json.loads(kit.request("GET", shown["screen"]["spans"])[1])["spans"]
    assert len(spans) == 1
    assert 1 < spans[0]["start_s"] < shown["duration_s"] - spans[0]["duration_s"] - 2
    assert spans[0]["duration_s"] == pytest.approx(shown["screen"]["duration_s"], abs=0.01)
    file = tmp_path / "screen.mp4"
    file.write_bytes(kit.request("GET", shown["screen"]["download"])[1])
    verdict = probe(file)
    assert verdict.complaints == "" and not spans[0]["sound"]  # this screen is silent
    assert verdict.video_frames > 5 * spans[0]["duration_s"]
    assert verdict.duration_s == pytest.approx(spans[0]["start_s"] + spans[0]["duration_s"], abs=0.3)
    camera = probe(kit.download(lesson, tmp_path))
    assert camera.complaints == "" and camera.duration_s == pytest.approx(shown["duration_s"], abs=0.2)

    replay = context.new_page()
    context.request.post(f"{kit.url}/api/v1/session", data={"pin": PIN})
    replay.goto(f"{kit.url}/lessons/{lesson}")
    replay.wait_for_selector("body[data-state=ready]")
    replay.evaluate("document.getElementById('video').muted = true")
    replay.evaluate("document.getElementById('video').play()")
    wait_page(replay, "document.getElementById('video').currentTime > 0.2")
    assert not replay.evaluate("document.querySelector('.player').hasAttribute('data-screen')")
    middle = spans[0]["start_s"] + 2
    replay.evaluate(f"document.getElementById('video').currentTime = {middle}")
    wait_until(lambda: is_magenta(replay, "screen"), 10, "the screen in the replay")
    wait_page(replay, f"document.getElementById('video').currentTime > {middle} + 1")
    drift = replay.evaluate(
        "document.getElementById('video').currentTime - document.getElementById('screen').currentTime"
    )
    assert drift == pytest.approx(spans[0]["start_s"], abs=0.5)
    for view, visible in (("screen", True), ("camera", False), ("both", True)):
        replay.click(f"#views [data-view={view}]")
        assert replay.locator("#screen").is_visible() is visible
    large, small = replay.locator("#screen").bounding_box(), replay.locator("#video").bounding_box()
    assert large and small and large["width"] > 2 * small["width"]
    replay.close()


def test_a_recorder_that_dies_goes_on_with_the_screen(kit: Kit, teacher: BrowserContext, tmp_path: Path) -> None:
    page = teacher_page(teacher, kit)
    start_lesson(page)
    lesson = kit.api("GET", "lessons")["lessons"][0]["id"]
    page.click("#share")
    wait_until(lambda: recorded_s(kit, lesson) > 3, 30, "three seconds of the screen")
    kit.kill_service("lessons")
    before = wait_until(lambda: recorded_s(kit, lesson), 10, "the recording to be known again")
    assert before > 3
    wait_until(lambda: recorded_s(kit, lesson) > before + 3, 30, "the screen to be recorded again")
    stop_lesson(page)
    shown = kit.api("GET", f"lessons/{lesson}")
    spans = json.loads(kit.request("GET", shown["screen"]["spans"])[1])["spans"]
    assert len(spans) == 2
    assert spans[1]["start_s"] - (spans[0]["start_s"] + spans[0]["duration_s"]) < 6
    assert shown["gaps"] == 0
    for name in ("screen", "lesson"):
        file = tmp_path / f"{name}.mp4"
        file.write_bytes(kit.request("GET", f"/lessons/{lesson}/{name}.mp4")[1])
        assert probe(file).complaints == ""


def recorded_s(kit: Kit, lesson: str) -> float:
    """How much of the screen is durable."""
    screen = kit.api("GET", f"lessons/{lesson}")["screen"]
    return float(screen["duration_s"]) if screen else 0.0
