from __future__ import annotations

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.fmp4 import Audio, Video
from lessons.journal import (
    Created,
    Fragment,
    Gap,
    Interrupted,
    Mark,
    MarkRemoved,
    PartClosed,
    PartCut,
    PartOpened,
    Record,
    Stopped,
    closes,
    encode,
    ending,
    parse,
)
from lessons.recording import fold

CREATED = Created("20261123-081502-4f2a", "Les volcans \u2028 d'Auvergne", "7Q2F", 1.5, "boot", 3301.5)
OPENED = PartOpened(
    1, "part-0001.mp4", 700, 9, "boot", 123, 0, "avc1.42c01f", Video(4, 2, (b"\x67B\xc0\x1f",), (b"h",)),
    Audio(48000, 1, b"\x11\x88"), 4_000_000_000,
)  # fmt: skip
FIRST = Fragment(1, 700, 50, 0, 90_000, True, 5, 29, 9, 40, 41_984, 2.5, 17)
SECOND = Fragment(1, 750, 60, 90_000, 45_000, False, 6, 44, None, None, None, 3.5)
RECORDS: list[Record] = [CREATED, OPENED, FIRST, SECOND, PartClosed(1, "loss"), Gap(1.25, "loss"), Stopped(9.0)]
WHOLE = encode(RECORDS, 1)


def test_lines_come_back() -> None:
    parsed = parse(WHOLE)
    assert parsed.records == RECORDS
    assert (parsed.good, parsed.next_line) == (len(WHOLE), 8)
    assert parsed.ends[-1] == len(WHOLE)


def test_a_part_can_be_read_from_the_middle() -> None:
    middle = parse(WHOLE).ends[2]
    assert parse(WHOLE[middle:], 4).records == RECORDS[3:]


@given(cut=st.integers(0, len(WHOLE)), tail=st.binary(max_size=80) | st.integers(0, 5000).map(bytes))
def test_any_torn_tail_leaves_the_good_lines(cut: int, tail: bytes) -> None:
    whole = parse(WHOLE)
    torn = parse(WHOLE[:cut] + tail)
    untouched = [record for record, end in zip(whole.records, whole.ends, strict=True) if end <= cut]
    assert torn.records[: len(untouched)] == untouched
    assert torn.records == RECORDS[: len(torn.records)]
    assert torn.good <= cut + len(tail)


@given(place=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
def test_a_changed_byte_ends_the_good_lines(place: int, value: int) -> None:
    garbled = bytearray(WHOLE)
    garbled[place] = value
    parsed = parse(bytes(garbled))
    ends = parse(WHOLE).ends
    expected = RECORDS if garbled == WHOLE else [r for r, end in zip(RECORDS, ends, strict=True) if end <= place]
    assert parsed.records == expected


@given(st.binary(max_size=300))
def test_noise_is_no_journal(noise: bytes) -> None:
    assert parse(noise).records == []
    assert closes(noise) is False


def test_lines_out_of_order_end_the_good_lines() -> None:
    lines = WHOLE.splitlines(keepends=True)
    assert parse(lines[0] + lines[2]).records == RECORDS[:1]


def test_a_record_of_a_later_version_is_passed_over() -> None:
    body = b'2 {"type":"bookmark","at":3}'
    later = encode([CREATED], 1) + b"%08x %b\n" % (zlib.crc32(body), body) + encode([Stopped(9.0)], 3)
    assert parse(later).records == [CREATED, Stopped(9.0)]


def test_the_fold_tells_the_lesson() -> None:
    recording = fold(RECORDS)
    assert recording is not None
    assert recording.state == "ended"
    assert recording.duration_s == 1.5
    assert recording.bytes == 700 + 50 + 60
    assert recording.parts[0].closed == "loss"
    assert recording.gaps == [Gap(1.25, "loss")]
    assert recording.last_at == 3.5


@pytest.mark.parametrize("records", [[], [OPENED, CREATED], [Stopped(1.0)]])
def test_without_its_first_line_it_is_no_lesson(records: list[Record]) -> None:
    assert fold(records) is None


def test_a_fragment_of_no_open_part_is_passed_over() -> None:
    recording = fold([CREATED, FIRST, OPENED, FIRST])
    assert recording is not None
    assert recording.bytes == 750


MARK = Mark("0a1b2c3d", 90_000, "Le Puy de Dôme", "teacher", 20.0)


@pytest.mark.parametrize(
    ("records", "closed"),
    [
        (RECORDS, True),
        (RECORDS[:-1], False),
        ([CREATED, Interrupted(1.0)], True),
        ([CREATED], False),
        ([*RECORDS, MARK, MarkRemoved(MARK.id)], True),
    ],
)
def test_the_last_lines_say_whether_the_lesson_is_over(records: list[Record], closed: bool) -> None:
    data = encode(records, 1)
    assert closes(data) is closed
    assert closes(data[30:]) is closed
    assert closes(data[:-1]) is False


@given(place=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
@example(place=0, value=10)
def test_what_is_in_disorder_is_not_taken_for_closed(place: int, value: int) -> None:
    garbled = bytearray(WHOLE)
    garbled[place] = value
    first = WHOLE.index(b"\n")
    in_the_first = place <= first and value != ord("\n")  # a line break makes two of it, and one may be cut
    assert closes(bytes(garbled)) is (in_the_first or garbled == WHOLE)


def test_an_end_behind_a_bad_line_is_found() -> None:
    lines = encode([CREATED, Stopped(9.0), Interrupted(10.0), MARK], 1).splitlines(keepends=True)
    assert ending(b"torn" + b"".join(lines[1:])) == Interrupted(10.0)
    assert ending(lines[0] + lines[3] + b"\0\0") is None


def test_marks_are_replaced_and_removed_by_their_id() -> None:
    later = Mark(MARK.id, 45_000, "Pariou", "teacher", 30.0)
    board = Mark("ffff0000", 0, "", "board", 21.0)
    recording = fold([*RECORDS, MARK, board, later])
    assert recording is not None
    assert recording.marks == {later.id: later, board.id: board}
    recording.apply(MarkRemoved(later.id))
    recording.apply(MarkRemoved("unknown"))
    assert list(recording.marks) == [board.id]
    assert (recording.state, recording.duration_s) == ("ended", 1.5)


@pytest.mark.parametrize(("length", "left", "size"), [(810, 2, 810), (809, 1, 750), (750, 1, 750), (0, 0, 0)])
def test_a_cut_part_has_what_is_whole(length: int, left: int, size: int) -> None:
    recording = fold([*RECORDS[:4], PartCut(1, length)])
    assert recording is not None
    assert (len(recording.parts[0].fragments), recording.bytes) == (left, size)
    assert recording.end == (0, 90_000, 135_000)[left]


def test_a_journal_of_before_is_read() -> None:
    golden = (
        b'{"type":"created","id":"20261123-081502-4f2a","title":"","code":"7Q2F","started_at":1.5,"boot_id":"b"}',
        b'{"type":"part_opened","number":1,"file":"part-0001.mp4","init_length":700,"epoch":9,"boot_id":"b",'
        b'"origin_ns":1,"start":0,"codecs":"avc1.42c01f","video":{"width":4,"height":2,"sps":["Z0LAHw=="],'
        b'"pps":["aA=="]},"audio":null}',
        b'{"type":"fragment","part":1,"offset":700,"length":50,"start":0,"duration":90000,"keyframe":true,"end_ns":5,'
        b'"video_seq":29,"audio_epoch":null,"audio_seq":null,"audio_end":null,"at":2.5}',
    )
    lines = b""
    for number, body in enumerate(golden, 1):
        text = b"%d %b" % (number, body)
        lines += b"%08x %b\n" % (zlib.crc32(text), text)
    recording = fold(parse(lines).records)
    assert recording is not None and recording.last_fragment is not None
    assert (recording.last_fragment.crc, recording.parts[0].opened.init_crc) == (None, None)
    assert (recording.created.planned_end, recording.duration_s) == (None, 1.0)
