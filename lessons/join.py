"""Two lessons become one: the second follows the first.

Its files get a second name (hard link) in the first one's folder; then the first one's journal is replaced, at once, by
one that goes on with them; then the second is removed. `.joining` says in the folder what is under way: whatever a
power cut interrupts is finished, or undone, at the next start, so that there are both or the one, never a half.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from appliance import durable
from appliance.bus import CommandRefused
from appliance.messages import GetLesson, JoinLessons, Lesson
from lessons import joined, vtt
from lessons.catalogue import ID
from lessons.edits import Edits
from lessons.folder import incident_of
from lessons.handlers import Handlers
from lessons.journal import CAMERA, NAME, Record, Track, parse
from lessons.recording import Recording, fold

log = structlog.get_logger()

MARKER = ".joining"


class Joining(msgspec.Struct, frozen=True):
    """What `.joining` holds: the lesson that is to follow, the names of files that the first one gets, and those of
    files that it has no use for then."""

    next: str
    files: list[str]
    replaced: list[str]


class Joins:
    """`live` says which lesson is live, `known` gives a lesson as it is, `remove` removes one, `changed` is told the id
    of one whose journal or files have changed, `wall` gives Unix seconds."""

    def __init__(
        self, root: Path, edits: Edits, live: Callable[[], str | None], known: Callable[[GetLesson], Lesson],
        remove: Callable[[str], object], changed: Callable[[str], None], wall: Callable[[], float],
    ) -> None:  # fmt: skip
        self._root = root
        self._edits = edits
        self._live = live
        self._known = known
        self._remove = remove
        self._changed = changed
        self._wall = wall
        self._lock = threading.Lock()  # one `.joining` a folder

    def handlers(self) -> Handlers:
        return {JoinLessons: self.join}

    def join(self, command: JoinLessons) -> Lesson:
        """Raises CommandRefused."""
        first, second = command.id, command.next
        if first == second:
            raise CommandRefused("invalid", "a lesson cannot follow itself")
        if self._live() in (first, second):
            raise CommandRefused("conflict", "the lesson is live")
        with self._lock:
            try:
                self._edits.write(first, lambda recording: self._lines(recording, second), whole=True)
            except LookupError as error:
                raise CommandRefused("not_found", f"there is no lesson {error.args[0]}") from None
            except (OSError, CommandRefused) as error:
                self._settle(self._root / first)
                if isinstance(error, CommandRefused):
                    raise
                raise CommandRefused("unavailable", incident_of(error)) from None
            log.info("lessons joined", lesson=first, next=second)
            self._settle(self._root / first)
        self._changed(first)
        return self._known(GetLesson(first))

    def finish(self) -> None:
        """Finish or undo what was interrupted. Before the service answers."""
        for marker in sorted(self._root.glob(f"*/{MARKER}")):
            self._settle(marker.parent)

    def _lines(self, first: Recording, second_id: str) -> Sequence[Record]:
        """Prepare the files, and say how the first one's journal goes on. Called while nobody else edits a lesson."""
        second, said = self._read(second_id)
        joined.check(first, second)
        folder, other = self._root / first.created.id, self._root / second_id
        places = joined.moved(first, second)
        texts = self._captions(first, second)
        joining = Joining(
            second_id,
            [*(place.file for place in places), *(track.file for track, _ in texts)],
            [first.tracks[track.language].file for track, _ in texts if track.language in first.tracks],
        )
        durable.write(folder / MARKER, msgspec.json.encode(joining))
        for place in places:
            self._link(other / place.part.opened.file, folder / place.file)
        for track, text in texts:
            durable.write(folder / track.file, text)
        durable.sync_folder(folder)
        tracks = [track for track, _ in texts]
        return [*tracks, *joined.lines(first, second, places, said, self._wall())]

    def _read(self, id: str) -> tuple[Recording, list[Record]]:
        if not ID.fullmatch(id):
            raise LookupError(id)
        try:
            said = parse((self._root / id / NAME).read_bytes()).records
        except FileNotFoundError:
            raise LookupError(id) from None
        recording = fold(said)
        if recording is None:
            raise LookupError(id)
        return recording, said

    def _link(self, source: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        os.link(source, target)
        os.utime(target)  # newer than the pictures that were made of the lesson before: they are made again

    def _captions(self, first: Recording, second: Recording) -> list[tuple[Track, bytes]]:
        """The captions of both, where the second has some."""
        made = []
        for language, track in second.tracks.items():
            own = first.tracks.get(language)
            before = self._cues(first, own) if own else []
            cues = joined.captions(before, self._cues(second, track), first.end)
            text = vtt.render(cues).encode()
            file = f"captions-{language}-{hashlib.sha256(text).hexdigest()[:8]}.vtt"
            made.append((Track("captions", language, (own or track).label, file, self._wall()), text))
        return made

    def _cues(self, recording: Recording, track: Track) -> list[vtt.Cue]:
        try:
            return vtt.parse((self._root / recording.created.id / track.file).read_bytes())
        except vtt.VttError as error:
            raise CommandRefused("conflict", f"the captions {track.file} are damaged: {error}") from None

    def _settle(self, folder: Path) -> None:
        """Bring a joining to its end: the second lesson goes when the first one's journal has it, else the names that
        its files got. What the disk refuses is tried again at the next start."""
        try:
            joining = msgspec.json.decode((folder / MARKER).read_bytes(), type=Joining)
            recording = fold(parse((folder / NAME).read_bytes()).records)
            named = _named(recording) if recording else set()
            if joining.files[0] in named:  # a part, which stays; captions may have been replaced since
                for file in set(joining.replaced) - named:
                    (folder / file).unlink(missing_ok=True)
                if (self._root / joining.next).is_dir():
                    self._remove(joining.next)
            else:
                for file in set(joining.files) - named:
                    (folder / file).unlink(missing_ok=True)
            (folder / MARKER).unlink()
            durable.sync_folder(folder)
        except FileNotFoundError:
            return
        except (OSError, LookupError, msgspec.DecodeError) as error:
            log.error("lessons not joined to the end", lesson=folder.name, error=str(error))


def _named(recording: Recording) -> set[str]:
    """The files that a journal names."""
    strands = (recording.strand(CAMERA), *recording.beside.values())
    parts = {part.opened.file for strand in strands for part in strand.parts}
    return parts | {track.file for track in recording.tracks.values()}
