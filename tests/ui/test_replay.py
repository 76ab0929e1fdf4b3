"""The replay page in Chromium with really recorded lessons: keys, speed, gaps, where one stopped, the live edge."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import Mark
from tests.browser import chromium, wait_page
from tests.lessons.media import arrivals, film, moved, pictures, sounds
from tests.lessons.room import AT, begin, feed
from tests.lessons.test_screen import mixed, screen
from tests.ui.conftest import CODE, Kit, make_kit
from tests.ui.recorded import RecordedLessons, open_replay, served
from tests.ui.test_browser import violations

WHOLE, LATE, SCREEN = "20261123-081502-4f2a", "20261123-091502-4f2a", "20261123-101502-4f2a"
LIVE, DOOMED = "20261123-111502-4f2a", "20261123-121502-4f2a"
GAP_S, LOST_S = 12.0, 75.0
LATE_S = 3.0
TIME = "document.getElementById('video').currentTime"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("replay")
    lessons = root / "lessons"
    whole = begin(lessons, WHOLE)
    feed(whole, film(12))
    feed(whole, moved(film(28), epoch=2, by_s=GAP_S + LOST_S))
    whole.stop(0, AT + 60)
    late = begin(lessons, LATE)
    heard = [one for one in sounds(12) if one.pts_ns - pictures(12)[0].pts_ns > LATE_S * 1e9]
    feed(late, arrivals(pictures(12), heard))
    late.stop(0, AT + 60)
    shared = begin(lessons, SCREEN)
    feed(shared, mixed(*film(12), *screen(1.0, seconds=10)))
    shared.stop(0, AT + 60)
    return root


@pytest.fixture(scope="module")
def kit(root: Path) -> Kit:
    return make_kit(root, recordings=RecordedLessons(root))


@pytest.fixture(scope="module")
def address(kit: Kit) -> Iterator[str]:
    with served(kit.app) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="fr-FR", base_url=address, viewport={"width": 1366, "height": 768})
    context.set_default_timeout(15_000)
    assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def playing(page: Page, past: float = 0.0) -> None:
    wait_page(page, f"{TIME} > {past} && !document.getElementById('video').paused")


def at(page: Page) -> float:
    return float(page.evaluate(TIME))


def test_everything_by_key_wherever_the_focus_is(page: Page) -> None:
    open_replay(page, WHOLE)
    page.keyboard.press("Space")
    playing(page, 0.2)
    page.keyboard.press("k")
    wait_page(page, "document.getElementById('video').paused")
    start = at(page)
    for key, step in (("l", 10), ("ArrowRight", 5), ("j", -10), ("ArrowLeft", -5)):
        page.keyboard.press(key)
        start += step
        assert at(page) == pytest.approx(start, abs=0.05), key
    for key, where in (("5", 20), ("Home", 0), ("End", 40), ("Digit4", 16)):  # where no gap is, which would be told
        page.keyboard.press(key)
        assert at(page) == pytest.approx(where, abs=0.2), key
    page.keyboard.press("m")
    assert page.evaluate("document.getElementById('video').muted") is False
    expect(page.locator("#told")).to_have_text("Son remis")
    page.keyboard.press("<")
    expect(page.locator("#told")).to_have_text("Vitesse 0,75×")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("l")
    assert at(page) == pytest.approx(16, abs=0.2)  # who reads the help does not seek
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.focus("#show-keys")
    page.keyboard.press("l")
    assert at(page) == pytest.approx(26, abs=0.2)
    page.keyboard.press("Space")  # presses the button that has the focus, and plays nothing
    expect(page.locator("#keys")).to_be_visible()
    assert page.evaluate("document.getElementById('video').paused")


def test_keys_of_one_letter_can_be_turned_off(page: Page) -> None:
    open_replay(page, WHOLE)
    page.click("#show-keys")
    page.uncheck("#one-letter")
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("body[data-state=ready]")
    wait_page(page, "document.getElementById('video').readyState >= 2")
    page.evaluate("document.activeElement.blur()")
    for key in ("l", "5", "m"):
        page.keyboard.press(key)
    assert at(page) == 0
    page.keyboard.press("ArrowRight")
    assert at(page) == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize(("keys", "speed"), [("<<", 0.5), (">>>", 2.0)])
def test_the_speed_is_what_is_said_and_is_kept(page: Page, keys: str, speed: float) -> None:
    open_replay(page, WHOLE)
    for key in keys:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    playing(page, 0.3)
    ratio = page.evaluate(
        """() => new Promise((resolve) => {
          const video = document.getElementById('video');
          const [began, from] = [performance.now(), video.currentTime];
          video.requestVideoFrameCallback(function see() {
            const wall = (performance.now() - began) / 1000;
            if (wall < 2.5) video.requestVideoFrameCallback(see);
            else resolve((video.currentTime - from) / wall);
          });
        })"""
    )
    assert ratio == pytest.approx(speed, rel=0.1)
    assert page.evaluate("document.getElementById('video').preservesPitch")
    page.reload()
    page.wait_for_selector("body[data-state=ready]")
    wait_page(page, f"document.getElementById('video').playbackRate === {speed}")
    expect(page.locator("media-playback-rate-button")).to_have_attribute("mediaplaybackrate", f"{speed:g}")


def test_what_is_missing_is_drawn_listed_and_said(page: Page) -> None:
    open_replay(page, WHOLE)
    mark, layer = page.locator(".gap-mark").bounding_box(), page.locator("#marks").bounding_box()
    assert mark and layer
    share = (mark["x"] + mark["width"] / 2 - layer["x"]) / layer["width"]
    assert share == pytest.approx(GAP_S / 40, abs=0.01)
    entry = page.locator("#missing button")
    words = "1 min 15 s non enregistrés ici. Aucune image ne venait de la caméra."
    expect(entry).to_have_text(f"0:12 {words}")
    assert violations(page) == []
    entry.focus()
    page.keyboard.press("Enter")
    assert at(page) == pytest.approx(GAP_S - 5, abs=0.2)
    page.keyboard.press("k")
    playing(page, GAP_S + 0.3)  # and the picture goes on behind it
    expect(page.locator("#told")).to_have_text(words)


def test_it_goes_on_where_it_was_left(context: BrowserContext, page: Page) -> None:
    open_replay(page, WHOLE)
    expect(page.locator("#resume")).to_be_hidden()
    page.keyboard.press("5")
    page.keyboard.press("Space")
    playing(page, 20.5)
    page.close()
    page = context.new_page()
    open_replay(page, WHOLE)
    expect(page.locator("#stopped-at")).to_have_text("Vous en étiez à 0:20.")
    assert violations(page) == []
    page.focus("#go-on")
    page.keyboard.press("Enter")
    playing(page, 20.6)
    assert at(page) < 25
    page.keyboard.press("k")
    page.close()
    page = context.new_page()
    open_replay(page, WHOLE)
    page.click("#from-start")
    playing(page, 0.1)
    assert at(page) < 10
    page.close()
    page = context.new_page()
    open_replay(page, WHOLE)
    expect(page.locator("#resume")).to_be_hidden()


def test_a_lesson_seen_to_its_end_is_not_offered_again(context: BrowserContext, page: Page) -> None:
    open_replay(page, WHOLE)
    page.keyboard.press("5")
    page.keyboard.press("Space")
    playing(page, 20.1)
    page.keyboard.press("9")
    wait_page(page, "document.getElementById('video').ended")
    page.close()
    page = context.new_page()
    open_replay(page, WHOLE)
    expect(page.locator("#resume")).to_be_hidden()


def test_sound_that_came_late_is_played_past_its_beginning_and_back(page: Page) -> None:
    open_replay(page, LATE)
    page.evaluate("document.getElementById('video').muted = false")
    page.keyboard.press("Space")
    playing(page, LATE_S + 2)
    assert page.evaluate("document.getElementById('video').webkitAudioDecodedByteCount") > 0
    page.keyboard.press("Home")
    playing(page, 0.2)
    assert at(page) < LATE_S
    page.keyboard.press("8")
    playing(page, 9.8)
    wait_page(page, "document.getElementById('video').ended")
    assert page.locator("#said").is_hidden()


def test_the_pictures_are_chosen_and_swapped_by_key(page: Page) -> None:
    open_replay(page, SCREEN)
    page.keyboard.press("5")
    page.wait_for_selector(".player[data-screen]")

    def widths() -> tuple[float, float]:
        camera, shared = page.locator("#video").bounding_box(), page.locator("#screen").bounding_box()
        assert camera and shared
        return camera["width"], shared["width"]

    camera, shared = widths()
    assert shared > 2 * camera
    page.keyboard.press("s")
    camera, shared = widths()
    assert camera > 2 * shared
    page.keyboard.press("v")
    expect(page.locator("#screen")).to_be_hidden()
    expect(page.locator("#told")).to_have_text("Caméra")
    page.keyboard.press("v")
    expect(page.locator("#screen")).to_be_visible()
    assert page.locator(".player").get_attribute("data-view") == "screen"
    page.keyboard.press("v")
    page.keyboard.press("Space")
    playing(page, 7)
    apart = page.evaluate(f"{TIME} - document.getElementById('screen').currentTime")
    assert apart == pytest.approx(1.0, abs=0.25)
    page.reload()
    page.wait_for_selector("body[data-state=ready]")
    expect(page.locator(".player")).to_have_attribute("data-large", "camera")


def test_a_live_lesson_is_rewound_followed_at_its_edge_and_ends_by_itself(root: Path, kit: Kit, page: Page) -> None:
    live = begin(root / "lessons", LIVE)
    kit.state.note(live.state())
    packets = film(28)
    feed(live, packets[: len(packets) * 3 // 4])
    open_replay(page, LIVE, "#t=-10")
    wait_page(page, f"{TIME} > 9")
    assert at(page) == pytest.approx(11, abs=1.5)
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    playing(page, 0.2)
    page.keyboard.press("End")
    playing(page, 14)
    assert at(page) < 21
    expect(page.locator("#edge")).to_be_visible()
    expect(page.locator(".once-over").first).to_be_hidden()
    assert violations(page) == []
    live.note([Mark("0badcafe", 5 * VIDEO_TIMESCALE, "Le cratère", "teacher", AT)], 0)
    cues = "[...document.querySelector('track[kind=chapters]').track.cues ?? []].map((c) => [c.startTime, c.text])"
    wait_page(page, f"JSON.stringify({cues}) === '[[5,\"Le cratère\"]]'")
    before = at(page)
    feed(live, packets[len(packets) * 3 // 4 :])
    playing(page, max(21.5, before))  # what came since
    live.stop(0, AT + 60)
    kit.state.note(live.state())
    wait_page(page, "document.body.dataset.lesson === 'ended'")
    wait_page(page, "document.getElementById('video').ended", 20)
    assert at(page) == pytest.approx(28, abs=0.2)
    expect(page.locator(".once-over").first).to_be_visible()
    expect(page.locator("#edge")).to_be_hidden()


def test_a_kit_that_does_not_answer_is_said_and_waited_for(page: Page) -> None:
    page.route("**/index.m3u8", lambda route: route.abort())
    page.goto(f"/lessons/{WHOLE}#t=20")
    expect(page.locator("#said")).to_contain_text("ne peut pas être lu", timeout=15_000)
    page.unroute("**/index.m3u8")
    wait_page(page, "document.getElementById('video').readyState >= 2")
    expect(page.locator("#said")).to_be_hidden()
    assert at(page) == pytest.approx(20, abs=0.1)


def test_the_pure_parts_of_the_replay(page: Page) -> None:
    open_replay(page, WHOLE)
    found = page.evaluate(
        """async () => {
          const [src] = [...document.scripts].map((script) => script.src).filter((src) => src.endsWith('lesson.js'));
          const part = (name) => import(src.replace('lesson.js', name));
          const { stretchAt, within } = await part('replay-hls.js');
          const { deedOf } = await part('replay-keys.js');
          const { chapterAt, lengthOf, passed } = await part('replay-timeline.js');
          const { worthOffering } = await part('replay-place.js');
          const silent = [{ start_s: 0, end_s: 4 }, { start_s: 9, end_s: null }];
          const stretch = ({ start, end }) => [start, Number.isFinite(end) ? end : 'end'];
          const chapters = [{ at_s: 0 }, { at_s: 60 }];
          const gaps = [{ at_s: 12 }];
          return {
            stretches: [0, 3.9, 4, 8.9, 9, 99].map((time) => stretch(stretchAt(silent, time))),
            whole: stretch(stretchAt([], 5)),
            within: within('#EXTM3U\\n#EXTINF:2.0,\\na\\n#EXTINF:2.0,\\nb\\n', { start: 2, end: 9 }).split('\\n'),
            keys: [
              { key: 'é', code: 'Digit2' }, { key: '2', code: 'Digit2', shiftKey: true }, { key: '7', code: 'Numpad7' },
              { key: '@', code: 'Digit2', shiftKey: true }, { key: 'L' }, { key: 'l', ctrlKey: true }, { key: 'Tab' },
            ].map(deedOf),
            lengths: [0.2, 59.6, 130, 3600, 3905].map(lengthOf),
            passed: [[11.9, 12.1], [12, 12.2], [11, 14], [12.1, 11.9]].map(([a, b]) => passed(gaps, a, b) !== null),
            chapters: [0, 59.9, 59.96, 61].map((time) => chapterAt(chapters, time)),
            offers: [9, 11, 49, 51].map((at) => worthOffering(at, 60)),
          };
        }"""
    )
    assert found == {
        "stretches": [[0, 4], [0, 4], [4, 9], [4, 9], [9, "end"], [9, "end"]],
        "whole": [0, "end"],
        "within": ["#EXTM3U", "#EXT-X-GAP", "#EXTINF:2.0,", "a", "#EXTINF:2.0,", "b", ""],
        "keys": [["seekTo", 0.2], ["seekTo", 0.2], ["seekTo", 0.7], None, ["seekBy", 10], None, None],
        "lengths": ["1 s", "1 min", "2 min 10 s", "1 h", "1 h 5 min"],
        "passed": [True, False, False, False],
        "chapters": [0, 0, 1, 1],
        "offers": [False, True, True, False],
    }


def test_a_live_lesson_that_is_deleted_is_said_to_be_gone(root: Path, page: Page) -> None:
    begin(root / "lessons", DOOMED)
    page.goto(f"/lessons/{DOOMED}")
    page.wait_for_selector("body[data-state=ready]")
    shutil.rmtree(root / "lessons" / DOOMED)
    expect(page.locator("#said")).to_have_text("Cet enregistrement n’existe plus.", timeout=15_000)
