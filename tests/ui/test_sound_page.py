"""The sound of a lesson alone on the replay page in Chromium: on, off, live, kept, at the same place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lessons.edits import Edits
from lessons.illustrate import illustrate
from lessons.journal import Mark
from tests.browser import wait_page
from tests.lessons.media import arrivals, film, moved, pictures, sounds
from tests.lessons.room import AT, begin, feed, record
from tests.lessons.test_screen import mixed, screen
from tests.ui.conftest import CODE, Kit, make_kit
from tests.ui.recorded import RecordedLessons, open_replay, served
from tests.ui.test_browser import violations
from tests.ui.test_replay import at, browser, playing

__all__ = ["browser"]  # the fixture of the replay's own test
WHOLE, LATE, LIVE, MUTE = (f"20261123-{hour:02d}1502-4f2a" for hour in (8, 9, 10, 11))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    lessons = root / "lessons"
    whole = begin(lessons, WHOLE)
    feed(whole, mixed(*film(12), *screen(2.0, seconds=8)))
    feed(whole, moved(film(12), epoch=2, by_s=42.0))
    whole.stop(0, AT + 60)
    mark = Mark("0a1b2c3d", 10 * 90_000, "", "board", 0.0)
    Edits(lessons).write(WHOLE, lambda recording: [mark])
    illustrate(lessons / WHOLE, look=False)
    late = [one for one in sounds(12) if one.pts_ns - pictures(12)[0].pts_ns > 3_000_000_000]
    record(lessons, arrivals(pictures(12), late), LATE)
    record(lessons, list(pictures(4)), MUTE)
    return root


@pytest.fixture(scope="module")
def kit(root: Path) -> Kit:
    return make_kit(root, recordings=RecordedLessons(root))


@pytest.fixture(scope="module")
def address(kit: Kit) -> Iterator[str]:
    with served(kit.app) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(locale="fr-FR", base_url=address)
    context.set_default_timeout(15_000)
    assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok
    yield context.new_page()
    context.close()


def unmute(page: Page) -> None:
    page.evaluate("document.getElementById('video').muted = false")


def decoded(page: Page, kind: str) -> int:
    return int(page.evaluate(f"document.getElementById('video').webkit{kind}DecodedByteCount"))


def test_sound_alone_goes_on_at_the_same_place_and_comes_back(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rsplit("/lessons/", 1)[-1].split("/", 1)[-1]))
    open_replay(page, WHOLE)
    button = page.locator("#sound-only")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("l")
    page.keyboard.press("k")
    playing(page, 10.4)
    unmute(page)
    asked.clear()
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    playing(page, 10.8)
    assert at(page) < 14
    wait_page(page, "document.getElementById('video').webkitAudioDecodedByteCount > 1000")
    assert decoded(page, "Video") == 0
    assert not [url for url in asked if url.endswith(".mp4") and not url.startswith("sound/")]
    expect(page.locator("#sound-picture")).to_be_visible()
    expect(page.locator("#sound-picture")).to_have_attribute("src", f"/lessons/{WHOLE}/stills/900000.jpg")
    expect(page.locator("#views")).to_be_hidden()
    assert violations(page) == []
    page.keyboard.press("Home")
    playing(page, 0.3)
    expect(page.locator("#sound-picture")).to_have_attribute("src", f"/lessons/{WHOLE}/thumbnail.jpg")
    page.keyboard.press("5")
    playing(page, 12.5)  # past the border of two parts
    page.locator("#sound-only").click()
    expect(page.locator("#sound-picture")).to_be_hidden()
    playing(page, 12.8)
    wait_page(page, "document.getElementById('video').webkitVideoDecodedByteCount > 0")
    assert at(page) < 17
    page.keyboard.press("9")
    wait_page(page, "document.getElementById('video').ended")


def test_it_is_kept_on_the_device(page: Page) -> None:
    open_replay(page, WHOLE)
    page.click("#sound-only")
    expect(page.locator("#told")).to_have_text("Son seul")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("body[data-state=ready]")
    wait_page(page, "document.getElementById('video').readyState >= 2")
    expect(page.locator("#sound-only")).to_have_attribute("aria-pressed", "true")
    assert not [url for url in asked if "/part-" in url or "/screen" in url or url.endswith("index.m3u8")]
    page.keyboard.press("k")
    playing(page, 0.5)
    page.goto(f"/lessons/{MUTE}")  # where there is no sound
    page.wait_for_selector("body[data-state=ready]")
    wait_page(page, "document.getElementById('video').readyState >= 2")
    expect(page.locator("#sound-only")).to_be_hidden()
    expect(page.locator("#sound-picture")).to_be_hidden()


def test_what_has_no_sound_is_passed_over(page: Page) -> None:
    open_replay(page, LATE)
    page.keyboard.press("k")
    playing(page, 0.3)
    page.click("#sound-only")
    playing(page, 6)
    assert page.locator("#said").is_hidden() and decoded(page, "Audio") > 0


def test_a_live_lesson(root: Path, kit: Kit, page: Page) -> None:
    live = begin(root / "lessons", LIVE)
    kit.state.note(live.state())
    packets = film(28)
    feed(live, packets[: len(packets) * 3 // 4])
    open_replay(page, LIVE)
    page.click("#sound-only")
    page.keyboard.press("k")
    playing(page, 0.4)
    page.keyboard.press("End")
    playing(page, 13)
    assert at(page) < 21
    feed(live, packets[len(packets) * 3 // 4 :])
    live.stop(0, AT + 60)
    kit.state.note(live.state())
    wait_page(page, "document.getElementById('video').ended", 25)
    assert at(page) == pytest.approx(28, abs=0.3)


def test_the_pure_part(page: Page) -> None:
    open_replay(page, WHOLE)
    found = page.evaluate(
        """async () => {
          const [src] = [...document.scripts].map((script) => script.src).filter((src) => src.endsWith('lesson.js'));
          const { stillAt } = await import(src.replace('lesson.js', 'replay-sound.js'));
          const { heardFrom } = await import(src.replace('lesson.js', 'replay-hls.js'));
          const silent = [{ start_s: 0, end_s: 4 }, { start_s: 9, end_s: 12 }, { start_s: 20, end_s: null }];
          const chapters = [{ at_s: 5, still: 'a' }, { at_s: 9, still: null }, { at_s: 20, still: 'b' }];
          return {
            stills: [0, 5, 9, 19.9, 20].map((time) => stillAt(chapters, time)),
            heard: [0, 3.9, 4.05, 8, 8.9, 11, 13, 30].map((time) => heardFrom(silent, time)),
          };
        }"""
    )
    assert found["stills"] == [None, "a", "a", "a", "b"]
    assert found["heard"] == pytest.approx([4.05, 4.05, 4.05, 8, 12.05, 12.05, 13, 30])


def test_what_the_browser_cannot_decode_does_not_end_the_playing(page: Page) -> None:
    page.add_init_script(
        "const add = MediaSource.prototype.addSourceBuffer;"
        "MediaSource.prototype.addSourceBuffer = function (type) { return (window.buffer = add.call(this, type)); };"
    )
    open_replay(page, LATE)
    page.keyboard.press("k")
    playing(page, 0.4)
    empty_moof = [0, 0, 0, 8, 109, 111, 111, 102]
    page.evaluate(f"window.broken = window.buffer; window.buffer.appendBuffer(new Uint8Array({empty_moof}))")
    wait_page(page, "window.buffer !== window.broken")
    playing(page, 0.8)
    assert at(page) < 10
