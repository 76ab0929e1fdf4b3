"""A lesson's stills as PDF 1.4 (Adobe's reference, third edition): a picture a page, as the JPEG it is. Pure, no I/O.

Made piece by piece, one picture in memory at a time. The text is in Helvetica, which every reader has, and in its
WinAnsi letters (annex D): what they cannot write becomes a question mark.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

WIDTH, HEIGHT = 842, 595  # A4 across, in points
MARGIN, HEAD = 36, 60
LARGEST_PT, SMALLEST_PT = 16.0, 8.0
EM = 0.58  # how wide a letter of Helvetica is on average, a little more than less
CATALOGUE, TREE, FONT, INFORMATION = 1, 2, 3, 4
FIRST = 5  # of three objects a page: the page, what is drawn, the picture


class Page(NamedTuple):
    """`jpeg` is a whole file (grey or YCbCr), `title` stands over it, `right` at the right of that."""

    jpeg: bytes
    title: str
    right: str


def write(title: str, pages: Iterable[Page]) -> Iterator[bytes]:
    """The file, piece by piece. Raises ValueError for what is no JPEG."""
    places: dict[int, int] = {}
    length, count = 0, 0
    header = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    length += len(header)
    yield header
    for page in pages:
        first = FIRST + 3 * count
        count += 1
        for number, body in enumerate(_page(page, first), first):
            places[number] = length
            written = _object(number, body)
            length += len(written)
            yield written
    kids = b" ".join(b"%d 0 R" % (FIRST + 3 * page) for page in range(count))
    for number, body in (
        (CATALOGUE, b"<< /Type /Catalog /Pages %d 0 R >>" % TREE),
        (TREE, b"<< /Type /Pages /Count %d /Kids [%b] >>" % (count, kids)),
        (FONT, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"),
        (INFORMATION, b"<< /Title <%b> >>" % ("\ufeff" + title).encode("utf-16-be", "replace").hex().encode()),
    ):
        places[number] = length
        written = _object(number, body)
        length += len(written)
        yield written
    table = b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(places))
    size = len(places) + 1
    yield b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    trailer = b"<< /Size %d /Root %d 0 R /Info %d 0 R >>" % (size, CATALOGUE, INFORMATION)
    yield b"trailer\n%b\nstartxref\n%d\n%%%%EOF\n" % (trailer, length)


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _object(number: int, body: bytes) -> bytes:
    return b"%d 0 obj\n%b\nendobj\n" % (number, body)


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %b/Length %d >>\nstream\n%b\nendstream" % (entries, len(data), data)


def _page(page: Page, first: int) -> tuple[bytes, bytes, bytes]:
    width, height, components = jpeg_size(page.jpeg)
    share = min((WIDTH - 2 * MARGIN) / width, (HEIGHT - HEAD - MARGIN) / height)
    x, y = (WIDTH - width * share) / 2, (HEIGHT - HEAD + MARGIN - height * share) / 2
    right, left = _letters(page.right), _letters(page.title)
    right_x = WIDTH - MARGIN - len(right) * EM * LARGEST_PT
    room = right_x - 2 * MARGIN
    size = max(SMALLEST_PT, min(LARGEST_PT, room / EM / max(1, len(left))))
    left = left[: int(room / EM / size)]
    drawn = b"".join(
        (
            b"q %.2f 0 0 %.2f %.2f %.2f cm /I Do Q\n" % (width * share, height * share, x, y),
            b"BT /F %.1f Tf %d %d Td %b Tj ET\n" % (size, MARGIN, HEIGHT - 40, _string(left)),
            b"BT /F %.1f Tf %.1f %d Td %b Tj ET\n" % (LARGEST_PT, right_x, HEIGHT - 40, _string(right)),
        )
    )
    resources = b"<< /XObject << /I %d 0 R >> /Font << /F %d 0 R >> >>" % (first + 2, FONT)
    colours = b"/DeviceRGB" if components == 3 else b"/DeviceGray"
    picture = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace %b /BitsPerComponent 8 " % (
        width, height, colours,
    )  # fmt: skip
    return (
        b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %d %d] /Resources %b /Contents %d 0 R >>"
        % (TREE, WIDTH, HEIGHT, resources, first + 1),
        _stream(b"", drawn),
        _stream(picture + b"/Filter /DCTDecode ", page.jpeg),
    )


def _letters(text: str) -> bytes:
    return unicodedata.normalize("NFC", text).encode("cp1252", "replace")


def _string(letters: bytes) -> bytes:
    for letter in (b"\\", b"(", b")"):
        letters = letters.replace(letter, b"\\" + letter)
    return b"(%b)" % bytes(letter if letter >= 32 else 32 for letter in letters)


def jpeg_size(data: bytes) -> tuple[int, int, int]:
    """Width, height and components of a JPEG (ITU-T T.81, B.2.2). Raises ValueError."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 9 < len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack_from(">HHB", data, place + 5)
            if width and height and components in (1, 3):
                return width, height, components
            break
        place += 2 + length
    raise ValueError("no JPEG")
