from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.fmp4 import Video
from lessons.journal import Created, Fragment, PartClosed, PartOpened, Record, Stopped
from lessons.playlist import TARGET_S, render
from lessons.recording import fold

CREATED = Created("20261123-081502-4f2a", "", "", 0.0, "boot")
VIDEO = Video(4, 2, (b"\x67B\xc0\x1f",), (b"h",))


def text(records: list[Record]) -> str:
    recording = fold(records)
    assert recording is not None
    return render(recording)


def opened(number: int, start: int) -> PartOpened:
    return PartOpened(number, f"part-{number:04d}.mp4", 700, 1, "boot", 0, start, "avc1", VIDEO, None)


def fragment(part: int, offset: int, start: int, seconds: float, keyframe: bool = True) -> Fragment:
    return Fragment(part, offset, 100, start, int(seconds * 90_000), keyframe, 0, 0, None, None, None, 0.0)


@st.composite
def journals(draw: st.DrawFn) -> list[Record]:
    """Lessons within the assembler's limits: parts begin with a keyframe, and no GOP is longer than 4 s."""
    records: list[Record] = [CREATED]
    start = 0
    for number in range(1, draw(st.integers(1, 4)) + 1):
        records.append(opened(number, start))
        offset, since_key = 700, 0.0
        for index in range(draw(st.integers(0, 12))):
            seconds = draw(st.floats(0.03, 1.2))
            keyframe = not index or since_key + seconds > 4 or draw(st.booleans())
            since_key = seconds if keyframe else since_key + seconds
            records.append(fragment(number, offset, start, seconds, keyframe))
            offset, start = offset + 100, start + int(seconds * 90_000)
        if draw(st.booleans()):
            records.append(PartClosed(number, "loss"))
    return [*records, Stopped(1.0)]


@settings(max_examples=150)
@given(journals())
def test_a_live_playlist_only_grows(records: list[Record]) -> None:
    before = text(records[:1])
    for count in range(2, len(records) + 1):
        after = text(records[:count])
        assert after.startswith(before)
        before = after
    assert before.endswith("#EXT-X-ENDLIST\n")


@settings(max_examples=150)
@given(journals())
def test_the_ended_playlist_holds_every_byte_and_second_once(records: list[Record]) -> None:
    playlist = text(records)
    fragments = [record for record in records if isinstance(record, Fragment)]
    durations = [float(one) for one in re.findall(r"#EXTINF:([\d.]+),", playlist)]
    assert abs(sum(durations) - sum(one.duration for one in fragments) / 90_000) < 0.001
    assert all(round(one) <= TARGET_S for one in durations)
    ranges = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", playlist)
    covered = {(name, int(start) + i) for length, start, name in ranges for i in range(0, int(length), 100)}
    assert covered == {(f"part-{one.part:04d}.mp4", one.offset) for one in fragments}
    filled = len({one.part for one in fragments})
    assert playlist.count("#EXT-X-MAP:") == filled
    assert playlist.count("#EXT-X-DISCONTINUITY") == max(0, filled - 1)


def test_the_text_of_a_lesson_in_two_parts() -> None:
    records: list[Record] = [CREATED, opened(1, 0)]
    records += [fragment(1, 700 + 100 * i, 90_000 * i, 1.0) for i in range(3)]
    records += [PartClosed(1, "loss"), opened(2, 270_000), fragment(2, 700, 270_000, 0.5)]
    head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n"
    head += "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    first = '#EXT-X-MAP:URI="part-0001.mp4",BYTERANGE="700@0"\n'
    first += "#EXTINF:2.00000,\n#EXT-X-BYTERANGE:200@700\npart-0001.mp4\n"
    tail = "#EXTINF:1.00000,\n#EXT-X-BYTERANGE:100@900\npart-0001.mp4\n"
    assert text(records) == head + first + tail
    second = '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="part-0002.mp4",BYTERANGE="700@0"\n'
    second += "#EXTINF:0.50000,\n#EXT-X-BYTERANGE:100@700\npart-0002.mp4\n"
    assert text([*records, Stopped(1.0)]) == head + first + tail + second + "#EXT-X-ENDLIST\n"


def test_an_empty_lesson_has_a_playlist() -> None:
    assert "EXTINF" not in text([CREATED])
