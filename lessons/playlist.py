"""The HLS media playlist of a lesson (RFC 8216, version 7), a pure function of its journal.

Segments are byte ranges of the part files. Each begins with a keyframe and is whole GOPs of together at least
`SEGMENT_S`. While the lesson is live only finished segments are listed, so that an EVENT playlist grows at
its end and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from appliance.fmp4 import VIDEO_TIMESCALE
from lessons.journal import Part, Recording

SEGMENT_S = 1.5  # with a keyframe a second, segments come out at two seconds
# The longest possible segment: just short of SEGMENT_S, then a GOP at the assembler's limit of 4 s.
TARGET_S = 6


class Segment(NamedTuple):
    """`length` bytes at `offset` of a part file, `duration` ticks long."""

    offset: int
    length: int
    duration: int


def segments(part: Part, *, complete: bool) -> Iterator[Segment]:
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


def render(recording: Recording) -> str:
    """The playlist's text. URIs are relative to the lesson's folder."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{TARGET_S}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    ended = recording.state != "live"
    first = True
    for index, part in enumerate(recording.parts):
        complete = ended or part.closed is not None or index + 1 < len(recording.parts)
        opened = part.opened
        for number, segment in enumerate(segments(part, complete=complete)):
            if not number:
                lines += [] if first else ["#EXT-X-DISCONTINUITY"]
                lines.append(f'#EXT-X-MAP:URI="{opened.file}",BYTERANGE="{opened.init_length}@0"')
                first = False
            lines.append(f"#EXTINF:{segment.duration / VIDEO_TIMESCALE:.5f},")
            lines.append(f"#EXT-X-BYTERANGE:{segment.length}@{segment.offset}")
            lines.append(opened.file)
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"
