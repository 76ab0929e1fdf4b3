"""The pages in Chromium: accessible by axe-core's rules, without a console error, and usable.

Served on 127.0.0.1 by werkzeug's threaded server, with doubles for the services.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from appliance.messages import DiskState, LessonState, SourceState, ViewersState
from tests.browser import chromium
from tests.ui.conftest import CODE, PIN, Kit, make_kit, report_all

AXE = Path(__file__).with_name("vendor") / "axe-core/axe.min.js"
FLAGS = ("--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream")
SIZES = {"desktop": (1280, 800), "tablet": (800, 1200)}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    kit = make_kit(tmp_path_factory.mktemp("kit"))
    kit.lessons.add("Les fractions", "ended", thumbnail=True)
    kit.lessons.add("Avec un écran", "ended", screen_s=150.0)
    kit.lessons.add("Le cycle de l'eau : évaporation, condensation, précipitations", "interrupted")
    Image.new("RGB", (320, 180), "#406a8a").save(kit.lessons.folder / "thumbnail.jpg")
    return kit


@pytest.fixture(scope="module")
def address(kit: Kit) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, kit.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*FLAGS) as started:
        yield started


@pytest.fixture
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="fr-FR", base_url=address, bypass_csp=False)
    context.set_default_timeout(10_000)
    yield context
    context.close()


def sign_in(context: BrowserContext, role: str) -> None:
    if role == "teacher":
        assert context.request.post("/api/v1/session", data={"pin": PIN}).ok
    elif role == "pupil":
        assert context.request.post("/api/v1/join", data={"code": CODE, "name": "Léa"}).ok


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong; it is put in by the debugger, past the page's own policy."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    # media-chrome gives its clock and its rate names of their own instead of the figures they show.
    found: dict[str, Any] = page.evaluate(
        "() => axe.run({exclude: ['media-time-display', 'media-playback-rate-button']}, {resultTypes: ['violations']})"
    )
    return [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


PAGES = [
    ("", "/"),
    ("", "/teacher"),
    ("teacher", "/teacher"),
    ("teacher", "/lessons"),
    ("pupil", "/lessons/20261123-081501-4f2a"),
    ("pupil", "/lessons/20261123-081502-4f2a"),
    ("", "/status"),
    ("", "/nowhere"),
]


@pytest.mark.parametrize(("role", "path"), PAGES)
def test_a_page_is_accessible_and_quiet(kit: Kit, context: BrowserContext, role: str, path: str) -> None:
    report_all(kit.state)
    sign_in(context, role)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
    page.goto(path)
    if path.startswith("/lessons/"):
        page.wait_for_selector("body[data-state=ready]")
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
    assert violations(page) == []
    assert errors == []


def test_a_pupil_joins_waits_and_hears_the_end(kit: Kit, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"/join/{CODE}")
    page.fill("#name", "Léa")
    page.press("#name", "Enter")
    page.wait_for_selector("body[data-state=waiting]")
    expect(page.locator("#state")).to_have_text("Le cours n’a pas encore commencé. Il apparaîtra ici tout seul.")
    assert violations(page) == []
    live = LessonState("20261123-081501-4f2a", CODE, "Les fractions", "live", 1000.0, 0.0, 0)
    kit.state.note(live)
    expect(page.locator("#lesson-title")).to_have_text("Les fractions")
    kit.state.note(ViewersState(5, 0, []))
    expect(page.locator("#count")).to_have_text("5 élèves connectés")
    kit.state.note(LessonState(live.id, CODE, live.title, "ended", 1000.0, 5.0, 0))
    page.wait_for_selector("body[data-state=ended]")
    expect(page.locator("#replay")).to_have_attribute("href", f"/lessons/{live.id}")
    assert violations(page) == []
    page.reload()
    page.wait_for_selector("body[data-state=waiting]")


def test_a_wrong_code_is_told(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/join/000000")
    page.fill("#name", "Léa")
    page.click("#join-button")
    expect(page.locator("#join-error")).to_contain_text("Aucun cours")
    assert page.get_attribute("body", "data-state") == "join"


def test_the_recordings_ask_for_the_code_first(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/lessons")
    page.fill("#code", CODE)
    page.fill("#name", "Léa")
    page.click("#join-button")
    page.wait_for_url("**/lessons")
    expect(page.get_by_role("heading", name="Les fractions")).to_be_visible()


def test_the_teacher_starts_and_stops_by_keyboard(kit: Kit, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/teacher")
    page.fill("#pin", PIN)
    page.press("#pin", "Enter")
    page.wait_for_selector("body[data-state=ready]")
    page.focus("#start")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=live]")
    expect(page.locator("#elapsed")).to_be_visible()
    expect(page.locator("#stop")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-no")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=ready]")
    assert kit.streaming.closed_pupils.wait(5)


def test_the_focus_follows_a_lesson_that_begins_and_ends_elsewhere(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/teacher")
    page.wait_for_selector("body[data-state=ready]")
    page.focus("#start")
    lesson = LessonState("20261123-081501-0d14", CODE, "Les fractions", "live", 1000.0, 200.0, 0)
    kit.state.note(lesson)
    expect(page.locator("#stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-no")).to_be_focused()
    kit.state.note(msgspec.structs.replace(lesson, state="ended"))
    expect(page.locator("#start")).to_be_focused()


def test_the_teacher_reads_what_is_wrong_with_the_recording(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/teacher")
    page.wait_for_selector("body[data-state=ready]")
    told = {
        "disk_full": "Le disque est plein : 3:20 du cours sont conservés, la suite seulement s’il y a de la place.",
        "disk_read_only": "Le disque n’accepte plus rien : 3:20 du cours sont conservés.",
        "disk_error": "Le disque a un défaut : 3:20 du cours sont conservés",
        "disk_slow": "Le disque est lent.",
        "overflow": "il manque un morceau du cours dans l’enregistrement.",
        "no_video": "rien n’est enregistré.",
    }
    id = "20261123-081501-0d15"
    for incident, sentence in told.items():
        kit.state.note(LessonState(id, CODE, "Les fractions", "live", 1000.0, 200.0, 0, incident))
        expect(page.locator("#recording-warning")).to_contain_text(sentence)
    assert violations(page) == []
    kit.state.note(
        LessonState(
            id, CODE, "Les fractions", "live", 1000.0, 200.0, 0, lost_s=63.0, gaps=2, planned_end=1_790_000_000.0
        )
    )
    expect(page.locator("#recording-warning")).to_be_hidden()
    expect(page.locator("#recording-facts")).to_contain_text("Non enregistré : 1:03, à 2 endroits")
    expect(page.locator("#recording-facts")).to_contain_text("Jusqu’à ")
    kit.state.note(LessonState(id, CODE, "Les fractions", "ended", 1000.0, 200.0, 0))
    expect(page.locator("#recording-facts")).to_be_empty()


def test_the_teacher_reads_for_how_long_there_is_room(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/teacher")
    page.wait_for_selector("body[data-state=ready]")
    kit.state.note(DiskState(10**10, 815.5, 12e6))
    expect(page.locator("#room")).to_have_text("Place sur le disque pour 13 heures de cours")
    kit.state.note(DiskState(10**8, 8.5, 12e6, "disk_low"))
    expect(page.locator("#room")).to_have_text("Place sur le disque pour 8 minutes")
    assert violations(page) == []
    live = LessonState("20261123-081501-0d16", CODE, "Les fractions", "live", 1000.0, 0.0, 0)
    kit.state.note(live)
    expect(page.locator("#room")).to_be_visible()
    kit.state.note(DiskState(10**9, 81.5, 12e6))
    expect(page.locator("#room")).to_be_hidden()
    kit.state.note(msgspec.structs.replace(live, state="ended"))
    expect(page.locator("#room")).to_have_text("Place sur le disque pour 81 minutes")
    kit.state.note(DiskState(0, 0.0, 12e6, "disk_read_only"))
    expect(page.locator("#room")).to_have_text("Le disque n’accepte rien : aucun cours ne peut être enregistré.")


def test_the_pure_parts_of_the_player(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    result = page.evaluate(
        """async () => {
          const src = document.querySelector('script[type=module]').src;
          const { backoff, Cushion, FreezeWatch } = await import(src.replace('join.js', 'watch.js'));
          const { answerAfterRestart, h264First, iceServers, playable } =
             await import(src.replace('join.js', 'whep.js'));
          const { keepUp, slackFor } = await import(src.replace('join.js', 'stream.js'));
          const { headStart, rememberUdp, udpWasBlocked } = await import(src.replace('join.js', 'way.js'));
          const blocked = [];
          const ask = (now) => blocked.push(udpWasBlocked(now));
          ask(1000);
          rememberUdp(false, 1000);
          [1000, 1000 + 11 * 3600e3, 1000 + 13 * 3600e3, 0].forEach(ask);
          rememberUdp(true);
          ask(1000);
          const answer = ['v=0', 'm=audio 9 x 0', 'a=ice-ufrag:old', 'a=mid:0', 'a=ice-pwd:old', 'a=candidate:1',
            'a=rtcp-mux', 'm=video 9 x 0', 'a=mid:1', 'a=ice-ufrag:old', 'a=end-of-candidates', ''].join('\\r\\n');
          const fragment = ['a=group:BUNDLE 0 1', 'm=audio 9 x 0', 'a=mid:0', 'a=ice-ufrag:new', 'a=ice-pwd:new', '']
            .join('\\r\\n');
          const watch = new FreezeWatch(0);
          const codec = (mimeType, mode = '', profile = '') =>
            ({ mimeType, sdpFmtpLine: mode && `packetization-mode=${mode};profile-level-id=${profile}` });
          const cushion = new Cushion();
          const held = [[0, 0, 0], [1, 0, 1], [1, 1, 2], [1, 2, 3], [2, 3, 20], [3, 3, 40], [4, 3, 41], [5, 4, 50],
            [6, 5, 51], [8, 9, 52], [9, 9, 53], [9, 9, 90], [9, 9, 113], [0, 1, 114], [0, 1, 175], [0, 1, 236],
            [0, 1, 400]];
          return {
            held: held.map(([freezes, nacks, seconds]) => cushion.see({ freezes, nacks }, seconds * 1000)),
            waits: [0, 1, 2, 3, 4, 9].map(backoff),
            codecs: h264First(['VP8', 'H264', 'AV1'].map((name) => ({ mimeType: `video/${name}` })))
              .map((codec) => codec.mimeType),
            offered: [
              playable([codec('video/VP8'), codec('video/rtx'), codec('video/H264', '0', '42e01f'),
                codec('video/H264', '1', '42e01f'), codec('video/H264', '1', '4d001f')]),
              playable([codec('audio/opus'), codec('audio/PCMU')]), playable([codec('video/VP8')]),
            ].map((codecs) => codecs.map(({ mimeType, sdpFmtpLine }) => `${mimeType} ${sdpFmtpLine}`)),
            restarted: answerAfterRestart(answer, fragment).split('\\r\\n'),
            servers: iceServers('<stun:a>; rel="ice-server", </x>; rel="next", ' +
              '<turn:b?transport=tcp>; rel="ice-server"; username="1:v"; credential="c="; credential-type="password"'),
            nothing: iceServers(null),
            edge: [[0, 5, 9], [8.9, 5, 9], [8.4, 5, 9], [7, 5, 9], [9.5, 5, 9]].map((times) => keepUp(...times)),
            patient: [[0, 5, 9, 2], [8, 5, 9, 1], [7, 5, 9, 2], [5.5, 5, 9, 2]].map((times) => keepUp(...times)),
            slack: [[], [0.1, 0.12], [1, 0.1], [9]].map(slackFor),
            alone: [headStart(false, false), headStart(true, false), headStart(true, true)],
            blocked,
            frozen: [[0, 4999], [0, 5001], [1, 5002], [1, 6500], [1, 6503], [2, 6504]].map(([n, t]) => watch.see(n, t)),
          };
        }"""
    )
    # A freeze without a loss counts for nothing, nor one alone; two within ten seconds do; each calm minute takes back.
    assert result["held"] == [0, 0, 0, 0, 0, 0, 0, 0, 150, 300, 300, 300, 300, 150, 0, 0, 0]
    assert result["waits"] == [200, 400, 800, 1600, 2000, 2000]
    assert result["codecs"] == ["video/H264", "video/VP8", "video/AV1"]
    assert result["offered"] == [
        ["video/H264 packetization-mode=1;profile-level-id=42e01f", "video/rtx "],
        ["audio/opus "],
        ["video/VP8 "],
    ]
    assert result["restarted"] == [
        *("v=0", "m=audio 9 x 0", "a=mid:0", "a=ice-ufrag:new", "a=ice-pwd:new", "a=rtcp-mux"),
        *("m=video 9 x 0", "a=mid:1", "a=ice-ufrag:new", "a=ice-pwd:new", ""),
    ]
    assert result["servers"] == [
        {"urls": "stun:a"},
        {"urls": "turn:b?transport=tcp", "username": "1:v", "credential": "c="},
    ]
    assert result["nothing"] == []
    assert result["edge"] == [{"seek": 8.85}, {"rate": 1}, {"rate": 1.08}, {"seek": 8.85}, {"rate": 1}]
    assert result["patient"] == [{"seek": pytest.approx(6.85)}, {"rate": 1}, {"rate": 1}, {"seek": pytest.approx(6.85)}]
    assert result["slack"] == [0, 0, 1, 2]
    assert result["alone"] == [1000, 2000, 250]
    assert result["blocked"] == [False, True, True, False, False, False]
    assert result["frozen"] == [False, True, False, False, True, False]


def test_a_page_is_told_of_the_process_that_serves_it(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    result = page.evaluate(
        """async () => {
          const src = document.querySelector('script[type=module]').src;
          const { processOf } = await import(src.replace('join.js', 'whep.js'));
          const { restartWatch } = await import(src.replace('join.js', 'push.js'));
          const restarted = [];
          const hear = restartWatch((process) => restarted.push(process));
          for (const started of [[null, null], [5, null], [5, 6], [5, 6], [5, 7], [8, null], [9, 7], [9, 10]])
            hear({ processes_started_ns: started });
          return { places: ['/whep/a-1_', '/whep/2.a-1_', '/whep/16.9'].map(processOf), restarted };
        }"""
    )
    assert result == {"places": [1, 2, 16], "restarted": [2, 1, 1, 2]}


def test_without_https_the_teacher_reads_how_to_share(kit: Kit, browser: Browser, address: str) -> None:
    page = browser.new_page(locale="fr-FR", base_url=address)
    page.add_init_script("delete MediaDevices.prototype.getDisplayMedia")
    page.context.request.post(f"{address}/api/v1/session", data={"pin": PIN})
    page.goto("/teacher")
    expect(page.locator("#share-insecure")).to_contain_text("https")
    expect(page.locator("#share")).to_be_hidden()
    page.click(".share summary")
    expect(page.locator("#whip-address")).to_have_value(re.compile(r"^http://.*/whip/screen$"))
    assert violations(page) == []
    page.close()


def test_a_screen_that_is_shared_elsewhere_is_told(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "teacher")
    page = context.new_page()
    page.goto("/teacher")
    expect(page.locator("#share")).to_be_enabled()
    kit.state.note(SourceState("screen", True))
    expect(page.locator("#share-state")).to_have_text("Un écran est partagé depuis un autre ordinateur.")
    expect(page.locator("#share")).to_be_disabled()
    kit.state.note(SourceState("screen", False))
    expect(page.locator("#share")).to_be_enabled()
    assert violations(page) == []


def test_where_the_screen_belongs_in_the_replay(kit: Kit, context: BrowserContext) -> None:
    sign_in(context, "pupil")
    page = context.new_page()
    page.goto("/lessons/20261123-081502-4f2a")
    page.wait_for_selector("body[data-state=ready]")
    found = page.evaluate(
        """async () => {
          const [src] = [...document.scripts].map((script) => script.src).filter((src) => src.endsWith('lesson.js'));
          const { fallIn, placeOf } = await import(src.replace('lesson.js', 'replay-beside.js'));
          const { spans } = await (await fetch('/lessons/20261123-081502-4f2a/screen.json')).json();
          return {
            places: [0, 59, 60, 179, 180, 299, 300, 329, 330].map((time) => placeOf(spans, time)),
            paces: [0, 0.02, 0.04, -0.04, 0.2, -0.2, 0.3, -9].map(fallIn),
          };
        }"""
    )
    assert found["places"] == [None, None, 0, 119, None, None, 120, 149, None]
    assert found["paces"] == [
        *({"rate": rate} for rate in (1, 1, 0.96, 1.04, 0.95, 1.05)),
        {"seek": True},
        {"seek": True},
    ]
    expect(page.locator("#screen-sound")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#views [data-view=both]")).to_have_attribute("aria-pressed", "true")
    page.focus("#views [data-view=camera]")
    page.keyboard.press("Enter")
    expect(page.locator(".player")).to_have_attribute("data-view", "camera")
    page.reload()
    expect(page.locator("#views [data-view=camera]")).to_have_attribute("aria-pressed", "true")
