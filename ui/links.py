"""The server's end of a WebSocket (RFC 6455), as its two users need it: /stream, and Engine.IO for Socket.IO.

What simple_websocket leaves open: requests that are no handshake, peers who do not answer the goodbye, deflating.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import simple_websocket
from wsproto.utilities import ProtocolError

from ui.problems import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GOODBYE_S = 1.0
# What its methods raise when the peer has gone, or another thread has said goodbye.
GONE = (simple_websocket.ConnectionClosed, OSError, ProtocolError)
# What the constructor raises on a request that is none for a WebSocket, and on a server that knows none.
_NO_HANDSHAKE = (ProtocolError, simple_websocket.ConnectionError, OSError, RuntimeError)


class Server(simple_websocket.Server):  # type: ignore[misc]
    """Also wakes who waits in `receive` when it has ended the connection itself, because of what came."""

    def _thread(self) -> None:
        super()._thread()
        self.event.set()


def accept(environ: WSGIEnvironment, longest: int) -> Server:
    """A Server that takes messages of at most `longest` bytes. Raises Problem."""
    # Without the extensions that browsers offer: deflating would be done per connection, and costs each a third of a
    # megabyte.
    plain = {key: value for key, value in environ.items() if key != "HTTP_SEC_WEBSOCKET_EXTENSIONS"}
    # Its thread waits for what the peer says, and must not keep a process from ending.
    thread = partial(threading.Thread, daemon=True)
    try:
        return Server(plain, max_message_size=longest, receive_bytes=longest, thread_class=thread)
    except _NO_HANDSHAKE:
        raise Problem(400, "this is no WebSocket handshake (RFC 6455)") from None


def hang_up(link: Server, code: int | None = None) -> None:
    """Say why, and end the connection: a peer who does not answer the goodbye would keep it, and a thread, for ever
    (RFC 6455 section 7.1.1)."""
    with suppress(*GONE):
        link.close(code)
    link.thread.join(GOODBYE_S)
    with suppress(OSError):
        link.sock.shutdown(socket.SHUT_RDWR)


def leave(link: Server) -> NoReturn:
    """Return to the server: each of the two hears in its own way that another protocol has taken over a connection."""
    if link.mode == "gunicorn":
        raise StopIteration
    raise ConnectionError
