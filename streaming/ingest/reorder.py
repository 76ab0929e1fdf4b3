"""RTP packets back in the order of their numbers, with what is missing told (RFC 3550) and asked for (RFC 4585). Pure.

A packet waits for those before it for at most `wait_ns`, and at most `MOST_WAITING` packets wait; then what is still
missing is given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streaming.ingest.rtp import Packet, Unwrapped

MOST_WAITING = 1024
LARGEST_JUMP = 3000  # RFC 3550 appendix A.1, MAX_DROPOUT: beyond it the sender has begun anew
MOST_NACKS = 4
NACK_AGAIN_NS = 50_000_000


@dataclass(slots=True)
class _Missing:
    since_ns: int
    asked: int = 0
    asked_ns: int = 0


@dataclass(frozen=True, slots=True)
class Ordered:
    """A packet in its place; `lost` packets before it never came."""

    packet: Packet
    arrived_ns: int
    lost: int


class Reorder:
    """One stream's packets. `received`, `expected` and `highest` (with its wraps) are what receiver reports tell."""

    def __init__(self, wait_ns: int) -> None:
        self._wait_ns = wait_ns
        self._numbers = Unwrapped(16)
        self._waiting: dict[int, tuple[Packet, int]] = {}
        self._missing: dict[int, _Missing] = {}
        self._next: int | None = None
        self._first = 0
        self._skipped = 0
        self.highest = 0
        self.received = 0

    @property
    def expected(self) -> int:
        """Packets that should have come so far."""
        return 0 if self._next is None else self.highest - self._first + 1

    def push(self, packet: Packet, now_ns: int) -> Iterator[Ordered]:
        """Take a packet; gives those that are now in order. Late and repeated ones are dropped."""
        number = self._numbers.take(packet.seq)
        if self._next is None:
            self._begin(number)
        assert self._next is not None
        if number > self.highest + LARGEST_JUMP:
            yield from self._flush()
            self._skipped += 1
            self._begin(number)
        elif number < self._next or number in self._waiting:
            return
        self.received += 1
        for absent in range(self.highest + 1, number):
            self._missing[absent] = _Missing(now_ns)
        self._missing.pop(number, None)
        self.highest = max(self.highest, number)
        self._waiting[number] = (packet, now_ns)
        yield from self.expire(now_ns)

    def expire(self, now_ns: int) -> Iterator[Ordered]:
        """Give what is in order, and give up what has been missing for too long."""
        while self._waiting:
            assert self._next is not None
            found = self._waiting.pop(self._next, None)
            if found is not None:
                yield self._give(*found)
                self._next += 1
                continue
            missing = self._missing.get(self._next)
            patient = missing is not None and now_ns - missing.since_ns < self._wait_ns
            if patient and len(self._waiting) <= MOST_WAITING:
                return
            self._missing.pop(self._next, None)
            self._skipped += 1
            self._next += 1

    def wanted(self, now_ns: int) -> list[int]:
        """The 16-bit numbers to ask for now: each at once, then every 50 ms, four times at most."""
        result = []
        for number, missing in self._missing.items():
            if missing.asked < MOST_NACKS and (not missing.asked or now_ns - missing.asked_ns >= NACK_AGAIN_NS):
                missing.asked += 1
                missing.asked_ns = now_ns
                result.append(number & 0xFFFF)
        return result

    def _begin(self, number: int) -> None:
        self._next, self._first, self.highest = number, number - self.received, number - 1
        self._missing.clear()

    def _flush(self) -> Iterator[Ordered]:
        for number in sorted(self._waiting):
            assert self._next is not None
            self._skipped += number - self._next
            yield self._give(*self._waiting[number])
            self._next = number + 1
        self._waiting.clear()

    def _give(self, packet: Packet, arrived_ns: int) -> Ordered:
        lost, self._skipped = self._skipped, 0
        return Ordered(packet, arrived_ns, lost)
