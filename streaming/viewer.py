"""One connected browser: its peer, its lanes, and what its feedback asks for. Belongs to the service's loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

from appliance.messages import QualityChoice
from streaming import clock, rtcp
from streaming.aiortc_private import Peer
from streaming.clock import NS
from streaming.ladder import RATES, Step
from streaming.lane import PADDING_BYTES, Lane, Negotiated, Ssrcs
from streaming.losses import Asked
from streaming.offer import Offer
from streaming.prober import Prober
from streaming.quality import Quality
from streaming.session import Session
from streaming.track import Track

# Looked at once a second, and then closed: who has not connected is gone within 15 s.
CONNECT_TIMEOUT_S = 13.0
# A browser sends reports every second and STUN checks every few; ICE alone takes 30 s to notice that it is gone.
# It then rests: it is sent nothing and counts for nobody, but when its network comes back, so does it.
SILENCE_TIMEOUT_S = 15.0
REST_TIMEOUT_S = 120.0
SOUND_WAITS_NS = NS // 2  # and until the next tick


class Viewer(Session):
    """`tracks` are the tracks by kind, `rungs` those of the picture by the ladder's steps. `on_ready`, `on_gone`,
    `on_keyframe(track)`, `on_rung(track)`, when a rung is about to be watched, and `on_change`, when the lanes or the
    way to the browser have changed, call the fan-out.

    `lanes` tells which lane a frame of a track takes. The picture's lane changes tracks with a keyframe of the next,
    and belongs to none while the viewer gets no moving picture.
    """

    def __init__(
        self,
        *,
        owner: str,
        name: str,
        role: Literal["pupil", "teacher"],
        source: str,
        offer: Offer,
        tracks: Mapping[str, Track],
        rungs: Mapping[Step, Track],
        quality: QualityChoice,
        ssrcs: Mapping[str, Ssrcs],
        start: Step = Step.HIGH,
        on_ready: Callable[[Viewer], None],
        on_gone: Callable[[Viewer], object],
        on_keyframe: Callable[[Track], None],
        on_rung: Callable[[Track], None],
        on_change: Callable[[], None],
    ) -> None:
        self.peer = Peer(
            offer.kinds,
            ssrcs,
            on_ready=self._connected,
            on_rtcp=self.feedback,
            on_gone=self._lost,
            on_path=on_change,
            on_back=self._back,
        )
        super().__init__(owner, name, offer, self.peer)
        self.role, self.source = role, source
        self.loss = 0.0
        self.lanes: dict[Track, Lane] = {}
        self.every_lane: list[Lane] = []
        self.quality = Quality(quality, time.monotonic_ns(), fixed=len(rungs) < 2, start=start)
        self._followed = self.quality.step
        self._tracks, self._rungs = tracks, rungs
        self._picture: Lane | None = None
        self._sound: Lane | None = None
        self._connected_ns = 0
        self._shown: Track | None = None
        self._next: Track | None = None
        self._asked = Asked()
        self._prober: Prober | None = None
        self._ready, self._gone, self._on_keyframe, self._on_rung = on_ready, on_gone, on_keyframe, on_rung
        self._on_change = on_change

    def _connected(self, negotiated: list[Negotiated]) -> None:
        for track in negotiated:
            lane = Lane(track)
            self.every_lane.append(lane)
            if track.kind == "audio":
                self._sound = lane
            else:
                self._picture = lane
                if len(self._rungs) > 1:
                    self._prober = Prober(self.peer, self._rungs[Step.HIGH], lane, self._follow)
                    self.quality.ladder.probes = bool(track.repair_payload_type)
                if self.quality.step is Step.HIGH:
                    self._shown = self._rungs[Step.HIGH]
                    self.lanes[self._shown] = lane
        self.connected = True
        self._on_change()
        self._connected_ns = time.monotonic_ns()
        self._tell_ladder(self._connected_ns)
        self._weigh_rungs(self._connected_ns)
        self._ready(self)
        self.steer()

    def _lost(self) -> None:
        if not self.closed:
            self._gone(self)

    def full(self) -> None:
        """The socket took no more."""
        self.quality.ladder.full(time.monotonic_ns())
        self._follow()

    def begin_sound(self) -> None:
        """Sound begins once the first picture is on its way, if that does not take long: a weak line's queue is full
        then, and sound that had begun before would break off for as long as the queue is. Idempotent."""
        if self._sound is not None:
            self._on_change()
            self.lanes[self._tracks["audio"]], self._sound = self._sound, None

    def take_rung(self, track: Track) -> None:
        """A keyframe of `track` is about to be sent: if the viewer waits for it, the picture goes on with that rung;
        numbers and times count on (RFC 3550 section 5.1). Sound follows the first."""
        if track is self._next and self._picture is not None:
            self._stop_rung()
            self._on_change()
            self._shown, self._next = track, None
            self.lanes[track] = self._picture
            self._picture.waiting = True
        if track is self._shown:
            self.begin_sound()

    def _stop_rung(self, *, at_once: bool = False) -> None:
        """With `at_once`, what of it has not left yet never does."""
        if self._shown is not None and self._picture is not None:
            self._on_change()
            del self.lanes[self._shown]
            self._shown = None
            if at_once:
                self._picture.give_up()

    def choose(self, quality: QualityChoice) -> None:
        """Take the viewer's choice of picture."""
        if self._prober is not None:
            self._prober.close()
        self.quality.choose(quality, time.monotonic_ns())
        self._followed = self.quality.step
        self.steer()

    @property
    def wanted(self) -> Track | None:
        """The picture to send by choice and ladder; None for none."""
        step = self.quality.step
        return None if step is None or "video" not in self._offer.kinds else self._rungs.get(step)

    def _follow(self) -> None:
        """Steer after the ladder has heard something."""
        step, before = self.quality.step, self._followed
        self._followed = step
        self.steer(congested=step is not None and before is not None and step < before)

    def steer(self, *, congested: bool = False) -> None:
        """Bring what is sent in line with what is wanted. Another rung begins with its next keyframe; until then the
        old one goes on, but not when the line is `congested`: sound has to pass where its packets queue."""
        if self._picture is None:
            self.begin_sound()
            return
        wanted = self.wanted
        if wanted is None:
            self._stop_rung(at_once=True)
            self._next = None
            self.begin_sound()
        elif wanted is self._shown:
            self._next = None
        elif wanted is not self._next:
            self._next = wanted
            self._on_rung(wanted)
            if congested:
                self._stop_rung(at_once=True)

    @property
    def line(self) -> Step | None:
        """What the viewer's line was found to carry; None where that was not looked at."""
        looked = self.connected and self.quality.choice == "automatic" and len(self._rungs) > 1
        return self.quality.ladder.step if looked else None

    def watches(self, track: Track) -> bool:
        """Whether the viewer gets the track, or waits for its keyframe."""
        return not self.resting and (track in self.lanes or track is self._next)

    def silent(self, now_ns: int) -> bool:
        """Whether nothing has come from the browser for so long that it must be gone."""
        return now_ns - self.peer.heard_ns > SILENCE_TIMEOUT_S * NS

    def gone(self, now_ns: int) -> bool:
        """Whether it need not be waited for any longer."""
        return now_ns - self.peer.heard_ns > (SILENCE_TIMEOUT_S + REST_TIMEOUT_S) * NS

    @property
    def resting(self) -> bool:
        return self.peer.resting

    def rest(self) -> None:
        """Send nothing until the browser is back. Idempotent."""
        self._on_change()
        self.peer.rest()

    def _back(self) -> None:
        """The browser is heard after a silence: the picture goes on with a keyframe."""
        self._on_change()
        self.quality.ladder.back(time.monotonic_ns())
        track = self._next or self._shown
        if track is not None:
            self._on_rung(track)

    def tick(self, now_ns: int) -> None:
        """Once a second: sender reports, and time passes for the ladder."""
        self._report(now_ns)
        if now_ns - self._connected_ns >= SOUND_WAITS_NS:
            self.begin_sound()
        self._weigh_rungs(now_ns)
        self._tell_ladder(now_ns)
        self._pass_time(now_ns)
        self._follow()

    def _report(self, now_ns: int) -> None:
        """Send a sender report per track (RFC 3550 section 6.4.1)."""
        for track, lane in self.lanes.items():
            if lane.sent:
                ntp, ticks = track.report_time(now_ns)
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
        now_ns, ladder = time.monotonic_ns(), self.quality.ladder
        self._tell_ladder(now_ns)
        for item in items:
            if isinstance(item, rtcp.Estimate):
                ladder.estimate(now_ns, item.bits_per_second)
            elif isinstance(item, rtcp.Reception) and self._is_own(item.ssrc):
                ladder.received(now_ns, item.ssrc, item.highest, item.lost)
            if isinstance(item, rtcp.Goodbye | rtcp.Estimate) or item.ssrc not in by_ssrc:
                continue
            track, lane = by_ssrc[item.ssrc]
            if isinstance(item, rtcp.Nack):
                self._resend(track, lane, item.lost)
                if track.kind == "video":
                    ladder.nacked(now_ns, self._asked.first_time(item.lost))
            elif isinstance(item, rtcp.KeyframeWanted):
                self._on_keyframe(track)
            else:
                self._received(track, lane, item)
        self._pass_time(now_ns)
        self._follow()

    def _pass_time(self, now_ns: int) -> None:
        self.quality.ladder.pass_time(now_ns)
        if self._prober is not None:
            self._prober.look(self.quality.ladder, now_ns)

    def _is_own(self, ssrc: int) -> bool:
        """Whether it is of one of the viewer's streams, that of RTX among them."""
        return any(ssrc in (lane.negotiated.ssrc, lane.negotiated.repair_ssrc) for lane in self.every_lane)

    def _tell_ladder(self, now_ns: int) -> None:
        """What was sent so far."""
        padded = sum(lane.padded for lane in self.every_lane)
        packets = sum(lane.sent for lane in self.every_lane) + padded
        octets = sum(lane.octets for lane in self.every_lane) + padded * PADDING_BYTES
        self.quality.ladder.sent(now_ns, packets, octets)

    def _weigh_rungs(self, now_ns: int) -> None:
        sound = self._tracks["audio"].bits_per_second(now_ns) if "audio" in self._tracks else 0
        weights = {step: track.bits_per_second(now_ns) for step, track in self._rungs.items()}
        known = {step: bits + sound for step, bits in weights.items() if bits}
        self.quality.ladder.rates = {**RATES, Step.STILL: sound, **known}

    def _received(self, track: Track, lane: Lane, item: rtcp.Reception) -> None:
        now_ns = time.monotonic_ns()
        round_trip_ns = clock.round_trip_ns(track.ntp(now_ns), item.last_report, item.delay)
        if round_trip_ns is not None:
            lane.round_trip_ns = round_trip_ns
        if track.kind == "video":
            self.loss = item.loss

    def _resend(self, track: Track, lane: Lane, lost: list[int]) -> None:
        path, now_ns = self.peer.path, time.monotonic_ns()
        abs_send_time = clock.abs_send_time(track.ntp(now_ns))
        # What was sent before a change is of another rung: numbers of payloads tell them apart.
        tracks = list(self._rungs.values()) if track.kind == "video" else [track]
        for seq in lost if path else ():
            resent = (lane.resend(seq, one.history, now_ns, abs_send_time) for one in tracks)
            packet = next((packet for packet in resent if packet is not None), None)
            if packet is not None and path is not None and not path.send_packet(packet):
                return

    @property
    def probing(self) -> bool:
        return self._prober is not None and self._prober.probing

    def wants_probe(self, now_ns: int) -> bool:
        """Whether the ladder would climb if it knew that the line carries more, and climbing is the viewer's wish."""
        wish = self.quality.choice in ("automatic", "saving")
        return wish and not self.probing and self._prober is not None and self.quality.ladder.due(now_ns)

    def probe(self) -> None:
        """Send padding beside the picture until the ladder has decided. Only when wanted."""
        if self._prober is not None:
            self._prober.begin(self.quality.ladder)

    async def close(self) -> None:
        """Say goodbye and end the connection. Idempotent."""
        if not self.closed:
            self.closed = True
            if self._prober is not None:
                self._prober.close()
            if self.every_lane:
                self.peer.send_rtcp(rtcp.goodbye([lane.negotiated.ssrc for lane in self.every_lane]))
        await self.peer.close()
