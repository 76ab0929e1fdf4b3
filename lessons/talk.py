"""The teacher's switch: whether pupils' voices go into the recording of the live lesson.

Never by itself: the school's setting must allow it, and every lesson begins with the switch off.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.bus import CommandRefused
from appliance.messages import Done, RecordTalk
from lessons.amendments import Amendments
from lessons.handlers import Handlers
from lessons.journal import Record, TalkRecorded
from lessons.recording import Recording


class Talk:
    """`allowed` is the school's setting, `wall` the clock, in Unix seconds."""

    def __init__(self, amendments: Amendments, allowed: bool, wall: Callable[[], float]) -> None:
        self._amendments = amendments
        self._allowed = allowed
        self._wall = wall

    def handlers(self) -> Handlers:
        return {RecordTalk: self.record}

    def record(self, command: RecordTalk) -> Done:
        """Raises CommandRefused."""
        if command.on and not self._allowed:
            raise CommandRefused("conflict", "the school does not allow pupils' voices in recordings (record_talk)")

        def decide(recording: Recording, now: int | None) -> list[Record]:
            if now is None:
                raise CommandRefused("conflict", "the lesson is over")
            return [] if recording.records_talk == command.on else [TalkRecorded(command.on, self._wall())]

        self._amendments.write(command.id, decide)
        return Done()
