"""Answers the service's commands: WHEP and WHIP sessions, keyframe wishes. Belongs to the service's loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from appliance.bus import CommandRefused
from appliance.logs import OncePerSecond
from appliance.messages import (
    ChooseQuality,
    CloseSession,
    CloseViewers,
    Command,
    Done,
    PatchSession,
    Publish,
    Quality,
    Reply,
    RequestKeyframe,
    Watch,
    Watching,
)
from appliance.settings import Settings
from streaming import interfaces, offer
from streaming.aiortc_private import NEGOTIATION_ERRORS
from streaming.fanout import Fanout
from streaming.ingest.publisher import Publisher
from streaming.ingest.sources import SOURCES, Sources
from streaming.metrics import Metrics
from streaming.sharing import well_formed
from streaming.viewer import Viewer

log = structlog.get_logger()

MOST_SESSIONS = 500


class Commands:
    """`local_addresses` tells the machine's addresses per interface, anew for each viewer: cables come and go."""

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        sources: Sources,
        metrics: Metrics,
        local_addresses: Callable[[], Mapping[str, list[str]]] = interfaces.addresses_by_interface,
    ) -> None:
        self._settings = settings
        self._fanout = fanout
        self._sources = sources
        self._metrics = metrics
        self._local_addresses = local_addresses
        self._restarts = OncePerSecond()
        self._refusals = OncePerSecond()

    async def handle(self, command: Command) -> Reply:
        """Carry out one command. Raises CommandRefused."""
        if isinstance(command, Watch):
            return await self._watch(command)
        if isinstance(command, PatchSession):
            return await self._patch(command)
        if isinstance(command, ChooseQuality):
            return self._choose(command)
        if isinstance(command, CloseSession):
            return await self._close(command)
        if isinstance(command, Publish):
            return await self._publish(command)
        if isinstance(command, RequestKeyframe) and self._sources.want_keyframe(command.track):
            return Done()
        if isinstance(command, CloseViewers):
            for viewer in list(self._fanout.viewers.values()):
                if viewer.role == "pupil":
                    self._fanout.remove(viewer)
            return Done()
        raise CommandRefused("invalid", f"streaming does not know the command {type(command).__name__}")

    async def _watch(self, command: Watch) -> Watching:
        wanted = self._read(command.offer, command.peer, publishes=False)
        if len(self._fanout.viewers) >= MOST_SESSIONS:
            raise CommandRefused("unavailable", f"the kit already serves {MOST_SESSIONS} viewers")
        tracks = self._fanout.tracks_of(command.source)
        if not tracks or (command.source in SOURCES and not self._sources.live(command.source)):
            raise CommandRefused("conflict", f"there is no {command.source} to watch")
        if not set(wanted.kinds) <= tracks.keys():
            raise CommandRefused("invalid", f"{command.source} has {' and '.join(sorted(tracks))} only")
        addresses = self._addresses(command.peer)
        self._fanout.make_room(command.viewer)
        viewer = Viewer(
            owner=command.viewer,
            name=command.name,
            role=command.role,
            source=command.source,
            offer=wanted,
            tracks=tracks,
            rungs=self._fanout.rungs_of(command.source),
            quality=command.quality,
            ssrcs=self._fanout.ssrcs,
            start=self._fanout.first_step(command.viewer, time.monotonic_ns()),
            on_ready=self._fanout.ready,
            on_gone=self._fanout.remove,
            on_keyframe=self._fanout.want_keyframe,
            on_rung=self._fanout.begin_rung,
            on_change=self._fanout.changed,
        )
        self._fanout.add(viewer, time.monotonic_ns())
        return await self._answer(viewer, addresses)

    def _choose(self, command: ChooseQuality) -> Quality:
        viewer = self._find(command.session, command.viewer)
        if not isinstance(viewer, Viewer):
            raise CommandRefused("not_found", "there is no such session")
        if command.quality is not None:
            viewer.choose(command.quality)
        return Quality(viewer.quality.choice, viewer.quality.showing)

    async def _publish(self, command: Publish) -> Watching:
        offered = self._read(command.offer, command.peer, publishes=True)
        addresses = self._addresses(command.peer)
        publisher = self._sources.open(command.source, command.viewer, command.name, offered)
        log.info("publishing", source=command.source, publisher=command.name)
        return await self._answer(publisher, addresses)

    def _read(self, text: str, peer: str, *, publishes: bool) -> offer.Offer:
        try:
            return offer.read(text, peer, publishes=publishes)
        except offer.OfferError as error:
            self._metrics.refused.inc()
            raise CommandRefused("invalid", str(error)) from None

    async def _answer(self, session: Viewer | Publisher, addresses: list[str]) -> Watching:
        try:
            answer = await session.answer(addresses)
        except NEGOTIATION_ERRORS as error:
            self._remove(session)
            self._metrics.refused.inc()
            if count := self._refusals.hit(time.monotonic()):
                log.info("offer refused", error=type(error).__name__, detail=str(error), count=count)
            raise CommandRefused("invalid", f"the offer cannot be answered ({type(error).__name__})") from None
        return Watching(session.session, session.etag, answer, len(self._fanout.viewers))

    async def _close(self, command: CloseSession) -> Done:
        """End a session. Done also when it is over: who hangs up first and then says so, or says so after this process
        was started afresh, got what they wanted. An id that no session ever has is refused."""
        found = self._held(command.session)
        if found is None and well_formed(command.session):
            return Done()
        if found is None or found.owner != command.viewer:
            raise CommandRefused("not_found", "there is no such session")
        await self._remove(found)
        return Done()

    def _remove(self, session: Viewer | Publisher) -> asyncio.Task[None]:
        return self._sources.remove(session) if isinstance(session, Publisher) else self._fanout.remove(session)

    async def _patch(self, command: PatchSession) -> Done | Watching:
        """Trickled candidates, or an ICE restart. One that is asked for again (its answer may have been lost on the
        way) is answered again with the same credentials."""
        viewer = self._find(command.session, command.viewer)
        if command.etag not in (viewer.etag, "*"):
            raise CommandRefused("precondition", "the entity tag is not this session's")
        try:
            fragment = offer.read_fragment(command.fragment, command.peer)
            if viewer.restarts_ice(fragment):
                own = await viewer.restart_ice(fragment, self._addresses(command.peer))
                if count := self._restarts.hit(time.monotonic()):
                    log.info("ice restarted", viewer=viewer.name, count=count)
                return Watching(viewer.session, viewer.etag, own)
            await viewer.trickle(fragment)
        except offer.OfferError as error:
            raise CommandRefused("invalid", str(error)) from None
        if command.etag == "*" and viewer.ice_fragment is not None:
            return Watching(viewer.session, viewer.etag, viewer.ice_fragment)
        return Done()

    def _addresses(self, peer: str) -> list[str]:
        addresses = interfaces.choose(self._local_addresses(), self._settings.ice_interfaces, peer)
        if not addresses:
            raise CommandRefused("unavailable", "the kit has no network address for media (ice_interfaces)")
        return addresses

    def _held(self, session: str) -> Viewer | Publisher | None:
        return self._fanout.viewers.get(session) or self._sources.find(session)

    def _find(self, session: str, owner: str) -> Viewer | Publisher:
        found = self._held(session)
        if found is None or found.owner != owner:
            raise CommandRefused("not_found", "there is no such session")
        return found
