"""Cheap viewers for the fan-out's bench: ICE and DTLS with aiortc, then datagrams are only counted.

Reads commands from standard input, one a line: ``open N`` (that many viewers in all), ``count``; answers each with
one line. Run by tests.bench.fanout: ``python -m tests.bench.fanout_receiver ADDRESS``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from appliance.settings import load
from streaming.client import StreamingClient
from tests.streaming.watcher import Watcher

RECEIVE_BUFFER_BYTES = 1 << 20


class Counter:
    def __init__(self) -> None:
        self.datagrams = 0

    def attach(self, watcher: Watcher) -> None:
        """Count what is neither STUN nor DTLS (RFC 7983) before aiortc sees it."""
        for protocol in watcher.connection._protocols:
            protocol.datagram_received = self._counting(protocol.datagram_received)

    def _counting(self, receive: Any) -> Any:
        def datagram_received(data: bytes, address: Any) -> None:
            if data[0] >= 128:
                self.datagrams += 1
            else:
                receive(data, address)

        return datagram_received


async def main(address: str) -> None:
    client = StreamingClient(load(), timeout_s=60)
    counter, watchers = Counter(), list[Watcher]()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, *rest = line.split()
        if verb == "open":
            while len(watchers) < int(rest[0]):
                watcher = Watcher(address=address)
                watchers.append(watcher)
                connected = asyncio.Event()

                def changed(pc: Any = watcher.pc, event: asyncio.Event = connected) -> None:
                    if pc.connectionState == "connected":
                        event.set()

                watcher.pc.on("connectionstatechange", changed)
                await watcher.watch(client, viewer=f"v{len(watchers)}")
                async with asyncio.timeout(60):
                    await connected.wait()
                counter.attach(watcher)
        sys.stdout.write(f"{counter.datagrams}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
