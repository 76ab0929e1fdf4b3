"""The JSON shape of `timeline.json`, a pure function of what a lesson's reader says. ui/openapi.json describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ui.ports import Timeline

SPAN = ("start_s", "duration_s", "sound")
GAP = ("at_s", "seconds", "reason")
SILENCE = ("start_s", "end_s")
CHAPTER = ("id", "at_s", "text", "kind", "still")


def timeline_view(found: Timeline) -> dict[str, Any]:
    return {
        "state": found.state,
        "duration_s": found.duration_s,
        "gaps": named(GAP, found.gaps),
        "chapters": named(CHAPTER, found.chapters),
        "screen": named(SPAN, found.screen),
        "silent": named(SILENCE, found.silent),
        "strip": None,
    }


def named(names: Sequence[str], rows: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    """Rows as objects whose keys are `names`."""
    return [dict(zip(names, row, strict=True)) for row in rows]
