"""A whole lesson in real Chromium: Start, three pupils, Stop, replay, download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response

from capture.demo import TONE_HZ
from tests.browser import (
    Visits,
    clap_offset_ms,
    clock_advances,
    new_context,
    picture_age_ms,
    pupil_page,
    start_lesson,
    stop_lesson,
    teacher_page,
    tone_db,
    wait_live,
    wait_page,
)
from tests.judge import probe
from tests.kit import Kit, running_kit, wait_until

LONGEST_AGE_MS = 1000
LARGEST_OFFSET_MS = 60
SETTLING_ROUNDS = 6
AUDIBLE_DB = 30  # above the median of all frequencies


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture(autouse=True)
def nothing_left_live(kit: Kit) -> Iterator[None]:
    """A test that failed in mid-lesson is not the next one's trouble."""
    yield
    live = kit.api("GET", "kit")["lesson"]
    if live:
        kit.api("POST", f"lessons/{live['id']}/stop")


@pytest.fixture
def three_contexts(browser: Browser) -> Iterator[list[BrowserContext]]:
    """Three tablets that share nothing."""
    contexts = [new_context(browser) for _ in range(3)]
    yield contexts
    for each in contexts:
        each.close()


def posted(response: Response, ending: str) -> bool:
    return response.request.method == "POST" and response.url.endswith(ending)


def seek(page: Page, position: str) -> float:
    """Seek to a JavaScript expression over `v`, the video; returns where it then plays."""
    return float(
        page.evaluate(
            f"""() => new Promise((resolve) => {{
                const v = document.getElementById("video");
                v.addEventListener("seeked", () => resolve(v.currentTime), {{ once: true }});
                v.currentTime = {position};
            }})"""
        )
    )


@pytest.mark.alone
def test_a_whole_lesson(
    kit: Kit,
    context: BrowserContext,
    three_contexts: list[BrowserContext],
    tmp_path: Path,
    state: Callable[[str], None],
) -> None:
    visits = Visits(context, kit)
    teacher = teacher_page(context, kit)
    with teacher.expect_response(lambda response: posted(response, "/lessons")) as started:
        start_lesson(teacher)
    lesson = kit.api("GET", "lessons")["lessons"][0]
    pupils = [
        pupil_page(each, kit, lesson["code"], name)
        for each, name in zip(three_contexts, ("Zoé", "Anatole", "Inès"), strict=True)
    ]
    for page in pupils:
        wait_live(page)
        assert clock_advances(page)
        age_ms = picture_age_ms(page)
        assert 0 < age_ms < LONGEST_AGE_MS
        state(f"age of a pupil's picture after joining: {age_ms:.0f} ms")
        assert tone_db(page, TONE_HZ) > AUDIBLE_DB
    wait_page(teacher, "document.querySelectorAll('#names li').length === 3")
    assert clock_advances(teacher)
    wait_page(teacher, "document.getElementById('level').value > -40")

    # Lips are judged on one page: with four, a machine of two cores shows its own lateness.
    for page in pupils[1:]:
        page.close()
    # A browser starts with a deep audio buffer and brings the picture to it within a few sender reports.
    offsets = [clap_offset_ms(pupils[0])]
    while abs(offsets[-1]) >= LARGEST_OFFSET_MS and len(offsets) < SETTLING_ROUNDS:
        offsets.append(clap_offset_ms(pupils[0]))
    state(f"sound against picture in Chromium, from the join on: {', '.join(f'{each:+.0f}' for each in offsets)} ms")
    assert abs(offsets[-1]) < LARGEST_OFFSET_MS, offsets

    latecomer = three_contexts[0].new_page()
    latecomer.goto(f"{kit.url}/lessons/{lesson['id']}")
    wait_page(latecomer, "document.getElementById('video').readyState >= 3")
    assert seek(latecomer, "0.5") == pytest.approx(0.5, abs=0.1)
    latecomer.close()

    with teacher.expect_response(lambda response: posted(response, "/stop")) as ended:
        stop_lesson(teacher)
    stopped = time.monotonic()
    start, stop = started.value.request.timing, ended.value.request.timing
    lasted = (stop["startTime"] - start["startTime"] - start["responseEnd"]) / 1000
    replay = three_contexts[0].new_page()
    replay.goto(f"{kit.url}/lessons/{lesson['id']}")
    replay.evaluate("document.getElementById('video').muted = true")
    replay.evaluate("document.getElementById('video').play()")
    wait_page(replay, "document.getElementById('video').currentTime > 0")
    assert time.monotonic() - stopped < 4  # a browser page included; the kit's own share is benchmarked

    length = float(replay.evaluate("document.getElementById('video').duration"))
    assert length == pytest.approx(lasted, abs=0.2)
    assert seek(replay, "v.duration / 2") == pytest.approx(length / 2, abs=0.2)
    seek(replay, "v.duration - 1")
    wait_page(replay, "document.getElementById('video').ended")
    pupils[0].wait_for_selector("body[data-state=ended]")

    verdict = probe(kit.download(lesson["id"], tmp_path))
    shown = kit.api("GET", f"lessons/{lesson['id']}")
    assert verdict.complaints == ""
    assert verdict.duration_s == pytest.approx(shown["duration_s"], abs=0.2)
    assert verdict.duration_s == pytest.approx(lasted, abs=0.2)
    # Four pages decode video on the kit's own cores here, so that its camera may skip pictures.
    assert verdict.video_frames > 0.9 * 30 * verdict.duration_s
    assert visits.foreign == []
    assert visits.complaints == []


def test_pupils_wait_for_the_lesson_and_leave_no_trace(kit: Kit, context: BrowserContext) -> None:
    code = kit.api("GET", "kit")["join"]["code"]
    page = pupil_page(context, kit, code, "Noé")
    page.wait_for_selector("body[data-state=waiting]")
    started = kit.api("POST", "lessons", {"title": "Calcul"})
    wait_live(page)
    assert page.inner_text("#lesson-title") == "Calcul"
    wait_until(lambda: kit.metric("preau_streaming_viewers") == 1, 5, "the viewer to be counted")
    page.close()
    wait_until(lambda: kit.metric("preau_streaming_viewers") == 0, 40, "the viewer to be gone")
    kit.api("POST", f"lessons/{started['id']}/stop")


def test_start_and_stop_by_keyboard_alone(kit: Kit, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{kit.url}/teacher")
    page.locator("#pin").press_sequentially("271828")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=ready]")
    page.focus("#title")
    page.keyboard.press("Tab")  # what may be said of the lesson, folded
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "start"
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=live]")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=ready]")
