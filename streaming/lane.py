"""One track on its way to one viewer: RTP headers, sequence numbers, what may be sent, what may be resent.

Pure: what sends is an argument. `Lane.send` runs for every frame of every viewer, so it does as little as it can.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass

from streaming.burst import Layout, Path, packet
from streaming.history import Frame, History

MAX_RESENDS = 3
RUNS_KEPT = 32
RESENDS_KEPT = 1024
ROUND_TRIP_NS = 50_000_000  # until the viewer's first report tells
CATCH_UP_STEP_S = 0.001
_MASK = 0xFFFFFFFF


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
    """Sequence numbers begin at `first_seq`, timestamps are the track's plus `ticks_offset`."""

    def __init__(self, negotiated: Negotiated, *, first_seq: int, ticks_offset: int) -> None:
        self.negotiated = negotiated
        self.first_seq = first_seq
        self.ticks_offset = ticks_offset
        self.waiting = negotiated.kind == "video"
        self.sent = 0
        self.octets = 0
        self.resent = 0
        self._ssrc = negotiated.ssrc
        self._run = Run(0, -1, None)
        self._runs: deque[Run] = deque(maxlen=RUNS_KEPT)
        self.round_trip_ns = ROUND_TRIP_NS
        self._resends: dict[int, tuple[int, int]] = {}  # how often, and when last
        self._repaired = 0
        self._step = int(negotiated.rate * CATCH_UP_STEP_S)
        self._layout = Layout(
            negotiated.payload_type,
            negotiated.mid,
            negotiated.mid_id,
            negotiated.abs_send_time_id,
            negotiated.capture_time_id,
            negotiated.playout_delay_id,
            negotiated.trailer,
        )
        self._repair = self._layout._replace(payload_type=negotiated.repair_payload_type)
        self._alike = sys.intern(repr(self._layout))

    def send(self, frame: Frame, path: Path) -> bool:
        """Send a live frame. False when the socket was full: the viewer then waits for the next keyframe."""
        if self.waiting:
            if not frame.keyframe:
                return True
            self.waiting = False
        return self._send(frame, path, None)

    def catch_up(self, frames: list[Frame], path: Path) -> bool:
        """Begin with frames of the past, a keyframe first.

        Their timestamps are squeezed to a millisecond apart, up to the last one's own: a browser decodes them at
        once and shows the present, where their true times would make it play everything late from then on.
        """
        self.waiting = False
        return all(self._send(frame, path, frames[-1]) for frame in frames)

    def _send(self, frame: Frame, path: Path, anchor: Frame | None) -> bool:
        run = self._run
        if run.first + self.sent - run.sent != frame.first or run.anchor is not anchor:
            self._begin_run(Run(self.sent, frame.first, anchor))
        ticks = frame.ticks + self.ticks_offset & _MASK if anchor is None else self._ticks(frame, anchor)
        for burst in frame.made.get(self._alike) or frame.bursts(self._alike, self._layout):
            went = path.send(burst, self.first_seq + self.sent, ticks, self._ssrc)
            self.sent += went
            if went != burst.count:
                self.waiting = self.negotiated.kind == "video"
                return False
            self.octets += burst.octets
        return True

    def _begin_run(self, run: Run) -> None:
        self._run = run
        if self._runs and self._runs[-1].sent == run.sent:
            self._runs.pop()  # nothing went out under it
        self._runs.append(run)

    def resend(self, seq: int, history: History, now_ns: int, abs_send_time: int) -> bytes | None:
        """The packet that went out as `seq` again, through RTX where negotiated, else byte for byte.

        None when it is too old, was resent often enough, or was resent within a round trip: then it may be on its way.
        """
        number = self.sent - ((self.first_seq + self.sent - seq) & 0xFFFF)
        if not 0 <= number < self.sent:
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
            own = (seq, ticks, self.negotiated.ssrc)
            return packet(self._layout, payload, frame.times, marker=marker, own=own)
        own = ((self.first_seq + self._repaired) & 0xFFFF, ticks, self.negotiated.repair_ssrc)
        self._repaired += 1
        # The original sequence number comes before the payload (RFC 4588 section 4).
        times = frame.times._replace(sent=abs_send_time)
        return packet(self._repair, seq.to_bytes(2) + payload, times, marker=marker, own=own)

    def _may_resend(self, number: int, now_ns: int) -> bool:
        times, last_ns = self._resends.pop(number, (0, 0))
        allowed = times < MAX_RESENDS and (not times or now_ns - last_ns >= self.round_trip_ns)
        self._resends[number] = (times + 1, now_ns) if allowed else (times, last_ns)
        if len(self._resends) > RESENDS_KEPT:
            del self._resends[next(iter(self._resends))]
        return allowed

    def _ticks(self, frame: Frame, anchor: Frame | None) -> int:
        ticks = frame.ticks if anchor is None else anchor.ticks - (anchor.number - frame.number) * self._step
        return (ticks + self.ticks_offset) & _MASK
