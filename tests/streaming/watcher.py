"""A viewer for tests: an aiortc peer connection that stays on one address (lo, unless told otherwise)."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcicetransport import candidate_to_aioice

from streaming.offer import Fragment


class Signalling(Protocol):
    """What carries an offer to the service and its answer back: the streaming client, or a page's HTTP."""

    def watch(self, *, viewer: str, name: str, role: Any, offer: str, peer: str) -> Any: ...


async def bare_offer(pc: RTCPeerConnection, connection: Any, address: str) -> str:
    """The offer of a peer that gathers on `address` alone, without its candidates. `connection` is aioice's."""
    connection._local_candidates_start = True
    connection._local_candidates += await connection.get_component_candidates(1, [address])
    connection._local_candidates_end = True
    await pc.setLocalDescription(await pc.createOffer())
    lines = pc.localDescription.sdp.splitlines()
    return "\r\n".join(line for line in lines if "candidate" not in line) + "\r\n"


class Watcher:
    """`offer` is what a page would send: both kinds, recvonly, bundled."""

    def __init__(self, kinds: tuple[str, ...] = ("video", "audio"), address: str = "127.0.0.1") -> None:
        self.address = address
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.tracks: dict[str, Any] = {}
        for kind in kinds:
            self.pc.addTransceiver(kind, direction="recvonly")
        self.pc.on("track", lambda track: self.tracks.update({track.kind: track}))

    @property
    def connection(self) -> Any:
        """aioice's connection."""
        dtls: Any = self.pc.getTransceivers()[0].receiver.transport
        return dtls.transport._connection

    async def offer(self) -> str:
        """An offer without candidates, as the page sends it."""
        return await bare_offer(self.pc, self.connection, self.address)

    async def watch(self, client: Signalling, viewer: str = "v1", name: str = "Ada", **options: str) -> Any:
        """Ask the service and apply its answer."""
        offer = await self.offer()
        reply = await asyncio.to_thread(
            client.watch, viewer=viewer, name=name, role="pupil", offer=offer, peer=self.address, **options
        )
        await self.accept(reply.answer)
        return reply

    async def accept(self, answer: str) -> None:
        """Apply the service's answer."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def restart(self, username: str, password: str, other: Fragment) -> None:
        """Restart ICE as a browser does: new credentials, a new socket, the old one gone."""
        connection = self.connection
        old = list(connection._protocols)
        connection._check_list.clear()
        connection._remote_candidates.clear()
        connection._remote_candidates_end = False
        connection._local_username, connection._local_password = username, password
        connection.remote_username, connection.remote_password = other.username, other.password
        connection._local_candidates[:] = await connection.get_component_candidates(1, [self.address])
        for protocol in old:
            connection._protocols.remove(protocol)
        for candidate in other.candidates:
            await connection.add_remote_candidate(candidate_to_aioice(candidate))
        for pair in connection._check_list:
            connection.check_start_task(pair)
            await pair.task
        for protocol in old:
            await protocol.close()

    async def receive(self, kind: str, count: int) -> list[Any]:
        return [await self.tracks[kind].recv() for _ in range(count)]

    async def close(self) -> None:
        await self.pc.close()
