"""One track on its way to one viewer: RTP headers, sequence numbers, what may be sent, what may be resent.

Pure: what sends is an argument. `Lane.send` runs for every frame of every viewer, so it does as little as it can.
A frame of more than one burst, or of the past, is not sent at once: what is left of it is the lane's backlog, which
`Lane.proceed` sends a burst at a time, and which everything later waits behind.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from streaming.burst import MOST_PACKETS, TICKS_MASK, Burst, Layout, Path, Times, packet
from streaming.history import Frame, History

if TYPE_CHECKING:
    from streaming.cohort import Cohort

MAX_RESENDS = 3
RUNS_KEPT = 32
RESENDS_KEPT = 1024
ROUND_TRIP_NS = 50_000_000  # until the viewer's first report tells
CATCH_UP_STEP_S = 0.001
MOST_BACKLOG = 64  # bursts: more than any two seconds of picture that a browser can begin with
PADDING_BYTES = 255  # what the last byte of a packet can count
_PADDED = 0x20
# SRTP would lose count of an early wrap when the first packets are lost (RFC 3711 section 3.3.1): who would begin so
# near it begins elsewhere.
_NEAR_WRAP = 0xE000


class Ssrcs(NamedTuple):
    """What names a stream in its RTP session, and the RTX stream that repairs it (32 bits each, RFC 3550 section 8).
    Each viewer is a session of its own: all may have the same ones."""

    media: int
    repair: int

    @classmethod
    def chosen(cls) -> Ssrcs:
        """At random, as they must be."""
        media, repair = random.sample(range(1, 1 << 32), 2)
        return cls(media, repair)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What SDP and DTLS settled for one track. Extension ids are 0 where the offer had none; `trailer` is how many
    bytes encryption adds to a packet. `repair_ssrc` and `repair_payload_type` are those of RTX (RFC 4588), the type 0
    where it was not negotiated."""

    kind: str
    ssrc: int
    payload_type: int
    rate: int
    cname: str
    mid: str
    mid_id: int
    abs_send_time_id: int
    trailer: int
    capture_time_id: int = 0
    playout_delay_id: int = 0
    repair_ssrc: int = 0
    repair_payload_type: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """From packet `sent` on, a viewer's packets are the history's payloads from `first` on, one by one.

    With `anchor`, timestamps are squeezed to end at that frame: see `Lane.catch_up`.
    """

    sent: int
    first: int
    anchor: Frame | None


class Lane:
    """Sequence numbers begin at `first_seq`, or, when that is None, are the history's own for as long as the lane
    misses nothing: see `streaming.burst`. While it belongs to a cohort, that sends in its place."""

    def __init__(self, negotiated: Negotiated, *, first_seq: int | None = None) -> None:
        self.negotiated = negotiated
        self.first_seq = first_seq or 0
        self.waiting = negotiated.kind == "video"
        self.resent = 0
        self.padded = 0
        self.cohort: Cohort | None = None
        self.next = -1  # the payload number that continues the present run
        self.backlog: deque[tuple[Burst, int, Frame | None]] = deque()
        self._own_numbers = first_seq is None
        self._sent = 0
        self._octets = 0
        self._taken = -1  # the payload number behind the last frame that was sent or is in the backlog
        self._missed = False  # what came since the last packet: the next one begins a run
        self._anchor: Frame | None = None
        self._runs: deque[Run] = deque(maxlen=RUNS_KEPT)
        self.round_trip_ns = ROUND_TRIP_NS
        self._resends: dict[int, tuple[int, int]] = {}  # how often, and when last
        self._repaired = 0
        self._tick_step = int(negotiated.rate * CATCH_UP_STEP_S)
        self._layout = Layout(
            negotiated.ssrc,
            negotiated.payload_type,
            negotiated.mid,
            negotiated.mid_id,
            negotiated.abs_send_time_id,
            negotiated.capture_time_id,
            negotiated.playout_delay_id,
            negotiated.trailer,
        )
        self._repair = self._layout._replace(ssrc=negotiated.repair_ssrc, payload_type=negotiated.repair_payload_type)
        self._alike = sys.intern(repr(self._layout))

    @property
    def sent(self) -> int:
        """Packets sent so far, without those resent."""
        return self._sent if self.cohort is None else self._sent + self.cohort.sent

    @property
    def octets(self) -> int:
        """Bytes of payload in them."""
        return self._octets if self.cohort is None else self._octets + self.cohort.octets

    @property
    def shift(self) -> int:
        """What to add to a payload's number for the sequence number that it goes out under (modulo 2^16)."""
        return self.first_seq + self._sent - self.next & 0xFFFF

    @property
    def step(self) -> tuple[str, int, int] | None:
        """Lanes of the same step get the same packets from now on. None for one that must go its own way for now."""
        if self.waiting or self.backlog or self._missed or not self._sent or self._anchor is not None:
            return None
        return self._alike, self.shift, self.next

    def bursts(self, frame: Frame) -> list[Burst]:
        """The frame as this lane's datagrams."""
        return frame.made.get(self._alike) or frame.bursts(self._alike, self._layout)

    @property
    def overhead(self) -> int:
        """Bytes of a packet on the stream of RTX beside its payload."""
        return len(self._repair.head(Times(0, 0), marker=False)) + self._repair.trailer

    def send(self, frame: Frame, path: Path) -> bool:
        """Send a live frame, or its first burst. False when the socket was full, or the backlog is: the viewer then
        waits for the next keyframe."""
        if self.waiting:
            if not frame.keyframe:
                return True
            self.waiting = False
        elif frame.first < self._taken:
            return True  # it was among those to catch up with
        self._taken = frame.first + len(frame.payloads)
        bursts = self.bursts(frame)
        if self.backlog:
            if len(self.backlog) > MOST_BACKLOG:
                return self.give_up()
            self.backlog.extend((burst, burst.ticks, None) for burst in bursts)
            return True
        if len(bursts) > 1:
            self.backlog.extend((burst, burst.ticks, None) for burst in bursts[1:])
        return self._send(bursts[0], bursts[0].ticks, None, path)

    def catch_up(self, frames: list[Frame], path: Path) -> bool:
        """Begin with frames of the past, a keyframe first.

        Their timestamps are squeezed to a millisecond apart, up to the last one's own: a browser decodes them at
        once and shows the present, where their true times would make it play everything late from then on.
        """
        self.waiting = False
        anchor = frames[-1]
        for frame in frames:
            ticks = self._ticks(frame, anchor)
            self.backlog.extend((burst, ticks, anchor) for burst in self.bursts(frame))
        self._taken = anchor.first + len(anchor.payloads)
        return self.proceed(path)

    def proceed(self, path: Path) -> bool:
        """Send as much of the backlog as may leave at once. False when the socket was full."""
        packets = 0
        while self.backlog and packets < MOST_PACKETS:
            burst, ticks, anchor = self.backlog.popleft()
            if not self._send(burst, ticks, anchor, path):
                return False
            packets += burst.count
        return True

    def give_up(self) -> bool:
        """Drop what has not left yet; a picture goes on with the next keyframe. False, as `send` says it. For lanes
        of no cohort."""
        self.backlog.clear()
        self.waiting = self.negotiated.kind == "video"
        self._missed = True
        return False

    def leave(self, sent: int, octets: int, following: int, backlog: Iterable[Burst]) -> None:
        """The cohort is dissolved: it sent so much, payload number `following` comes next, and `backlog` is due."""
        self.cohort = None
        self._sent += sent
        self._octets += octets
        self.next = self._taken = following
        self.backlog.extend((burst, burst.ticks, None) for burst in backlog)
        if self.backlog:
            last = self.backlog[-1][0]
            self._taken = last.first + last.count

    def passed(self, burst: Burst) -> None:
        """The burst went out, all of it."""
        self._sent += burst.count
        self._octets += burst.octets
        self.next = burst.first + burst.count
        self._taken = max(self._taken, self.next)

    def stopped(self, burst: Burst, went: int) -> None:
        """Of a burst that was taken for passed only so many packets went."""
        self._sent += went - burst.count
        self._octets -= burst.octets
        self.next = burst.first + went
        self.give_up()

    def _send(self, burst: Burst, ticks: int, anchor: Frame | None, path: Path) -> bool:
        if burst.first != self.next or anchor is not self._anchor:
            self._begin_run(Run(self._sent, burst.first, anchor))
        went = path.send(burst, self.first_seq + self._sent & 0xFFFF, ticks)
        self._missed = False
        self._sent += went
        self.next = burst.first + went
        if went != burst.count:
            return self.give_up()
        self._octets += burst.octets
        return True

    def _begin_run(self, run: Run) -> None:
        if not self._sent and self._own_numbers:
            seq = run.first & 0xFFFF
            self.first_seq = seq if seq < _NEAR_WRAP else seq - 0x8000
        self._anchor = run.anchor
        if self._runs and self._runs[-1].sent == run.sent:
            self._runs.pop()  # nothing went out under it
        self._runs.append(run)

    def resend(self, seq: int, history: History, now_ns: int, abs_send_time: int) -> bytes | None:
        """The packet that went out as `seq` again, through RTX where negotiated, else byte for byte.

        None when it is too old, was resent often enough, or was resent within a round trip: then it may be on its way.
        """
        sent = self.sent
        number = sent - ((self.first_seq + sent - seq) & 0xFFFF)
        if not 0 <= number < sent:
            return None
        run = next((run for run in reversed(self._runs) if run.sent <= number), None)
        found = history.find(run.first + number - run.sent) if run else None
        if run is None or found is None or not self._may_resend(number, now_ns):
            return None
        self.resent += 1
        frame, position = found
        ticks, payload = self._ticks(frame, run.anchor), frame.payloads[position]
        marker = frame.marker and position == len(frame.payloads) - 1
        if not self.negotiated.repair_payload_type:
            return packet(self._layout, payload, frame.times, marker=marker, own=(seq, ticks))
        own = self._repair_header(ticks)
        # The original sequence number comes before the payload (RFC 4588 section 4).
        times = frame.times._replace(sent=abs_send_time)
        return packet(self._repair, seq.to_bytes(2) + payload, times, marker=marker, own=own)

    def padding(self, ticks: int, times: Times) -> bytes:
        """A packet that holds nothing: padding on the stream of RTX, which must have been negotiated. Receivers count
        it, for their reports and estimates, and throw it away (RFC 3550 section 5.1; WebRTC's senders probe so)."""
        self.padded += 1
        payload = bytes(PADDING_BYTES - 1) + bytes([PADDING_BYTES])
        own = self._repair_header(ticks & TICKS_MASK)
        made = bytearray(packet(self._repair, payload, times, marker=False, own=own))
        made[0] |= _PADDED
        return bytes(made)

    def _repair_header(self, ticks: int) -> tuple[int, int]:
        """Sequence number and timestamp of the next packet on the stream of RTX. It counts from 0: padding may go out
        before the picture has its first number."""
        seq = self._repaired & 0xFFFF
        self._repaired += 1
        return seq, ticks

    def _may_resend(self, number: int, now_ns: int) -> bool:
        times, last_ns = self._resends.pop(number, (0, 0))
        allowed = times < MAX_RESENDS and (not times or now_ns - last_ns >= self.round_trip_ns)
        self._resends[number] = (times + 1, now_ns) if allowed else (times, last_ns)
        if len(self._resends) > RESENDS_KEPT:
            del self._resends[next(iter(self._resends))]
        return allowed

    def _ticks(self, frame: Frame, anchor: Frame | None) -> int:
        ticks = frame.ticks if anchor is None else anchor.ticks - (anchor.number - frame.number) * self._tick_step
        return ticks & TICKS_MASK
