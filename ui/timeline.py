"""The JSON shape of `timeline.json`, a pure function of what a lesson's reader says. ui/openapi.json describes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from flask_babel import gettext as _

from ui.ports import Chapter, Timeline

SPAN = ("start_s", "duration_s", "sound")
GAP = ("at_s", "seconds", "reason")
SILENCE = ("start_s", "end_s")


def timeline_view(found: Timeline) -> dict[str, Any]:
    return {
        "state": found.state,
        "duration_s": found.duration_s,
        "gaps": named(GAP, found.gaps),
        "chapters": [chapter_view(one, found.stills) for one in found.chapters],
        "screen": named(SPAN, found.screen),
        "talk": named(SPAN, found.talk),
        "silent": named(SILENCE, found.silent),
        "strip": "strip.vtt" if found.strip else None,
        "low": "low.m3u8" if found.low else None,
        "trimmed_s": found.trimmed_s,
        "sound": "sound.m3u8" if found.sound else None,
    }


def chapter_view(chapter: Chapter, stills: Collection[int]) -> dict[str, object]:
    """`text` in words also where nobody gave it any."""
    still = f"stills/{chapter.place}.jpg" if chapter.place in stills else None
    text = chapter.text or chapter_title(chapter)
    return {"id": chapter.id, "at_s": chapter.at_s, "text": text, "kind": chapter.kind, "still": still}


def chapter_title(chapter: Chapter) -> str:
    """The name of a mark that has no words."""
    match chapter.kind:
        case "teacher":
            return str(_("Mark %(number)s", number=chapter.number))
        case "board":
            return str(_("Board %(number)s", number=chapter.number))
        case "screen":
            return str(_("Page %(number)s", number=chapter.number))


def named(names: Sequence[str], rows: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    """Rows as objects whose keys are `names`."""
    return [dict(zip(names, row, strict=True)) for row in rows]
