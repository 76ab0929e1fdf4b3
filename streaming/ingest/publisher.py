"""One connected publisher: its peer, its streams, and the feedback it gets. Belongs to the service's loop."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping

from appliance.messages import Packet
from streaming import rtcp
from streaming.aiortc_private import IncomingPeer
from streaming.clock import NS
from streaming.ingest import feedback, rtp
from streaming.ingest.stream import Incoming, Stream
from streaming.ingest.timing import Offset
from streaming.keyframes import KeyframeRequests
from streaming.offer import Offer
from streaming.session import Session

PULSE_S = 0.05
REPORT_INTERVAL_NS = NS
# Also the start: browsers begin with 300 kb/s and believe a limit that comes in their first two seconds.
LIMIT_BITS_PER_SECOND = 4_000_000
# Chromium checks consent every few seconds; who is silent for so long is gone.
SILENCE_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 10.0


class Publisher(Session):
    """`rungs` names the track on the bus for each kind; `on_packets(publisher, packets)` gets what is whole,
    `on_gone(publisher)` is told once the connection is lost."""

    def __init__(
        self,
        *,
        owner: str,
        name: str,
        source: str,
        rungs: Mapping[str, str],
        offer: Offer,
        on_packets: Callable[[Publisher, list[Packet]], None],
        on_gone: Callable[[Publisher], object],
    ) -> None:
        peer = IncomingPeer(
            offer.kinds, on_ready=self._ready, on_rtp=self._media, on_rtcp=self._control, on_gone=self._lost
        )
        super().__init__(owner, name, offer, peer)
        self.peer = peer
        self.source = source
        self.streams: list[Stream] = []
        self.unreadable = 0
        self._rungs = rungs
        self._on_packets, self._on_gone = on_packets, on_gone
        self._own = secrets.randbits(32)
        self._keyframes = KeyframeRequests()
        self._reported_ns = 0
        self._by_type: dict[int, Stream] = {}
        self._pulse: asyncio.Task[None] | None = None

    @property
    def video(self) -> Stream | None:
        return next((stream for stream in self.streams if stream.kind == "video"), None)

    @property
    def live(self) -> bool:
        """Whether there is something to see (or, without a picture, to hear)."""
        video = self.video
        return self.connected and not self.closed and (video is None or video.keyframe_seen)

    def want_keyframe(self) -> None:
        """Ask the publisher for a keyframe, once a second at most."""
        if self._keyframes.want(time.monotonic_ns()):
            self._ask()

    def expired(self, now_ns: int) -> bool:
        """Whether it never connected, or fell silent."""
        if self.connected:
            return now_ns - self.peer.heard_ns > SILENCE_TIMEOUT_S * NS
        return now_ns - self.opened_ns > CONNECT_TIMEOUT_S * NS

    def _ready(self, incoming: list[Incoming]) -> None:
        epoch, shared = time.monotonic_ns(), Offset()
        for track in incoming:
            stream = Stream(track, source=self.source, rung=self._rungs[track.kind], epoch=epoch, shared=shared)
            self.streams.append(stream)
            self._by_type |= dict.fromkeys(track.payload_types, stream)
        self.connected = True
        self._pulse = asyncio.ensure_future(self._beat())

    def _lost(self) -> None:
        if not self.closed:
            self._on_gone(self)

    def _media(self, data: bytes) -> None:
        try:
            packet = rtp.parse(data)
        except rtp.RtpError:
            self.unreadable += 1
            return
        stream = self._by_type.get(packet.payload_type)
        if stream is None or self.closed:
            return
        now_ns = time.monotonic_ns()
        fresh = not stream.ssrc
        self._hand_on(stream.push(packet, now_ns))
        if fresh:
            self._report(now_ns)
        self._repair(stream, now_ns)

    def _control(self, data: bytes) -> None:
        try:
            reports = feedback.sender_reports(data)
        except rtcp.RtcpError:
            self.unreadable += 1
            return
        now_ns = time.monotonic_ns()
        for report in reports:
            for stream in self.streams:
                stream.reported(report, now_ns)

    def _hand_on(self, packets: list[Packet]) -> None:
        if any(packet.keyframe and packet.codec == "h264" for packet in packets):
            self._keyframes.arrived()
        if packets:
            self._on_packets(self, packets)

    async def _beat(self) -> None:
        """What time alone brings: packets given up, repeated wishes, reports."""
        while not self.closed:
            now_ns = time.monotonic_ns()
            for stream in self.streams:
                self._hand_on(stream.expire(now_ns))
                self._repair(stream, now_ns)
            if now_ns - self._reported_ns >= REPORT_INTERVAL_NS:
                self._report(now_ns)
                self.peer.tick(now_ns)
            await asyncio.sleep(PULSE_S)

    def _repair(self, stream: Stream, now_ns: int) -> None:
        if not stream.ssrc:
            return
        if missing := stream.missing(now_ns):
            self._send(feedback.nack(self._own, stream.ssrc, missing))
        due = self._keyframes.want if stream.wanting else self._keyframes.due
        if stream.kind == "video" and due(now_ns):
            self._ask()

    def _ask(self) -> None:
        if self.video is not None and self.video.ssrc:
            self._send(feedback.picture_loss(self._own, self.video.ssrc))

    def _report(self, now_ns: int) -> None:
        self._reported_ns = now_ns
        if self.video is not None and self.video.ssrc:
            self._send(feedback.limit(self._own, self.video.ssrc, LIMIT_BITS_PER_SECOND), now_ns)
        else:
            self._send(b"", now_ns)

    def _send(self, packet: bytes, now_ns: int | None = None) -> None:
        """One compound packet; with `now_ns` its receiver report holds blocks."""
        found = [] if now_ns is None else [stream.block(now_ns) for stream in self.streams]
        blocks = [block for block in found if block is not None]
        self.peer.send_rtcp(feedback.receiver_report(self._own, blocks) + packet)

    async def close(self) -> None:
        """End the connection. Idempotent."""
        if not self.closed:
            self.closed = True
            if self._pulse is not None:
                self._pulse.cancel()
        await self.peer.close()
