"""Chapters inside an MP4, in both forms that players look for: QuickTime's text track, and Nero's list. Pure, no I/O.

QuickTime File Format, "Text media" and "Track references" (`chap`); Nero's `chpl` is documented by those who read it
(FFmpeg, Bento4): times in 100 ns, texts of at most 255 bytes, at most 255 of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from appliance.boxes import box, full_box, media, track_header

TRACK = 3
TIMESCALE = 1000
MOST, LONGEST = 255, 255
_UTF8 = struct.pack(">I4sI", 12, b"encd", 0x100)


class Title(NamedTuple):
    """Shown from `start_ms` until before `end_ms` (milliseconds); the next one begins there."""

    start_ms: int
    end_ms: int
    text: str


def samples(titles: Sequence[Title]) -> list[bytes]:
    """What stands in the media for each."""
    return [struct.pack(">H", len(text)) + text + _UTF8 for text in (_cut(one.text, 0xFFFF) for one in titles)]


def track(titles: Sequence[Title], sizes: Sequence[int], place: int) -> bytes:
    """The trak box of titles from 0 on, whose samples of `sizes` bytes stand together at byte `place` of the file. It
    is not enabled, so that nobody shows it as text."""
    duration = titles[-1].end_ms
    rows = b"".join(struct.pack(">II", 1, one.end_ms - one.start_ms) for one in titles)
    count = struct.pack(">I", len(titles))
    table = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), _entry()),
        full_box(b"stts", 0, 0, count, rows),
        full_box(b"stsc", 0, 0, struct.pack(">IIII", 1, 1, len(titles), 1)),
        full_box(b"stsz", 0, 0, bytes(4), count, struct.pack(f">{len(sizes)}I", *sizes)),
        full_box(b"co64", 0, 0, struct.pack(">IQ", 1, place)),
    )
    header = track_header(TRACK, duration, 0, 0, volume=False, enabled=False)
    return box(b"trak", header, media(TIMESCALE, duration, b"text", table))


def reference() -> bytes:
    """What says in another track that its chapters are here."""
    return box(b"tref", box(b"chap", struct.pack(">I", TRACK)))


def nero(titles: Sequence[Title]) -> bytes:
    """The udta box with the same titles as Nero's list."""
    listed = titles[:MOST]
    rows = b"".join(
        struct.pack(">QB", one.start_ms * 10_000, len(text)) + text
        for one, text in ((one, _cut(one.text, LONGEST)) for one in listed)
    )
    return box(b"udta", full_box(b"chpl", 1, 0, bytes(4), struct.pack(">B", len(listed)), rows))


def _entry() -> bytes:
    """The sample entry of plain text (QuickTime File Format, "Text sample description")."""
    return box(b"text", struct.pack(">6xHIi6x8x8xHHBH6xB", 1, 0, 0, 0, 0, 0, 0, 0))


def _cut(text: str, length: int) -> bytes:
    """At most `length` bytes of UTF-8, whole letters."""
    return text.encode(errors="replace")[:length].decode(errors="ignore").encode()
