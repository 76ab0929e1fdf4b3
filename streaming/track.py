"""One track of the bus on its way to all its viewers: gaps, payloads, history, keyframe wishes.

Pure: packets and times in, frames out. The fan-out's loop sends what comes from here.
"""

from __future__ import annotations

from appliance.messages import Packet
from streaming import clock, rtp_h264
from streaming.burst import Times
from streaming.history import Frame, History
from streaming.keyframes import KeyframeRequests

# A burst of this much past costs a weak line less than the wait for the next keyframe.
CATCH_UP_NS = 400_000_000
MEASURED_LASTS_NS = 500_000_000  # one sum for all viewers
PAYLOADS_PER_RUNG = 1 << 48  # more than any service sends in its life


class Track:
    """State of one track.

    Viewers change between the rungs of one source. Each `rung` (0 is the best) numbers its payloads in a range of its
    own, so that a number says which rung it is of; and its RTP times lie `rung` ticks (11 us) after the best one's:
    capture publishes the rungs of a picture in this order, so time never stands still for who changes.
    """

    def __init__(
        self, name: str, *, kind: str, rate: int, wall_offset_ns: int, rung: int = 0, nominal_bps: int = 0
    ) -> None:
        self.name = name
        self.kind = kind
        self.rate = rate
        self.history = History(first=rung * PAYLOADS_PER_RUNG)
        self._ticks_shift = rung
        self.keyframes = KeyframeRequests()
        self.lost = 0
        self._wall_offset_ns = wall_offset_ns
        self._epoch: int | None = None
        self._seq = 0
        self._broken = True
        self._nominal_bps = nominal_bps
        self._measured_bps, self._measured_ns = 0, -MEASURED_LASTS_NS

    def accept(self, packet: Packet, now_ns: int) -> tuple[Frame | None, bool]:
        """Take a packet of the bus. Returns the frame to send (None while a keyframe is awaited) and whether
        something was missing before it, so that every lane of a video track must wait for a keyframe.

        Raises ValueError when the packet's data is not what its codec says.
        """
        torn = self._epoch is not None and (packet.epoch != self._epoch or packet.seq != self._seq + 1)
        if torn:
            if packet.epoch == self._epoch:
                self.lost += max(0, packet.seq - self._seq - 1)
            self._broken = True
        self._epoch, self._seq = packet.epoch, packet.seq
        video = self.kind == "video"
        if video and self._broken and not packet.keyframe:
            return None, torn
        payloads = rtp_h264.payloads(packet.data) if video else [packet.data]
        self._broken = False
        if packet.keyframe:
            self.keyframes.arrived()
        frame = self.history.add(
            payloads,
            ticks=clock.ticks(packet.pts_ns, self.rate) + self._ticks_shift,
            times=Times(clock.abs_send_time(self.ntp(now_ns)), self.ntp(packet.pts_ns)),
            at_ns=now_ns,
            keyframe=packet.keyframe or not video,
            marker=video,
        )
        return frame, torn

    def expect(self, now_ns: int) -> bool:
        """A viewer of a video track will start as soon as ICE and DTLS are done. Whether to ask capture for a keyframe
        now: made meanwhile, it spares the viewer the wait."""
        return not self._is_fresh(self._recent(), now_ns) and self.keyframes.want(now_ns)

    def start(self, now_ns: int) -> tuple[list[Frame], bool]:
        """How a new viewer of a video track starts: the frames to begin with (none: it waits for the next keyframe),
        and whether to ask capture for a keyframe now."""
        recent = self._recent()
        if self._is_fresh(recent, now_ns):
            return recent, False
        if self.keyframes.on_its_way(now_ns):
            return [], False
        if self.keyframes.want(now_ns):
            return [], True
        return recent, False

    def _recent(self) -> list[Frame]:
        """The newest frames that can be a beginning."""
        return [] if self._broken else self.history.group_of_pictures()

    @staticmethod
    def _is_fresh(frames: list[Frame], now_ns: int) -> bool:
        return bool(frames) and now_ns - frames[0].at_ns <= CATCH_UP_NS

    def bits_per_second(self, now_ns: int) -> int:
        """Of RTP payload, lately; `nominal_bps` while there is no such track on the bus."""
        if now_ns - self._measured_ns >= MEASURED_LASTS_NS:
            self._measured_bps = self.history.bits_per_second(now_ns) or self._nominal_bps
            self._measured_ns = now_ns
        return self._measured_bps

    def report_time(self, now_ns: int) -> tuple[int, int]:
        """NTP time and RTP ticks of `now_ns`: the pair of sender reports (RFC 3550 section 6.4.1)."""
        return self.ntp(now_ns), clock.ticks(now_ns, self.rate)

    def ntp(self, now_ns: int) -> int:
        """NTP time of `now_ns`, as in sender reports."""
        return clock.ntp(now_ns, self._wall_offset_ns)
