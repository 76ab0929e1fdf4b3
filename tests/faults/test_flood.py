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

import psutil
import pytest

from tests.bench.receivers_process import PageClient, connect
from tests.kit import PIN, Kit, Problem, wait_until
from tests.streaming.hostility import Address, feedback_floods, from_strangers, offer_that_leads_nowhere
from tests.streaming.test_offer import BAD
from tests.streaming.watcher import Watcher

WARMING_UP, WAVES = 2, 5
DATAGRAMS, REQUESTS, FEEDBACK = 4000, 150, 2000
# Over all waves, of one service. The allocator's plateau, after twenty waves, is some 6 MiB higher. Were what comes
# kept, it would be 12 MiB of datagrams and ten times that of sessions.
GROWN_MIB = 6.0
FACING = ("streaming", "ui")


def kept_waiting(address: Address) -> tuple[int, int]:
    """Of a UDP port of 127.0.0.1: bytes that wait to be read, and datagrams that were dropped because too many did
    (proc(5))."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    row = next(row for row in rows if int(row[1].split(":")[1], 16) == address[1])
    return int(row[4].split(":")[1], 16), int(row[-1])


def datagrams(address: Address, ufrag: str, chance: random.Random) -> None:
    """To a pupil's media port, each from one of many ports, as fast as they are read: what the kernel drops costs the
    kit nothing."""
    kinds, dropped = from_strangers(ufrag, chance), kept_waiting(address)[1]
    for _ in range(DATAGRAMS // 100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(100):
                stranger.sendto(chance.choice(kinds)(), address)
        wait_until(lambda: kept_waiting(address)[0] == 0, 5, "datagrams to be read")
    assert kept_waiting(address)[1] - dropped < DATAGRAMS // 4


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


def offers(kit: Kit, offer: str) -> None:
    """The teacher's: ones that are subtly wrong, and a hundred good ones at once, whose sessions nobody takes."""

    def answer(text: str, token: str) -> int:
        headers = {"Content_Type": "application/sdp", "Authorization": f"Bearer {token}"}
        try:
            return int(kit.request("POST", "/whep", text.encode(errors="surrogateescape"), **headers)[0])
        except Problem as problem:
            return problem.status

    another = kit.api("POST", "session", {"pin": PIN})["token"]  # of one viewer the kit hears sixty in ten seconds
    wrong = [text for spoil in BAD.values() if (text := spoil(offer)) != offer]
    assert {answer(text, another) for text in ("\udcff\udcfe", *wrong)} == {400, 413}
    assert {answer(offer, kit.token) for _ in range(100)} <= {201, 429}


async def feedback(watcher: Watcher) -> None:
    """What a pupil's own keys let through, and every datagram of it once more."""
    dtls: Any = watcher.pc.getTransceivers()[0].receiver.transport
    ssrc = re.search(r"^a=ssrc:(\d+)", watcher.pc.remoteDescription.sdp, re.MULTILINE)
    assert ssrc
    packets, pair, sent = feedback_floods(int(ssrc[1])), watcher.connection._nominated[1], list[bytes]()
    send = pair.protocol.send_data

    async def recorded(data: bytes, to: Address) -> None:
        sent.append(data)
        await send(data, to)

    pair.protocol.send_data = recorded
    for number in range(FEEDBACK):
        await dtls._send_rtp(packets[number % len(packets)])
        if number % 50 == 0:
            await asyncio.sleep(0)
    pair.protocol.send_data = send
    with pair.protocol.transport.get_extra_info("socket").dup() as own:
        for data in sent:
            own.sendto(data, pair.remote_addr)


async def take(track: Any) -> None:
    """What comes would pile up here."""
    while True:
        await track.recv()


def used_mib(kit: Kit, name: str) -> float:
    """Memory that is a service's alone, with the processes that it started: of ui, the one that serves."""
    service = kit.service(name)
    whole: list[psutil.Process] = [service, *service.children(recursive=True)]
    return float(sum(one.memory_full_info().uss for one in whole) / 2**20)


@pytest.mark.timeout(180)
def test_floods_leave_no_memory(tmp_path: Path, state: Callable[[str], None]) -> None:
    """Measured each time when the sessions that nobody took have timed out."""
    chance = random.Random(5)

    async def scenario(kit: Kit, client: PageClient) -> tuple[dict[str, float], dict[str, float]]:
        hostile, other = Watcher(("video",)), Watcher(("video",))
        offer = await offer_that_leads_nowhere()
        await connect(hostile, client, "Eve")
        await connect(other, client, "Ada")
        # Both rungs are watched from the start: Eve, who says that her line carries nothing, is given less and less,
        # and what a rung's first viewer costs is not the flood's.
        client.choose("Ada", "saving")
        connection = other.connection
        address, ufrag = connection._nominated[1].remote_addr, connection.remote_username
        taking = asyncio.ensure_future(take(hostile.tracks["video"]))

        def ports() -> int:
            return len(kit.service("streaming").net_connections("udp"))

        own = ports()

        async def sessions() -> None:
            await asyncio.to_thread(offers, kit, offer)
            assert ports() > own  # before they time out

        async def waves(count: int) -> dict[str, float]:
            """What is used afterwards, and after a calm."""
            for _ in range(count):
                _, statuses, *_ = await asyncio.gather(
                    asyncio.to_thread(datagrams, address, ufrag, chance),
                    asyncio.to_thread(requests, kit, random.Random(7)),
                    sessions(),
                    feedback(hostile),
                    asyncio.wait_for(other.receive("video", 60), 20),
                )
                assert all(status < 500 for status in statuses), statuses
            gone = asyncio.ensure_future(
                asyncio.to_thread(wait_until, lambda: ports() <= own, 20, "sessions that nobody took to be gone")
            )
            while not gone.done():
                await asyncio.wait_for(other.receive("video", 30), 20)
            await gone
            return {name: used_mib(kit, name) for name in FACING}

        before, after = await waves(WARMING_UP), await waves(WAVES)
        assert {watcher.pc.connectionState for watcher in (hostile, other)} == {"connected"}
        taking.cancel()
        await hostile.close()
        await other.close()
        return before, after

    with Kit(tmp_path / "data") as kit:
        client = PageClient(kit.url, kit.api("POST", "lessons", {"title": "Crue"})["code"])
        lines, began = len(kit.output), time.monotonic()
        before, after = asyncio.run(scenario(kit, client))
        took = time.monotonic() - began
        said = kit.output[lines:]
        client.close()
    grown = {name: after[name] - before[name] for name in FACING}
    state("memory grown over floods: " + ", ".join(f"{name} {more:+.1f} MiB" for name, more in grown.items()))
    assert len(said) <= took + 5, said
    assert max(grown.values()) <= GROWN_MIB, (before, after)
