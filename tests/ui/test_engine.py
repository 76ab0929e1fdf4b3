"""Hostile Engine.IO and WebSocket clients of the real process: no thread is lost, nothing piles up, little is said."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.kit import wait_until
from tests.ui.test_process import Process
from ui import engine
from ui.engine import MOST_AT_ONCE, MOST_QUEUED, Outbox, Talk, welcome

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
PLACES = 6  # of the process's eight threads
FLOOD = 18
ADDRESSES = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    running = Process(tmp_path_factory.mktemp("ui"))
    yield running
    running.close()


@pytest.fixture
def process(running: Process) -> Iterator[Process]:
    """Afterwards it still serves, and has said nothing that looks like a fault."""
    process = running
    before = Path(process.log.name).stat().st_size
    yield process
    wait_until(lambda: all_places_are_free(process), 15, "all places to be free again")
    assert process.request("GET", "/healthz")[0] == 503  # of the services only this one runs
    said = Path(process.log.name).read_bytes()[before:].decode()
    assert "Traceback" not in said and "exception" not in said, said
    assert len(said.splitlines()) <= 10, said


def opened(process: Process) -> str:
    """A polling connection."""
    status, answer = process.request("GET", POLLING)
    assert status == 200
    return str(json.loads(answer[1:])["sid"])


def post(process: Process, sid: str, body: bytes) -> int:
    connection = process.connect()
    try:
        connection.request("POST", f"{POLLING}&sid={sid}", body)
        with connection.getresponse() as response:
            return response.status
    finally:
        connection.close()


def upgraded(
    process: Process, path: str = WEBSOCKET, key: str = "AAAAAAAAAAAAAAAAAAAAAA==", version: int = 13
) -> socket.socket:
    """A socket that has asked for a WebSocket, whose answer's head comes first."""
    source = f"127.0.1.{next(ADDRESSES) % 250 + 1}"  # so many at once that one address would be held back
    raw = socket.create_connection(("127.0.0.1", process.port), timeout=5, source_address=(source, 0))
    head = f"GET {path} HTTP/1.1\r\nHost: kit\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    raw.sendall(f"{head}Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    return raw


def accepted(process: Process, path: str = WEBSOCKET) -> socket.socket:
    """A WebSocket whose holder need not keep to the protocol; waits while those before it hold all places."""

    def placed() -> socket.socket | None:
        raw, head = upgraded(process, path), b""
        while not head.endswith(b"\r\n\r\n"):
            head += raw.recv(1)
        if head.startswith(b"HTTP/1.1 101"):
            return raw
        raw.close()
        assert head.startswith(b"HTTP/1.1 503"), head
        return None

    taken: socket.socket = wait_until(placed, 15, "a place")
    return taken


def all_places_are_free(process: Process) -> bool:
    with contextlib.ExitStack() as pages:
        heads = [pages.enter_context(upgraded(process)).recv(12) for _ in range(PLACES)]
    return heads == [b"HTTP/1.1 101"] * PLACES


def until_the_end(raw: socket.socket) -> bytes:
    """What comes until the kit hangs up."""
    said = b""
    with raw, contextlib.suppress(ConnectionResetError):
        while data := raw.recv(65536):
            said += data
    return said


def text(said: str) -> bytes:
    """A masked frame (RFC 6455 section 5.2) of less than 64 KiB."""
    data = said.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + bytes(4) + data


@pytest.mark.parametrize(
    ("packet", "polling", "websocket"),
    [
        ("40", True, True),
        ("40{}", True, True),
        ('40{"token":"abc.DEF-_1"}', True, True),
        ('40{"token": null}', True, True),
        ("41", True, True),
        ("3", True, True),
        ("1", True, True),
        ("2probe", False, True),
        ("5", False, True),
        ("", False, False),
        ("2", False, False),
        ("0", False, False),
        ("6", False, False),
        ("7hello", False, False),
        ('42["event"]', False, False),
        ('451000000000-["a",{"_placeholder":true,"num":0}]', False, False),
        ("40/admin,", False, False),
        ('40{"token":"é"}', False, False),
        ('40{"token":{"a":1}}', False, False),
        ('40{"token":"' + "a" * 2000 + '"}', False, False),
        ("40" + "[" * 2000, False, False),
        ("\u0664\u0660", False, False),
        ("b" + "A" * 40, False, False),
        (b"\x00\x01", False, False),
    ],
)
def test_what_pages_say(packet: str | bytes, polling: bool, websocket: bool) -> None:
    assert Talk(0.0).accepts(packet, 0.0, websocket=False) == polling
    assert Talk(0.0).accepts(packet, 0.0, websocket=True) == websocket


def test_pages_say_little() -> None:
    talk = Talk(0.0)
    assert [talk.accepts("3", 0.0, websocket=True) for _ in range(MOST_AT_ONCE + 1)] == [True] * MOST_AT_ONCE + [False]
    patient = Talk(0.0)
    assert all(patient.accepts("3", 25.0 * number, websocket=True) for number in range(100))


def test_what_nobody_fetches_ends_the_connection() -> None:
    outbox = Outbox()
    for number in range(MOST_QUEUED):
        outbox.put(number)
    outbox.join()  # does not wait
    outbox.put("one too many")
    assert outbox.get(block=False) is None and outbox.empty()


def test_a_post_that_engineio_refuses_holds_no_thread(process: Process) -> None:
    """engineio would wait, for ever, for its goodbye to be fetched."""
    for body in (b"7hello", b"2", b"3" + b"\x1e3" * 30, b"\xff\xfe", b"x" * 5000, b"4" + b"[" * 3000, b"42[1]") * 3:
        assert post(process, opened(process), body) in (400, 413)
    assert post(process, "nobody", b"3") == 400
    assert post(process, opened(process), b"1") == 200


def test_a_connection_polls_once_at_a_time(process: Process) -> None:
    sid = opened(process)
    polls = [process.connect() for _ in range(PLACES)]
    for each in polls:
        each.request("GET", f"{POLLING}&sid={sid}")
    waiting = list(polls)
    while len(waiting) > 1:  # one of them waits for what is new
        answered = next(each for each in waiting if _has_answer(each.sock))
        with answered.getresponse() as response:
            assert response.status == 400
        waiting.remove(answered)
    assert post(process, sid, b"1") == 200
    with waiting[0].getresponse() as response:
        assert response.status == 200
    for each in polls:
        each.close()


def _has_answer(raw: socket.socket) -> bool:
    raw.settimeout(0.2)
    try:
        return bool(raw.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        raw.settimeout(10)


def test_open_pages_leave_threads_for_requests(process: Process) -> None:
    with contextlib.ExitStack() as pages:
        for _ in range(PLACES):
            pages.enter_context(accepted(process))
        answers = [pages.enter_context(upgraded(process)).recv(12) for _ in range(4)]
        assert answers == [b"HTTP/1.1 503"] * 4
        assert process.request("GET", "/healthz")[0] == 503


def test_who_does_not_introduce_itself_is_hung_up_on(process: Process) -> None:
    """However it came: at once by a WebSocket, by an upgrade that it never completes, or polling."""
    strangers = [accepted(process), accepted(process, f"{WEBSOCKET}&sid={opened(process)}")]
    talker, poller, page = accepted(process), opened(process), process.open_page()
    ended: list[socket.socket] = []

    def over() -> bool:
        with contextlib.suppress(OSError):
            talker.sendall(text("3"))  # as a page would, about once a second
        ended.extend(each for each in strangers if each not in ended and _has_ended(each))
        return len(ended) == len(strangers)

    wait_until(over, engine.INTRODUCTION_S + 5, "strangers to be hung up on")
    until_the_end(talker)
    assert post(process, poller, b"3") == 400
    page.send("3")
    assert page.connected
    page.close()
    for each in strangers:
        each.close()


def _has_ended(raw: socket.socket) -> bool:
    raw.settimeout(0.4)
    try:
        while raw.recv(4096):
            pass
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "said",
    ['42["event"]', "7", "4" + "[" * 3000, "é" * 100, "x" * 60_000],
    ids=["an event", "an unknown type", "endless JSON", "no ASCII", "too much"],
)
def test_a_page_that_says_what_none_says_is_hung_up_on(process: Process, said: str) -> None:
    """Though it does not answer the goodbye."""
    pages = [accepted(process) for _ in range(PLACES)]
    for page in pages:
        page.sendall(text("40") + text(said))
    for page in pages:
        assert b"\x88" in until_the_end(page)


def test_a_message_without_end_is_not_kept(process: Process) -> None:
    raw = accepted(process)
    with contextlib.suppress(OSError):
        raw.sendall(b"\x01\xfe\x40\x00" + bytes(4) + b"x" * 0x4000)
        for _ in range(200):
            raw.sendall(b"\x00\xfe\x40\x00" + bytes(4) + b"x" * 0x4000)
    until_the_end(raw)


@pytest.mark.parametrize("path", [WEBSOCKET, "/stream"])
@pytest.mark.parametrize(("key", "version"), [("", 13), ("short", 13), (KEY, 8), ("\x00\x01", 13)])
def test_a_handshake_that_is_none_is_refused(process: Process, path: str, key: str, version: int) -> None:
    with upgraded(process, path, key, version) as raw:
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(4096)
    assert re.match(rb"HTTP/1\.[01] (4\d\d|101)", answer), answer


def test_a_flood_of_bad_connections_says_little(process: Process) -> None:
    for _ in range(FLOOD // PLACES):
        flood = [accepted(process, "/stream" if number % 2 else WEBSOCKET) for number in range(PLACES)]
        for number, raw in enumerate(flood):
            raw.sendall(b"\xff" * 64 if number < PLACES // 2 else text("nobody's token"))
        for raw in flood:
            until_the_end(raw)


def test_a_school_behind_one_address_is_let_in_again_and_again(tmp_path: Path) -> None:
    """All of a class reload their pages, some of which leave without a word, four times in a few seconds."""
    process = Process(tmp_path, threads=80)
    try:
        for _ in range(4):
            pages = [process.open_page() for _ in range(30)]
            polling = [opened(process) for _ in range(10)]
            assert {post(process, sid, b"40") for sid in polling} == {200}
            assert all(page.connected for page in pages)
            for number, page in enumerate(pages):
                if number % 2:
                    page.close()
                else:
                    page.sock.shutdown(socket.SHUT_RDWR)
    finally:
        process.close()


def test_one_viewer_has_a_bounded_number_of_pages() -> None:
    requests: dict[str, dict[str, Talk]] = {str(number): {"preau.talk": Talk(0.0)} for number in range(4)}
    server = SimpleNamespace(environ=requests)
    let_in = [welcome(server, environ, "v1", most=3) for environ in requests.values()]
    assert let_in == [True, True, True, False]
    del requests["1"]  # one has gone
    assert welcome(server, requests["3"], "v1", most=3)
    assert requests["3"]["preau.talk"].patience(1000.0) == engine.SILENCE_S
    assert Talk(0.0).patience(4.0) == engine.INTRODUCTION_S - 4.0
