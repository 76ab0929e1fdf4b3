"""Which streaming process serves whom. Pure: no I/O; `now` is CLOCK_MONOTONIC in seconds.

Who comes goes to the process that serves the fewest sessions, a viewer's second session to the process of the first.
What a process says of itself is the truth, with every reply and once a second; what was asked of it and is not
answered yet counts, too, so that a class that joins at once is shared out evenly. Viewers are not moved: after a
process died, its own come back to it as the emptiest, if it is back by then.

The public id of a session says which process has it: ``2.ID`` for the second, ``ID`` alone for the first. The pages
read it, too.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Collection

SILENT_S = 3.0  # they speak once a second
REMEMBERED = 1000  # viewers
ID_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9_-]{16}")  # as `secrets.token_urlsafe(ID_BYTES)` makes it


def well_formed(session: str) -> bool:
    """Whether a process may have given this id of its own to a session, now or before it was started afresh."""
    return _ID.fullmatch(session) is not None


def public_id(process: int, session: str) -> str:
    """The id of a session for the world outside."""
    return session if process == 1 else f"{process}.{session}"


def place(public: str, processes: int) -> tuple[int, str] | None:
    """The process and its own id of a session; None for an id that none of `processes` processes gives."""
    head, dot, session = public.partition(".")
    if not dot:
        return 1, public
    known = {str(process): process for process in range(2, processes + 1)}
    return (known[head], session) if head in known else None


class Sharing:
    """Processes count from 1. Not safe between threads."""

    def __init__(self, processes: int) -> None:
        self._processes = range(1, processes + 1)
        self._sessions: dict[int, int] = {}
        self._asked: Counter[int] = Counter()
        self._heard: dict[int, float] = {}
        self._away: set[int] = set()
        self._viewers: OrderedDict[str, tuple[int, set[str]]] = OrderedDict()

    def take(self, viewer: str, tried: Collection[int], now: float) -> int:
        """The process to ask for a session of the viewer, among those that were not `tried`: one that seems dead comes
        last. It counts as asked until `answered` is called."""
        own, _ = self._viewers.get(viewer, (0, ()))

        def rank(process: int) -> tuple[bool, bool, int, int]:
            load = self._sessions.get(process, 0) + self._asked[process]
            return self._dead(process, now), process != own, load, process

        process = min((one for one in self._processes if one not in tried), key=rank)
        self._asked[process] += 1
        return process

    def _dead(self, process: int, now: float) -> bool:
        silent = process in self._heard and now - self._heard[process] > SILENT_S
        return silent or process in self._away

    def answered(self, process: int) -> None:
        """What `take` chose has answered, or will not."""
        self._asked[process] -= 1

    def opened(self, viewer: str, process: int, session: str, sessions: int) -> None:
        """The viewer has a session of the process, which now serves `sessions`."""
        self._away.discard(process)
        self._sessions[process] = sessions
        own, open_ones = self._viewers.pop(viewer, (process, set[str]()))
        self._viewers[viewer] = (process, {*(open_ones if own == process else ()), session})
        if len(self._viewers) > REMEMBERED:
            self._viewers.popitem(last=False)

    def closed(self, viewer: str, session: str) -> None:
        """The viewer's session is over. Idempotent."""
        _, open_ones = self._viewers.get(viewer, (0, set[str]()))
        open_ones.discard(session)
        if not open_ones:
            self._viewers.pop(viewer, None)

    def told(self, process: int, sessions: int, now: float) -> None:
        """The process says that it lives and serves so many sessions."""
        if process in self._processes:
            self._away.discard(process)
            self._sessions[process], self._heard[process] = sessions, now

    def away(self, process: int) -> None:
        """Nobody answered there: it is asked last until it says that it lives."""
        self._away.add(process)
        self._sessions.pop(process, None)
