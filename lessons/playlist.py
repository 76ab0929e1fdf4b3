"""The HLS media playlist of a lesson (RFC 8216, version 7), a pure function of its journal.

Segments are byte ranges of the part files. Each begins with a keyframe and is whole GOPs of together at least
`SEGMENT_S`. While the lesson is live only finished segments are listed, so that an EVENT playlist grows at
its end and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import CAMERA
from lessons.recording import Part, Recording

SEGMENT_S = 1.5  # with a keyframe a second, segments come out at two seconds
# The longest possible segment: just short of SEGMENT_S, then a GOP at the assembler's limit of 4 s.
TARGET_S = 6
BESIDE_TARGET_S = 14  # the same with the screen's limit of 12 s; of voices each fragment is a keyframe


class Segment(NamedTuple):
    """`length` bytes at `offset` of a part file, `duration` ticks long."""

    offset: int
    length: int
    duration: int


def segments(part: Part, complete: bool) -> Iterator[Segment]:
    """The segments of a part; the last, unfinished one only when the part is `complete`."""
    offset = length = duration = 0
    for fragment in part.fragments:
        if fragment.keyframe and duration >= SEGMENT_S * VIDEO_TIMESCALE:
            yield Segment(offset, length, duration)
            length = duration = 0
        if not length:
            offset = fragment.offset
        length += fragment.length
        duration += fragment.duration
    if complete and length:
        yield Segment(offset, length, duration)


class Span(NamedTuple):
    """`duration_s` seconds of a source beside the camera, from `start_s` of the lesson's timeline on; `sound`: not
    silence alone."""

    start_s: float
    duration_s: float
    sound: bool


T = TypeVar("T")


def listed(
    parts: Sequence[Part], cut: Callable[[Part, bool], Iterator[T]], *, ended: bool
) -> Iterator[tuple[Part, list[T]]]:
    """The parts that have something to play, with what `cut` makes of them, told whether nothing more comes."""
    for index, part in enumerate(parts):
        complete = ended or part.closed is not None or index + 1 < len(parts)
        if found := list(cut(part, complete)):
            yield part, found


def head(target_s: int) -> list[str]:
    """The lines before all segments of a playlist that may grow."""
    return [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]


def spans(recording: Recording, source: str) -> list[Span]:
    """Where the playlist of `source`, whose own time has no holes, belongs on the lesson's timeline: its parts."""
    return [
        Span(
            part.opened.start / VIDEO_TIMESCALE,
            sum(one.duration for one in found) / VIDEO_TIMESCALE,
            # One publisher, one epoch for both of its tracks.
            part.fragments[-1].audio_epoch == part.opened.epoch,
        )
        for part, found in listed(recording.strand(source).parts, segments, ended=recording.state != "live")
    ]


def render(recording: Recording, source: str = CAMERA) -> str:
    """The playlist's text. URIs are relative to the lesson's folder."""
    lines = head(TARGET_S if source == CAMERA else BESIDE_TARGET_S)
    ended = recording.state != "live"
    for index, (part, found) in enumerate(listed(recording.strand(source).parts, segments, ended=ended)):
        opened = part.opened
        lines += ["#EXT-X-DISCONTINUITY"] if index else []
        lines.append(f'#EXT-X-MAP:URI="{opened.file}",BYTERANGE="{opened.init_length}@0"')
        for segment in found:
            lines.append(f"#EXTINF:{segment.duration / VIDEO_TIMESCALE:.5f},")
            lines.append(f"#EXT-X-BYTERANGE:{segment.length}@{segment.offset}")
            lines.append(opened.file)
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def master(recording: Recording, rungs: Mapping[str, str]) -> str:
    """The multivariant playlist (RFC 8216, section 4.3.4): of each source in `rungs`, the address of its playlist."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for source, address in rungs.items():
        found = list(listed(recording.strand(source).parts, segments, ended=recording.state != "live"))
        rates = [one.length * 8 * VIDEO_TIMESCALE // one.duration for _, cut in found for one in cut]
        sizes = [(video.width, video.height) for part, _ in found if (video := part.opened.video)]
        if not rates or not sizes:
            continue
        size = sum(one.length for _, cut in found for one in cut)
        duration = sum(one.duration for _, cut in found for one in cut)
        codecs = max((part.opened.codecs for part, _ in found), key=len)  # with sound, where some part has none
        width, height = max(sizes)
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={max(rates)},AVERAGE-BANDWIDTH={size * 8 * VIDEO_TIMESCALE // duration},"
            f'RESOLUTION={width}x{height},CODECS="{codecs}"'
        )
        lines.append(address)
    return "\n".join(lines) + "\n"
