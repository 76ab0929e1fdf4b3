"""The fan-out: every packet of the bus, cut once, to every viewer; and who watches. Belongs to the service's loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

import structlog

from appliance.logs import OncePerSecond
from appliance.messages import CAMERA_360P, CAMERA_720P, MICROPHONE_OPUS, SCREEN_MAIN, SCREEN_OPUS, Packet, ViewersState
from streaming import clock
from streaming.delivery import Delivery
from streaming.ladder import Step
from streaming.lane import Lane, Ssrcs
from streaming.memory import Memory
from streaming.metrics import Metrics
from streaming.track import Track
from streaming.viewer import CONNECT_TIMEOUT_S, Viewer

log = structlog.get_logger()

CLOSE_TIMEOUT_S = 3.0
WISH_NS = 500_000_000  # viewers who change at once make one wish
LINGER_NS = 5 * clock.NS
MOST_OF_ONE = 8  # a page has two, and for some seconds those that it has just left
MOST_PROBES = 4


@dataclass
class _Counted:
    """What was already added to the counters of a lane."""

    packets: int = 0
    octets: int = 0
    resent: int = 0


class Fanout:
    """Tracks and viewers. `ask_keyframe(track name)`, `wish(track name)`, which tells capture that a rung is watched,
    and `announce(state)` must not wait. `saving_bps` is the saving rung's rate, as long as nobody watches it."""

    def __init__(
        self,
        metrics: Metrics,
        ask_keyframe: Callable[[str], None],
        wish: Callable[[str], None],
        announce: Callable[[ViewersState], None],
        saving_bps: int = 0,
    ) -> None:
        offset = clock.wall_offset_ns()
        self.tracks = {
            "video": Track(CAMERA_720P, kind="video", rate=clock.VIDEO_RATE, wall_offset_ns=offset),
            "audio": Track(MICROPHONE_OPUS, kind="audio", rate=clock.AUDIO_RATE, wall_offset_ns=offset),
        }
        self._screen = {
            "video": Track(SCREEN_MAIN, kind="video", rate=clock.VIDEO_RATE, wall_offset_ns=offset),
            "audio": Track(SCREEN_OPUS, kind="audio", rate=clock.AUDIO_RATE, wall_offset_ns=offset),
        }
        self._saving = Track(
            CAMERA_360P, kind="video", rate=clock.VIDEO_RATE, wall_offset_ns=offset, rung=1, nominal_bps=saving_bps
        )
        self._wished_ns: int | None = None
        self.viewers: dict[str, Viewer] = {}
        self.ssrcs = {"video": Ssrcs.chosen(), "audio": Ssrcs.chosen()}
        self._delivery = Delivery(self.viewers, self._full)
        self.changed = self._delivery.changed
        self._memory = Memory()
        self._over: dict[str, int] = {}
        self._by_name = {track.name: track for track in (*self.tracks.values(), self._saving, *self._screen.values())}
        self._metrics = metrics
        self._ask, self._wish, self._announce = ask_keyframe, wish, announce
        self._closing: set[asyncio.Task[None]] = set()
        self._counted: dict[Lane, _Counted] = {}
        self._dropped = OncePerSecond()
        self._missing = OncePerSecond()
        self._unreadable = OncePerSecond()
        self._unconnected = OncePerSecond()
        self._silent = OncePerSecond()
        self._unclosed = OncePerSecond()

    def tracks_of(self, source: str) -> Mapping[str, Track]:
        """The tracks by kind that a viewer of `source` gets; none for a source that is not shown."""
        return {"camera": self.tracks, "screen": self._screen}.get(source, {})

    def rungs_of(self, source: str) -> Mapping[Step, Track]:
        """The tracks of the source's picture by the ladder's steps."""
        if source == "camera":
            return {Step.HIGH: self.tracks["video"], Step.LOW: self._saving}
        picture = self.tracks_of(source).get("video")
        return {} if picture is None else {Step.HIGH: picture}

    # --- media -------------------------------------------------------------------------------------------

    def deliver(self) -> Coroutine[object, object, None]:
        """What sends pictures; to be run as a task."""
        return self._delivery.run()

    def publish(self, packet: Packet, now_ns: int) -> None:
        """Take one packet of the bus for everybody. Packets of other tracks are ignored."""
        track = self._by_name.get(packet.track)
        if track is None:
            return
        before = track.lost
        try:
            frame, torn = track.accept(packet, now_ns)
        except ValueError as error:
            if count := self._unreadable.hit(now_ns / clock.NS):
                log.warning("unreadable packet", track=track.name, error=str(error), count=count)
            return
        if torn:
            self._torn(track, track.lost - before, now_ns)
        if frame is None:
            self.want_keyframe(track, now_ns)
            return
        if track.kind == "audio":
            self._delivery.sound(track, frame)
        elif not self._delivery.picture(track, frame):
            self._torn(track, 1, now_ns)
            self.want_keyframe(track, now_ns)

    def _full(self, viewer: Viewer) -> None:
        if not viewer.closed:
            viewer.full()
            self._metrics.viewer_drops.inc()
            if count := self._dropped.hit():
                log.warning("a viewer's socket is full", viewer=viewer.name, count=count)

    def _torn(self, track: Track, lost: int, now_ns: int) -> None:
        self._metrics.bus_drops.inc(lost)
        if lost and (count := self._missing.hit(now_ns / clock.NS)):
            log.warning("packets were lost before they were sent", track=track.name, lost=lost, count=count)
        if track.kind == "video":
            self._delivery.tear(track)

    def want_keyframe(self, track: Track, now_ns: int | None = None) -> None:
        """A viewer of `track` needs a keyframe (PLI, FIR, a start, a gap); at most one request a second goes out."""
        if track.kind == "video" and track.keyframes.want(time.monotonic_ns() if now_ns is None else now_ns):
            self._request(track)

    def begin_rung(self, track: Track) -> None:
        """A viewer is about to change to `track`, with its next keyframe."""
        now_ns = time.monotonic_ns()
        if track is self._saving and (self._wished_ns is None or now_ns - self._wished_ns > WISH_NS):
            self._wish_saving(now_ns)
        self.want_keyframe(track, now_ns)

    def _wish_saving(self, now_ns: int) -> None:
        self._wished_ns = now_ns
        self._wish(self._saving.name)

    def _request(self, track: Track) -> None:
        self._metrics.keyframe_requests.inc()
        self._ask(track.name)

    # --- viewers -----------------------------------------------------------------------------------------

    def add(self, viewer: Viewer, now_ns: int) -> None:
        """Take in a viewer whose answer is about to be sent."""
        viewer.opened_ns = now_ns
        self.viewers[viewer.session] = viewer
        first = viewer.wanted
        if first is not None and first is not self._saving and first.expect(now_ns):
            self._request(first)
        self._metrics.sessions.inc()

    def make_room(self, owner: str) -> None:
        """End what one viewer has too many of, before one more: those that never connected first, then those
        that rest, then the oldest."""
        own = [one for one in self.viewers.values() if one.owner == owner]
        own.sort(key=lambda one: (one.connected, not one.resting))
        for viewer in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            self.remove(viewer)

    def ready(self, viewer: Viewer) -> None:
        """ICE and DTLS are done: start the viewer's picture."""
        now_ns = time.monotonic_ns()
        for track in list(viewer.lanes):
            if track.kind == "video":
                frames, ask = track.start(now_ns)
                if frames:
                    self._delivery.catch_up(viewer, viewer.lanes[track], frames)
                    viewer.begin_sound()
                if ask:
                    self._request(track)
        self.announce()

    def first_step(self, owner: str, now_ns: int) -> Step:
        """Where a new session of `owner` begins: where one ended lately, or is about to end."""
        present = [one.line for one in self.viewers.values() if one.owner == owner and one.line is not None]
        return min(present, default=self._memory.recall(owner, now_ns))

    def remove(self, viewer: Viewer) -> asyncio.Task[None]:
        """Forget a viewer and close it in the background. Idempotent."""
        if self.viewers.pop(viewer.session, None) is not None:
            self.changed()
            if viewer.line is not None:
                self._memory.remember(viewer.owner, viewer.line, time.monotonic_ns())
            self._count(viewer)
            for lane in viewer.every_lane:
                self._counted.pop(lane, None)
            if viewer.connected:
                self.announce()
        task = asyncio.ensure_future(self._close(viewer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    def end(self, source: str, now_ns: int) -> None:
        """The source is over: what was sent of it is no beginning for the next. Its viewers hang up by themselves, or
        are ended after `LINGER_NS` unless the source is back by then."""
        self._over[source] = now_ns
        for track in self.tracks_of(source).values():
            track.history.clear()

    def _end_lingering(self, now_ns: int) -> None:
        for source in [source for source, at_ns in self._over.items() if now_ns - at_ns > LINGER_NS]:
            del self._over[source]
            if not any(len(track.history) for track in self.tracks_of(source).values()):
                for viewer in [one for one in self.viewers.values() if one.source == source]:
                    self.remove(viewer)

    async def _close(self, viewer: Viewer) -> None:
        try:
            await asyncio.wait_for(viewer.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            if count := self._unclosed.hit():
                log.warning("a viewer's connection would not close", viewer=viewer.name, count=count)

    async def close(self) -> None:
        """End every session."""
        for viewer in list(self.viewers.values()):
            self.remove(viewer)
        if self._closing:
            await asyncio.wait(list(self._closing), timeout=CLOSE_TIMEOUT_S)

    # --- once a second -----------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Reports, waiting keyframe wishes, late handshakes, counters, and the event for everybody."""
        for viewer in list(self.viewers.values()):
            if viewer.connected and viewer.silent(now_ns):
                self._rest(viewer, now_ns)
            elif viewer.connected:
                viewer.tick(now_ns)
                self._count(viewer)
            elif now_ns - viewer.opened_ns > CONNECT_TIMEOUT_S * clock.NS:
                if count := self._unconnected.hit(now_ns / clock.NS):
                    log.info("a viewer never connected", viewer=viewer.name, count=count)
                self.remove(viewer)
        self._end_lingering(now_ns)
        self._let_probe(now_ns)
        for track in self._by_name.values():
            if track.keyframes.due(now_ns):
                self._request(track)
        if any(viewer.watches(self._saving) for viewer in self.viewers.values()):
            self._wish_saving(now_ns)
        self._metrics.saving_viewers.set(sum(viewer.watches(self._saving) for viewer in self.viewers.values()))
        self._metrics.worst_loss.set(max((viewer.loss for viewer in self.viewers.values()), default=0.0))
        self.announce()

    def _rest(self, viewer: Viewer, now_ns: int) -> None:
        if viewer.gone(now_ns):
            self.remove(viewer)
        elif not viewer.resting:
            if count := self._silent.hit(now_ns / clock.NS):
                log.info("a viewer fell silent", viewer=viewer.name, count=count)
            viewer.rest()

    def _let_probe(self, now_ns: int) -> None:
        """A few viewers at a time try for more: many share a line, and what one finds free, others may have found."""
        connected = [viewer for viewer in self.viewers.values() if viewer.connected and not viewer.resting]
        free = MOST_PROBES - sum(viewer.probing for viewer in connected)
        for viewer in [viewer for viewer in connected if viewer.wants_probe(now_ns)][: max(0, free)]:
            viewer.probe()

    def announce(self) -> None:
        """Publish who is connected: who also watches the screen counts once, who rests not at all."""
        there = [viewer for viewer in self.viewers.values() if viewer.connected and not viewer.resting]
        connected = [viewer for viewer in there if viewer.source == "camera"]
        self._metrics.viewers.set(len(connected))
        teachers = sum(viewer.role == "teacher" for viewer in connected)
        names = sorted(viewer.name for viewer in connected if viewer.role == "pupil")
        self._announce(ViewersState(len(connected) - teachers, teachers, names))

    def _count(self, viewer: Viewer) -> None:
        for lane in viewer.every_lane:
            done = self._counted.setdefault(lane, _Counted())
            self._metrics.packets_sent.inc(lane.sent - done.packets)
            self._metrics.bytes_sent.inc(lane.octets - done.octets)
            self._metrics.packets_resent.inc(lane.resent - done.resent)
            done.packets, done.octets, done.resent = lane.sent, lane.octets, lane.resent
