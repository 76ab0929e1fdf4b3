"""Waves of strangers against a whole kit, and of a pupil's feedback: memory stays, another's picture goes on,
and the log is short."""

from __future__ import annotations

import asyncio
import http.client
import random
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.bench.receivers import rss_mib
from tests.bench.receivers_process import PageClient, connect
from tests.kit import Kit
from tests.streaming.hostility import Address, check_of_a_stranger, client_hello, feedback_floods, torn_check
from tests.streaming.watcher import Watcher

WAVES, WARMING_UP = 6, 2
DATAGRAMS, REQUESTS, FEEDBACK = 4000, 150, 2000
GROWN_MIB = 3.0
FACING = ("streaming", "ui")


def datagrams(address: Address, ufrag: str, chance: random.Random) -> None:
    """To a pupil's media port, each from one of many ports."""
    hello = client_hello()
    kinds: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: chance.randbytes(chance.randrange(1400)),
        lambda: check_of_a_stranger(f"{ufrag}:who"),
        lambda: torn_check(f"{ufrag}:who"),
        lambda: hello,
        lambda: b"\x80\xe0" + chance.randbytes(1200),
        lambda: b"\x80\xc8" + chance.randbytes(60),
    ]
    for _ in range(DATAGRAMS // 100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(100):
                stranger.sendto(chance.choice(kinds)(), address)


def requests(kit: Kit, chance: random.Random) -> set[int]:
    """Offers, joins and pages of strangers. The statuses that came."""
    bodies = [b"", b"v=0\r\n", chance.randbytes(2000), b"v=0\r\n" + b"a=x\r\n" * 9000, b"x" * 70_000]
    sdp, form = {"Content-Type": "application/sdp", "Authorization": "Bearer no"}, {"Content-Type": "application/json"}
    calls: list[tuple[str, str, bytes, dict[str, str]]] = [
        *(("POST", "/whep", body, sdp) for body in bodies),
        *(("POST", "/whip/screen", body, sdp) for body in bodies),
        ("PATCH", "/whep/nobody", b"a=x", {**sdp, "If-Match": "*"}),
        ("POST", "/api/v1/join", b'{"code": "000000", "name": "x"}', form),
        ("GET", "/socket.io/?EIO=4&transport=polling", b"", {}),
        ("POST", "/socket.io/?EIO=4&transport=polling&sid=nobody", chance.randbytes(4000), {}),
    ]
    came = set()
    for _ in range(REQUESTS):
        connection = http.client.HTTPConnection(str(urlsplit(kit.url).hostname), kit.port, timeout=10)
        method, path, body, headers = chance.choice(calls)
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            came.add(response.status)
        connection.close()
    return came


async def feedback(watcher: Watcher) -> None:
    """What a pupil's own keys let through."""
    dtls: Any = watcher.pc.getTransceivers()[0].receiver.transport
    ssrc = re.search(r"^a=ssrc:(\d+)", watcher.pc.remoteDescription.sdp, re.MULTILINE)
    assert ssrc
    packets = feedback_floods(int(ssrc[1]))
    for number in range(FEEDBACK):
        await dtls._send_rtp(packets[number % len(packets)])
        if number % 50 == 0:
            await asyncio.sleep(0)


async def take(track: Any) -> None:
    """What comes would pile up here."""
    while True:
        await track.recv()


@pytest.mark.timeout(120)
def test_floods_leave_no_memory(tmp_path: Path, state: Callable[[str], None]) -> None:
    chance = random.Random(5)

    async def scenario(kit: Kit, client: PageClient) -> list[dict[str, float]]:
        hostile, other = Watcher(("video",)), Watcher(("video",))
        await connect(hostile, client, "Eve")
        await connect(other, client, "Ada")
        connection = other.connection
        address, ufrag = connection._nominated[1].remote_addr, connection.remote_username
        pids = {name: kit.service(name).pid for name in FACING}
        taking = asyncio.ensure_future(take(hostile.tracks["video"]))
        found = []
        for _ in range(WAVES):
            _, statuses, *_ = await asyncio.gather(
                asyncio.to_thread(datagrams, address, ufrag, chance),
                asyncio.to_thread(requests, kit, random.Random(7)),
                feedback(hostile),
                asyncio.wait_for(other.receive("video", 60), 20),
            )
            assert all(status < 500 for status in statuses), statuses
            found.append({name: rss_mib(pid) for name, pid in pids.items()})
        assert {watcher.pc.connectionState for watcher in (hostile, other)} == {"connected"}
        taking.cancel()
        await hostile.close()
        await other.close()
        return found

    with Kit(tmp_path / "data") as kit:
        client = PageClient(kit.url, kit.api("POST", "lessons", {"title": "Crue"})["code"])
        lines, began = len(kit.output), time.monotonic()
        found = asyncio.run(scenario(kit, client))
        took = time.monotonic() - began
        said = kit.output[lines:]
        client.close()
    grown = {name: found[-1][name] - found[WARMING_UP - 1][name] for name in FACING}
    state("resident memory over floods: " + ", ".join(f"{name} {more:+.1f} MiB" for name, more in grown.items()))
    assert len(said) <= took + 5, said
    assert max(grown.values()) <= GROWN_MIB, found
