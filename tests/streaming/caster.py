"""A publisher for tests: an aiortc peer connection that sends packets of the bus, encoded beforehand, over lo."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from appliance.messages import Packet
from streaming.codecs import receivable
from tests.streaming.watcher import bare_offer


class PacketTrack(MediaStreamTrack):
    """Plays encoded packets in real time, again and again."""

    def __init__(self, kind: str, packets: list[Packet], rate: int) -> None:
        super().__init__()
        self.kind = kind
        self._packets, self._rate = packets, rate
        self._count = 0
        self._begun: float | None = None

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self._begun = self._begun if self._begun is not None else loop.time()
        one = self._packets[self._count % len(self._packets)]
        due = self._begun + self._count * one.duration_ns / 1e9
        await asyncio.sleep(max(0.0, due - loop.time()))
        packet = av.Packet(one.data)
        packet.pts = round(self._count * one.duration_ns * self._rate / 1e9)
        packet.time_base = Fraction(1, self._rate)
        self._count += 1
        return packet


class Caster:
    """`media` are the packets of each kind."""

    def __init__(self, media: dict[str, list[Packet]], address: str = "127.0.0.1") -> None:
        self.address = address
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for kind, packets in media.items():
            rate = 90_000 if kind == "video" else 48_000
            transceiver = self.pc.addTransceiver(PacketTrack(kind, packets, rate), direction="sendonly")
            transceiver.setCodecPreferences(receivable(kind))

    @property
    def connection(self) -> Any:
        """aioice's connection."""
        dtls: Any = self.pc.getTransceivers()[0].sender.transport
        return dtls.transport._connection

    async def offer(self) -> str:
        """An offer without candidates."""
        return await bare_offer(self.pc, self.connection, self.address)

    async def publish(self, client: Any, source: str = "screen", viewer: str = "t1") -> Any:
        """Ask the service and apply its answer."""
        offer = await self.offer()
        reply = await asyncio.to_thread(
            client.publish, source, viewer=viewer, name="Teacher", offer=offer, peer=self.address
        )
        await self.pc.setRemoteDescription(RTCSessionDescription(reply.answer, "answer"))
        return reply

    async def close(self) -> None:
        await self.pc.close()
