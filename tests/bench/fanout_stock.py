"""The other side of the fan-out's comparison: aiortc as its documentation has it, with pre-encoded av.Packet tracks.

Takes the same bus, commands and interface as the streaming service, so that only the way of sending differs.
Run by tests.bench.fanout: ``python -m tests.bench.fanout_stock``.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import av
import zmq.asyncio
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from appliance import bus
from appliance.messages import CAMERA_720P, MICROPHONE_OPUS, Done, Packet, Watch, Watching
from appliance.settings import Settings, load
from streaming import interfaces
from streaming.codecs import preferences

TIME_BASE = Fraction(1, 1_000_000_000)


class PacketTrack(MediaStreamTrack):
    """Hands out what is put in."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.packets: asyncio.Queue[Any] = asyncio.Queue(100)

    async def recv(self) -> Any:
        return await self.packets.get()


class Stock:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tracks: dict[str, list[PacketTrack]] = {"video": [], "audio": []}
        self._peers: list[RTCPeerConnection] = []

    async def run(self) -> None:
        context, folder = zmq.asyncio.Context(), self._settings.bus
        topics = [bus.media_topic(CAMERA_720P), bus.media_topic(MICROPHONE_OPUS)]
        media = bus.subscribe(context, folder, ["capture"], topics, 64)
        requests = context.socket(zmq.REP)
        requests.bind(bus.address(folder, "streaming", "cmd"))
        await asyncio.gather(self._media(media), self._commands(requests))

    async def _media(self, media: Any) -> None:
        while True:
            topic, body = await media.recv_multipart()
            message = bus.decode(topic, body)
            if not isinstance(message, Packet):
                continue
            packet = av.Packet(message.data)
            packet.pts, packet.time_base = message.pts_ns, TIME_BASE
            for track in self._tracks["video" if message.codec == "h264" else "audio"]:
                if not track.packets.full():
                    track.packets.put_nowait(packet)

    async def _commands(self, requests: Any) -> None:
        while True:
            command = bus.decode_command(await requests.recv())
            reply = await self._watch(command) if isinstance(command, Watch) else await self._close()
            await requests.send(bus.encode_reply(reply))

    async def _watch(self, command: Watch) -> Watching:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._peers.append(pc)
        tracks = [PacketTrack("video"), PacketTrack("audio")]
        for track in tracks:
            pc.addTransceiver(track, direction="sendonly").setCodecPreferences(preferences(track.kind))
        await pc.setRemoteDescription(RTCSessionDescription(command.offer, "offer"))
        transport: Any = pc.getTransceivers()[0].sender.transport
        connection = transport.transport._connection
        addresses = interfaces.choose(interfaces.addresses_by_interface(), self._settings.ice_interfaces, command.peer)
        connection._local_candidates_start = True
        connection._local_candidates += await connection.get_component_candidates(1, addresses)
        connection._local_candidates_end = True
        await pc.setLocalDescription(await pc.createAnswer())
        for track in tracks:
            self._tracks[track.kind].append(track)
        return Watching(str(len(self._peers)), "", pc.localDescription.sdp)

    async def _close(self) -> Done:
        for tracks in self._tracks.values():
            tracks.clear()
        await asyncio.gather(*(pc.close() for pc in self._peers))
        self._peers.clear()
        return Done()


if __name__ == "__main__":
    asyncio.run(Stock(load()).run())
