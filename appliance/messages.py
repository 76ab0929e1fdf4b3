"""What travels on the bus: encoded packets, events and commands.

Pure data (msgspec structs), no I/O. Times named ``*_ns`` are nanoseconds of CLOCK_MONOTONIC, which all
processes of one boot share; wall time appears only where a person reads it, as Unix seconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# --- media -------------------------------------------------------------------------------------------


class VideoFormat(msgspec.Struct, frozen=True, tag="video"):
    """What a decoder must know besides the SPS and PPS that stand in every keyframe."""

    width: int
    height: int


class AudioFormat(msgspec.Struct, frozen=True, tag="audio"):
    """Sampling of an audio track; `config` is the AudioSpecificConfig (ISO 14496-3) for AAC, empty for Opus."""

    rate: int
    channels: int
    config: bytes = b""


class Packet(msgspec.Struct, frozen=True):
    """One encoded frame of one rung of one source.

    `data` is an H.264 access unit in Annex B form (SPS and PPS before every IDR), one Opus packet (RFC 6716),
    or one raw AAC frame. `pts_ns` is the capture time of its first sample. `epoch` names one run of the
    encoder: when it changes, `seq` starts anew and nothing refers to earlier packets. A reader sees a loss
    as a jump of `seq` and goes on at the next keyframe.
    """

    source: str
    rung: str
    codec: Literal["h264", "opus", "aac"]
    epoch: int
    seq: int
    pts_ns: int
    duration_ns: int
    keyframe: bool
    format: VideoFormat | AudioFormat
    data: bytes

    @property
    def track(self) -> str:
        return track_name(self.source, self.rung)


def track_name(source: str, rung: str) -> str:
    """The name of one rung of one source, as counters and bus topics write it: ``camera/720p``."""
    return f"{source}/{rung}"


CAMERA_720P = track_name("camera", "720p")
CAMERA_360P = track_name("camera", "360p")
MICROPHONE_OPUS = track_name("microphone", "opus")
MICROPHONE_AAC = track_name("microphone", "aac")
SCREEN_MAIN = track_name("screen", "main")
SCREEN_OPUS = track_name("screen", "opus")
TALK_OPUS = track_name("talk", "opus")


Visibility = Literal["class", "teacher", "school"]
"""Who may see a recording: pupils who joined with the code of its lesson, the teacher only, every pupil of the kit."""


# --- events ------------------------------------------------------------------------------------------


class Health(msgspec.Struct, frozen=True, tag="health"):
    """Once a second from every service: alive, and its counters as Prometheus text."""

    service: str
    pid: int
    started_ns: int
    restarts: int
    exposition: bytes


class CaptureState(msgspec.Struct, frozen=True, tag="capture"):
    """Five times a second: what is being captured. `level_dbfs` is the microphone's RMS over about the last 200 ms."""

    camera: str
    microphone: str
    camera_ok: bool
    microphone_ok: bool
    level_dbfs: float


class LessonState(msgspec.Struct, frozen=True, tag="lesson"):
    """On every change and once a second while live. `recorded_s` counts what is durable on disk, `lost_s` what was not
    recorded in `gaps` holes, as far as that is known. `elapsed_s` since the start goes by no wall clock; `planned_end`
    is in Unix seconds. `incident` is what is wrong with the recording: disk_full, disk_read_only, disk_error,
    disk_slow, overflow, no_video. `records_talk` says that pupils' voices are being recorded."""

    id: str
    code: str
    title: str
    state: Literal["live", "ended", "interrupted", "deleted"]
    started_at: float
    recorded_s: float
    recorded_bytes: int
    incident: str = ""
    elapsed_s: float = 0.0
    lost_s: float = 0.0
    gaps: int = 0
    planned_end: float | None = None
    subject: str = ""
    group: str = ""
    teacher: str = ""
    visibility: Visibility = "class"
    records_talk: bool = False


class ViewersState(msgspec.Struct, frozen=True, tag="viewers"):
    """On every change and once a second from each streaming process (`service`): who is connected to it by WebRTC (ICE
    and DTLS done). `sessions` counts all that it serves, also those of the screen and those not connected yet."""

    pupils: int
    teachers: int
    names: list[str]
    service: str = "streaming"
    sessions: int = 0


class SourceState(msgspec.Struct, frozen=True, tag="source"):
    """On every change and once a second: whether somebody publishes `source` (screen, talk) by WHIP, and it can be
    seen (ICE and DTLS done, a keyframe there). Silent until the source is used for the first time."""

    source: str
    live: bool


DiskIncident = Literal["", "disk_low", "disk_full", "disk_read_only", "disk_error"]


class DiskState(msgspec.Struct, frozen=True, tag="disk"):
    """Every few seconds: for how many `minutes` of lessons the disk has room, at `bytes_per_minute`. `disk_low` says
    that these are few."""

    free_bytes: int
    minutes: float
    bytes_per_minute: float
    incident: DiskIncident = ""


Event = Health | CaptureState | LessonState | ViewersState | SourceState | DiskState


# --- commands ----------------------------------------------------------------------------------------


RUNG_WISH_S = 3.0
STILL_AGE_S = 2.0

QualityChoice = Literal["automatic", "sharp", "saving", "sound"]
"""What a viewer can set by hand: let the ladder decide, always the top rung, never the top rung, no picture."""

Showing = Literal["high", "low", "still", "none"]
"""What a viewer gets for a picture: the top rung, the saving rung, stills that the page fetches, nothing."""


class RequestKeyframe(msgspec.Struct, frozen=True, tag="request_keyframe"):
    """To the service that publishes the track; coalesced there (at most one forced keyframe a second) unless `urgent`:
    a recording begins. streaming forwards it to the publisher as PLI."""

    track: str
    urgent: bool = False


class WantRung(msgspec.Struct, frozen=True, tag="want_rung"):
    """To capture: somebody watches `track`, encode it. The wish holds for RUNG_WISH_S seconds and is to be repeated
    before, so that a reader that died leaves nothing running. Rungs that are always encoded take it, too."""

    track: str


class GetStill(msgspec.Struct, frozen=True, tag="get_still"):
    """To capture: the picture of now as JPEG; at most STILL_AGE_S seconds old. Refused with `unavailable` before the
    first picture."""


class GetHistory(msgspec.Struct, frozen=True, tag="get_history"):
    """To capture: the packets of `tracks` with ``pts_ns >= since_ns`` that it still holds, oldest first."""

    tracks: list[str]
    since_ns: int


class StartLesson(msgspec.Struct, frozen=True, tag="start_lesson"):
    """To lessons. Refused with `conflict` while a lesson is live. The bell rings in `minutes` (None: the settings'
    `lesson_minutes`): until then the lesson goes on by itself after a power cut."""

    title: str
    code: str
    minutes: float | None = None
    subject: str = ""
    group: str = ""
    teacher: str = ""


class DescribeLesson(msgspec.Struct, frozen=True, tag="describe_lesson"):
    """To lessons: other words for a lesson, or others who may see it; None leaves what stands. `group` is the class.
    Refused with `not_found`, `invalid` or `unavailable`. Idempotent."""

    id: str
    title: str | None = None
    subject: str | None = None
    group: str | None = None
    teacher: str | None = None
    visibility: Visibility | None = None


class JoinLessons(msgspec.Struct, frozen=True, tag="join_lessons"):
    """To lessons: the recording of `next` follows that of `id` from now on, as one lesson `id`; `next` is no more.
    Refused with `not_found`, `invalid` (the same one), `conflict` (one is live, empty, or cut where they meet) or
    `unavailable`."""

    id: str
    next: str


class MarkLesson(msgspec.Struct, frozen=True, tag="mark_lesson"):
    """To lessons: a new mark `mark` (8 hex digits, chosen by who asks, so that asking again makes no second one), or
    with `new` False another text or place for that one; None leaves it. `at_s` is seconds of the lesson; a new mark
    without stands where the live lesson is now. Refused with `not_found`, `invalid` or `unavailable` (the disk
    refuses)."""

    id: str
    mark: str
    text: str | None = None
    at_s: float | None = None
    new: bool = True


class RemoveMark(msgspec.Struct, frozen=True, tag="remove_mark"):
    """To lessons. Refused with `not_found` and as MarkLesson. Idempotent."""

    id: str
    mark: str


class PutTrack(msgspec.Struct, frozen=True, tag="put_track"):
    """To lessons: a text track beside a lesson, `text` as WebVTT. `captions` take the place of those in that `language`
    (BCP 47) and are called `label` in the player; `chapters` take the place of all marks. Refused with `not_found`,
    `invalid` (the detail names the line) or `unavailable`. Idempotent."""

    id: str
    kind: Literal["captions", "chapters"]
    language: str
    label: str
    text: str


class RemoveTrack(msgspec.Struct, frozen=True, tag="remove_track"):
    """To lessons. Refused with `not_found` or `unavailable`. Idempotent."""

    id: str
    kind: Literal["captions", "chapters"]
    language: str


class TrimLesson(msgspec.Struct, frozen=True, tag="trim_lesson"):
    """To lessons: from now on show only `start_s` to `end_s` (seconds of the whole lesson; None: from its beginning, to
    its end). It is cut at the keyframe at or before the start and at the end of the fragment that holds the end;
    nothing is deleted. Refused with `not_found`, `conflict` while the lesson is live, `invalid` when too little would
    be left, or `unavailable`. Idempotent."""

    id: str
    start_s: float | None = None
    end_s: float | None = None


class RecordTalk(msgspec.Struct, frozen=True, tag="record_talk"):
    """To lessons: whether pupils' voices go into the live lesson's recording from now on. Refused with `not_found`,
    with `conflict` when the school's setting does not allow it or the lesson is over, with `unavailable` when the disk
    refuses: voices are not recorded then. Idempotent."""

    id: str
    on: bool


class StopLesson(msgspec.Struct, frozen=True, tag="stop_lesson"):
    """To lessons; returns when the last fragment is durable. Idempotent for an ended lesson."""

    id: str


class GetLesson(msgspec.Struct, frozen=True, tag="get_lesson"):
    id: str


class ListLessons(msgspec.Struct, frozen=True, tag="list_lessons"):
    """To lessons: all lessons, newest first."""


class FindLessons(msgspec.Struct, frozen=True, tag="find_lessons"):
    """To lessons: those in which every word of `text` stands (in title, subject, class or teacher), that have this
    subject, `group` (class) and teacher, and began from `since` up to, not including, `until` (Unix seconds); letter
    case and accents do not count, empty or None is any. With `code` only what pupils who joined with it may see.
    Answered with LessonList: of those found, in order, at most `limit` from `offset` on."""

    text: str = ""
    subject: str = ""
    group: str = ""
    teacher: str = ""
    since: float | None = None
    until: float | None = None
    sort: Literal["date", "title", "length"] = "date"
    descending: bool = True
    limit: int | None = None
    offset: int = 0
    code: str | None = None


class DeleteLesson(msgspec.Struct, frozen=True, tag="delete_lesson"):
    """To lessons, on the word of the role `by`. Refused with `not_found`, `conflict` while that lesson is live, or
    `unavailable` (the disk refuses)."""

    id: str
    by: str = ""


class KeepLesson(msgspec.Struct, frozen=True, tag="keep_lesson"):
    """To lessons: the lesson is to be deleted at `ends_at` (Unix seconds). Refused with `not_found`, `invalid` for a
    time that is past or too far away, or `unavailable` (the disk refuses). Idempotent."""

    id: str
    ends_at: float


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """To streaming: a WHEP offer. `peer` is the signalling client's address, which stands in for `.local` names.
    Refused with `conflict` while nobody publishes `source`."""

    viewer: str
    name: str
    role: Literal["pupil", "teacher"]
    offer: str
    peer: str
    source: str = "camera"
    quality: QualityChoice = "automatic"


class Publish(msgspec.Struct, frozen=True, tag="publish"):
    """To streaming: a WHIP offer (RFC 9725) for `source`. Refused with `conflict` when the source is taken."""

    source: str
    viewer: str
    name: str
    offer: str
    peer: str


class PatchSession(msgspec.Struct, frozen=True, tag="patch_session"):
    """To streaming: trickled candidates (RFC 8840 fragment) for a session that `viewer` opened."""

    session: str
    viewer: str
    etag: str
    fragment: str
    peer: str


class ChooseQuality(msgspec.Struct, frozen=True, tag="choose_quality"):
    """To streaming: what the viewer wants of a session that `viewer` opened; None only asks what is."""

    session: str
    viewer: str
    quality: QualityChoice | None = None


class CloseSession(msgspec.Struct, frozen=True, tag="close_session"):
    """To streaming; a session that is unknown or another viewer's is `not_found`, one that ended already is done."""

    session: str
    viewer: str


class CloseViewers(msgspec.Struct, frozen=True, tag="close_viewers"):
    """To streaming: end every pupil's session (the lesson is over)."""


Command = (
    RequestKeyframe
    | WantRung
    | GetStill
    | GetHistory
    | StartLesson
    | StopLesson
    | GetLesson
    | ListLessons
    | FindLessons
    | DeleteLesson
    | DescribeLesson
    | JoinLessons
    | KeepLesson
    | MarkLesson
    | RemoveMark
    | TrimLesson
    | PutTrack
    | RemoveTrack
    | RecordTalk
    | Watch
    | Publish
    | PatchSession
    | ChooseQuality
    | CloseSession
    | CloseViewers
)


# --- replies -----------------------------------------------------------------------------------------

RefusalKind = Literal["invalid", "not_found", "conflict", "unavailable", "precondition", "internal"]


class Done(msgspec.Struct, frozen=True, tag="done"):
    pass


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The command was not carried out; `detail` says why in a sentence for people."""

    kind: RefusalKind
    detail: str


class History(msgspec.Struct, frozen=True, tag="history"):
    packets: list[Packet]


WARNING_S = 7 * 86_400.0
"""How long the teacher is told before a lesson that was not sent is deleted by date."""


class Lesson(msgspec.Struct, frozen=True, tag="lesson_info"):
    """One lesson as the catalogue knows it. `duration_s` is what replay can play, `screen_s` how much of a shared
    screen there is beside it. At `ends_at` it is to be deleted (None: nobody can say), `sent` that an uplink has it,
    `warned_at` since when its teacher is told that it will be deleted; both times in Unix seconds."""

    id: str
    code: str
    title: str
    state: Literal["live", "ended", "interrupted"]
    started_at: float
    duration_s: float
    bytes: int
    parts: int
    gaps: int
    thumbnail: bool
    screen_s: float = 0.0
    subject: str = ""
    group: str = ""
    teacher: str = ""
    visibility: Visibility = "class"
    ends_at: float | None = None
    sent: bool = False
    warned_at: float | None = None


class Marked(msgspec.Struct, frozen=True, tag="marked"):
    """A mark as it now stands, `at_s` in seconds of the lesson."""

    id: str
    at_s: float
    text: str
    kind: Literal["teacher", "board", "screen"]


class TrimmedLesson(msgspec.Struct, frozen=True, tag="trimmed_lesson"):
    """What is shown of a lesson: from `start_s` to `end_s` of the whole, `duration_s` seconds."""

    start_s: float
    end_s: float
    duration_s: float


class LessonList(msgspec.Struct, frozen=True, tag="lesson_list"):
    """`total` counts all that were found. `subjects`, `groups` and `teachers` are those of all lessons that who asked
    may see, by the alphabet."""

    lessons: list[Lesson]
    total: int = 0
    subjects: list[str] = []
    groups: list[str] = []
    teachers: list[str] = []


class Watching(msgspec.Struct, frozen=True, tag="watching"):
    """A WHEP or WHIP answer: the session's id (for its URL), its entity tag and the SDP answer. `sessions` counts what
    the process serves, with a new WHEP session."""

    session: str
    etag: str
    answer: str
    sessions: int = 0


class Still(msgspec.Struct, frozen=True, tag="still"):
    """A JPEG of the camera's picture captured at `pts_ns`."""

    pts_ns: int
    data: bytes


class Quality(msgspec.Struct, frozen=True, tag="quality"):
    """What a session's viewer chose, and what it gets now."""

    quality: QualityChoice
    showing: Showing


Reply = Done | Refused | History | Lesson | LessonList | Marked | TrimmedLesson | Watching | Still | Quality
