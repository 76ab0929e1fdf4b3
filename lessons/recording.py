"""A lesson as its journal tells it: the fold of its records. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Visibility
from lessons.journal import (
    CAMERA,
    Created,
    Described,
    Fragment,
    Gap,
    Interrupted,
    Mark,
    MarkRemoved,
    PartClosed,
    PartCut,
    PartOpened,
    Record,
    Sent,
    SourceRecord,
    Stopped,
    TalkRecorded,
    Track,
    TrackRemoved,
    Trimmed,
    Warned,
)


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
    last_at: float = 0.0

    def apply(self, record: Record) -> None:
        """Take in the next record. Records that contradict the earlier ones are passed over."""
        match record:
            case PartOpened():
                self.parts.append(Part(record))
            case Fragment() if self.parts and self.parts[-1].opened.number == record.part:
                self.parts[-1].fragments.append(record)
                self.last_at = record.at
            case PartClosed() if self.parts and self.parts[-1].opened.number == record.number:
                self.parts[-1].closed = record.reason
            case PartCut() if self.parts and self.parts[-1].opened.number == record.number:
                kept = [one for one in self.parts[-1].fragments if one.offset + one.length <= record.length]
                self.parts[-1].fragments = kept
            case _:
                pass

    @property
    def bytes(self) -> int:
        """Bytes on disk. A part of which no fragment is left is emptied."""
        return sum(part.length for part in self.parts if part.fragments)

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


class About(NamedTuple):
    """What people call the lesson, who may see it, and when it is to be deleted (Unix seconds; None: the school's
    setting says)."""

    title: str
    subject: str = ""
    group: str = ""
    teacher: str = ""
    visibility: Visibility = "class"
    ends_at: float | None = None

    def corrected(self, said: Described) -> About:
        """As `said` has it, where that says something."""
        values = ((name, getattr(said, name)) for name in self._fields)
        return self._replace(**{name: value for name, value in values if value is not None})


LONGEST_HOLE_S = 7 * 86_400.0  # a longer one is a clock that jumped


@dataclass
class Recording:
    """A lesson as its journal tells it: the fold of its records. `apply` is the only way it changes.

    `camera` makes the timeline; `beside` are the other sources, by name. `removed_marks` are the ids of marks that
    somebody took away: what finds pages must not bring them back. `tracks` are the captions, by language. `trim` is the
    shown part of the timeline, `sent` the uplinks that have the lesson as it is now, `warned_at` since when (Unix
    seconds) its teacher has been told of its deletion, `records_talk` the teacher's switch.
    """

    created: Created
    about: About = field(init=False)
    camera: Strand = field(default_factory=Strand)
    beside: dict[str, Strand] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    removed_marks: set[str] = field(default_factory=set)
    tracks: dict[str, Track] = field(default_factory=dict)
    trim: tuple[int | None, int | None] = (None, None)
    sent: dict[str, Sent] = field(default_factory=dict)
    warned_at: float | None = None
    records_talk: bool = False
    state: Literal["live", "ended", "interrupted"] = "live"

    def __post_init__(self) -> None:
        self.about = About(self.created.title)

    def apply(self, record: Record) -> None:
        """Take in the next record."""
        match record:
            case Gap():
                self.gaps.append(record)
                self.holes.append(Hole(self.end, record.seconds, record.reason))
            case Mark():
                self.marks[record.id] = record
                self.removed_marks.discard(record.id)
            case MarkRemoved():
                self.marks.pop(record.id, None)
                self.removed_marks.add(record.id)
            case Track():
                self.tracks[record.language] = record
            case TrackRemoved():
                self.tracks.pop(record.language, None)
            case Described():
                self.about = self.about.corrected(record)
            case Trimmed():
                self.trim = record.start, record.end
            case Sent():
                self.sent[record.uplink] = record
            case Warned():
                self.warned_at = record.wall
            case TalkRecorded():
                self.records_talk = record.on
            case Stopped():
                self.state = "ended"
            case Interrupted():
                self.state = "interrupted"
            case SourceRecord():
                self.beside.setdefault(record.source, Strand()).apply(record.record)
            case Fragment():
                self._fill_in(record)
                self.camera.apply(record)
            case PartOpened():
                # A lesson that has grown is another than the one that was sent, or that somebody was warned of.
                self.sent, self.warned_at = {}, None
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

    @property
    def lost_s(self) -> float:
        """How much was not recorded, as far as that is known."""
        return sum(hole.seconds or 0.0 for hole in self.holes)

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
