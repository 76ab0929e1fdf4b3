"""Text tracks that a teacher puts beside a lesson: captions as files, chapters as marks. What comes has the times of
the lesson as it is shown, what is kept those of the whole.

A caption file's name holds a digest of what is in it: a new text is a new file, durable before the journal names it, so
that a power cut leaves the old track or the new one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from appliance import durable
from appliance.bus import CommandRefused
from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Done, PutTrack, RemoveTrack
from lessons import edition, vtt
from lessons.amendments import Amendments
from lessons.folder import incident_of
from lessons.handlers import Handlers
from lessons.journal import Mark, MarkRemoved, Record, Track, TrackRemoved
from lessons.marks import LONGEST_TEXT, MOST
from lessons.recording import Recording
from lessons.vtt import Cue, VttError

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")  # BCP 47 (RFC 5646) without what nobody writes
LONGEST_LABEL = 60
MOST_TRACKS = 20


class Tracks:
    """`wall` is the clock, in Unix seconds."""

    def __init__(self, root: Path, amendments: Amendments, wall: Callable[[], float]) -> None:
        self._root = root
        self._amendments = amendments
        self._wall = wall

    def handlers(self) -> Handlers:
        return {PutTrack: self.put, RemoveTrack: self.remove}

    def put(self, command: PutTrack) -> Done:
        """Raises CommandRefused."""
        if not LANGUAGE.fullmatch(command.language):
            raise CommandRefused("invalid", "the language must be a tag like fr or pt-BR")
        if not 1 <= len(command.label) <= LONGEST_LABEL:
            raise CommandRefused("invalid", f"the label has 1 to {LONGEST_LABEL} characters")
        try:
            cues = vtt.parse(command.text.encode(errors="replace"))
        except VttError as error:
            raise CommandRefused("invalid", str(error)) from None
        if command.kind == "chapters":
            self._amendments.write(command.id, lambda recording, now: chapter_marks(recording, cues, now, self._wall()))
        else:
            self._put_captions(command, cues)
        return Done()

    def _put_captions(self, command: PutTrack, cues: list[Cue]) -> None:
        files: list[str] = []

        def decide(recording: Recording, now: int | None) -> list[Record]:
            known = recording.tracks.get(command.language)
            if known is None and len(recording.tracks) >= MOST_TRACKS:
                raise CommandRefused("invalid", f"the lesson has {MOST_TRACKS} text tracks")
            shift_ms = round(edition.of(recording).shift * 1000 / VIDEO_TIMESCALE)
            text = vtt.render(vtt.moved(cues, shift_ms)).encode()
            file = f"captions-{command.language}-{hashlib.sha256(text).hexdigest()[:8]}.vtt"
            durable.write(self._root / command.id / file, text)
            files.append(file)
            return [Track("captions", command.language, command.label, file, self._wall())]

        self._amendments.write(command.id, decide)
        self._tidy(command.id, command.language, files[-1])

    def remove(self, command: RemoveTrack) -> Done:
        """Raises CommandRefused."""

        def decide(recording: Recording, now: int | None) -> list[Record]:
            if command.kind == "chapters":
                return [MarkRemoved(id) for id in edition.of(recording).shown.marks]
            return [TrackRemoved("captions", command.language)] if command.language in recording.tracks else []

        self._amendments.write(command.id, decide)
        if command.kind == "captions" and LANGUAGE.fullmatch(command.language):
            self._tidy(command.id, command.language, "")
        return Done()

    def _tidy(self, id: str, language: str, kept: str) -> None:
        """Let go of the files that the journal no longer names."""
        try:
            for path in (self._root / id).glob(f"captions-{language}-????????.vtt"):
                if path.name != kept:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise CommandRefused("unavailable", incident_of(error)) from None


def chapter_marks(recording: Recording, cues: list[Cue], now: int | None, wall: float) -> list[Record]:
    """The lines that make the cues the only marks of the lesson as it is shown. Raises CommandRefused."""
    shown, shift, _ = edition.of(recording)
    end = max(shown.end, now or 0)
    if len(cues) > MOST:
        raise CommandRefused("invalid", f"there are more than {MOST} chapters")
    made: dict[str, Mark] = {}
    for cue in cues:
        at, text = cue.start_ms * VIDEO_TIMESCALE // 1000, vtt.words(cue.text)
        if at > end:
            raise CommandRefused("invalid", f"{vtt.time_text(cue.start_ms)} lies behind the lesson's end")
        if len(text) > LONGEST_TEXT:
            raise CommandRefused("invalid", f"a chapter's text is longer than {LONGEST_TEXT} characters")
        at += shift
        same = next((one for one in recording.marks.values() if (one.at, one.text) == (at, text)), None)
        mark = same or Mark(hashlib.sha256(f"{at} {text}".encode()).hexdigest()[:8], at, text, "teacher", wall)
        made[mark.id] = mark
    gone = [MarkRemoved(id) for id in shown.marks if id not in made]
    return [*gone, *(mark for id, mark in made.items() if recording.marks.get(id) != mark)]
