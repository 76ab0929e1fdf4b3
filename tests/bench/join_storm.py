"""Many pupils at once: ``python -m tests.bench.join_storm KIT_URL CODE VIEWERS SECONDS``, on loopback.

Joins as pages do, evenly over the given time, and prints one line of JSON: for each, the milliseconds from the press
(the join's request) to the last packet of its first picture.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from tests.bench.receivers_process import PageClient
from tests.streaming.watcher import Watcher

FIRST_PICTURE_TIMEOUT_S = 20
MARKER = 0x80  # RFC 3550, section 5.1


class FirstPicture:
    """Notes when the last packet of the first picture arrives: RTP headers are readable under SRTP (RFC 3711)."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.at_s = 0.0

    def attach(self, watcher: Watcher, receive_kind: dict[int, str]) -> None:
        for protocol in watcher.connection._protocols:
            protocol.datagram_received = self._watching(protocol.datagram_received, receive_kind)

    def _watching(self, receive: Any, kinds: dict[int, str]) -> Any:
        def datagram_received(data: bytes, address: Any) -> None:
            if data[0] < 128:
                receive(data, address)
            elif kinds.get(data[1] & 0x7F) == "video" and data[1] & MARKER and not self.arrived.is_set():
                self.at_s = time.monotonic()
                self.arrived.set()

        return datagram_received


def kinds_of(sdp: str) -> dict[int, str]:
    """Payload types of an answer and the kind of their media section (RFC 8866, section 5.14)."""
    found: dict[int, str] = {}
    for line in sdp.splitlines():
        if line.startswith("m="):
            kind, _, _, *types = line[2:].split()
            found.update({int(number): kind for number in types})
    return found


async def join(client: PageClient, viewer: str, delay_s: float) -> float:
    """One pupil, `delay_s` seconds from now; returns milliseconds from press to first picture."""
    watcher, first = Watcher(address="127.0.0.1"), FirstPicture()
    kinds: dict[int, str] = {}
    offer = await watcher.offer()  # a page has its offer ready before the press
    first.attach(watcher, kinds)
    await asyncio.sleep(delay_s)
    pressed_s = time.monotonic()
    answer = await asyncio.to_thread(
        client.watch, viewer=viewer, name=viewer, role="pupil", offer=offer, peer="127.0.0.1"
    )
    kinds.update(kinds_of(answer.answer))
    await watcher.accept(answer.answer)
    async with asyncio.timeout(FIRST_PICTURE_TIMEOUT_S):
        await first.arrived.wait()
    return (first.at_s - pressed_s) * 1000


async def main(url: str, code: str, viewers: str, seconds: str) -> None:
    client = PageClient(url, code)
    count, spread_s = int(viewers), float(seconds)
    joins = [join(client, f"s{number}", 1.0 + number * spread_s / count) for number in range(count)]
    try:
        took = await asyncio.gather(*joins)
    finally:
        client.close()
    sys.stdout.write(json.dumps([round(each, 1) for each in took]) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
