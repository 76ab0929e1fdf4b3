"""What ui uses of streaming: the commands, by the bus. Safe from any thread. Imports no WebRTC."""

from __future__ import annotations

from typing import Literal

from appliance import bus
from appliance.messages import (
    ChooseQuality,
    CloseSession,
    CloseViewers,
    PatchSession,
    Publish,
    Quality,
    QualityChoice,
    Reply,
    Watch,
    Watching,
)
from appliance.settings import Settings

SERVICE = "streaming"


class StreamingClient:
    """Every method raises appliance.bus.CommandRefused when the service says no (its `kind` says why) and
    appliance.bus.BusError when it does not answer in time."""

    def __init__(self, settings: Settings, *, timeout_s: float = 5.0) -> None:
        self._folder = settings.bus
        self._timeout_s = timeout_s

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
        return self._open(Watch(viewer, name, role, offer, peer, source, quality))

    def publish(self, source: str, *, viewer: str, name: str, offer: str, peer: str) -> Watching:
        """Open a WHIP session. Refused `not_found` (no such source), `invalid`, `conflict` (it is taken),
        `unavailable`."""
        return self._open(Publish(source, viewer, name, offer, peer))

    def _open(self, command: Watch | Publish) -> Watching:
        reply = bus.call(self._folder, SERVICE, command, timeout_s=self._timeout_s)
        if not isinstance(reply, Watching):
            raise bus.BusError(f"unexpected reply {type(reply).__name__}")
        return reply

    def patch(self, session: str, *, viewer: str, etag: str, fragment: str, peer: str) -> Watching | None:
        """Add trickled candidates, or restart ICE: then the new entity tag and, as `answer`, the kit's fragment.
        Refused `not_found`, `precondition` (entity tag), `invalid`."""
        reply = self._call(PatchSession(session, viewer, etag, fragment, peer))
        return reply if isinstance(reply, Watching) else None

    def quality(self, session: str, *, viewer: str, choice: QualityChoice | None = None) -> Quality:
        """Choose what picture a session gets (None: only ask what it gets). Refused `not_found`."""
        reply = self._call(ChooseQuality(session, viewer, choice))
        if not isinstance(reply, Quality):
            raise bus.BusError(f"unexpected reply {type(reply).__name__}")
        return reply

    def close(self, session: str, *, viewer: str) -> None:
        """End a session. Idempotent. Refused `not_found` when it is unknown or another viewer's."""
        self._call(CloseSession(session, viewer))

    def close_viewers(self) -> None:
        """End every pupil's session. Idempotent."""
        self._call(CloseViewers())

    def _call(self, command: PatchSession | ChooseQuality | CloseSession | CloseViewers) -> Reply:
        return bus.call(self._folder, SERVICE, command, timeout_s=self._timeout_s)
