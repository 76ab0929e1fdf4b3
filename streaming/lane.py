"""One track on its way to one viewer: RTP headers, sequence numbers, what may be sent, what may be resent.

Pure: `send` gets a function that takes one RTP packet and says whether the socket had room. This is the code that
runs once per viewer and packet, so it does as little as it can: one struct, one concatenation, one call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from streaming.history import Frame, History

MAX_RESENDS = 3
RUNS_KEPT = 32
RESENDS_KEPT = 1024
CATCH_UP_STEP_S = 0.001
_EXTENSION_PROFILE = 0xBEDE  # RFC 8285 section 4.2, one-byte headers
_LARGEST_ONE_BYTE_ID = 14
_MASK = 0xFFFFFFFF

Send = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What SDP settled for one track. Extension ids are 0 where the offer had none."""

    kind: str
    ssrc: int
    payload_type: int
    rate: int
    cname: str
    mid: str
    mid_id: int
    abs_send_time_id: int


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
        self._run = Run(0, -1, None)
        self._runs: deque[Run] = deque(maxlen=RUNS_KEPT)
        self._resends: dict[int, int] = {}
        self._step = int(negotiated.rate * CATCH_UP_STEP_S)
        self._pack, self._abs_id, self._words, self._tail = _header_of(negotiated)

    def send(self, frame: Frame, send: Send) -> bool:
        """Send a live frame. False when the socket was full: the viewer then waits for the next keyframe."""
        if self.waiting:
            if not frame.keyframe:
                return True
            self.waiting = False
        return self._send(frame, send, None)

    def catch_up(self, frames: list[Frame], send: Send) -> bool:
        """Begin with frames of the past, a keyframe first.

        Their timestamps are squeezed to a millisecond apart, up to the last one's own: a browser decodes them at
        once and shows the present, where their true times would make it play everything late from then on.
        """
        self.waiting = False
        return all(self._send(frame, send, frames[-1]) for frame in frames)

    def _send(self, frame: Frame, send: Send, anchor: Frame | None) -> bool:
        run = self._run
        if run.first + self.sent - run.sent != frame.first or run.anchor is not anchor:
            run = Run(self.sent, frame.first, anchor)
            self._run = run
            if self._runs and self._runs[-1].sent == self.sent:
                self._runs.pop()  # nothing went out under it
            self._runs.append(run)
        negotiated = self.negotiated
        ticks = self._ticks(frame, anchor)
        kind, seq = negotiated.payload_type, self.first_seq + self.sent
        pack, ssrc, words, abs_time, tail = self._pack, negotiated.ssrc, self._words, self._abs_time(frame), self._tail
        last = len(frame.payloads) - 1 if frame.marker else -1
        for number, payload in enumerate(frame.payloads):
            mark = kind | 0x80 if number == last else kind
            head = pack(0x90, mark, (seq + number) & 0xFFFF, ticks, ssrc, _EXTENSION_PROFILE, words, abs_time, tail)
            if not send(head + payload):
                self.sent += number
                self.waiting = negotiated.kind == "video"
                return False
            self.octets += len(payload)
        self.sent += len(frame.payloads)
        return True

    def resend(self, seq: int, history: History) -> bytes | None:
        """The packet that went out as `seq`, byte for byte; None when it is too old or was resent often enough."""
        number = self.sent - ((self.first_seq + self.sent - seq) & 0xFFFF)
        if not 0 <= number < self.sent:
            return None
        run = next((run for run in reversed(self._runs) if run.sent <= number), None)
        found = history.find(run.first + number - run.sent) if run else None
        if run is None or found is None or self._resends.get(number, 0) >= MAX_RESENDS:
            return None
        self._resends[number] = self._resends.get(number, 0) + 1
        if len(self._resends) > RESENDS_KEPT:
            del self._resends[next(iter(self._resends))]
        self.resent += 1
        frame, position = found
        mark = 0x80 if frame.marker and position == len(frame.payloads) - 1 else 0
        head = self._pack(
            0x90,
            mark | self.negotiated.payload_type,
            seq,
            self._ticks(frame, run.anchor),
            self.negotiated.ssrc,
            _EXTENSION_PROFILE,
            self._words,
            self._abs_time(frame),
            self._tail,
        )
        return head + frame.payloads[position]

    def _abs_time(self, frame: Frame) -> int:
        return self._abs_id | frame.abs_send_time if self._abs_id else 0

    def _ticks(self, frame: Frame, anchor: Frame | None) -> int:
        ticks = frame.ticks if anchor is None else anchor.ticks - (anchor.number - frame.number) * self._step
        return (ticks + self.ticks_offset) & _MASK


def _header_of(negotiated: Negotiated) -> tuple[Callable[..., bytes], int, int, bytes]:
    """What packs a packet's head, abs-send-time's element without the time, words of extensions, and the rest of them.

    RFC 3550 section 5.1 and RFC 8285 section 4.2. Extension bits are set always: an extension of no words is as
    valid as one of three, and one layout is quicker than two. abs-send-time comes first, at a fixed place; where it
    was not negotiated, four bytes of padding stand there.
    """
    tail = b""
    if 0 < negotiated.mid_id <= _LARGEST_ONE_BYTE_ID:
        mid = negotiated.mid.encode()
        tail = bytes([negotiated.mid_id << 4 | len(mid) - 1]) + mid
    tail += bytes(-len(tail) % 4)
    words = len(tail) // 4 + 1
    identifier = negotiated.abs_send_time_id
    timed = 0 < identifier <= _LARGEST_ONE_BYTE_ID
    return Struct(f"!BBHIIHHI{len(tail)}s").pack, (identifier << 4 | 2) << 24 if timed else 0, words, tail
