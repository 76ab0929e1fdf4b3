from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessons.vtt import LARGEST, MOST_CUES, Cue, VttError, parse, plain, render

FILE = """\
WEBVTT - Les volcans
Kind: captions

STYLE
::cue { color: red }

NOTE not for pupils

1
00:01.000 --> 00:04.500 align:start line:0
<v.loud Mme Ferrand>Bonjour &amp; <c.yellow>bienvenue</c>.

01:00:00.000\t-->\t100:00:00.001
- <i>Pariou ?</i>
<00:01.000>- Non, <u>le <b>Puy de Dôme</u>.
"""
CUES = [
    Cue(1000, 4500, "<v Mme Ferrand>Bonjour &amp; bienvenue.</v>"),
    Cue(3_600_000, 360_000_001, "- <i>Pariou ?</i>\n- Non, le <b>Puy de Dôme.</b>"),
]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_as_people_have_it(ends: str, mark: str) -> None:
    assert parse((mark + FILE.replace("\n", ends)).encode()) == CUES


def test_what_is_written() -> None:
    assert render(CUES) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:04.500\n<v Mme Ferrand>Bonjour &amp; bienvenue.</v>\n\n"
        "01:00:00.000 --> 100:00:00.001\n- <i>Pariou ?</i>\n- Non, le <b>Puy de Dôme.</b>\n"
    )
    assert parse(render([]).encode()) == []


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (b"", 1, "WEBVTT"),
        (b"WEBVTTX\n", 1, "WEBVTT"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nsrt", 1, "WEBVTT"),
        (b"WEBVTT\n00:01.000 --> 00:02.000\na", 1, "empty line"),
        (b"WEBVTT\n\n00:01,000 --> 00:02,000\na", 3, "must be written"),
        (b"WEBVTT\n\n\nid\n00:61.000 --> 00:02.000\na", 5, "must be written"),
        (b"WEBVTT\n\n00:02.000 --> 00:02.000\na", 3, "after it begins"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:03.000 --> 00:04.000\nb", 5, "empty line"),
        (b"WEBVTT\n\nonly words\n", 3, "no times"),
        ("WEBVTT\n\n٠٠:٠١.٠٠٠ --> 00:02.000\na".encode(), 3, "must be written"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n\xe9t\xe9", 4, "UTF-8"),
        (b"WEBVTT\n\n" + b"a" * LARGEST, 1, "larger"),
        (b"WEBVTT\n" + b"\n00:01.000 --> 00:02.000\na\n" * (MOST_CUES + 1), MOST_CUES * 3 + 3, "more than"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: bytes, line: int, what: str) -> None:
    with pytest.raises(VttError, match=what) as error:
        parse(text)
    assert error.value.line == line


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a < b > c", "a &lt; b &gt; c"),
        ("&lt;b&gt; &#10;&#13;&nbsp;x &unknown; &", "&lt;b&gt;\n\xa0x &amp;unknown; &amp;"),
        ("<b>a", "<b>a</b>"),
        ("a</b>", "a"),
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ("<script>x</script><B>y", "xy"),
        ("<v>x", "<v >x</v>"),
        ('<v "&gt;<b>', '&lt;v "&gt;<b></b>'),
        ("<v " + "é" * 300 + ">x", "<v " + "é" * 100 + ">x</v>"),
        ("<i> </i>", None),
        ("\x07 ", None),
    ],
)
def test_text_is_kept_without_what_the_replay_does_not_show(text: str, kept: str | None) -> None:
    cues = parse(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n".encode())
    assert [cue.text for cue in cues] == ([] if kept is None else [kept])


def test_cues_come_in_order() -> None:
    blocks = "".join(f"\n00:0{start}.000 --> 00:09.000\n{start}\n" for start in (3, 1, 2))
    assert [cue.text for cue in parse(f"WEBVTT\n{blocks}".encode())] == ["1", "2", "3"]


@pytest.mark.parametrize("hostile", ["<" * 100_000, "<v" + " " * 200_000, "<a" + ".b" * 100_000, "&" * 100_000])
def test_no_text_takes_long(hostile: str) -> None:
    (cue,) = parse(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{hostile}x\n".encode())
    assert cue.text.startswith(("&lt;", "&amp;"))


@given(text=st.text())
def test_words_of_a_person_are_one_line_of_text(text: str) -> None:
    words = plain(text)
    cues = parse(render([Cue(0, 1, words or "x")]).encode(errors="replace"))
    assert len(cues) == 1 and "\n" not in words
    assert "<" not in words and "-->" not in words
