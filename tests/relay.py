"""A weak line between two hosts: packets pass with a rate, a bounded queue, a delay, bursts of loss, and outages.

`Way` is one direction, pure, with time as an argument. `Relay` is the shell: a thread that carries packets between two
descriptors of which each read gives one packet and each write takes one, as those of TUN devices do (tests.tunnels):
all that the hosts say to each other, whatever the protocol, goes through it.
"""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType

NS = 1_000_000_000
LARGEST_PACKET = 65536


@dataclass(frozen=True, slots=True)
class Line:
    """What both directions do to packets. `rate` is in bits a second (None: no bottleneck), with a queue of so many
    bytes before it; `delay_ns` comes on top. `loss` is the share of packets that is lost, in bursts of `burst` packets
    on average (Gilbert's model: of two states, in one everything passes, in the other nothing)."""

    rate: int | None = None
    queue_bytes: int = 1 << 30
    delay_ns: int = 0
    loss: float = 0.0
    burst: float = 1.0


class Way:
    """One direction of a line. Packets leave in the order in which they came; while `cut` is set, none comes and none
    leaves. Times are ns of any one clock."""

    def __init__(self, line: Line, seed: int) -> None:
        self.line = line
        self.cut = False
        self.passed = self.lost = self.overflowed = 0
        self._random = random.Random(seed)
        self._losing = False
        self._free_ns = 0
        self._under_way: deque[tuple[int, bytes]] = deque()

    def put(self, packet: bytes, now_ns: int) -> None:
        """A packet has come: it goes on its way, or is lost."""
        if self.cut or self._lose():
            self.lost += 1
            return
        free_ns = max(self._free_ns, now_ns)
        if self.line.rate is not None:
            queued = (free_ns - now_ns) * self.line.rate // (8 * NS)
            if queued + len(packet) > self.line.queue_bytes:
                self.overflowed += 1
                return
            free_ns += len(packet) * 8 * NS // self.line.rate
        self._free_ns = free_ns
        self._under_way.append((free_ns + self.line.delay_ns, packet))

    def take(self, now_ns: int) -> list[bytes]:
        """The packets that have arrived at the other end by now."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now_ns:
            arrived.append(self._under_way.popleft()[1])
        if self.cut:
            self.lost += len(arrived)
            return []
        self.passed += len(arrived)
        return arrived

    def due_ns(self) -> int | None:
        """When the next packet arrives; None when none is under way."""
        return self._under_way[0][0] if self._under_way else None

    def _lose(self) -> bool:
        line = self.line
        if line.loss >= 1:
            return True
        change = 1 / line.burst if self._losing else line.loss / (line.burst * (1 - line.loss))
        if self._random.random() < change:
            self._losing = not self._losing
        return self._losing


class Relay:
    """Carries packets between the descriptors `near` and `far`, which stay the caller's, from `with` to its end.

    Equal seeds lose equal packets.
    """

    def __init__(self, near: int, far: int, line: Line, seed: int = 1) -> None:
        self.to_far, self.to_near = Way(line, seed), Way(line, seed + 1)
        self._ways = {near: (self.to_far, far), far: (self.to_near, near)}
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="relay")

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._wake, b"x")
        self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    def change(self, line: Line) -> None:
        """Both directions from now on."""
        self.to_far.line = self.to_near.line = line

    def cut(self) -> None:
        """Nothing passes any more, either way; what is under way is lost. Until `mend`."""
        self.to_far.cut = self.to_near.cut = True

    def mend(self) -> None:
        self.to_far.cut = self.to_near.cut = False

    def _run(self) -> None:
        poll = select.poll()
        for descriptor in (*self._ways, self._woken):
            poll.register(descriptor, select.POLLIN)
        while True:
            due = [due_ns for way, _ in self._ways.values() if (due_ns := way.due_ns()) is not None]
            wait_ms = max(0, (min(due) - time.monotonic_ns()) / 1e6) if due else None
            for descriptor, _ in poll.poll(wait_ms):
                if descriptor == self._woken:
                    return
                self._ways[descriptor][0].put(os.read(descriptor, LARGEST_PACKET), time.monotonic_ns())
            for way, onto in self._ways.values():
                for packet in way.take(time.monotonic_ns()):
                    os.write(onto, packet)
