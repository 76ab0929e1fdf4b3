"""ISO base media file format boxes (ISO/IEC 14496-12 section 4.2): build and walk. Pure bytes, no files, no clock."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER = struct.Struct(">I4s")
_LARGE = struct.Struct(">I4sQ")
# The identity transformation of tkhd and mvhd (ISO/IEC 14496-12, 8.2.2 and 8.3.2).
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
LANGUAGE_UNDETERMINED = 0x55C4  # 'und' as three five-bit letters (8.4.2)


class MalformedBoxes(ValueError):
    """The bytes are not a sequence of whole boxes."""


def box(kind: bytes, *payload: bytes) -> bytes:
    """One box of a four-letter `kind` around the joined `payload`; at most 4 GiB."""
    body = b"".join(payload)
    return _HEADER.pack(8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box that opens with a version byte and 24 bits of flags (4.2.2)."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def large_header(kind: bytes, payload_length: int) -> bytes:
    """The 16-byte header of a box with a 64-bit size, around `payload_length` bytes."""
    return _LARGE.pack(1, kind, 16 + payload_length)


def walk(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes that stand side by side in `data`, as (kind, payload). Raises MalformedBoxes."""
    view = memoryview(data)
    while view:
        if len(view) < 8:
            raise MalformedBoxes("a box header is cut short")
        size, kind = _HEADER.unpack_from(view)
        head = 8
        if size == 1 and len(view) >= 16:
            size, head = _LARGE.unpack_from(view)[2], 16
        if not head <= size <= len(view):
            raise MalformedBoxes(f"box {kind!r} claims {size} bytes where {len(view)} remain")
        yield kind, view[head:size]
        view = view[size:]


def find(data: bytes | memoryview, *path: bytes) -> memoryview:
    """The payload of the first box at `path`, through plain container boxes. Raises MalformedBoxes when absent."""
    view = memoryview(data)
    for wanted in path:
        for kind, payload in walk(view):
            if kind == wanted:
                view = payload
                break
        else:
            raise MalformedBoxes(f"there is no box {wanted!r}")
    return view


def movie_header(timescale: int, duration: int, next_track: int) -> bytes:
    """mvhd, version 1 (8.2.2); `duration` in units of `timescale` per second."""
    return full_box(
        b"mvhd", 1, 0,
        struct.pack(">QQIQIHHQ", 0, 0, timescale, duration, 0x10000, 0x100, 0, 0),
        MATRIX, bytes(24), struct.pack(">I", next_track),
    )  # fmt: skip


def track_header(track: int, duration: int, width: int, height: int, *, volume: bool, enabled: bool = True) -> bytes:
    """tkhd, version 1, enabled or not, in the movie (8.3.2); `duration` in the movie's timescale."""
    return full_box(
        b"tkhd", 1, 3 if enabled else 2,
        struct.pack(">QQIIQQHHHH", 0, 0, track, 0, duration, 0, 0, 0, 0x100 if volume else 0, 0),
        MATRIX, struct.pack(">II", width << 16, height << 16),
    )  # fmt: skip


# QuickTime's header of media that are no picture and no sound (QuickTime File Format, "Base media information").
_BASE = full_box(b"gmin", 0, 0, struct.pack(">HHHHHH", 0x40, 0x8000, 0x8000, 0x8000, 0, 0))
_MEDIA = {
    b"vide": (b"Video\0", full_box(b"vmhd", 0, 1, bytes(8))),
    b"soun": (b"Sound\0", full_box(b"smhd", 0, 0, bytes(4))),
    b"text": (b"Chapters\0", box(b"gmhd", _BASE, box(b"text", MATRIX))),
}


def media(timescale: int, duration: int, handler: bytes, sample_table: bytes) -> bytes:
    """mdia with mdhd, hdlr (`vide`, `soun` or QuickTime's `text`) and minf around an stbl box (8.4); `duration` in
    `timescale`."""
    name, header = _MEDIA[handler]
    references = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    return box(
        b"mdia",
        full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, timescale, duration, LANGUAGE_UNDETERMINED, 0)),
        full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), name),
        box(b"minf", header, references, sample_table),
    )  # fmt: skip
