"""What ui uses of streaming: the commands, by the bus. Safe from any thread. Imports no WebRTC.

Where several processes share the viewers, this decides who serves whom (streaming.sharing) and finds the process of a
session again. A process that is dead refuses nobody: another is asked, and the sessions it had are not found.
"""

from __future__ import annotations

import threading
import time
from typing import Literal

import msgspec

from appliance import bus, process_names
from appliance.messages import (
    ChooseQuality,
    CloseSession,
    CloseViewers,
    Event,
    PatchSession,
    Publish,
    Quality,
    QualityChoice,
    RefusalKind,
    Reply,
    ViewersState,
    Watch,
    Watching,
)
from appliance.settings import Settings
from streaming.sharing import Sharing, place, public_id, well_formed

# A process that listens takes a connection at once, however busy it is.
ABSENT_S = 0.25
# Another process may say otherwise: it heard of the source, or has room.
MAY_DIFFER: tuple[RefusalKind, ...] = ("conflict", "unavailable")


class StreamingClient:
    """Every method raises appliance.bus.CommandRefused when the service says no (its `kind` says why) and
    appliance.bus.BusError when it does not answer in time."""

    def __init__(self, settings: Settings, *, timeout_s: float = 5.0) -> None:
        self._folder = settings.bus
        self._timeout_s = timeout_s
        self._processes = settings.streaming_processes
        self._lock = threading.Lock()
        self._sharing = Sharing(self._processes)

    def note(self, event: Event) -> None:
        """Take in what the processes say of themselves. Without it, their replies alone tell how busy they are."""
        if isinstance(event, ViewersState):
            with self._lock:
                self._sharing.told(process_names.number(event.service), event.sessions, time.monotonic())

    def watch(
        self,
        *,
        viewer: str,
        name: str,
        role: Literal["pupil", "teacher"],
        offer: str,
        peer: str,
        source: str = "camera",
        quality: QualityChoice = "automatic",
    ) -> Watching:
        """Open a session for an SDP offer. Refused `invalid` (the offer cannot be used), `unavailable`, `conflict`
        (nobody publishes the source)."""
        command = Watch(viewer, name, role, offer, peer, source, quality)
        tried: list[int] = []
        refused: bus.CommandRefused | None = None
        while len(tried) < self._processes:
            with self._lock:
                process = self._sharing.take(viewer, tried, time.monotonic())
            tried.append(process)
            wait = refused is None and len(tried) == self._processes
            try:
                return self._watch(process, command, absent_s=None if wait else ABSENT_S)
            except bus.ServiceAbsent:
                continue
            except bus.CommandRefused as error:
                if error.kind not in MAY_DIFFER:
                    raise
                refused = error
        assert refused is not None  # a process that is the last hope is waited for
        raise refused

    def _watch(self, process: int, command: Watch, absent_s: float | None) -> Watching:
        """Ask the process that `take` chose."""
        try:
            reply = self._open(process, command, absent_s)
        except bus.BusError:
            with self._lock:
                self._sharing.away(process)
            raise
        finally:
            with self._lock:
                self._sharing.answered(process)
        session = public_id(process, reply.session)
        with self._lock:
            self._sharing.opened(command.viewer, process, session, reply.sessions)
        return msgspec.structs.replace(reply, session=session)

    def publish(self, source: str, *, viewer: str, name: str, offer: str, peer: str) -> Watching:
        """Open a WHIP session, in the first process. Refused `not_found` (no such source), `invalid`, `conflict` (it is
        taken), `unavailable`."""
        return self._open(1, Publish(source, viewer, name, offer, peer))

    def _open(self, process: int, command: Watch | Publish, absent_s: float | None = None) -> Watching:
        reply = self._call(process, command, absent_s)
        if not isinstance(reply, Watching):
            raise bus.BusError(f"unexpected reply {type(reply).__name__}")
        return reply

    def patch(self, session: str, *, viewer: str, etag: str, fragment: str, peer: str) -> Watching | None:
        """Add trickled candidates, or restart ICE: then the new entity tag and, as `answer`, the kit's fragment.
        Refused `not_found`, `precondition` (entity tag), `invalid`."""
        process, own = self._place(session)
        reply = self._call_owner(process, PatchSession(own, viewer, etag, fragment, peer))
        return reply if isinstance(reply, Watching) else None

    def quality(self, session: str, *, viewer: str, choice: QualityChoice | None = None) -> Quality:
        """Choose what picture a session gets (None: only ask what it gets). Refused `not_found`."""
        process, own = self._place(session)
        reply = self._call_owner(process, ChooseQuality(own, viewer, choice))
        if not isinstance(reply, Quality):
            raise bus.BusError(f"unexpected reply {type(reply).__name__}")
        return reply

    def close(self, session: str, *, viewer: str) -> None:
        """End a session. Idempotent, also when it went with its process. Refused `not_found` when it is another
        viewer's, or the id is none that the kit gives."""
        process, own = self._place(session)
        try:
            self._call(process, CloseSession(own, viewer), self._absent_s)
        except bus.ServiceAbsent:
            if not well_formed(own):
                raise bus.CommandRefused("not_found", "there is no such session") from None
        finally:
            with self._lock:
                self._sharing.closed(viewer, session)

    def close_viewers(self) -> None:
        """End every pupil's session, in all processes; one that does not answer keeps it from none. Idempotent."""
        failed: bus.BusError | bus.CommandRefused | None = None
        for process in range(1, self._processes + 1):
            try:
                self._call(process, CloseViewers(), self._absent_s)
            except bus.ServiceAbsent:
                continue  # its sessions went with it
            except (bus.BusError, bus.CommandRefused) as error:
                failed = error
        if failed is not None:
            raise failed

    @property
    def _absent_s(self) -> float | None:
        """A kit's only process is waited for while it restarts."""
        return ABSENT_S if self._processes > 1 else None

    def _place(self, session: str) -> tuple[int, str]:
        found = place(session, self._processes)
        if found is None:
            raise bus.CommandRefused("not_found", "there is no such session")
        return found

    def _call_owner(self, process: int, command: PatchSession | ChooseQuality) -> Reply:
        try:
            return self._call(process, command, self._absent_s)
        except bus.ServiceAbsent:
            raise bus.CommandRefused("not_found", "the session went with its process") from None

    def _call(
        self,
        process: int,
        command: Watch | Publish | PatchSession | ChooseQuality | CloseSession | CloseViewers,
        absent_s: float | None,
    ) -> Reply:
        name = process_names.streaming(process)
        return bus.call(self._folder, name, command, timeout_s=self._timeout_s, absent_s=absent_s)
