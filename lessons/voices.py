"""From pupils' voices to fragments: a source of sound alone, on the lesson's timeline.

Pure, as `lessons.assembler` is, whose orders it gives: a fragment is a second of Opus as it came. A part begins at its
first packet's place, goes on through short pauses (filled with silence), and ends where a longer one begins, the
publisher changes, or the lesson's timeline jumps.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance import fmp4
from appliance.fmp4 import AUDIO_TRACK, OPUS, VIDEO_TIMESCALE, Run, Sample
from appliance.messages import Packet
from lessons.assembler import (
    ALIGNMENT_S,
    ANY_CUT_S,
    AUDIO_DRIFT_S,
    SECOND,
    SILENCE,
    SILENCE_SAMPLES,
    Append,
    Close,
    Order,
    part_name,
)
from lessons.journal import TALK, Fragment, PartClosed, PartOpened, Record

PAUSE_S = 2.0  # a longer one ends the part


@dataclass
class _Open:
    """The part being written: `samples` are pending, from `begin` (samples) on; `end` (ticks) is what is in order."""

    number: int
    start: int
    origin_ns: int
    epoch: int
    begin: int
    end: int
    samples: list[Sample] = field(default_factory=list)
    pending: int = 0
    end_ns: int = 0
    seq: int = 0
    length: int = 0
    fragments: int = 0

    @property
    def next(self) -> int:
        return self.begin + self.pending

    def add(self, data: bytes, duration: int) -> None:
        self.samples.append(Sample(data, duration, True))
        self.pending += duration


class Voices:
    """Feed it every packet in order with `push`, and end it with `finish`.

    `number` and `start` (ticks) are the next part's: nothing is recorded before that place. `place` gives the place of
    a capture time on the lesson's timeline (ticks; None: it has none now).
    """

    def __init__(self, number: int, start: int, boot_id: str, place: Callable[[int], int | None]) -> None:
        self._number = number
        self._start = start
        self._boot_id = boot_id
        self._place = place
        self._part: _Open | None = None
        self._last: tuple[int, int] | None = None

    def push(self, packet: Packet, at: float) -> list[Order]:
        """Take the next packet; `at` is the wall time in Unix seconds."""
        return list(self._sound(packet, at))

    def finish(self, at: float, reason: str | None) -> list[Order]:
        """Write what is pending; with a `reason` also close the part."""
        return list(self._end(at, reason))

    def _sound(self, packet: Packet, at: float) -> Iterator[Order]:
        last = self._last
        if last and packet.epoch == last[0] and packet.seq <= last[1]:
            return
        self._last = packet.epoch, packet.seq
        place = self._place(packet.pts_ns)
        if self._part and (reason := self._broken(self._part, packet, place)):
            yield from self._end(at, reason)
        if place is None:
            return
        if self._part is None:
            if place < self._start:
                return
            self._part = _Open(self._number, place, packet.pts_ns, packet.epoch, _samples(place), place)
            self._number += 1
        elif self._part.pending >= ANY_CUT_S * OPUS.rate:
            yield self._cut(self._part, at)
        self._add(self._part, packet, _samples(place))

    @staticmethod
    def _broken(part: _Open, packet: Packet, place: int | None) -> str:
        """Why a packet cannot stand in this part; empty when it can."""
        if place is None:
            return "moved"
        if packet.epoch != part.epoch:
            return "epoch"
        ahead = _samples(place) - part.next
        if ahead > PAUSE_S * OPUS.rate:
            return "pause"
        return "moved" if ahead < -ALIGNMENT_S * OPUS.rate else ""

    @staticmethod
    def _add(part: _Open, packet: Packet, place: int) -> None:
        """Take in a packet where it belongs: behind silence where something lacks, not at all where it comes twice."""
        ahead = place - part.next
        if ahead <= -AUDIO_DRIFT_S * OPUS.rate:
            return
        if ahead >= AUDIO_DRIFT_S * OPUS.rate:
            for _ in range(ahead // SILENCE_SAMPLES):
                part.add(SILENCE, SILENCE_SAMPLES)
        part.add(packet.data, round(packet.duration_ns * OPUS.rate / SECOND))
        part.end_ns, part.seq = packet.pts_ns + packet.duration_ns, packet.seq

    def _end(self, at: float, reason: str | None) -> Iterator[Order]:
        part = self._part
        if part is None:
            return
        if part.samples:
            yield self._cut(part, at)
        if reason is not None:
            self._part = None
            yield Close(PartClosed(part.number, reason))

    def _cut(self, part: _Open, at: float) -> Append:
        """The pending samples as one fragment."""
        init = b""
        records: list[Record] = []
        if not part.length:
            init = fmp4.init_segment(None, OPUS)
            records.append(self._opened(part, init))
        part.fragments += 1
        data = fmp4.fragment(part.fragments, [Run(AUDIO_TRACK, part.begin, part.samples)])
        end = max(part.end + 1, part.next * VIDEO_TIMESCALE // OPUS.rate)
        records.append(
            Fragment(
                part.number,
                part.length + len(init),
                len(data),
                part.end,
                end - part.end,
                True,
                part.end_ns,
                0,
                part.epoch,
                part.seq,
                part.next,
                at,
                zlib.crc32(data),
            )  # fmt: skip
        )
        part.length += len(init) + len(data)
        part.begin, part.pending, part.samples = part.next, 0, []
        self._start = part.end = end
        return Append(part_name(part.number, TALK), init + data, tuple(records))

    def _opened(self, part: _Open, init: bytes) -> PartOpened:
        return PartOpened(
            part.number, part_name(part.number, TALK), len(init), part.epoch, self._boot_id, part.origin_ns,
            part.start, fmp4.codecs(None, OPUS), None, OPUS, zlib.crc32(init),
        )  # fmt: skip


def _samples(place: int) -> int:
    """A place on the timeline (ticks) in samples."""
    return place * OPUS.rate // VIDEO_TIMESCALE
