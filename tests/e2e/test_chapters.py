"""From the key M in a live lesson of a real film to chapters and small pictures over the replay's seek bar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import Visits, start_lesson, stop_lesson, teacher_page, wait_page
from tests.e2e.test_film import FILM
from tests.kit import Kit, running_kit, wait_until
from tests.lessons.media import probe

MARKED_S = 4.0
LONG_S = 13.0

pytestmark = pytest.mark.skipif(not FILM.exists(), reason=f"needs {FILM.name}")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"), camera=f"file:{FILM}", microphone="demo")


def recorded_s(kit: Kit) -> float:
    return float(kit.api("GET", "kit")["lesson"]["recorded_s"])


def cues(page: Page, kind: str) -> list[list[object]]:
    """What the browser itself read of a track."""
    wait_page(page, f"[...document.querySelectorAll('track[kind={kind}]')].every((one) => one.readyState === 2)")
    found: list[list[object]] = page.evaluate(
        f"""() => [...[...video.textTracks].find((one) => one.kind === "{kind}").cues]
          .map((cue) => [cue.startTime, cue.endTime, cue.text])"""
    )
    return found


def test_marks_and_pictures(kit: Kit, context: BrowserContext) -> None:
    teacher = teacher_page(context, kit)
    start_lesson(teacher)
    id = kit.api("GET", "kit")["lesson"]["id"]
    wait_until(lambda: recorded_s(kit) >= MARKED_S, 30, "four seconds on disk")
    before_s = recorded_s(kit)
    teacher.locator("h1").first.evaluate("() => document.activeElement?.blur()")
    teacher.keyboard.press("m")
    expect(teacher.locator("#mark-said")).to_have_text(re.compile(r"Un repère est posé à 0:0\d\."))
    teacher.fill("#mark-text", "Le lapin <b>sort</b> & s’étire")
    teacher.press("#mark-text", "Enter")
    expect(teacher.locator("#mark-form")).to_be_hidden()
    wait_until(lambda: recorded_s(kit) >= LONG_S, 30, "enough for two small pictures")
    teacher.keyboard.press("m")
    expect(teacher.locator("#mark-form")).to_be_visible()
    stop_lesson(teacher)
    wait_until(lambda: all(mark["still"] for mark in kit.api("GET", f"lessons/{id}/marks")["marks"]), 30, "stills")
    marks = kit.api("GET", f"lessons/{id}/marks")["marks"]
    assert [mark["kind"] for mark in marks] == ["teacher", "teacher"], "a film has no pages"
    marked_s = marks[0]["at_s"]
    assert before_s <= marked_s <= before_s + 2

    visits = Visits(context, kit)
    page = context.new_page()
    page.goto(f"{kit.url}/lessons/{id}")
    page.wait_for_selector("body[data-state=ready]")
    wait_page(page, "document.getElementById('video').readyState >= 3")
    chapters = cues(page, "chapters")
    assert [chapter[2] for chapter in chapters] == ["Le lapin &lt;b&gt;sort&lt;/b&gt; &amp; s’étire", "Repère 2"]
    assert chapters[0][0] == pytest.approx(marked_s, abs=0.001) and chapters[0][1] == chapters[1][0]
    strip = cues(page, "metadata")
    assert [cue[0] for cue in strip] == [0, 10]
    pictures = page.evaluate(
        """async (sheets) => Promise.all(sheets.map(async (sheet) => {
          const picture = new Image();
          picture.src = new URL(sheet, document.querySelector("track[label=thumbnails]").src);
          await picture.decode();
          return [picture.naturalWidth, picture.naturalHeight];
        }))""",
        [cue[2] for cue in strip],
    )
    assert pictures == [[800, 450], [800, 450]]

    box = page.locator("media-time-range").bounding_box()
    assert box is not None
    player = page.locator("media-controller")

    def pointed(at_s: float, attribute: str) -> str:
        """What the controls say when the pointer is moved there; the first moves only wake them."""
        for nudge in (2, 0):
            page.mouse.move(box["x"] + box["width"] * at_s / LONG_S + nudge, box["y"] + box["height"] / 2)
        return player.get_attribute(attribute) or ""

    wait_until(lambda: pointed(1.0, "mediapreviewimage"), 15, "a small picture")
    wait_until(lambda: pointed(marked_s + 0.5, "mediapreviewchapter").startswith("Le lapin <b>"), 15, "the chapter")
    preview = page.evaluate_handle(
        """() => document.querySelector("media-time-range").shadowRoot.querySelector("[part~=preview-box]")"""
    )
    wait_until(lambda: preview.evaluate("(it) => getComputedStyle(it).opacity") == "1", 5, "the preview to be shown")
    picture = page.locator("media-preview-thumbnail img")
    wait_until(lambda: picture.evaluate("(it) => it.complete && it.naturalWidth") == 800, 5, "its picture")
    assert visits.complaints == [] and visits.foreign == []


def test_the_stills_are_of_the_film(kit: Kit, tmp_path: Path) -> None:
    lesson = kit.api("GET", "lessons")["lessons"][0]
    for number, mark in enumerate(kit.api("GET", f"lessons/{lesson['id']}/marks")["marks"]):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(kit.request("GET", mark["still"])[1])
        stream = probe(path)["streams"][0]
        assert (stream["codec_name"], stream["width"], stream["height"]) == ("mjpeg", 960, 540)
        assert path.read_bytes() in kit.request("GET", f"/lessons/{lesson['id']}/stills.pdf")[1]
        with av.open(str(path)) as container:
            assert next(container.decode(video=0)).to_ndarray(format="gray").std() > 10
