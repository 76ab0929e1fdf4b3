"""The WebSocket path over a real socket: who is let in, what comes, how it ends, who is counted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import simple_websocket
from werkzeug.serving import make_server

from appliance.messages import SourceState
from tests.kit import wait_until
from tests.ui.conftest import PIN, Kit, make_kit
from tests.websocket import Client
from ui.feeds import FEEDS, FeedName
from ui.segments import Head, Segment

UPGRADE = (
    b"GET /stream HTTP/1.1\r\nHost: kit\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
HEAD = Head('video/mp4; codecs="avc1.42c01f"', b"init")


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    yield make_kit(tmp_path)


@pytest.fixture
def address(kit: Kit) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, kit.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def connected(address: str, said: str, query: str = "", **headers: str) -> Client:
    link = Client(f"ws://{address}/stream{query}", **headers)
    link.send(said)
    return link


def code_of(link: Client) -> int:
    with pytest.raises(simple_websocket.ConnectionClosed) as closed:
        link.receive(5)
    return int(closed.value.reason)


def test_who_is_let_in(kit: Kit, address: str) -> None:
    assert code_of(connected(address, "forged")) == 4401
    assert code_of(connected(address, "")) == 4401
    assert code_of(connected(address, kit.pupil_token())) == 4409
    cookie = kit.client().post("/api/v1/session", json={"pin": PIN}).headers["Set-Cookie"].split(";")[0]
    foreign = connected(address, "", Cookie=cookie, Origin="http://192.0.2.1")
    assert code_of(foreign) == 4401
    own = connected(address, "", Cookie=cookie, Origin="http://127.0.0.1")  # the host as this client writes it
    wait_until(lambda: kit.state.viewers.teachers == 2, 5, "the teacher to sit")
    own.close()
    wait_until(lambda: kit.state.viewers.teachers == 1, 5, "the teacher to leave")


def test_what_a_page_asks_without_upgrading_is_refused(kit: Kit) -> None:
    response = kit.client().get("/stream", headers=kit.teacher())
    assert response.status_code == 400 and response.content_type == "application/problem+json"


def test_segments_come_in_order_and_the_lessons_end_ends_them(kit: Kit, address: str) -> None:
    teacher = kit.teacher()
    lesson = kit.client().post("/api/v1/lessons", json={"title": "A"}, headers=teacher).get_json()
    early = Segment(HEAD, b"from the last keyframe on", True)
    kit.app.extensions["preau"].house["camera"].hand_out(early)
    link = connected(address, kit.pupil_token("Zoé"))
    wait_until(lambda: "Zoé" in kit.state.viewers.names, 5, "the pupil to be counted")
    assert kit.state.viewers.pupils == 3
    kit.app.extensions["preau"].house["camera"].hand_out(Segment(HEAD, b"more" * 50_000, False))
    assert [link.receive(5) for _ in range(4)] == [HEAD.type, HEAD.data, early.data, b"more" * 50_000]
    kit.client().post(f"/api/v1/lessons/{lesson['id']}/stop", headers=teacher)
    assert code_of(link) == 1000
    wait_until(lambda: kit.state.viewers.pupils == 2, 5, "the pupil to be forgotten")


def test_the_screen_while_it_is_shared(kit: Kit, address: str) -> None:
    token, house = kit.teacher_token(), kit.app.extensions["preau"].house
    assert code_of(connected(address, token, "?source=attic")) == 4400
    assert code_of(connected(address, token, "?source=screen")) == 4409
    kit.state.note(SourceState("screen", live=True))
    links = [connected(address, token, f"?source=screen&sound={sound}") for sound in ("yes", "no")]
    for link, feed in zip(links, ("screen", "silent screen"), strict=True):
        wait_until(lambda: house[feed].sitting(), 5, "the viewer to sit")  # noqa: B023
        house[feed].hand_out(Segment(Head(feed, b"init"), b"picture", True))
        assert [link.receive(5) for _ in range(3)] == [feed, b"init", b"picture"]
    assert kit.state.viewers.teachers == 1  # the one who is there anyway
    kit.state.note(SourceState("screen", live=False))
    assert [code_of(link) for link in links] == [1000, 1000]


def test_a_slow_line_gets_the_saving_rung(kit: Kit, address: str) -> None:
    house = kit.app.extensions["preau"].house
    link = connected(address, kit.teacher_token())
    wait_until(lambda: house["camera"].sitting(), 5, "the teacher to sit")
    (seat,) = house["camera"].sitting()
    house["camera"].hand_out(Segment(HEAD, b"k" * 500_000, True))

    def overflowed() -> bool:
        """Faster than anybody reads."""
        for _ in range(100):
            seat.put(Segment(HEAD, b"s" * 500_000, False))
        return bool(seat.drops)

    wait_until(overflowed, 10, "the queue to overflow")
    wait_until(lambda: house["saving"].sitting(), 10, "the other rung")
    small = Head("video/mp4; small", b"init")
    house["saving"].hand_out(Segment(small, b"small picture", True))
    said: list[object] = [link.receive(5)]
    while said[-1] != b"small picture":
        said.append(link.receive(5))
    assert said[-3:-1] == [small.type, small.data]
    assert not house["camera"].sitting() and kit.state.viewers.teachers == 2
    link.close()
    wait_until(lambda: not house["saving"].sitting(), 5, "the teacher to leave")


def test_saving_by_hand(kit: Kit, address: str) -> None:
    house = kit.app.extensions["preau"].house
    link = connected(address, kit.teacher_token(), "?quality=saving")
    wait_until(lambda: house["saving"].sitting(), 5, "the teacher to sit")
    link.close()


@pytest.mark.parametrize(("source", "feed"), [("camera", "sound"), ("screen", "screen sound")])
def test_sound_alone_by_hand(kit: Kit, address: str, source: str, feed: FeedName) -> None:
    house = kit.app.extensions["preau"].house
    kit.state.note(SourceState("screen", live=True))
    link = connected(address, kit.teacher_token(), f"?source={source}&quality=sound")
    wait_until(lambda: house[feed].sitting(), 5, "the teacher to sit")
    assert [name for name in FEEDS if house[name].sitting()] == [feed]
    assert kit.state.viewers.teachers == (2 if source == "camera" else 1)
    house[feed].hand_out(Segment(HEAD, b"sound", True))
    assert [link.receive(5) for _ in range(3)] == [HEAD.type, HEAD.data, b"sound"]
    kit.state.note(SourceState("screen", live=False))
    if source == "screen":
        assert code_of(link) == 1000
    else:
        link.close()


def test_viewers_leave_threads_for_the_pages(tmp_path: Path, address: str, kit: Kit) -> None:
    places = kit.app.extensions["preau"].house.places
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    assert taken == 60  # half of the web server's threads
    assert code_of(Client(f"ws://{address}/stream")) == 4503
    places.release()
    link = connected(address, kit.teacher_token())
    wait_until(lambda: kit.state.viewers.teachers == 2, 5, "the teacher to sit")
    link.close()
    wait_until(lambda: places.acquire(blocking=False), 5, "the place to be free again")


def test_a_viewer_who_does_not_answer_the_goodbye_loses_the_connection(address: str) -> None:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as mute:
        mute.sendall(UPGRADE)
        said = b""
        while data := mute.recv(4096):  # until the kit hangs up
            said += data
            if said.endswith(b"\r\n\r\n"):
                mute.sendall(b"\x81\x80" + bytes(4))  # a text of no length: a token that nobody has
    assert said.endswith(b"\x88\x02" + (4401).to_bytes(2))


def test_a_page_that_talks_is_hung_up_on(kit: Kit, address: str) -> None:
    link = connected(address, kit.teacher_token())
    wait_until(lambda: kit.state.viewers.teachers == 2, 5, "the teacher to sit")
    link.send("more")
    assert code_of(link) == 1000
    link = connected(address, kit.teacher_token())
    link.send("x" * 10_000)
    with pytest.raises(simple_websocket.ConnectionClosed):
        link.receive(5)
    wait_until(lambda: kit.state.viewers.teachers == 1, 5, "both to be gone")
