"""The service's asyncio shell: the bus's sockets around the fan-out and the commands.

Where several processes share the viewers, publishers come in at the first (streaming.ingest.elsewhere).

One loop, five tasks: media in, pictures out, commands in (each answered by its own task, so that one slow offer blocks
nobody), once a second, and the wait for the end. Any of them failing ends the process; it is started afresh.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
import structlog
import zmq.asyncio

from appliance import bus, process_names
from appliance.logs import OncePerSecond
from appliance.messages import (
    CAMERA_360P,
    CAMERA_720P,
    MICROPHONE_OPUS,
    SCREEN_MAIN,
    SCREEN_OPUS,
    Packet,
    Refused,
    Reply,
    RequestKeyframe,
    SourceState,
    ViewersState,
    WantRung,
)
from appliance.service import Service
from streaming import interfaces
from streaming.commands import Commands
from streaming.fanout import Fanout
from streaming.ingest.elsewhere import SourcesElsewhere
from streaming.ingest.sources import Sources
from streaming.metrics import Metrics

log = structlog.get_logger()

MEDIA_QUEUE = 64  # packets: under a second of picture and sound
TELL_TIMEOUT_S = 1.0
TICK_S = 1.0
_EVENTS, _POLLIN, _NOBLOCK = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.NOBLOCK)


class Server:
    """The streaming service on one loop. `serve` returns when `service.stopping` is set, with everything closed."""

    def __init__(
        self,
        service: Service,
        local_addresses: Callable[[], Mapping[str, list[str]]] = interfaces.addresses_by_interface,
    ) -> None:
        self.service = service
        metrics = self._metrics = Metrics(service.registry)
        saving_bps = service.settings.video_bitrate_saving
        self.fanout = Fanout(metrics, self._ask_keyframe, self._wish, self._announce, saving_bps)
        self._elsewhere: SourcesElsewhere | None = None
        if process_names.number(service.name) > 1:
            self._elsewhere = SourcesElsewhere(metrics, self._forward_wish, self.fanout.end)
        self.sources = self._elsewhere or Sources(metrics, service.publisher.send, self.fanout.end)
        self.commands = Commands(service.settings, self.fanout, self.sources, metrics, local_addresses)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = OncePerSecond()

    async def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Bind, call `ready`, and run."""
        context = zmq.asyncio.Context()
        folder = self.service.settings.bus
        tracks = (CAMERA_720P, CAMERA_360P, MICROPHONE_OPUS, SCREEN_MAIN, SCREEN_OPUS)
        topics = [bus.media_topic(track) for track in tracks]
        if self._elsewhere:
            topics.append(bus.EVENT_TOPIC)
        # What comes in by WHIP reaches the fan-out as everything else does: over the bus.
        media = bus.subscribe(zmq.Context.instance(), folder, ["capture", process_names.STREAMING], topics, MEDIA_QUEUE)
        requests = context.socket(zmq.ROUTER)
        requests.set(zmq.LINGER, 100)
        requests.bind(bus.address(folder, self.service.name, "cmd"))
        ready()
        running = [
            asyncio.ensure_future(run)
            for run in (
                self._read_media(media),
                self.fanout.deliver(),
                self._read_commands(requests),
                self._every_second(),
                self._stopped(),
            )
        ]
        done, pending = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in [*pending, *self._tasks]:
            task.cancel()
        await asyncio.wait([*running, *self._tasks], timeout=TICK_S)
        await self.sources.close()
        await self.fanout.close()
        media.close(0)
        requests.close()
        context.term()
        for task in done:
            task.result()

    async def _read_media(self, media: zmq.Socket[bytes]) -> None:
        """Every packet of every track comes this way: pyzmq's own asyncio socket costs several times as much, and so
        do a task's turns of the loop."""
        loop, descriptor = asyncio.get_running_loop(), media.FD
        failed: asyncio.Future[None] = loop.create_future()

        def read() -> None:
            try:
                while (parts := _receive(media)) is not None:  # to the end: the descriptor tells only of changes
                    message = bus.decode(*parts)
                    if isinstance(message, Packet):
                        self.fanout.publish(message, time.monotonic_ns())
                    elif isinstance(message, SourceState) and self._elsewhere:
                        self._elsewhere.heard(message, time.monotonic_ns())
            except Exception as error:  # the root of the reader: its task fails with it
                if not failed.done():
                    failed.set_exception(error)

        loop.add_reader(descriptor, read)
        try:
            read()
            await failed
        finally:
            loop.remove_reader(descriptor)

    async def _read_commands(self, requests: zmq.asyncio.Socket) -> None:
        while True:
            frames = await requests.recv_multipart()
            if len(frames) == 3:  # identity, delimiter, body: what a REQ socket sends
                self._spawn(self._reply(requests, frames[0], frames[2]))

    async def _reply(self, requests: zmq.asyncio.Socket, identity: bytes, body: bytes) -> None:
        await requests.send_multipart((identity, b"", bus.encode_reply(await self._answer(body))))

    async def _answer(self, body: bytes) -> Reply:
        try:
            return await self.commands.handle(bus.decode_command(body))
        except msgspec.DecodeError as error:
            return Refused("invalid", str(error))
        except bus.CommandRefused as error:
            return bus.refusal(error)
        except Exception as error:  # the root of one command's task: the caller is told, the service lives on
            if count := self._failures.hit():
                log.exception("command failed", count=count)
            return bus.refusal(error)

    def _ask_keyframe(self, track: str) -> None:
        if not self.sources.want_keyframe(track):
            self._spawn(self._tell("capture", RequestKeyframe(track)))

    def _forward_wish(self, track: str) -> None:
        self._spawn(self._tell(process_names.STREAMING, RequestKeyframe(track)))

    def _wish(self, track: str) -> None:
        self._spawn(self._tell("capture", WantRung(track)))

    def _announce(self, state: ViewersState) -> None:
        name, sessions = self.service.name, len(self.fanout.viewers)
        self.service.publisher.send(msgspec.structs.replace(state, service=name, sessions=sessions))

    async def _tell(self, who: str, command: RequestKeyframe | WantRung) -> None:
        """A command that is not waited for; the fan-out repeats what stays wanted."""
        folder = self.service.settings.bus
        try:
            await asyncio.to_thread(bus.call, folder, who, command, timeout_s=TELL_TIMEOUT_S)
        except (bus.BusError, bus.CommandRefused) as error:
            log.info(f"{who} did not answer", command=type(command).__name__, track=command.track, error=str(error))

    def _spawn(self, run: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _every_second(self) -> None:
        while True:
            self.sources.tick(time.monotonic_ns())
            self.fanout.tick(time.monotonic_ns())
            self._metrics.tasks.set(len(asyncio.all_tasks()))
            await asyncio.sleep(TICK_S)

    async def _stopped(self) -> None:
        """Wait for a flag that signal handlers and other threads set."""
        stopping: threading.Event = self.service.stopping
        while not stopping.is_set():
            await asyncio.sleep(0.1)


def _receive(socket: Any) -> tuple[bytes, bytes] | None:
    """The next message, if there is one: asked first, since pyzmq's exception costs as much as the message. All of the
    bus have two parts; to look for more costs half as much again, and so do pyzmq's enumerations."""
    return (socket.recv(_NOBLOCK), socket.recv(_NOBLOCK)) if socket.get(_EVENTS) & _POLLIN else None
