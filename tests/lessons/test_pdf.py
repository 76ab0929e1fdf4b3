"""The PDF of stills, read back: by its cross-reference table, and by poppler where that is installed."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lessons.pdf import Page, jpeg_size, write


def jpeg(width: int, height: int, mode: str = "RGB") -> bytes:
    image = np.random.default_rng(width).integers(0, 255, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, "JPEG")
    return file.getvalue()


PAGES = [
    Page(jpeg(960, 540), "L’éruption (1) \\ n° 2 – œuvre", "0:12"),
    Page(jpeg(405, 540, "L"), "x" * 500, "1:02:03"),
    Page(jpeg(960, 300), "بركان", "9:59:59"),
]


def objects(data: bytes) -> dict[int, bytes]:
    """What stands where the table says, each checked to be that object."""
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data).group(1))  # type: ignore[union-attr]
    table = re.match(
        rb"xref\n0 (\d+)\n0000000000 65535 f \n((?:\d{10} 00000 n \n)*)trailer\n<< /Size (\d+) ", data[start:]
    )
    assert table and table.group(1) == table.group(3)
    places = [int(line[:10]) for line in table.group(2).splitlines()]
    assert len(places) == int(table.group(1)) - 1
    found = {}
    for number, place in enumerate(places, 1):
        assert data[place:].startswith(b"%d 0 obj\n" % number)
        found[number] = data[place : data.index(b"\nendobj\n", place)].split(b"obj\n", 1)[1]
    return found


def test_every_object_is_where_the_table_says() -> None:
    found = objects(b"".join(write("Les volcans", PAGES)))
    assert b"/Count 3 /Kids [5 0 R 8 0 R 11 0 R]" in found[2]
    for number, page in zip((7, 10, 13), PAGES, strict=True):
        entries, data = found[number].split(b"\nstream\n", 1)
        assert data == page.jpeg + b"\nendstream"
        width, height, components = jpeg_size(page.jpeg)
        assert b"/Width %d /Height %d " % (width, height) in entries and b"/Length %d " % len(page.jpeg) in entries
        assert (b"/DeviceGray" in entries) == (components == 1)
    assert "(L\x92éruption \\(1\\) \\\\ n° 2 \x96 \x9cuvre) Tj".encode("latin-1") in found[6]
    assert "Les volcans".encode("utf-16-be").hex().encode() in found[4]


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x04ab", b"\x89PNG" + b"x" * 50, jpeg(8, 8)[:20]]
)
def test_what_is_no_jpeg(data: bytes) -> None:
    with pytest.raises(ValueError, match="no JPEG"):
        list(write("", [Page(data, "", "")]))


@pytest.mark.skipif(not shutil.which("pdftoppm"), reason="poppler-utils is not installed")
def test_poppler_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "stills.pdf"
    path.write_bytes(b"".join(write("Les volcans", PAGES)))
    told = subprocess.run(["pdfinfo", str(path)], capture_output=True, text=True, check=True)
    assert told.stderr == "" and "Pages:           3" in told.stdout and "Les volcans" in told.stdout
    text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert "L’éruption (1) \\ n° 2 – œuvre" in text and "1:02:03" in text
    subprocess.run(["pdfimages", "-all", str(path), str(tmp_path / "image")], check=True)
    taken = [one.read_bytes() for one in sorted(tmp_path.glob("image-*"))]
    assert taken == [page.jpeg for page in PAGES]
