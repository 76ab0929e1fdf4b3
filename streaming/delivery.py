"""How frames leave: sound at once, pictures in turn, no viewer's picture in one lump. Belongs to the service's loop.

Viewers in step are served together (`streaming.cohort`), the others one by one. A picture leaves a burst at a time:
what is left of a long one (a keyframe, or the past that a newcomer begins with) follows every `PACE_S`, so that a weak
link's queue takes it and nobody waits behind it. Every few milliseconds the loop gets a turn: sound that has come
meanwhile goes first, and joining stays quick in a full room. Nothing waits for a viewer: a full socket costs that
viewer the pictures up to the next keyframe, nobody else anything.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from streaming.clock import NS
from streaming.cohort import Cohort
from streaming.history import Frame
from streaming.lane import Lane
from streaming.srtp import SrtpPath, SrtpPaths
from streaming.track import Track
from streaming.viewer import Viewer

PACE_S = 0.002  # 16 packets in 2 ms: 75 Mb/s
TURN_NS = 2_000_000
MOST_WAITING = 15  # pictures: half a second
LARGEST_COHORT = 64  # between cohorts the loop may get its turn


class Delivery:
    """`viewers` are all there are, `full(viewer)` is told whose socket took no more."""

    def __init__(self, viewers: Mapping[str, Viewer], full: Callable[[Viewer], None]) -> None:
        self._viewers, self._full = viewers, full
        self._pictures: deque[tuple[Track, Frame]] = deque()
        self._groups: dict[Track, list[Cohort | Lane]] = {}
        self._owners: dict[Lane, Viewer] = {}
        self._backlogs: set[Cohort | Lane] = set()
        self._regroup = False
        self._something = asyncio.Event()

    # --- who is served together ----------------------------------------------------------------------------

    def changed(self) -> None:
        """Something is about to change, or has, for a viewer: where it is, whether it is there, what it gets. The next
        frame finds anew who is in step."""
        for group in self._groups.values():
            for one in group:
                if isinstance(one, Cohort):
                    self._dissolve(one)
        self._groups.clear()
        self._regroup = False

    def _dissolve(self, cohort: Cohort) -> None:
        self._backlogs.discard(cohort)
        self._backlogs.update(lane for lane in cohort.dissolve() if lane.backlog)

    def _group(self, track: Track) -> list[Cohort | Lane]:
        if self._regroup:
            self.changed()
        group = self._groups.get(track)
        if group is None:
            group = self._groups[track] = list(self._find(track))
        return group

    def _find(self, track: Track) -> Iterable[Cohort | Lane]:
        """The track's lanes: those in step as cohorts, the others by themselves."""
        in_step: dict[object, list[tuple[Lane, SrtpPath]]] = {}
        self._owners = {lane: viewer for viewer in self._viewers.values() for lane in viewer.every_lane}
        for viewer in self._viewers.values():
            lane, path = viewer.lanes.get(track), viewer.peer.path
            if lane is None:
                continue
            if path is None or not path.joint or (step := lane.step) is None:
                yield lane
            else:
                in_step.setdefault(step, []).append((lane, path))
        for together in in_step.values():
            for begin in range(0, len(together), LARGEST_COHORT):
                lanes, paths = zip(*together[begin : begin + LARGEST_COHORT], strict=True)
                yield Cohort(lanes, SrtpPaths(paths))

    # --- what is to be sent --------------------------------------------------------------------------------

    def sound(self, track: Track, frame: Frame) -> None:
        """Send now to all."""
        for one in list(self._group(track)):
            self._send(one, frame)

    def picture(self, track: Track, frame: Frame) -> bool:
        """Send in turn. False when too many wait already: this one is never sent."""
        if len(self._pictures) >= MOST_WAITING:
            return False
        self._pictures.append((track, frame))
        self._something.set()
        return True

    def catch_up(self, viewer: Viewer, lane: Lane, frames: list[Frame]) -> None:
        """Begin one viewer's picture with frames of the past."""
        self._owners[lane] = viewer
        if (path := viewer.peer.path) is not None and not lane.catch_up(frames, path):
            self._full(viewer)
        self._note(lane)

    def tear(self, track: Track) -> None:
        """Frames of the track are missing: all its lanes wait for the next keyframe."""
        self.changed()
        for viewer in self._viewers.values():
            if (lane := viewer.lanes.get(track)) is not None:
                lane.give_up()

    async def run(self) -> None:
        """Send what waits, for ever."""
        paced_ns = 0
        while True:
            now_ns = time.monotonic_ns()
            if self._backlogs and now_ns >= paced_ns:
                paced_ns = now_ns + int(PACE_S * NS)
                await self._in_turns(list(self._backlogs), self._proceed)
            elif self._pictures:
                if not self._backlogs:
                    paced_ns = now_ns + int(PACE_S * NS)
                await self._send_picture(*self._pictures.popleft())
            else:
                await self._wait((paced_ns - now_ns) / NS if self._backlogs else None)

    async def _wait(self, most_s: float | None) -> None:
        self._something.clear()
        if most_s is None:
            await self._something.wait()
            return
        waiting = asyncio.get_running_loop().call_later(most_s, self._something.set)
        await self._something.wait()
        waiting.cancel()

    async def _send_picture(self, track: Track, frame: Frame) -> None:
        if frame.keyframe:
            for viewer in self._viewers.values():
                viewer.take_rung(track)
        await self._in_turns(list(self._group(track)), lambda one: self._send(one, frame))

    async def _in_turns(self, group: Iterable[Cohort | Lane], serve: Callable[[Cohort | Lane], None]) -> None:
        """Serve each, and let the loop's other tasks have their turn every few milliseconds."""
        end_ns = time.monotonic_ns() + TURN_NS
        for one in group:
            serve(one)
            if time.monotonic_ns() >= end_ns:
                await asyncio.sleep(0)
                end_ns = time.monotonic_ns() + TURN_NS

    # --- sending -------------------------------------------------------------------------------------------

    def _send(self, one: Cohort | Lane, frame: Frame) -> None:
        if isinstance(one, Cohort):
            if one.dissolved:  # while others had their turn
                for lane in one.lanes:
                    self._send(lane, frame)
                return
            self._stopped(one, one.send(frame))
        elif (path := self._path(one)) is not None:
            if not one.send(frame, path):
                self._stopped(one, [one])
            elif path.joint and one.step is not None:
                self._regroup = True
        self._note(one)

    def _proceed(self, one: Cohort | Lane) -> None:
        if isinstance(one, Cohort):
            self._stopped(one, one.proceed())
        elif (path := self._path(one)) is not None and not one.proceed(path):
            self._stopped(one, [one])
        if not one.backlog:
            self._backlogs.discard(one)

    def _path(self, lane: Lane) -> SrtpPath | None:
        """The way to a lane's viewer who is served alone. While there is none, nothing is kept for later."""
        viewer = self._owners.get(lane)
        path = None if viewer is None else viewer.peer.path
        if path is None:
            lane.give_up()
            self._backlogs.discard(lane)
        return path

    def _stopped(self, one: Cohort | Lane, lanes: list[Lane]) -> None:
        if lanes:
            if isinstance(one, Cohort):
                self._regroup = True
                self._dissolve(one)
            for lane in lanes:
                if viewer := self._owners.get(lane):
                    self._full(viewer)

    def _note(self, one: Cohort | Lane) -> None:
        if one.backlog and not (isinstance(one, Cohort) and one.dissolved):
            self._backlogs.add(one)
            self._something.set()
