"""A real capture: the teacher's Chromium shares one of its tabs, with sound; a pupil sees, hears and replays it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import (
    SHARED_HZ,
    SHARING,
    chromium,
    clap_offset_ms,
    clock_advances,
    new_context,
    picture_age_ms,
    pupil_page,
    sharing_page,
    start_lesson,
    stop_lesson,
    tone_db,
    wait_live,
    wait_page,
)
from tests.judge import probe, recorded_claps_ms
from tests.kit import PIN, Kit, running_kit, wait_until

AUDIBLE_DB = 20
RECORDED_S = 8.0
# A browser that plays no Opus in MP4, as iPads before iPadOS 17.
WITHOUT_OPUS = """
const plays = MediaSource.isTypeSupported.bind(MediaSource);
MediaSource.isTypeSupported = (type) => !type.includes("opus") && plays(type);
"""
# The time in the pixels of both, at one moment.
TIMES = """() => ["video", "screen"].map((id) => {
  preauProbe.look(id);
  return preauProbe.readTime();
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*SHARING, mute=False) as started:
        yield started


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def teacher(browser: Browser, kit: Kit) -> Iterator[Page]:
    context = new_context(browser)
    yield sharing_page(context, kit)
    context.close()


@pytest.mark.alone
def test_a_tab_with_sound_is_shared_recorded_and_replayed(
    kit: Kit, teacher: Page, context: BrowserContext, state: Callable[[str], None], tmp_path: Path
) -> None:
    start_lesson(teacher)
    lesson = kit.api("GET", "lessons")["lessons"][0]["id"]
    pupil = pupil_page(context, kit, kit.api("GET", "kit")["join"]["code"], "Zoé")
    wait_live(pupil)
    teacher.click("#share")
    wait_page(pupil, "document.body.hasAttribute('data-shared')")
    pupil.evaluate("preauProbe.look('shared')")
    wait_until(lambda: clock_advances(pupil), 10, "the shared tab to move on the pupil's page")
    assert tone_db(pupil, SHARED_HZ) > AUDIBLE_DB
    # How a browser on a busy machine plays it live is told, not judged; what is recorded must be in step.
    live_ms, age_ms = clap_offset_ms(pupil), sorted(picture_age_ms(pupil) for _ in range(9))[4]
    state(f"shared tab, live: {age_ms:.0f} ms old, its sound {live_ms:+.0f} ms against its picture")
    wait_until(lambda: recorded_s(kit, lesson) > RECORDED_S, 30, "some seconds of the screen")
    teacher.click("#share")
    wait_page(pupil, "!document.body.hasAttribute('data-shared')")
    stop_lesson(teacher)

    shown = kit.api("GET", f"lessons/{lesson}")
    (span,) = json.loads(kit.request("GET", shown["screen"]["spans"])[1])["spans"]
    assert span["sound"] and span["duration_s"] > RECORDED_S
    file = tmp_path / "screen.mp4"
    file.write_bytes(kit.request("GET", shown["screen"]["download"])[1])
    assert probe(file).complaints == ""
    claps = recorded_claps_ms(file)
    recorded_ms = float(np.median(claps))
    assert len(claps) > RECORDED_S / 2
    state(f"shared tab, recorded: its sound {recorded_ms:+.0f} ms against its picture")
    assert abs(recorded_ms) < 100

    replay = open_replay(context, kit, lesson)
    replay.evaluate(f"document.getElementById('video').currentTime = {span['start_s'] + 1}")
    wait_until(lambda: in_step(replay), 15, "camera and screen to be in step")
    replay.evaluate("preauProbe.look('screen')")
    assert tone_db(replay, SHARED_HZ) > AUDIBLE_DB
    played_ms = clap_offset_ms(replay, 3)
    state(f"shared tab, replayed: {apart_ms(replay):+.0f} ms from the camera, its sound {played_ms:+.0f} ms")
    assert abs(played_ms) < 200
    check_mixing(replay)
    replay.close()

    context.add_init_script(WITHOUT_OPUS)
    older = open_replay(context, kit, lesson)
    older.evaluate(f"document.getElementById('video').currentTime = {span['start_s'] + 1}")
    wait_until(lambda: in_step(older), 15, "camera and screen to be in step in an older browser")
    assert older.evaluate("document.getElementById('screen').currentSrc").endswith("/screen.mp4")
    older.close()


def open_replay(context: BrowserContext, kit: Kit, lesson: str) -> Page:
    """The lesson's page, playing."""
    page = context.new_page()
    context.request.post(f"{kit.url}/api/v1/session", data={"pin": PIN})
    page.goto(f"{kit.url}/lessons/{lesson}")
    page.wait_for_selector("body[data-state=ready]")
    page.evaluate("document.getElementById('video').play()")
    wait_page(page, "document.getElementById('video').currentTime > 0.2")
    return page


def check_mixing(page: Page) -> None:
    """The player's volume is the screen's, too; the screen alone can be turned off, and stays so."""
    heard = "(({ muted, volume }) => muted ? 0 : volume)(document.getElementById('screen'))"
    assert page.evaluate(heard) == 1
    page.evaluate("document.getElementById('video').volume = 0.5")
    wait_page(page, f"{heard} === 0.5")
    page.evaluate("document.getElementById('video').muted = true")
    wait_page(page, f"{heard} === 0")
    page.evaluate("document.getElementById('video').muted = false")
    wait_page(page, f"{heard} === 0.5")
    page.click("#screen-sound")
    assert page.get_attribute("#screen-sound", "aria-pressed") == "false"
    assert page.evaluate(heard) == 0
    page.evaluate("document.getElementById('video').volume = 1")
    page.reload()
    page.wait_for_selector("body[data-screen-sound]")
    assert page.get_attribute("#screen-sound", "aria-pressed") == "false" and page.evaluate(heard) == 0


def apart_ms(page: Page) -> float | None:
    """How much later the screen's picture was taken than the camera's that is shown beside it."""
    camera, screen = page.evaluate(TIMES)
    return None if camera is None or screen is None else screen - camera


def in_step(page: Page) -> bool:
    apart = apart_ms(page)
    return apart is not None and abs(apart) < 100


def recorded_s(kit: Kit, lesson: str) -> float:
    """How much of the screen is durable."""
    screen = kit.api("GET", f"lessons/{lesson}")["screen"]
    return float(screen["duration_s"]) if screen else 0.0
