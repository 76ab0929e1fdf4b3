"""The catalogue's view of a lesson."""

from __future__ import annotations

from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Lesson
from lessons import edition
from lessons.journal import JOINED, SCREEN
from lessons.recording import Recording


def screen_s(recording: Recording) -> float:
    """How many seconds of a shared screen are recorded."""
    parts = recording.strand(SCREEN).parts
    return sum(part.end - part.opened.start for part in parts if part.fragments) / VIDEO_TIMESCALE


def describe(recording: Recording, *, thumbnail: bool) -> Lesson:
    """The catalogue's view of a lesson: as it is shown, but for the bytes on disk."""
    created, about, shown = recording.created, recording.about, edition.of(recording).shown
    return Lesson(
        created.id, created.code, about.title, recording.state, created.started_at, shown.duration_s,
        recording.bytes, sum(1 for part in shown.parts if part.fragments),
        sum(gap.reason != JOINED for gap in shown.gaps), thumbnail,
        screen_s(shown), about.subject, about.group, about.teacher, about.visibility, about.ends_at,
        bool(recording.sent), recording.warned_at,
    )  # fmt: skip
