"""WHEP against a whole kit: Chromium's own ICE restart, and what the service says to a client that errs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser import clock_advances, pupil_page, wait_live
from tests.kit import Kit, Problem, running_kit, wait_until

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
RESTART = """async () => {
  const { WhepSession } = await import(document.querySelector('script[type=module]').src.replace('join.js', 'whep.js'));
  const session = new WhepSession('/whep', sessionStorage.getItem('preau-pupil'));
  const until = async (condition) => {
    for (let tries = 0; tries < 200; tries++) {
      if (await condition()) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  };
  const ice = () => session.connection.getSenders().concat(session.connection.getReceivers())
    .map((end) => end.transport?.iceTransport).find((transport) => transport);
  const pair = () => ice().getSelectedCandidatePair()?.local.usernameFragment;
  const remote = () => session.connection.remoteDescription.sdp.match(/a=ice-ufrag:(.*)/)[1];
  const ended = [];
  session.ended.then((reason) => ended.push(reason));
  await session.open();
  const before = { moved: await until(async () => (await session.frames()) > 5), local: pair(), remote: remote() };
  const restarted = await session.restart();
  const switched = await until(() => pair() && pair() !== before.local);
  const frames = await session.frames();
  const moved = await until(async () => (await session.frames()) > frames + 30);
  const state = session.connection.connectionState;
  const result = { before, restarted, switched, moved, state, remote: remote(), ended: [...ended] };
  session.close();
  return result;
}"""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    yield from running_kit(tmp_path_factory.mktemp("kit"))


def test_chromium_restarts_ice_in_place(kit: Kit, context: BrowserContext) -> None:
    lesson = kit.api("POST", "lessons", {"title": "ICE"})
    page = pupil_page(context, kit, lesson["code"], "Zoé")
    wait_live(page)
    found = page.evaluate(RESTART)
    assert found["before"]["moved"] and found["restarted"] and found["switched"] and found["moved"], found
    assert found["state"] == "connected" and found["ended"] == []
    assert found["remote"] != found["before"]["remote"]
    wait_until(lambda: clock_advances(page), 5, "the picture to move")
    kit.api("POST", f"lessons/{lesson['id']}/stop")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/whep", b"v=0\r\n", {"Content_Type": SDP}, 400),
        ("POST", "/whep", b"v=0\r\n", {"Content_Type": "text/plain"}, 415),
        ("POST", "/whep", b"v=0\r\n", {"Content_Type": SDP, "Authorization": ""}, 401),
        ("POST", "/whep", b"v=0\r\n", {"Content_Type": SDP, "Authorization": "Bearer forged"}, 401),
        ("PUT", "/whep", b"", {}, 405),
        ("PATCH", "/whep/none", b"a=end-of-candidates\r\n", {"Content_Type": FRAGMENT}, 428),
        ("PATCH", "/whep/none", b"a=end-of-candidates\r\n", {"Content_Type": FRAGMENT, "If_Match": '"x"'}, 404),
        ("PATCH", "/whep/none", b"a=end-of-candidates\r\n", {"Content_Type": SDP, "If_Match": "*"}, 415),
        ("DELETE", "/whep/none", b"", {}, 404),
    ],
)
def test_mistakes_are_told(kit: Kit, method: str, path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    with pytest.raises(Problem) as problem:
        kit.request(method, path, body, **headers)
    assert problem.value.status == status
    assert problem.value.document["status"] == status
