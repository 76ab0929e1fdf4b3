"""Cheap viewers for benches: ICE and DTLS with aiortc, then datagrams are only counted.

    python -m tests.bench.receivers_process ADDRESS [KIT_URL CODE]

Reads commands from standard input, one a line: ``open N`` (that many viewers in all), ``saving N`` (so many of them
choose the saving picture, the others the automatic one), ``count``; answers each with one line. With a kit's URL the
viewers come as pages do, with a join, a Socket.IO connection and WHEP; without, they ask the streaming service on the
bus named by the settings, and choose nothing.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from typing import Any

from simple_websocket import Client, ConnectionClosed

from appliance.settings import load
from streaming.client import StreamingClient
from tests.streaming.watcher import Signalling, Watcher

LOOK_INTERVAL_S = 0.01
RECEIVE_BUFFER_BYTES = 1 << 20
JSON = "application/json"


class Counter:
    """Counts what is neither STUN nor DTLS (RFC 7983) before aiortc sees it.

    Sockets are looked at every few milliseconds instead of waited for: between namespaces the sender's system call
    would pay for waking this process at every packet, which no sender pays when its viewers are other machines.
    """

    def __init__(self) -> None:
        self.datagrams = 0
        self._sockets: list[tuple[Any, Any]] = []

    def attach(self, watcher: Watcher) -> None:
        loop: Any = asyncio.get_running_loop()
        for protocol in watcher.connection._protocols:
            receiving = protocol.transport.get_extra_info("socket").dup()
            receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            loop._remove_reader(protocol.transport.get_extra_info("socket").fileno())
            self._sockets.append((receiving, protocol.datagram_received))

    def detach(self, watcher: Watcher) -> None:
        """Look at a viewer's sockets no more."""
        own = [protocol.datagram_received for protocol in watcher.connection._protocols]
        for receiving, receive in self._sockets:
            if receive in own:
                receiving.close()
        self._sockets = [each for each in self._sockets if each[1] not in own]

    async def run(self) -> None:
        while True:
            for receiving, receive in list(self._sockets):
                self._drain(receiving, receive)
            await asyncio.sleep(LOOK_INTERVAL_S)

    def _drain(self, receiving: Any, receive: Callable[[bytes, Any], None]) -> None:
        with suppress(BlockingIOError):
            while True:
                data, address = receiving.recvfrom(2048)
                if data[0] >= 128:
                    self.datagrams += 1
                else:
                    receive(data, address)


@dataclass
class Answer:
    answer: str


class PageClient:
    """Joins as a pupil's page does. `watch` has the streaming client's form."""

    def __init__(self, url: str, code: str) -> None:
        self._url = url
        self._code = code
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._sockets: dict[str, Client] = {}
        self._sessions: dict[str, tuple[str, str]] = {}

    def watch(self, *, viewer: str, name: str, role: Any, offer: str, peer: str) -> Answer:
        asked = json.dumps({"code": self._code, "name": viewer})
        token = json.loads(self._request("POST", "/api/v1/join", asked, JSON)[0])["token"]
        threading.Thread(target=self._listen, args=(viewer, token), daemon=True).start()
        answer, headers = self._request("POST", "/whep", offer, "application/sdp", Authorization=f"Bearer {token}")
        self._sessions[viewer] = token, headers["Location"]
        return Answer(answer)

    def choose(self, viewer: str, quality: str) -> None:
        """Another picture for a session that `watch` opened."""
        token, session = self._sessions[viewer]
        self._request("PATCH", session, json.dumps({"quality": quality}), JSON, Authorization=f"Bearer {token}")

    def end(self, viewer: str) -> None:
        """Say that a session is over, as a page that is left does."""
        token, session = self._sessions[viewer]
        self._request("DELETE", session, "", JSON, Authorization=f"Bearer {token}")

    def leave(self, viewer: str) -> None:
        """End the viewer's Socket.IO connection and with it its thread."""
        self._sessions.pop(viewer, None)
        if socket := self._sockets.pop(viewer, None):
            socket.close()

    def close(self) -> None:
        """The same for all."""
        for viewer in list(self._sockets):
            self.leave(viewer)

    def _request(self, method: str, path: str, body: str, content: str, **headers: str) -> tuple[str, Message]:
        fields = {"Content-Type": content, **headers}
        request = urllib.request.Request(self._url + path, body.encode(), fields, method=method)
        with self._opener.open(request, timeout=30) as response:
            return response.read().decode(), response.headers

    def _listen(self, viewer: str, token: str) -> None:
        """A Socket.IO connection (protocol 5 on Engine.IO 4) that answers pings and takes what comes."""
        address = self._url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        socket = Client.connect(address)
        self._sockets[viewer] = socket
        socket.send("40" + json.dumps({"token": token}))
        _answer_pings(socket)


def _answer_pings(socket: Client) -> None:
    try:
        while True:
            if socket.receive() == "2":
                socket.send("3")
    except ConnectionClosed:
        return


async def main(address: str, *kit: str) -> None:
    client: Signalling = PageClient(*kit) if kit else StreamingClient(load(), timeout_s=60)
    counter, watchers = Counter(), list[Watcher]()
    loop = asyncio.get_running_loop()
    looking = asyncio.ensure_future(counter.run())
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, *rest = line.split()
        if verb == "open":
            while len(watchers) < int(rest[0]):
                watcher = Watcher(address=address)
                watchers.append(watcher)
                await connect(watcher, client, f"v{len(watchers)}")
                counter.attach(watcher)
        elif verb == "saving" and isinstance(client, PageClient):
            for number in range(1, len(watchers) + 1):
                quality = "saving" if number <= int(rest[0]) else "automatic"
                await asyncio.to_thread(client.choose, f"v{number}", quality)
        sys.stdout.write(f"{counter.datagrams}\n")
        sys.stdout.flush()
    looking.cancel()


async def connect(watcher: Watcher, client: Signalling, viewer: str) -> None:
    """Watch; returns when ICE and DTLS are done."""
    connected = asyncio.Event()

    def changed() -> None:
        if watcher.pc.connectionState == "connected":
            connected.set()

    watcher.pc.on("connectionstatechange", changed)
    await watcher.watch(client, viewer=viewer)
    async with asyncio.timeout(60):
        await connected.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
