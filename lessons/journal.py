"""The journal of a lesson: the truth about what is on disk. Pure, no I/O.

A line is ``CRC SEQ JSON\\n``: the CRC-32 (eight hex digits) of ``SEQ JSON``, a line number counted from 1, and one
tagged record. Power cuts, full disks and dying flash leave torn, zeroed or garbled tails; the parser takes every
prefix of good lines and says how many bytes they are. Positions and durations are 90 kHz ticks on the lesson's
timeline, which starts at 0 with its first keyframe and has no holes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from appliance.fmp4 import VIDEO_TIMESCALE, Audio, Video

NAME = "journal.jsonl"
CAMERA, SCREEN = "camera", "screen"


class Created(msgspec.Struct, frozen=True, tag="created"):
    """The first line of every journal; `started_at` in Unix seconds."""

    id: str
    title: str
    code: str
    started_at: float
    boot_id: str


class PartOpened(msgspec.Struct, frozen=True, tag="part_opened"):
    """A part file begins: `init_length` bytes of initialisation segment, then fragments.

    `origin_ns` is the capture time of its first keyframe on the monotonic clock of boot `boot_id`; it stands at
    `start` on the lesson's timeline. `epoch` is the video encoder's.
    """

    number: int
    file: str
    init_length: int
    epoch: int
    boot_id: str
    origin_ns: int
    start: int
    codecs: str
    video: Video
    audio: Audio | None


class Fragment(msgspec.Struct, frozen=True, tag="fragment"):
    """`length` durable bytes at `offset` of a part file; `keyframe` when they start with a video keyframe.

    `end_ns` is the capture time where the next fragment begins, `video_seq` and `audio_seq` the last packets
    inside (`audio_seq` is None before the first), `audio_end` the audio track's next decode time in samples,
    `at` the wall time of writing in Unix seconds.
    """

    part: int
    offset: int
    length: int
    start: int
    duration: int
    keyframe: bool
    end_ns: int
    video_seq: int
    audio_epoch: int | None
    audio_seq: int | None
    audio_end: int | None
    at: float


class PartClosed(msgspec.Struct, frozen=True, tag="part_closed"):
    """Nothing more comes into this part."""

    number: int
    reason: str


class Gap(msgspec.Struct, frozen=True, tag="gap"):
    """Something was not recorded before the next part: `seconds`, or None when nobody can know."""

    seconds: float | None
    reason: str


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The lesson was ended by its teacher; `at` in Unix seconds."""

    at: float


class Interrupted(msgspec.Struct, frozen=True, tag="interrupted"):
    """The lesson was found live long after it died, and closed; `at` in Unix seconds."""

    at: float


class PartCut(msgspec.Struct, frozen=True, tag="part_cut"):
    """Recovery found only `length` bytes of this part whole: its fragments behind them are gone."""

    number: int
    length: int


class SourceRecord(msgspec.Struct, frozen=True, tag="source"):
    """A record of a source recorded beside the camera (`screen`), in parts of its own on the lesson's timeline.

    Readers that know nothing of it pass over the line and see the camera's recording as it is.
    """

    source: str
    record: PartOpened | Fragment | PartClosed | PartCut


Record = Created | PartOpened | Fragment | PartClosed | Gap | Stopped | Interrupted | SourceRecord

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class Parsed(NamedTuple):
    """`records` of the good lines, the byte each ends at, all good bytes, and the number of the next line."""

    records: list[Record]
    ends: list[int]
    good: int
    next_line: int


def encode(records: Iterable[Record], first_line: int) -> bytes:
    """The lines of `records`, numbered from `first_line`."""
    lines = bytearray()
    for number, record in enumerate(records, first_line):
        body = b"%d %b" % (number, _encoder.encode(record))
        lines += b"%08x %b\n" % (zlib.crc32(body), body)
    return bytes(lines)


def parse(data: bytes, first_line: int = 1) -> Parsed:
    """Read lines up to the first bad one; never raises. A good line of an unknown (later) kind is passed over."""
    records: list[Record] = []
    ends: list[int] = []
    good, number = 0, first_line
    while (end := data.find(b"\n", good)) >= 0:
        body = _checked(data[good:end], number)
        if body is None:
            break
        good, number = end + 1, number + 1
        try:
            records.append(_decoder.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        ends.append(good)
    return Parsed(records, ends, good, number)


def _checked(line: bytes, number: int) -> bytes | None:
    """The JSON of a line whose checksum and number are right, else None."""
    prefix = b"%d " % number
    body = line[9:]
    if line[8:9] != b" " or not body.startswith(prefix) or line[:8] != b"%08x" % zlib.crc32(body):
        return None
    return body[len(prefix) :]


def closes(tail: bytes) -> bool:
    """Whether the last line in `tail` (the end of a journal) is whole and ends the lesson."""
    line = tail[tail.rfind(b"\n", 0, len(tail) - 1) + 1 : -1]
    body = line[9:]
    if not tail.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return False
    try:
        return isinstance(_decoder.decode(body.partition(b" ")[2]), Stopped | Interrupted)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


@dataclass
class Part:
    """One part: how it opened, its durable fragments in order, why it was closed (None: it was not)."""

    opened: PartOpened
    fragments: list[Fragment] = field(default_factory=list)
    closed: str | None = None

    @property
    def length(self) -> int:
        """Bytes of the part file that the journal vouches for."""
        last = self.fragments[-1] if self.fragments else None
        return last.offset + last.length if last else self.opened.init_length

    @property
    def end(self) -> int:
        """Where the part ends on the lesson's timeline, in ticks."""
        last = self.fragments[-1] if self.fragments else None
        return last.start + last.duration if last else self.opened.start


@dataclass
class Strand:
    """The parts of one source. `apply` is the only way it changes."""

    parts: list[Part] = field(default_factory=list)
    bytes: int = 0
    last_at: float = 0.0

    def apply(self, record: Record | PartCut) -> None:
        """Take in the next record. Records that contradict the earlier ones are passed over."""
        match record:
            case PartOpened():
                self.parts.append(Part(record))
                self.bytes += record.init_length
            case Fragment() if self.parts and self.parts[-1].opened.number == record.part:
                self.parts[-1].fragments.append(record)
                self.bytes += record.length
                self.last_at = record.at
            case PartClosed() if self.parts and self.parts[-1].opened.number == record.number:
                self.parts[-1].closed = record.reason
            case PartCut() if self.parts and self.parts[-1].opened.number == record.number:
                kept = [one for one in self.parts[-1].fragments if one.offset + one.length <= record.length]
                self.bytes -= sum(one.length for one in self.parts[-1].fragments[len(kept) :])
                self.parts[-1].fragments = kept
            case _:
                pass

    @property
    def end(self) -> int:
        """The durable end on the lesson's timeline, in ticks."""
        return self.parts[-1].end if self.parts else 0

    @property
    def last_fragment(self) -> Fragment | None:
        """The last durable fragment of the last part, None while that part has none."""
        return self.parts[-1].fragments[-1] if self.parts and self.parts[-1].fragments else None


class Hole(NamedTuple):
    """A gap at its place on the timeline (ticks): `seconds` were not recorded, None when nobody can know."""

    at: int
    seconds: float | None
    reason: str


LONGEST_HOLE_S = 7 * 86_400.0  # a longer one is a clock that jumped


@dataclass
class Recording:
    """A lesson as its journal tells it: the fold of its records. `apply` is the only way it changes.

    `camera` makes the timeline; `beside` are the other sources, by name.
    """

    created: Created
    camera: Strand = field(default_factory=Strand)
    beside: dict[str, Strand] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    state: Literal["live", "ended", "interrupted"] = "live"

    def apply(self, record: Record) -> None:
        """Take in the next record."""
        match record:
            case Gap():
                self.gaps.append(record)
                self.holes.append(Hole(self.end, record.seconds, record.reason))
            case Stopped():
                self.state = "ended"
            case Interrupted():
                self.state = "interrupted"
            case SourceRecord():
                self.beside.setdefault(record.source, Strand()).apply(record.record)
            case Fragment():
                self._fill_in(record)
                self.camera.apply(record)
            case _:
                self.camera.apply(record)

    def _fill_in(self, fragment: Fragment) -> None:
        """Over a reboot only wall time says how long a hole was: from the last fragment's writing to this one's."""
        if not self.holes or self.holes[-1].seconds is not None or not self.camera.last_at or self._after_hole:
            return
        seconds = fragment.at - fragment.duration / VIDEO_TIMESCALE - self.camera.last_at
        self.holes[-1] = self.holes[-1]._replace(seconds=seconds if 0 <= seconds <= LONGEST_HOLE_S else None)

    @property
    def _after_hole(self) -> bool:
        """Whether something was recorded behind the last hole."""
        return self.end > self.holes[-1].at

    def strand(self, source: str) -> Strand:
        """The parts of `source`; an empty one when there are none."""
        return self.camera if source == CAMERA else self.beside.get(source, Strand())

    @property
    def parts(self) -> list[Part]:
        """The camera's parts."""
        return self.camera.parts

    @property
    def bytes(self) -> int:
        return self.camera.bytes + sum(one.bytes for one in self.beside.values())

    @property
    def last_at(self) -> float:
        """When something was last written, in Unix seconds."""
        return max(self.created.started_at, self.camera.last_at, *(one.last_at for one in self.beside.values()))

    @property
    def end(self) -> int:
        """The durable end of the lesson's timeline, in ticks."""
        return self.camera.end

    @property
    def duration_s(self) -> float:
        return self.end / VIDEO_TIMESCALE

    @property
    def last_fragment(self) -> Fragment | None:
        """The camera's last durable fragment, None while its last part has none."""
        return self.camera.last_fragment


def fold(records: Iterable[Record]) -> Recording | None:
    """The lesson that `records` tell, or None when they do not begin with Created."""
    iterator = iter(records)
    first = next(iterator, None)
    if not isinstance(first, Created):
        return None
    recording = Recording(first)
    for record in iterator:
        recording.apply(record)
    return recording
