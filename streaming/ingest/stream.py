"""One incoming track, from RTP packets to packets of the bus, and what its receiver reports say. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from appliance.messages import AudioFormat, Packet, VideoFormat
from streaming import clock
from streaming.ingest import opus, rtp
from streaming.ingest.feedback import Block, SenderReport
from streaming.ingest.h264 import Depacketiser
from streaming.ingest.reorder import Ordered, Reorder
from streaming.ingest.timing import Offset, TrackClock

VIDEO_WAIT_NS = 300_000_000  # a few round trips for a resent packet: the next keyframe costs more
AUDIO_WAIT_NS = 60_000_000
FIRST_DURATION_NS = 33_000_000
LONGEST_DURATION_NS = clock.NS


@dataclass(frozen=True, slots=True)
class Incoming:
    """What SDP settled for one track that comes in."""

    kind: Literal["audio", "video"]
    payload_types: frozenset[int]


class Stream:
    """`source` and `rung` name the track on the bus, `epoch` this run of it; `shared` is the publisher's clock."""

    def __init__(self, incoming: Incoming, *, source: str, rung: str, epoch: int, shared: Offset) -> None:
        self.kind = incoming.kind
        self.payload_types = incoming.payload_types
        self.ssrc = 0
        self.lost = 0
        self.keyframe_seen = False
        self._video = incoming.kind == "video"
        self._rate = clock.VIDEO_RATE if self._video else clock.AUDIO_RATE
        self._source, self._rung, self._epoch = source, rung, epoch
        self._shared = shared
        self._seq = 0
        self._malformed = 0
        self._last_pts_ns: int | None = None
        self._clock = TrackClock(self._rate, shared)
        self._begin(0)

    def _begin(self, ssrc: int) -> None:
        """Another SSRC is another stream: numbers, timestamps and pictures start anew; time on the bus does not."""
        self.ssrc = ssrc
        self._reorder = Reorder(VIDEO_WAIT_NS if self._video else AUDIO_WAIT_NS)
        self._pictures = Depacketiser()
        self._clock = TrackClock(self._rate, self._shared, self._clock.last_ns)
        self._jitter = 0.0
        self._transit: int | None = None
        self._reported = (0, 0)
        self._report: tuple[int, int] | None = None

    @property
    def track(self) -> str:
        return f"{self._source}/{self._rung}"

    @property
    def wanting(self) -> bool:
        """Whether only a keyframe helps."""
        return self._video and self._pictures.wanting

    @property
    def malformed(self) -> int:
        """Payloads that were not what their codec says."""
        return self._malformed + self._pictures.malformed

    def push(self, packet: rtp.Packet, now_ns: int) -> list[Packet]:
        """Take one RTP packet; gives the bus's packets that are whole now."""
        if packet.ssrc != self.ssrc:
            self._begin(packet.ssrc)
        self._note_jitter(packet, now_ns)
        return self._whole(self._reorder.push(packet, now_ns))

    def expire(self, now_ns: int) -> list[Packet]:
        """The same for time that has passed."""
        return self._whole(self._reorder.expire(now_ns))

    def missing(self, now_ns: int) -> list[int]:
        """Sequence numbers to ask for again; sound does not wait for them."""
        return self._reorder.wanted(now_ns) if self._video else []

    def reported(self, report: SenderReport, now_ns: int) -> None:
        """Take in a sender report of this stream."""
        if report.ssrc == self.ssrc:
            self._clock.report(report.ntp, report.ticks)
            self._report = report.ntp >> 16 & 0xFFFFFFFF, now_ns

    def block(self, now_ns: int) -> Block | None:
        """The report block for what came since the last call (RFC 3550 section 6.4.1 and appendix A.3)."""
        if not self._reorder.received:
            return None
        expected, received = self._reorder.expected, self._reorder.received
        due, came = expected - self._reported[0], received - self._reported[1]
        self._reported = expected, received
        last, at_ns = self._report or (0, now_ns)
        return Block(
            self.ssrc,
            min(255, max(0, due - came) * 256 // due) if due > 0 else 0,
            expected - received,
            self._reorder.highest,
            int(self._jitter),
            last,
            (now_ns - at_ns) * 65536 // clock.NS,
        )

    def _note_jitter(self, packet: rtp.Packet, now_ns: int) -> None:
        transit = (clock.ticks(now_ns, self._rate) - packet.ticks) & 0xFFFFFFFF
        if self._transit is not None:
            change = (transit - self._transit + 0x80000000) % 0x100000000 - 0x80000000
            self._jitter += (abs(change) - self._jitter) / 16
        self._transit = transit

    def _whole(self, ordered: Iterable[Ordered]) -> list[Packet]:
        result = []
        for one in ordered:
            self.lost += one.lost
            result += self._pictures_of(one) if self._video else self._sound_of(one)
        return result

    def _pictures_of(self, one: Ordered) -> list[Packet]:
        result = []
        for unit in self._pictures.push(one.packet, one.arrived_ns, one.lost):
            pts_ns = self._clock.pts_ns(unit.ticks, unit.arrived_ns)
            last = self._last_pts_ns
            duration = FIRST_DURATION_NS if last is None else min(LONGEST_DURATION_NS, max(1, pts_ns - last))
            self._last_pts_ns = pts_ns
            self._seq += 1
            self.keyframe_seen = self.keyframe_seen or unit.keyframe
            result.append(
                Packet(
                    self._source, self._rung, "h264", self._epoch, self._seq, pts_ns, duration, unit.keyframe,
                    VideoFormat(unit.width, unit.height), unit.data,
                )
            )  # fmt: skip
        return result

    def _sound_of(self, one: Ordered) -> list[Packet]:
        data = one.packet.payload
        if not data:
            return []
        try:
            duration = opus.duration_ns(data)
        except opus.OpusError:
            self._malformed += 1
            return []
        self._seq += 1 + one.lost
        pts_ns = self._clock.pts_ns(one.packet.ticks, one.arrived_ns)
        return [
            Packet(
                self._source, self._rung, "opus", self._epoch, self._seq, pts_ns, duration, True,
                AudioFormat(clock.AUDIO_RATE, opus.channels(data)), data,
            )
        ]  # fmt: skip
