"""What people say of a lesson, and who may see it, in a lesson that is live or over."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from appliance.bus import CommandRefused
from appliance.messages import DescribeLesson, GetLesson, Lesson, StartLesson
from lessons.amendments import Amendments
from lessons.handlers import Handlers
from lessons.journal import Described, Record
from lessons.recording import About, Recording

LONGEST_TITLE = 200
LONGEST_WORDS = 80  # of subject, class and teacher


class Library:
    """`known` gives a lesson as it is now, `wall` is the clock, in Unix seconds."""

    def __init__(
        self, amendments: Amendments, known: Callable[[GetLesson], Lesson], wall: Callable[[], float]
    ) -> None:  # fmt: skip
        self._amendments = amendments
        self._known = known
        self._wall = wall

    def handlers(self) -> Handlers:
        return {DescribeLesson: self.describe}

    def describe(self, command: DescribeLesson) -> Lesson:
        """Raises CommandRefused."""
        check(command)
        if command.title is not None and not command.title.strip():
            raise CommandRefused("invalid", "a lesson needs a title")
        said = Described(
            self._wall(), command.title, command.subject, command.group, command.teacher, command.visibility
        )
        after: list[About] = []

        def decide(recording: Recording, now: int | None) -> list[Record]:
            about = recording.about.corrected(said)
            after.append(about)
            return [said] if about != recording.about else []

        self._amendments.write(command.id, decide)
        # What is told of a lesson that is live may be a moment older than its journal.
        about = after[-1]
        return msgspec.structs.replace(
            self._known(GetLesson(command.id)),
            title=about.title, subject=about.subject, group=about.group, teacher=about.teacher,
            visibility=about.visibility,
        )  # fmt: skip


def check(said: StartLesson | DescribeLesson) -> None:
    """Raises CommandRefused for words that are too long."""
    limits = (
        ("title", LONGEST_TITLE),
        ("subject", LONGEST_WORDS),
        ("group", LONGEST_WORDS),
        ("teacher", LONGEST_WORDS),
    )
    for name, longest in limits:
        if len(getattr(said, name) or "") > longest:
            raise CommandRefused("invalid", f"{name}: longer than {longest} characters")
