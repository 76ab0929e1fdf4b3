"""The journal of a lesson: the truth about what is on disk. Pure, no I/O.

A line is ``CRC SEQ JSON\\n``: the CRC-32 (eight hex digits) of ``SEQ JSON``, a line number counted from 1, and one
tagged record. Power cuts, full disks and dying flash leave torn, zeroed or garbled tails; the parser takes every
prefix of good lines and says how many bytes they are. Positions and durations are 90 kHz ticks on the lesson's
timeline, which starts at 0 with its first keyframe and has no holes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from appliance.fmp4 import Audio, Video
from appliance.lines import frame, whole
from appliance.messages import Visibility

NAME = "journal.jsonl"
CAMERA, SCREEN, TALK = "camera", "screen", "talk"
JOINED = "joined"  # the reason of a gap where nothing is missing: two recordings meet


class Created(msgspec.Struct, frozen=True, tag="created"):
    """The first line of every journal; `started_at` in Unix seconds, `planned_end` too: when the bell is to ring, None
    when nobody said."""

    id: str
    title: str
    code: str
    started_at: float
    boot_id: str
    planned_end: float | None = None


class PartOpened(msgspec.Struct, frozen=True, tag="part_opened"):
    """A part file begins: `init_length` bytes of initialisation segment, then fragments.

    `origin_ns` is the capture time of its first keyframe on the monotonic clock of boot `boot_id`; it stands at
    `start` on the lesson's timeline. `epoch` is the video encoder's, `init_crc` the CRC-32 of the initialisation
    segment (None in journals of before). Without `video` it is sound alone, and begins with its first packet. `moved`
    is how much later it stands on the timeline than the times in its file say, in ticks: it was joined to this lesson.
    """

    number: int
    file: str
    init_length: int
    epoch: int
    boot_id: str
    origin_ns: int
    start: int
    codecs: str
    video: Video | None
    audio: Audio | None
    init_crc: int | None = None
    moved: int = 0


class Fragment(msgspec.Struct, frozen=True, tag="fragment"):
    """`length` durable bytes at `offset` of a part file; `keyframe` when they start with a video keyframe.

    `end_ns` is the capture time where the next fragment begins, `video_seq` and `audio_seq` the last packets
    inside (`audio_seq` is None before the first), `audio_end` the audio track's next decode time in samples,
    `at` the wall time of writing in Unix seconds, `crc` the CRC-32 of the bytes (None in journals of before).
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
    crc: int | None = None


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
    """Recovery found only `length` bytes of this part whole: its fragments behind them are gone (0: all of it)."""

    number: int
    length: int


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """A place worth finding again: `at` in ticks, `text` maybe empty, `kind` who or what set it, `wall` when, in Unix
    seconds. The same id again replaces it."""

    id: str
    at: int
    text: str
    kind: Literal["teacher", "board", "screen"]
    wall: float


class MarkRemoved(msgspec.Struct, frozen=True, tag="mark_removed"):
    id: str


class Track(msgspec.Struct, frozen=True, tag="track"):
    """A text track in file `file`, called `label`; the same language again replaces it. `wall` in Unix seconds."""

    kind: Literal["captions"]
    language: str
    label: str
    file: str
    wall: float


class TrackRemoved(msgspec.Struct, frozen=True, tag="track_removed"):
    kind: Literal["captions"]
    language: str


class Described(msgspec.Struct, frozen=True, tag="described"):
    """The lesson's title, subject, class (`group`), teacher, who may see it, and when it is to be deleted (`ends_at`,
    Unix seconds) are as said from now on; None leaves what stands. `wall` in Unix seconds."""

    wall: float
    title: str | None = None
    subject: str | None = None
    group: str | None = None
    teacher: str | None = None
    visibility: Visibility | None = None
    ends_at: float | None = None


class Trimmed(msgspec.Struct, frozen=True, tag="trimmed"):
    """Of the timeline only `start` to `end` (ticks) is shown from now on; None shows it from its beginning, to its end.
    `wall` in Unix seconds."""

    start: int | None
    end: int | None
    wall: float


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """The uplink `uplink` has the lesson as it is at this line, in a file of this `sha256` (hex); `wall` in Unix
    seconds."""

    uplink: str
    sha256: str
    wall: float


class Warned(msgspec.Struct, frozen=True, tag="warned"):
    """From `wall` (Unix seconds) on the teacher is told that the lesson, not sent yet, will be deleted."""

    wall: float


class TalkRecorded(msgspec.Struct, frozen=True, tag="talk"):
    """The teacher's switch: whether pupils' voices go into the recording from now on; `wall` in Unix seconds."""

    on: bool
    wall: float


class SourceRecord(msgspec.Struct, frozen=True, tag="source"):
    """A record of a source recorded beside the camera (`screen`, `talk`), in parts of its own on the lesson's timeline.

    Readers that know nothing of it pass over the line and see the camera's recording as it is.
    """

    source: str
    record: PartOpened | Fragment | PartClosed | PartCut


Record = (
    Created
    | PartOpened
    | Fragment
    | PartClosed
    | PartCut
    | Gap
    | Mark
    | MarkRemoved
    | Track
    | TrackRemoved
    | Described
    | Trimmed
    | Sent
    | Warned
    | TalkRecorded
    | Stopped
    | Interrupted
    | SourceRecord
)

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
    return b"".join(frame(number, _encoder.encode(record)) for number, record in enumerate(records, first_line))


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
    body = whole(line)
    return body[len(prefix) :] if body is not None and body.startswith(prefix) else None


def closes(tail: bytes) -> bool:
    """Whether `tail`, the end of a journal, is in order and ends the lesson: every line whole, but for the first, which
    may be cut, and one of them its end. Lines may follow that: marks are set, titles corrected later."""
    lines = tail.split(b"\n")
    if lines.pop():
        return False
    bodies = [whole(line) for line in lines]
    return None not in bodies[1:] and any(body is not None and _ends(body) is not None for body in bodies)


def ending(lost: bytes) -> Stopped | Interrupted | None:
    """The last whole line that ends the lesson, in bytes that `parse` cannot reach behind a bad line."""
    bodies = (whole(line) for line in reversed(lost.split(b"\n")))
    return next((end for body in bodies if body is not None and (end := _ends(body))), None)


def _ends(body: bytes) -> Stopped | Interrupted | None:
    try:
        record = _decoder.decode(body.partition(b" ")[2])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, Stopped | Interrupted) else None
