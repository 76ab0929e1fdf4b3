"""A viewer for tests: an aiortc peer connection that stays on one address (lo, unless told otherwise)."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription


class Signalling(Protocol):
    """What carries an offer to the service and its answer back: the streaming client, or a page's HTTP."""

    def watch(self, *, viewer: str, name: str, role: Any, offer: str, peer: str) -> Any: ...


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
        connection = self.connection
        connection._local_candidates_start = True
        connection._local_candidates += await connection.get_component_candidates(1, [self.address])
        connection._local_candidates_end = True
        await self.pc.setLocalDescription(await self.pc.createOffer())
        lines = self.pc.localDescription.sdp.splitlines()
        return "\r\n".join(line for line in lines if "candidate" not in line) + "\r\n"

    async def watch(self, client: Signalling, viewer: str = "v1", name: str = "Ada") -> Any:
        """Ask the service and apply its answer."""
        offer = await self.offer()
        reply = await asyncio.to_thread(
            client.watch, viewer=viewer, name=name, role="pupil", offer=offer, peer=self.address
        )
        await self.pc.setRemoteDescription(RTCSessionDescription(reply.answer, "answer"))
        return reply

    async def receive(self, kind: str, count: int) -> list[Any]:
        return [await self.tracks[kind].recv() for _ in range(count)]

    async def close(self) -> None:
        await self.pc.close()
