"""The bus: ZeroMQ over ipc://, msgspec messages.

Every service binds two sockets in the runtime folder: ``NAME.pub`` (media and events) and ``NAME.cmd``
(commands). A publisher never waits: each reader has a bounded queue in front of it and loses packets, not time,
when it is slow. A command is one request and one reply. A service that dies and returns binds the same
paths; ZeroMQ's readers find it again by themselves.

Sockets are not thread-safe: a Publisher locks, a Subscriber belongs to the thread that made it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

from appliance.messages import Command, Event, Packet, RefusalKind, Refused, Reply

log = structlog.get_logger()

EVENT_TOPIC = b"event"
MEDIA_TOPIC = b"media/"
RECONNECT_MS = 20  # a restarted service is found again within a frame or two

_encoder = msgspec.msgpack.Encoder()
_packets = msgspec.msgpack.Decoder(Packet)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


class BusError(Exception):
    """The other side did not answer in time (it may be restarting)."""


class ServiceAbsent(BusError):
    """Nobody is there to take the command."""


class CommandRefused(Exception):
    """The other side answered, and said no."""

    def __init__(self, kind: RefusalKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def media_topic(track: str) -> bytes:
    """The subscription prefix of one track, `camera/720p` for instance."""
    return MEDIA_TOPIC + track.encode()


def address(folder: Path, service: str, kind: str) -> str:
    """The ipc address of a service's socket; `kind` is ``pub`` or ``cmd``."""
    return f"ipc://{folder}/{service}.{kind}"


def decode(topic: bytes, body: bytes) -> Packet | Event:
    """Turn one published message into its struct. Raises msgspec.ValidationError on a foreign body."""
    return _packets.decode(body) if topic.startswith(MEDIA_TOPIC) else _events.decode(body)


class Publisher:
    """The one PUB socket of a service. `send` may be called from any thread and never waits."""

    def __init__(self, folder: Path, service: str, *, queue: int = 2000) -> None:
        self._lock = threading.Lock()
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        self._socket.set(zmq.SNDHWM, queue)
        self._socket.set(zmq.LINGER, 100)
        self._socket.bind(address(folder, service, "pub"))

    def send(self, message: Packet | Event) -> None:
        topic = media_topic(message.track) if isinstance(message, Packet) else EVENT_TOPIC
        body = _encoder.encode(message)
        with self._lock:
            if not self._socket.closed:
                self._socket.send_multipart((topic, body), zmq.NOBLOCK)

    def close(self) -> None:
        with self._lock:
            self._socket.close()


class Subscriber:
    """A bounded queue in front of one or more publishers. Belongs to the thread that reads it."""

    def __init__(self, folder: Path, services: Sequence[str], topics: Sequence[bytes], *, queue: int) -> None:
        self._socket = subscribe(zmq.Context.instance(), folder, services, topics, queue)

    def receive(self, timeout_s: float) -> Packet | Event | None:
        """The next message, or None when none came within `timeout_s` seconds."""
        if not self._socket.poll(int(timeout_s * 1000)):
            return None
        topic, body = self._socket.recv_multipart()
        return decode(topic, body)

    def hear(self, topic: bytes, wanted: bool) -> None:
        """Subscribe to one more topic, or to one no more. What has come already is still received."""
        self._socket.set(zmq.SUBSCRIBE if wanted else zmq.UNSUBSCRIBE, topic)

    def __iter__(self) -> Iterator[Packet | Event]:
        while (message := self.receive(0)) is not None:
            yield message

    def close(self) -> None:
        self._socket.close(0)


def subscribe(
    context: zmq.Context[Any], folder: Path, services: Sequence[str], topics: Sequence[bytes], queue: int
) -> Any:
    """A connected SUB socket of `context`'s kind (blocking or asyncio)."""
    socket: Any = context.socket(zmq.SUB)
    socket.set(zmq.RCVHWM, queue)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    for topic in topics:
        socket.set(zmq.SUBSCRIBE, topic)
    for service in services:
        socket.connect(address(folder, service, "pub"))
    return socket


def call(
    folder: Path, service: str, command: Command, *, timeout_s: float = 5.0, absent_s: float | None = None
) -> Reply:
    """Send one command and wait for its reply. Safe from any thread.

    A command waits in its own socket while the service restarts, and is sent again to the next process when the one
    that had it died: a short outage is only a delay, and a command may be carried out twice. Who has somebody else
    to ask gives `absent_s`, after which ServiceAbsent is raised if no process listens.
    Raises CommandRefused when the service says no, BusError when nothing came within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    body = _encoder.encode(command)
    while (left_s := deadline - time.monotonic()) > 0:
        answer = _ask(address(folder, service, "cmd"), body, left_s, absent_s)
        if answer is not None:
            reply = _replies.decode(answer)
            if isinstance(reply, Refused):
                raise CommandRefused(reply.kind, reply.detail)
            return reply
    raise BusError(f"the {service} service did not answer within {timeout_s:g} s")


def _ask(where: str, body: bytes, timeout_s: float, absent_s: float | None) -> bytes | None:
    """One request on one connection; None when that broke, or when no reply came in time."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
    watched = zmq.EVENT_DISCONNECTED if absent_s is None else zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED
    with socket, socket.get_monitor_socket(watched) as broken:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.connect(where)
        if absent_s is not None:
            if not broken.poll(int(min(absent_s, timeout_s) * 1000)):
                socket.disable_monitor()
                raise ServiceAbsent(f"no process listens at {where}")
            recv_monitor_message(broken)
        socket.send(body)
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(broken, zmq.POLLIN)
        ready = dict(poller.poll(max(0, int(timeout_s * 1000))))
        answer = socket.recv() if socket in ready else None
        socket.disable_monitor()
    return answer


def decode_command(body: bytes) -> Command:
    return _commands.decode(body)


def encode_reply(reply: Reply) -> bytes:
    return _encoder.encode(reply)


def refusal(error: Exception) -> Refused:
    """The reply for a command whose handler raised."""
    if isinstance(error, CommandRefused):
        return Refused(error.kind, error.detail)
    return Refused("internal", f"{type(error).__name__}: {error}")


def answer(handle: Callable[[Command], Reply], body: bytes) -> Reply:
    """The reply to one command as it came; never raises."""
    try:
        return handle(decode_command(body))
    except msgspec.DecodeError as error:
        return Refused("invalid", str(error))
    except CommandRefused as error:
        return refusal(error)
    except Exception as error:  # the root of one command: the caller is told, the service lives on
        log.exception("command failed")
        return refusal(error)


class CommandServer:
    """Answers a service's commands, one after the other, on the thread that calls `serve`."""

    def __init__(self, folder: Path, service: str, handle: Callable[[Command], Reply]) -> None:
        self._handle = handle
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
        self._socket.set(zmq.LINGER, 0)
        self._socket.bind(address(folder, service, "cmd"))

    def serve(self, stopping: threading.Event) -> None:
        """Loop until `stopping` is set; then close the socket."""
        while not stopping.is_set():
            if self._socket.poll(200):
                self._socket.send(encode_reply(answer(self._handle, self._socket.recv())))
        self._socket.close()
