"""kill -9 of each service in a live lesson: the pages see the picture again untouched, the recording loses little."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser import clock_advances, picture_age_ms, pupil_page, stop_lesson, teacher_page, wait_live, wait_page
from tests.judge import missing_s, probe, recorded_times
from tests.kit import Kit, Problem, running_kit, wait_until

PICTURES_PER_S = 30
LOST_PER_KILL_S = 1.2


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


def healthy(kit: Kit) -> bool:
    return all(service["up"] for service in kit.api("GET", "kit")["services"].values())


def recorded_s(kit: Kit, lesson: str) -> float:
    return float(kit.api("GET", f"lessons/{lesson}")["duration_s"])


def watch_again(page: Page) -> None:
    """The page shows a moving, present picture without anybody touching it."""
    wait_page(page, "preauProbe.pictureAge().then((age) => age < 1000, () => false)")
    wait_live(page)
    wait_until(lambda: clock_advances(page), 10, "the picture to move")
    assert picture_age_ms(page) < 1000


@pytest.mark.parametrize(
    ("service", "times", "may_lose_s"),
    [("lessons", 3, LOST_PER_KILL_S), ("streaming", 1, 0.0), ("ui", 1, 0.0), ("capture", 1, 10.0)],
)
def test_a_killed_service_returns(
    kit: Kit, context: BrowserContext, tmp_path: Path, service: str, times: int, may_lose_s: float
) -> None:
    for left in kit.api("GET", "lessons")["lessons"]:
        kit.api("POST", f"lessons/{left['id']}/stop")
    skipped = kit.metric("preau_capture_frames_skipped")
    lesson = kit.api("POST", "lessons", {"title": service})
    page = pupil_page(context, kit, lesson["code"], "Zoé")
    wait_live(page)
    for _ in range(times):
        before = recorded_s(kit, lesson["id"])
        wait_until(lambda: recorded_s(kit, lesson["id"]) > before + 0.9, 10, "a fragment")  # noqa: B023
        kit.kill_service(service)
        watch_again(page)
    wait_until(lambda: _answers(kit) and healthy(kit), 10, "all services")
    before = recorded_s(kit, lesson["id"])
    wait_until(lambda: recorded_s(kit, lesson["id"]) > before + 1, 10, "the recording to go on")
    kit.api("POST", f"lessons/{lesson['id']}/stop")
    file = kit.download(lesson["id"], tmp_path)
    assert probe(file).complaints == ""
    lost = missing_s(recorded_times(file))
    assert len(lost) <= times
    # What capture had no time for, beside a browser on a small machine, nobody has lost.
    skipped_s = max(0.0, kit.metric("preau_capture_frames_skipped") - skipped) / PICTURES_PER_S
    assert all(hole <= may_lose_s + skipped_s for hole in lost), (lost, skipped_s)
    exposition = kit.request("GET", "/metrics")[1].decode()
    assert re.search(rf"^preau_{service}_restarts {times}\.0$", exposition, re.MULTILINE)


def test_power_returns_in_mid_lesson(kit: Kit, context: BrowserContext, tmp_path: Path) -> None:
    """kill -9 of everything, with pages left open: the same lesson goes on in them, and its replay shows one gap."""
    lesson = kit.api("POST", "lessons", {"title": "Coupure"})
    teacher = teacher_page(context, kit)
    pupil = pupil_page(context, kit, lesson["code"], "Zoé")
    wait_live(pupil)
    replay = context.new_page()
    replay.goto(f"{kit.url}/lessons/{lesson['id']}")
    wait_page(replay, "document.getElementById('video').readyState >= 3")
    wait_until(lambda: recorded_s(kit, lesson["id"]) > 3, 15, "three seconds on disk")
    kit.kill()
    pupil.wait_for_selector("body[data-state=reconnecting]", timeout=15_000)
    kit.start()
    watch_again(pupil)
    teacher.wait_for_selector("body[data-state=live]")
    before = recorded_s(kit, lesson["id"])
    wait_until(lambda: recorded_s(kit, lesson["id"]) > before + 1, 15, "the recording to go on")
    stop_lesson(teacher)
    pupil.wait_for_selector("body[data-state=ended]")
    replay.wait_for_selector("body[data-lesson=ended]", timeout=15_000)
    assert replay.locator("#missing li").count() == 1
    # The page that was open all the time plays across the cut.
    (gap,) = json.loads(kit.request("GET", f"/lessons/{lesson['id']}/timeline.json")[1])["gaps"]
    play_from = "(at) => Object.assign(document.getElementById('video'), { currentTime: at, muted: true }).play()"
    replay.evaluate(play_from, gap["at_s"] - 1)
    wait_page(replay, f"document.getElementById('video').currentTime > {gap['at_s'] + 1}")
    end = float(replay.evaluate("document.getElementById('video').duration"))
    listed = [one for one in kit.api("GET", "lessons")["lessons"] if one["title"] == "Coupure"]
    assert [(one["id"], one["gaps"]) for one in listed] == [(lesson["id"], 1)]
    assert end == pytest.approx(listed[0]["duration_s"], abs=0.1)
    file = kit.download(lesson["id"], tmp_path)
    assert probe(file).complaints == ""
    # What capture had no time for, beside three pages on a small machine, is shorter.
    assert sum(hole > LOST_PER_KILL_S for hole in missing_s(recorded_times(file))) == 1


def _answers(kit: Kit) -> bool:
    try:
        kit.request("GET", "/healthz")
    except (OSError, Problem):
        return False
    return True
