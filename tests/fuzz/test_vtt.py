"""Uploaded captions: cues that survive being written and read again, or VttError; nothing else."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from lessons import vtt
from tests.fuzz import FUZZ

WORDS = ("WEBVTT", "-->", "00:01.000", "01:00:02.500", "NOTE", "STYLE", "<v", "<b>", "</b>", "<i>", "</v>", ">", "<",
         "&amp;", "&lt;", "&#10;", "&#0;", "\n", "\n\n", "\r", "\t", " ", ".", "é", "\ufeff", "\0")  # fmt: skip


@st.composite
def nearly(draw: st.DrawFn) -> bytes:
    """A file with a right beginning and anything as its cues' text, then damaged."""
    text = "WEBVTT\n"
    for _ in range(draw(st.integers(0, 4))):
        piece = draw(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12))
        text += "\n00:01.000 --> 00:02.000\n" + "".join(piece) + "\n"
    data = bytearray(text.encode())
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@given(data=st.binary(max_size=400) | nearly())
@FUZZ
def test_captions(data: bytes) -> None:
    with suppress(vtt.VttError):
        cues = vtt.parse(data)
        assert vtt.parse(vtt.render(cues).encode()) == cues
        assert all(cue.text and 0 <= cue.start_ms < cue.end_ms for cue in cues)
