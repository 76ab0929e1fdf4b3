"""One connected browser: its peer, its lanes, and what its feedback asks for. Belongs to the service's loop."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Literal

from streaming import clock, rtcp
from streaming.aiortc_private import Peer
from streaming.clock import NS
from streaming.history import Frame
from streaming.lane import Lane, Negotiated
from streaming.offer import Offer
from streaming.session import Session
from streaming.track import Track

CONNECT_TIMEOUT_S = 15.0
# A browser sends reports every second and STUN checks every few; ICE alone takes 30 s to notice that it is gone.
SILENCE_TIMEOUT_S = 15.0


class Viewer(Session):
    """`tracks` are the tracks by kind; `on_ready`, `on_gone` and `on_keyframe(track)` call the fan-out."""

    def __init__(
        self,
        *,
        owner: str,
        name: str,
        role: Literal["pupil", "teacher"],
        source: str,
        offer: Offer,
        tracks: Mapping[str, Track],
        on_ready: Callable[[Viewer], None],
        on_gone: Callable[[Viewer], object],
        on_keyframe: Callable[[Track], None],
    ) -> None:
        self.peer = Peer(offer.kinds, on_ready=self._connected, on_rtcp=self.feedback, on_gone=self._lost)
        super().__init__(owner, name, offer, self.peer)
        self.role, self.source = role, source
        self.loss = 0.0
        self.lanes: dict[Track, Lane] = {}
        self._tracks = tracks
        self._ready, self._gone, self._on_keyframe = on_ready, on_gone, on_keyframe

    def _connected(self, negotiated: list[Negotiated]) -> None:
        for track in negotiated:
            # The first number leaves room before it wraps: SRTP would lose count of an early wrap when the
            # first packets are lost (RFC 3711 section 3.3.1).
            lane = Lane(track, first_seq=secrets.randbits(15), ticks_offset=secrets.randbits(32))
            self.lanes[self._tracks[track.kind]] = lane
        self.connected = True
        self._ready(self)

    def _lost(self) -> None:
        if not self.closed:
            self._gone(self)

    def send(self, track: Track, frame: Frame) -> bool:
        """Send one frame. False when the socket was full and the viewer now waits for a keyframe."""
        lane = self.lanes.get(track)
        path = self.peer.path()
        return lane is None or path is None or lane.send(frame, path)

    def start(self, track: Track, frames: list[Frame]) -> None:
        """Begin with `frames` of the past (none: wait for the next keyframe)."""
        path = self.peer.path()
        if frames and path is not None:
            self.lanes[track].catch_up(frames, path)

    def silent(self, now_ns: int) -> bool:
        """Whether nothing came from the browser for so long that it must be gone."""
        return now_ns - self.peer.heard_ns > SILENCE_TIMEOUT_S * NS

    def report(self, now_ns: int) -> None:
        """Send a sender report per track (RFC 3550 section 6.4.1)."""
        for track, lane in self.lanes.items():
            if lane.sent:
                ntp, ticks = track.report_time(lane, now_ns)
                negotiated = lane.negotiated
                self.peer.send_rtcp(
                    rtcp.sender_report(
                        negotiated.ssrc, negotiated.cname, ntp=ntp, ticks=ticks, packets=lane.sent, octets=lane.octets
                    )
                )

    def feedback(self, data: bytes) -> None:
        """Act on a compound RTCP packet; bytes that are none are ignored."""
        try:
            items = rtcp.parse(data)
        except rtcp.RtcpError:
            return
        by_ssrc = {lane.negotiated.ssrc: (track, lane) for track, lane in self.lanes.items()}
        for item in items:
            if isinstance(item, rtcp.Goodbye | rtcp.Estimate) or item.ssrc not in by_ssrc:
                continue
            track, lane = by_ssrc[item.ssrc]
            if isinstance(item, rtcp.Nack):
                self._resend(track, lane, item.lost)
            elif isinstance(item, rtcp.KeyframeWanted):
                self._on_keyframe(track)
            else:
                self._received(track, lane, item)

    def _received(self, track: Track, lane: Lane, item: rtcp.Reception) -> None:
        round_trip_ns = clock.round_trip_ns(track.ntp(time.monotonic_ns()), item.last_report, item.delay)
        if round_trip_ns is not None:
            lane.round_trip_ns = round_trip_ns
        if track.kind == "video":
            self.loss = item.loss

    def _resend(self, track: Track, lane: Lane, lost: list[int]) -> None:
        path, now_ns = self.peer.path(), time.monotonic_ns()
        abs_send_time = clock.abs_send_time(track.ntp(now_ns))
        for seq in lost if path else ():
            packet = lane.resend(seq, track.history, now_ns, abs_send_time)
            if packet is not None and path is not None and not path.send_packet(packet):
                return

    async def close(self) -> None:
        """Say goodbye and end the connection. Idempotent."""
        if not self.closed:
            self.closed = True
            if self.lanes:
                self.peer.send_rtcp(rtcp.goodbye([lane.negotiated.ssrc for lane in self.lanes.values()]))
        await self.peer.close()
