"""What leaves when: real encryption and sockets on lo, viewers that are nothing but their lanes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from pylibsrtp import Policy, Session

from streaming.burst import MOST_PACKETS
from streaming.delivery import MOST_WAITING, Delivery
from streaming.lane import Lane, Negotiated
from streaming.srtp import SrtpPath
from streaming.track import Track
from streaming.viewer import Viewer
from tests.streaming.test_history_and_lane import add

KEY = bytes(range(28))
PROFILE = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
VIDEO, AUDIO = 102, 111


class Peer:
    path: SrtpPath | None = None


class Screen:
    """A viewer, its socket, and what arrives: payload type, number and first byte of each packet."""

    def __init__(self, tracks: dict[Track, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self._session = Session(Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=PROFILE))
        self.lanes = {
            track: Lane(Negotiated(track.kind, kind, kind, track.rate, "cname", "0", 0, 0, 16))
            for track, kind in tracks.items()
        }
        self.every_lane = list(self.lanes.values())
        self.peer = Peer()
        self.packets: list[tuple[int, int, int]] = []

    def take_rung(self, track: Track) -> None:
        """There is only one."""

    def connect(self, out: socket.socket) -> None:
        policy = Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILE)
        self.peer.path = SrtpPath(Session(policy), out, self.socket.getsockname())

    def look(self) -> list[tuple[int, int, int]]:
        while True:
            try:
                packet = self._session.unprotect(self.socket.recv(2048))
            except BlockingIOError:
                return self.packets
            self.packets.append((packet[1] & 0x7F, int.from_bytes(packet[2:4]), packet[16]))


class Room:
    def __init__(self, viewers: int) -> None:
        self.video = Track("camera/720p", kind="video", rate=90_000, wall_offset_ns=0)
        self.audio = Track("microphone/opus", kind="audio", rate=48_000, wall_offset_ns=0)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.setblocking(False)
        self.screens = [Screen({self.video: VIDEO, self.audio: AUDIO}) for _ in range(viewers)]
        self.full: list[Viewer] = []
        viewers_by_name = {str(place): cast(Viewer, screen) for place, screen in enumerate(self.screens)}
        self.delivery = Delivery(viewers_by_name, self.full.append)
        self._next = 0

    def picture(self, size: int, *, keyframe: bool = False) -> bool:
        frame = add(self.video.history, self._next, size=size, keyframe=keyframe)
        self._next += 1
        return self.delivery.picture(self.video, frame)

    def sound(self) -> None:
        self.delivery.sound(self.audio, add(self.audio.history, 200, size=1))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0)

    def close(self) -> None:
        for each in (self.out, *(screen.socket for screen in self.screens)):
            each.close()


@asynccontextmanager
async def room(viewers: int = 3) -> AsyncIterator[Room]:
    result = Room(viewers)
    for screen in result.screens:
        screen.connect(result.out)
    running = asyncio.ensure_future(result.delivery.run())
    try:
        yield result
    finally:
        running.cancel()
        result.close()


def play(scenario: Callable[[Room], Awaitable[Any]], viewers: int = 3) -> None:
    async def whole() -> None:
        async with room(viewers) as each:
            await scenario(each)

    asyncio.run(whole())


def test_sound_overtakes_a_long_picture() -> None:
    async def scenario(each: Room) -> None:
        each.picture(1, keyframe=True)
        each.sound()
        await each.until(lambda: all(len(screen.look()) == 2 for screen in each.screens))
        each.picture(3 * MOST_PACKETS, keyframe=True)
        await each.until(lambda: all(len(screen.look()) >= 2 + MOST_PACKETS for screen in each.screens))
        each.sound()
        await each.until(lambda: all(len(screen.look()) == 3 + 3 * MOST_PACKETS for screen in each.screens))
        for screen in each.screens:
            kinds = [kind for kind, _, _ in screen.packets[2:]]
            assert AUDIO in kinds[: 2 * MOST_PACKETS]
            numbers = [number for kind, number, _ in screen.packets if kind == VIDEO]
            assert numbers == list(range(numbers[0], numbers[0] + 1 + 3 * MOST_PACKETS))

    play(scenario)


def test_a_newcomer_catches_up_and_misses_no_frame_nor_gets_one_twice() -> None:
    async def scenario(each: Room) -> None:
        old, new = each.screens
        path, new.peer.path = new.peer.path, None
        each.picture(2 * MOST_PACKETS, keyframe=True)
        for _ in range(3):
            each.picture(2)
        await each.until(lambda: len(old.look()) == 2 * MOST_PACKETS + 6)
        each.picture(2)  # waits while the newcomer begins
        new.peer.path = path
        each.delivery.changed()
        each.delivery.catch_up(cast(Viewer, new), new.lanes[each.video], each.video.history.group_of_pictures())
        each.picture(2)
        await each.until(lambda: len(new.look()) == len(old.look()) == 2 * MOST_PACKETS + 10)
        assert [packet[2] for packet in new.packets] == [packet[2] for packet in old.packets]
        each.picture(1)
        each.picture(1)
        await each.until(lambda: len(new.look()) == len(old.look()) == 2 * MOST_PACKETS + 12)
        assert [one.step for screen in each.screens for one in screen.every_lane[:1]].count(None) == 0

    play(scenario, viewers=2)


def test_a_viewer_without_a_way_waits_for_a_keyframe() -> None:
    async def scenario(each: Room) -> None:
        near, far = each.screens
        each.picture(1, keyframe=True)
        each.picture(1)
        await each.until(lambda: len(near.look()) == len(far.look()) == 2)
        path, far.peer.path = far.peer.path, None
        each.delivery.changed()
        each.picture(1)
        await each.until(lambda: len(near.look()) == 3)
        far.peer.path = path
        each.delivery.changed()
        each.picture(1)
        each.picture(1, keyframe=True)
        await each.until(lambda: len(near.look()) == 5 and len(far.look()) == 3)
        assert [first for _, _, first in far.packets] == [0, 1, 4]
        assert each.full == []

    play(scenario, viewers=2)


def test_sound_that_had_no_way_counts_on_from_where_it_was() -> None:
    """SRTP encrypts no number twice, nor one far behind (RFC 3711 section 3.3.2): a lane that got it wrong would end
    the service."""

    async def scenario(each: Room) -> None:
        near, far = each.screens
        for _ in range(2):
            each.sound()
        await each.until(lambda: len(near.look()) == len(far.look()) == 2)
        path, far.peer.path = far.peer.path, None
        each.delivery.changed()
        for _ in range(40):
            each.sound()
        far.peer.path = path
        each.delivery.changed()
        for _ in range(3):
            each.sound()
            each.delivery.changed()  # alone, and together
            each.sound()
        await each.until(lambda: len(near.look()) == 48 and len(far.look()) == 8)
        for screen in each.screens:
            numbers = [number for _, number, _ in screen.packets]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    play(scenario, viewers=2)


def test_a_closed_socket_costs_only_its_viewer() -> None:
    async def scenario(each: Room) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            each.screens[1].connect(own)
            each.picture(1, keyframe=True)
            each.picture(1)
            each.picture(1)
            await each.until(lambda: all(len(screen.look()) == 3 for screen in each.screens))
        each.picture(1)
        each.picture(2)
        await each.until(lambda: len(each.screens[0].look()) == len(each.screens[2].look()) == 6)
        assert set(map(id, each.full)) == {id(each.screens[1])}
        assert each.screens[1].lanes[each.video].waiting

    play(scenario)


def test_pictures_that_nobody_has_time_to_send_are_refused() -> None:
    each = Room(1)
    assert [each.picture(1, keyframe=True) for _ in range(MOST_WAITING + 1)] == [True] * MOST_WAITING + [False]
    each.close()
