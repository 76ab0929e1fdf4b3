"""kill -9 of each service in a live lesson: the pages see the picture again untouched, the recording loses little."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser import clock_advances, picture_age_ms, pupil_page, wait_live, wait_page
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
    assert clock_advances(page)
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


def _answers(kit: Kit) -> bool:
    try:
        kit.request("GET", "/healthz")
    except (OSError, Problem):
        return False
    return True
