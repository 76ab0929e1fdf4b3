"""WebVTT (W3C Candidate Recommendation, 4 April 2019), read and written. Pure, no I/O.

Reads what teachers upload and keeps of it what the replay shows: times, text, and in the text who speaks (``<v>``),
bold and italics. Settings, styles, regions, notes and identifiers are dropped. Stricter than browsers are, which pass
over what they do not understand: the person who uploads is there to be told. What is read is written back the same.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LARGEST = 2 * 1024 * 1024
MOST_CUES = 20_000
LONGEST_NAME = 100
_TIME = r"(?:([0-9]{2,4}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})"
_TIMES = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
_TAG = re.compile(r"<(/?)([A-Za-z0-9:]+)(?:\.[^\s<>]*)?(?:\s([^<>]*))?>")  # name, classes, annotation
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_TIMELESS = ("NOTE", "STYLE", "REGION")


class VttError(ValueError):
    """The text is not WebVTT that can be kept; `line` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


class Cue(NamedTuple):
    """Shown from `start_ms` until before `end_ms` (milliseconds, the later one greater). `text` is cue text as the
    standard has it (section 4.2.2), with entities and the tags ``v``, ``b`` and ``i``, never empty."""

    start_ms: int
    end_ms: int
    text: str


def parse(data: bytes) -> list[Cue]:
    """The cues of a WebVTT file in UTF-8, by their start. Raises VttError."""
    if len(data) > LARGEST:
        raise VttError(1, f"the file is larger than {LARGEST // 1024 // 1024} MiB")
    lines = _lines(data)
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise VttError(1, "the file must begin with WEBVTT")
    cues: list[Cue] = []
    for first, block in _blocks(lines):
        if first == 1:
            if any("-->" in line for line in block):
                raise VttError(1, "an empty line must follow the first one")
            continue
        cue = _cue(first, block)
        if cue:
            cues.append(cue)
        if len(cues) > MOST_CUES:
            raise VttError(first, f"there are more than {MOST_CUES} cues")
    return sorted(cues, key=lambda cue: cue.start_ms)


def render(cues: Iterable[Cue]) -> str:
    """The file's text."""
    blocks = (f"{time_text(cue.start_ms)} --> {time_text(cue.end_ms)}\n{cue.text}\n" for cue in cues)
    return "\n".join(("WEBVTT\n", *blocks))


def moved(cues: Iterable[Cue], by_ms: int, until_ms: int | None = None) -> list[Cue]:
    """The cues `by_ms` later; what then lies before 0, or behind `until_ms`, is cut off."""
    shifted = (
        Cue(max(0, one.start_ms + by_ms), min(one.end_ms + by_ms, until_ms or one.end_ms + by_ms), one.text)
        for one in cues
    )
    return [one for one in shifted if one.start_ms < one.end_ms]


def time_text(ms: int) -> str:
    """``HH:MM:SS.mmm``."""
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{rest:03d}"


def plain(text: str) -> str:
    """Words of a person as cue text: in one line, with nothing that could be a tag."""
    return _escape(" ".join(_CONTROL.sub(" ", text).split()))


def words(text: str) -> str:
    """What a cue's text says, in one line, without tags and entities: the other way of `plain`."""
    return " ".join(_CONTROL.sub(" ", html.unescape(re.sub(r"<[^>]*>", "", text))).split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lines(data: bytes) -> list[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise VttError(line, "the text is not UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The runs of lines between empty ones, each with the number of its first line."""
    block: list[str] = []
    for number, line in enumerate((*lines, ""), 1):
        if line:
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cue(first: int, block: list[str]) -> Cue | None:
    """The cue of a block, None when it has none to show. Raises VttError."""
    if re.split(r"[ \t]", block[0], maxsplit=1)[0] in _TIMELESS:
        return None
    at = next((index for index, line in enumerate(block[:2]) if "-->" in line), None)
    if at is None:
        raise VttError(first, "no times (00:01.000 --> 00:04.000)")
    found = _TIMES.fullmatch(block[at])
    if not found:
        raise VttError(first + at, "the times must be written as 00:01.000 --> 00:04.000")
    start_ms, end_ms = _milliseconds(*found.group(1, 2, 3, 4)), _milliseconds(*found.group(5, 6, 7, 8))
    if end_ms <= start_ms:
        raise VttError(first + at, "a cue must end after it begins")
    rest = block[at + 1 :]
    for index, line in enumerate(rest):
        if "-->" in line:
            raise VttError(first + at + 1 + index, "an empty line is missing before these times")
    text = _normal("\n".join(rest))
    return Cue(start_ms, end_ms, text) if text else None


def _milliseconds(hours: str | None, minutes: str, seconds: str, ms: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(ms)


def _normal(text: str) -> str:
    """Cue text with what is kept of it, well nested and escaped; empty when there is nothing to read."""
    pieces: list[str] = []
    open_tags: list[str] = []
    place = 0
    for tag in _TAG.finditer(text):
        pieces.append(_words(text[place : tag.start()]))
        place = tag.end()
        closing, name, annotation = tag.groups()
        if name not in ("v", "b", "i"):
            continue
        if not closing:
            open_tags.append(name)
            pieces.append(f"<{name}>" if name != "v" else f"<v {_name(annotation or '')}>")
        elif name in open_tags:
            while open_tags:
                closed = open_tags.pop()
                pieces.append(f"</{closed}>")
                if closed == name:
                    break
    pieces.append(_words(text[place:]))
    pieces += [f"</{name}>" for name in reversed(open_tags)]
    lines = (line.strip(" \t") for line in "".join(pieces).split("\n"))
    kept = "\n".join(line for line in lines if line)
    return kept if re.sub(r"<[^>]*>", "", kept).strip() else ""


def _words(text: str) -> str:
    """Text between tags, its entities read and written anew."""
    return _escape(_CONTROL.sub("", html.unescape(text)))


def _name(annotation: str) -> str:
    words = " ".join(_CONTROL.sub("", html.unescape(annotation)).split())
    return _escape(words[:LONGEST_NAME].strip())
