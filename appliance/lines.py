"""Lines of files that only grow: ``CRC SEQ JSON\\n``, and chains of them. Pure, no I/O.

The CRC-32 (eight hex digits) of ``SEQ JSON`` finds torn and garbled lines, the number missing ones. In a chain each
JSON object also has `previous`, the SHA-256 (hex) of the line before: who changes a line or takes one out has to write
all that follow anew. The last lines of a chain can be cut off unseen by whoever has no copy of its newest hash.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

import msgspec

LONGEST_NUMBER = 15  # digits


def frame(number: int, json: bytes) -> bytes:
    """The line of a JSON text."""
    body = b"%d %b" % (number, json)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def whole(line: bytes) -> bytes | None:
    """The ``SEQ JSON`` of a line (without its end) whose checksum is right, else None."""
    body = line[9:]
    return body if line[:9] == b"%08x " % zlib.crc32(body) else None


class Link(NamedTuple):
    """A good line of a chain: its number, its JSON, and the hash by which the next one names it."""

    number: int
    json: bytes
    sha256: str


class Chain(NamedTuple):
    """The good lines, the bytes up to the end of the last of them, and the numbers of those that do not follow from the
    good line before."""

    links: list[Link]
    good: int
    broken: list[int]

    @property
    def next_number(self) -> int:
        return self.links[-1].number + 1 if self.links else 1

    @property
    def head(self) -> str:
        """What the next line names as the one before."""
        return self.links[-1].sha256 if self.links else ""


class _Named(msgspec.Struct):
    previous: str


_decoder = msgspec.json.Decoder(_Named)


def read_chain(data: bytes) -> Chain:
    """Read a chain; never raises. Lines whose checksum is wrong are passed over, good ones behind them are not lost."""
    links: list[Link] = []
    broken: list[int] = []
    at = good = 0
    while (end := data.find(b"\n", at)) >= 0:
        line, at = data[at:end], end + 1
        number, _, json = (whole(line) or b"").partition(b" ")
        if not number.isdigit() or len(number) > LONGEST_NUMBER:
            continue
        before = Chain(links, good, broken)
        if int(number) != before.next_number or _previous(json) != before.head:
            broken.append(int(number))
        links.append(Link(int(number), json, hashlib.sha256(line).hexdigest()))
        good = at
    return Chain(links, good, broken)


def _previous(json: bytes) -> str | None:
    try:
        return _decoder.decode(json).previous
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
