"""``/stream``: the live picture over a WebSocket (RFC 6455), for pages whose network lets no UDP through.

``?source=screen`` is the shared screen (``&sound=no`` its picture alone), ``?quality=`` what is wanted of the picture:
for the screen, with its one rung, only whether there is to be one (``sound``: none). The page sends one text, its token
(empty: its cookie counts, for the kit's own pages only). The kit sends the type as text, then binary segments (and the
type again, before a picture that is another), and closes with 4000 + status when it says no. One of gunicorn's threads
serves each viewer: it waits for its seat's next segment and writes it. A viewer who takes nothing for 10 s is gone.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from appliance.messages import ViewersState
from ui import links
from ui.auth import COOKIES, Identity, Tokens
from ui.broadcast import Seat
from ui.context import Context, here
from ui.feeds import FeedName, Wanted, wanted
from ui.segments import Head

blueprint = Blueprint("stream", __name__)

TOKEN_TIMEOUT_S = 5.0
LONGEST_TOKEN = 1024
TAKE_S = 1.0
TCP_TIMEOUT_MS = 10_000
SEND_BUFFER_BYTES = 256 * 1024  # a second of picture and sound: what lies here is already late
# Of it, what the line has not even taken (tcp(7)): a slow one is to be noticed while it is not far behind.
UNSENT_BYTES = 64 * 1024
QUERY = (("source", "camera"), ("quality", "automatic"), ("sound", "yes"))
REFUSED = 4000
OVER = 1000


def viewers(seated: Iterable[Identity]) -> ViewersState:
    """The same count as streaming publishes of its own viewers."""
    pupils = sorted(identity.name for identity in seated if identity.role == "pupil")
    return ViewersState(len(pupils), sum(identity.role == "teacher" for identity in seated), pupils)


class Served(Response):
    """What the view returns when the socket is done: nothing may be written to it any more."""

    def __init__(self, link: links.Server) -> None:
        super().__init__()
        self._link = link

    def __call__(self, *arguments: Any) -> Iterable[bytes]:
        links.leave(self._link)


@blueprint.route("/stream", websocket=True)
def stream() -> Response:
    # Without pings, which another thread would write into a frame that waits for room: whoever is gone is noticed by
    # TCP, for there is always something to send.
    link = links.accept(request.environ, LONGEST_TOKEN)
    with suppress(*links.GONE):
        link.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_TIMEOUT_MS)
        link.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        link.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        links.hang_up(link, placed(link))
    return Served(link)


def placed(link: links.Server) -> int:
    """Serve when there is a place: the pages' own requests must find threads too."""
    context = here()
    if not context.house.places.acquire(blocking=False):
        return REFUSED + 503
    try:
        if not context.places.acquire(blocking=False):
            return REFUSED + 503
        try:
            return serve(link)
        finally:
            context.places.release()
    finally:
        context.house.places.release()


def serve(link: links.Server) -> int:
    """Send until there is a reason to close; returns its code. Raises ConnectionClosed or OSError when the viewer
    goes first."""
    context = here()
    identity = introduced(context.tokens, link.receive(TOKEN_TIMEOUT_S))
    if identity is None:
        return REFUSED + 401
    if identity.role not in COOKIES:
        return REFUSED + 403
    asked = wanted(*(request.args.get(name, usual) for name, usual in QUERY))
    if asked is None:
        return REFUSED + 400
    if identity.role == "pupil" and context.state.live is None:
        return REFUSED + 409
    if asked.source == "screen" and "screen" not in context.state.sources:
        return REFUSED + 409
    show(link, context, identity, asked)
    return OVER


def show(link: links.Server, context: Context, identity: Identity, asked: Wanted) -> None:
    """Send the feed that was asked for, or what the line carries of it, until the seat is closed."""
    lines, viewer = context.house.lines, identity.viewer
    line = lines.take(viewer, asked.quality, time.monotonic()) if asked.source == "camera" else None
    feed: FeedName = line.feed if line else asked.screen_feed
    seat = context.house[feed].sit(identity)
    try:
        while send_next(link, seat):
            if line is None or line.see(seat.drops, time.monotonic()) == feed:
                continue
            context.counters.stream_drops.inc(seat.drops)
            before, left, feed = context.house[feed], seat, line.feed
            seat = context.house[feed].sit(identity)  # first, so that nobody seems to have gone
            before.leave(left)
            if left.closed:  # whoever closed it may not have seen the new one yet
                return
    finally:
        if line is not None:
            lines.leave(viewer, line, time.monotonic(), behind=seat.behind)
        context.counters.stream_drops.inc(seat.drops)
        context.house[feed].leave(seat)


def introduced(tokens: Tokens, said: str | bytes | None) -> Identity | None:
    """Who the viewer is. A cookie counts when the kit's own page opened the socket: browsers ask no other site's page
    for permission before they connect (RFC 6455 section 10.2)."""
    if not isinstance(said, str):
        return None
    if said:
        return tokens.read(said)
    if urlsplit(request.headers.get("Origin", "")).netloc != request.host:
        return None
    return next(filter(None, (tokens.read(request.cookies.get(cookie, "")) for cookie in COOKIES.values())), None)


def send_next(link: links.Server, seat: Seat) -> bool:
    """Write what the seat has next. False when the seat is closed; also when the viewer says anything more, which no
    page does."""
    if seat.closed:
        return False
    item = seat.take(TAKE_S)
    if isinstance(item, Head):
        link.send(item.type)
        link.send(item.data)
    elif item is not None:
        link.send(item)
    return link.receive(0) is None and bool(link.connected)
