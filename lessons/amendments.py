"""Lines that people add to a lesson's journal, live or over: marks, descriptions, whatever is corrected later."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appliance.bus import CommandRefused
from lessons.edits import Edits
from lessons.folder import incident_of
from lessons.journal import Record
from lessons.recorder import Recorder
from lessons.recording import Recording
from lessons.session import Session

Decide = Callable[[Recording, int | None], Sequence[Record]]


class Amendments:
    """Called on any thread but the recorder's. `changed` is told the id of a lesson that is over and has other lines
    now."""

    def __init__(self, recorder: Recorder, edits: Edits, changed: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._edits = edits
        self._changed = changed

    def write(self, id: str, decide: Decide) -> None:
        """Write durably what `decide` says of the lesson, and of the place (ticks) where it is now (None: it is over).
        Raises CommandRefused, and what `decide` raises."""

        def live(session: Session, now_ns: int) -> list[Record]:
            return list(decide(session.recording, session.place(now_ns)))

        try:
            if not self._recorder.note(id, live):
                self._edits.write(id, lambda recording: decide(recording, None))
                self._changed(id)
        except LookupError:
            raise CommandRefused("not_found", f"there is no lesson {id}") from None
        except TimeoutError:
            raise CommandRefused("unavailable", "the disk takes too long") from None
        except OSError as error:
            raise CommandRefused("unavailable", incident_of(error)) from None
