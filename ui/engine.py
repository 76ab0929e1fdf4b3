"""What comes in over Engine.IO, which carries Socket.IO: judged before the libraries see it.

Pages introduce themselves, answer pings and leave; they send nothing else. The libraries would take a lot more (events,
attachments), log a traceback for what they cannot read, and hold a thread for ever for a client who neither reads nor
goes. What touches engineio's private parts stands here; tests/ui/test_engine.py holds it.

Runs on gunicorn's threads. A `Talk` is one connection's, whichever requests carry it.
"""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from queue import Queue
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from engineio.async_drivers import threading as driver
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from ui import links
from ui.problems import Problem, problem_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/socket.io/"
LONGEST_BODY = 4096
MOST_QUEUED = 256
INTRODUCTION_S = 10.0
SILENCE_S = 60.0  # a page answers engineio's ping every 25 s
TCP_TIMEOUT_MS = 20_000
# Of one address, which a whole school may share. Each costs a thread that waits 25 s for the first ping.
CONNECTIONS = parse("300/10 seconds")
MOST_AT_ONCE, PER_S = 10, 1.0
_TALK = "preau.talk"
_SEPARATOR = "\x1e"
# Engine.IO 4: close, pong, message; over a WebSocket also probe and upgrade. Socket.IO 5: connect, disconnect.
_SAID = re.compile(r'1|3|41|40(?:\{\s*(?:"token"\s*:\s*(?:"[\w.-]{0,1024}"|null)\s*)?\})?', re.ASCII)
_SAID_ON_UPGRADE = frozenset({"2probe", "5"})


class Talk:
    """What one connection has said so far. Times in seconds, monotonic. `viewer` is set once it has been let in."""

    def __init__(self, now: float) -> None:
        self.viewer: str | None = None
        self.held = (threading.Lock(), threading.Lock())  # by its poll, and by its WebSocket
        self._began = self._seen = now
        self._allowed = float(MOST_AT_ONCE)

    def accepts(self, packet: str | bytes, now: float, *, websocket: bool) -> bool:
        """Whether a page says such a thing, and no more often than one does."""
        known = isinstance(packet, str) and (_SAID.fullmatch(packet) or (websocket and packet in _SAID_ON_UPGRADE))
        self._allowed = min(MOST_AT_ONCE, self._allowed + (now - self._seen) * PER_S) - 1
        self._seen = now
        return bool(known) and self._allowed >= 0

    def patience(self, now: float) -> float:
        """How long it may say nothing; 0 or less when it should have introduced itself by now."""
        return SILENCE_S if self.viewer is not None else self._began + INTRODUCTION_S - now


class Outbox(Queue[Any]):
    """What waits for a client. One who takes nothing is hung up on: a page connects anew and is told everything."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if self.qsize() >= MOST_QUEUED:
            with self.mutex:
                self.queue.clear()
            item = None  # to engineio: the connection ends here
        super().put(item, block, timeout)

    def join(self) -> None:
        """engineio waits here, when it closes a connection, until the client has fetched what is queued. Not we."""


class Link(driver.SimpleWebSocketWSGI):  # type: ignore[misc]
    """engineio's end of a WebSocket: short messages, of which it hears the ones that a page sends."""

    ws: links.Server

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._talk: Talk = environ[_TALK]
        self.ws = links.accept(environ, LONGEST_BODY)
        try:
            with suppress(*links.GONE):
                self.ws.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_TIMEOUT_MS)
                self.app(self)
        finally:
            self.close()
        links.leave(self.ws)

    def wait(self) -> str | None:
        """The next message. None, which ends the connection, also for one that no page sends, and for silence."""
        patience = self._talk.patience(time.monotonic())
        try:
            said: str | None = self.ws.receive(patience) if patience > 0 else None
        except links.GONE:
            return None
        return said if said is not None and self._talk.accepts(said, time.monotonic(), websocket=True) else None

    def close(self) -> None:
        links.hang_up(self.ws)


class Door:
    """WSGI middleware before Socket.IO's own. `places` are the threads that open pages may hold in all."""

    def __init__(self, application: WSGIApplication, server: Any, places: threading.Semaphore) -> None:
        self._application, self._server, self._places = application, server, places
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        server.eio._async = {**server.eio._async, "websocket": Link, "queue": Outbox}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(PATH):
            return self._application(environ, start_response)
        try:
            sid = parse_qs(environ.get("QUERY_STRING", "")).get("sid", [""])[0]
            talk = environ[_TALK] = self._known(environ, sid) if sid else self._new(environ)
            if environ["REQUEST_METHOD"] != "GET":
                return self._application(environ, start_response)
            return self._hold(environ, start_response, talk.held["HTTP_UPGRADE" in environ])
        except Problem as problem:
            return problem_response(problem)(environ, start_response)

    def _new(self, environ: WSGIEnvironment) -> Talk:
        """That of a connection that begins. Raises Problem."""
        if not self._limiter.hit(CONNECTIONS, str(environ.get("REMOTE_ADDR"))):
            raise Problem(429, "too many connections opened")
        return Talk(time.monotonic())

    def _known(self, environ: WSGIEnvironment, sid: str) -> Talk:
        """That of a connection whose further request this is; a POST says something. Raises Problem."""
        first, now = self._server.environ.get(sid), time.monotonic()
        if first is None:
            raise Problem(400, "there is no such connection")
        talk: Talk = first[_TALK]
        if talk.patience(now) <= 0 or (environ["REQUEST_METHOD"] == "POST" and not heard(environ, talk, now)):
            self._server.eio.disconnect(sid)
            raise Problem(400, "no page says this")
        return talk

    def _hold(self, environ: WSGIEnvironment, start_response: StartResponse, held: threading.Lock) -> Iterable[bytes]:
        """What keeps a thread: a poll or a WebSocket, of which a connection has one each. Raises Problem."""
        if not held.acquire(blocking=False):
            raise Problem(400, "one of them is waiting already")
        try:
            if not self._places.acquire(blocking=False):
                raise Problem(503, "too many pages are open")
            try:
                return self._application(environ, start_response)
            finally:
                self._places.release()
        finally:
            held.release()


def heard(environ: WSGIEnvironment, talk: Talk, now: float) -> bool:
    """Read a POST's body, whose length gunicorn has checked. Whether a page says all that it says."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_BODY:
        return False
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    said = body.decode(errors="replace").split(_SEPARATOR)
    return all(talk.accepts(packet, now, websocket=False) for packet in said)


def welcome(server: Any, environ: WSGIEnvironment, viewer: str, most: int) -> bool:
    """The connection whose request this is has shown who it is. False when the viewer has `most` others."""
    talks = [first[_TALK] for first in list(server.environ.values())]
    if sum(talk.viewer == viewer for talk in talks) >= most:
        return False
    environ[_TALK].viewer = viewer
    return True
