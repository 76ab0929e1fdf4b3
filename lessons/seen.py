"""What is known of a lesson's pages: a derived file, so that looking for them goes on where the last run ended.

Read by the service, which must not load what `lessons.pages` looks with.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lessons import stills
from lessons.journal import Mark

PAGES = ".pages"
VERSION = 1  # of what stands in it, and of how pages are found


class State(msgspec.Struct):
    """What must be known to go on with the next picture; pictures are rows of `WIDTH` bytes. Places are ticks: `began`
    is where the picture of now became still, `last` the last page."""

    recent: list[tuple[int, bytes]] = []
    before: bytes = b""
    page: bytes = b""
    began: int = 0
    last: int | None = None
    first: int | None = None
    follows: bool = False


class Seen(msgspec.Struct):
    """How far the pages of each source were looked for (ticks), and all that were found, as (kind, ticks)."""

    version: int = VERSION
    places: dict[str, int] = {}
    states: dict[str, State] = {}
    found: list[tuple[str, int]] = []


def read_seen(folder: Path) -> Seen:
    """What earlier runs know of the lesson; nothing when they are none, or of another version."""
    try:
        seen = msgspec.msgpack.decode((folder / PAGES).read_bytes(), type=Seen)
    except (FileNotFoundError, msgspec.DecodeError):
        return Seen()
    return seen if seen.version == VERSION else Seen()


def found(seen: Seen, wall: float) -> list[Mark]:
    """The marks of the pages that were found."""
    return [stills.page_mark(kind, at, wall) for kind, at in seen.found]
