"""The sound of a lesson alone, for lines too weak for its picture: a playlist, and segments made when asked for.

A segment is the sound of fragments that follow each other, in a fragment of its own (ISO/IEC 14496-12, 8.8); of the
part file only their heads and their sound are read. Its name has the offsets of the first and the last of them, so that
it stays the same when the lesson grows or is cut. Where there is no sound are gaps (RFC 8216bis, 4.4.4.7), for the
timeline is the lesson's. Pure given a function that reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.fmp4 import AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, Run, Sample, fragment
from lessons.journal import Fragment
from lessons.playlist import head, listed
from lessons.progressive import ReadAt, checked_runs, moof
from lessons.recording import Part, Recording

SEGMENT_S = 3.0  # 24 kB
TARGET_S = 7  # just short of that, then the longest fragment: a second, and pictures that stay away for three


class Group(list[Fragment]):
    """The fragments of one segment; `heard` unless there is no sound in them."""

    heard = False

    @property
    def duration(self) -> int:
        """Ticks."""
        return self[-1].start + self[-1].duration - self[0].start


def has_sound(recording: Recording) -> bool:
    return any(part.opened.audio and part.fragments for part in recording.parts)


def groups(part: Part, complete: bool) -> Iterator[Group]:
    """The segments of a part; the last, unfinished one only when the part is `complete`."""
    group, before = Group(), None
    for one in part.fragments:
        group.append(one)
        if group.duration >= SEGMENT_S * VIDEO_TIMESCALE or (complete and one is part.fragments[-1]):
            group.heard = part.opened.audio is not None and one.audio_end not in (None, before)
            yield group
            group, before = Group(), one.audio_end


def render(recording: Recording) -> str:
    """The playlist's text. URIs are relative to the lesson's folder."""
    ended = recording.state != "live"
    lines = head(TARGET_S)
    for index, (part, found) in enumerate(listed(recording.parts, groups, ended=ended)):
        number = part.opened.number
        lines += ["#EXT-X-DISCONTINUITY"] if index else []
        lines += [f'#EXT-X-MAP:URI="sound/{number:04d}-init.mp4"'] if part.opened.audio else []
        for group in found:
            lines += [] if group.heard else ["#EXT-X-GAP"]
            lines.append(f"#EXTINF:{group.duration / VIDEO_TIMESCALE:.5f},")
            lines.append(f"sound/{number:04d}-{group[0].offset}-{group[-1].offset}.m4s")
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def segment(path: Path, fragments: Sequence[Fragment], moved: int, read_at: ReadAt) -> bytes:
    """The sound of `fragments` of the part file `path`, where they stand `moved` ticks earlier, as one fragment with
    the times of the file. Raises OSError, MalformedBoxes."""
    samples: list[Sample] = []
    start = place = 0
    for one in fragments:
        top = moof(path, one, read_at)
        found = checked_runs(top, one, path, {VIDEO_TRACK, AUDIO_TRACK}, moved)
        for run in (each for each in found if each.track == AUDIO_TRACK and len(each.table)):
            durations, sizes = run.table[:, 0].tolist(), run.table[:, 1].tolist()
            data = read_at(path, one.offset + run.offset, run.length)
            if not samples:
                start = place = run.start
            elif run.start > place:  # a hole lengthens the sample before it
                samples[-1] = samples[-1]._replace(duration=samples[-1].duration + run.start - place)
                place = run.start
            at = 0
            for duration, size in zip(durations, sizes, strict=True):
                samples.append(Sample(data[at : at + size], duration, True))
                at, place = at + size, place + duration
    return fragment((start >> 10) + 1, [Run(AUDIO_TRACK, start, samples)])
