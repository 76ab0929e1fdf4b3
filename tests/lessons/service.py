"""The lessons service's threads and objects without its process, and a small capture on a real bus beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from appliance.bus import CommandServer, Publisher
from appliance.command_pool import CommandPool
from appliance.messages import (
    Command,
    Done,
    Event,
    GetHistory,
    History,
    LessonState,
    Packet,
    Reply,
    RequestKeyframe,
    Visibility,
)
from appliance.settings import Settings
from lessons import recovery
from lessons.amendments import Amendments
from lessons.backlog import Backlog
from lessons.catalogue import FILE, Catalogue
from lessons.clock import Clock
from lessons.commands import Commands
from lessons.edits import Edits
from lessons.erase import Eraser
from lessons.handlers import dispatch
from lessons.join import Joins
from lessons.library import Library
from lessons.marks import Marks
from lessons.receipts import Receipts
from lessons.recorder import Recorder
from lessons.retention import Retention
from lessons.talk import Talk
from lessons.tracks import Tracks
from lessons.trim import Trims
from lessons.writer import Writer
from tests.lessons.media import ORIGIN_NS, pictures
from tests.lessons.room import BOOT, metrics


class Capture:
    """A publisher with a history, as the capture service is one; the test says when packets come."""

    def __init__(self, folder: Path) -> None:
        self.history: list[Packet] = []
        self.stopping = threading.Event()
        self.asked = threading.Event()
        self.publisher = Publisher(folder, "capture")
        self._server = CommandServer(folder, "capture", self._answer)
        self._thread = threading.Thread(target=self._server.serve, args=(self.stopping,))
        self._thread.start()
        self._shift = time.monotonic_ns() - ORIGIN_NS

    def _answer(self, command: Command) -> Reply:
        match command:
            case GetHistory(tracks, since_ns):
                return History([one for one in self.history if one.track in tracks and one.pts_ns >= since_ns])
            case RequestKeyframe():
                self.asked.set()
        return Done()

    def send(self, packets: list[Packet]) -> None:
        for packet in packets:
            now = msgspec.structs.replace(packet, pts_ns=packet.pts_ns + self._shift)
            self.history.append(now)
            self.publisher.send(now)

    def close(self) -> None:
        self.stopping.set()
        self._thread.join()
        self.publisher.close()


class Lessons:
    """The service's threads and objects without its process."""

    def __init__(
        self, settings: Settings, backlog: Callable[[], Backlog] = Backlog, wall: Callable[[], float] = time.time,
        visibility: Visibility = "class", boot_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.states: list[LessonState] = []
        self.illustrated: list[Path] = []
        self.stopping = threading.Event()
        counters = self.metrics = metrics()
        root = settings.lessons
        self.publisher = Publisher(settings.bus, "lessons")
        self.receipts = Receipts(settings.data_dir)
        self.eraser = Eraser(root, self.receipts, lambda id: self.catalogue.erase(id), self._publish, wall)
        self.eraser.bury()
        talk = settings.record_talk
        live = recovery.recover(root, BOOT, counters, time.monotonic_ns(), time.time(), talk=talk)
        self.catalogue = Catalogue(settings.data_dir / FILE, root)
        writer = Writer(self.catalogue.refresh)
        self.recorder = Recorder(
            settings.bus, counters, writer, self._publish, self.illustrated.append, backlog=backlog, wall=wall
        )  # fmt: skip
        if live:
            self.recorder.start(live)
        edits = Edits(root)
        self.amendments = Amendments(self.recorder, edits, self.catalogue.refresh)
        days = settings.retention_days
        commands = Commands(
            root, BOOT, self.recorder, self.catalogue, counters, self.eraser, 55, days, visibility, talk=talk
        )
        self.retention = Retention(
            root, self.catalogue, self.amendments, self.eraser, self.receipts,
            Clock(settings.data_dir, BOOT, wall, boot_s),
            days, self.recorder.live_id,
        )  # fmt: skip
        joins = Joins(
            root, edits, self.recorder.live_id, commands.get, lambda id: self.eraser.erase(id, "joined", "teacher"),
            self._grown, time.time,
        )  # fmt: skip
        joins.finish()
        handlers = {
            **commands.handlers(),
            **Library(self.amendments, commands.get, time.time).handlers(),
            **joins.handlers(),
            **self.retention.handlers(),
            **Marks(self.amendments, time.time).handlers(),
            **Tracks(root, self.amendments, time.time).handlers(),
            **Trims(root, self.amendments, time.time, self.illustrated.append).handlers(),
            **Talk(self.amendments, talk, time.time).handlers(),
        }
        self._server = CommandPool(settings.bus, "lessons", partial(dispatch, handlers))
        self._threads = [
            threading.Thread(target=self._server.serve, args=(self.stopping,)),
            threading.Thread(target=writer.run),
            threading.Thread(target=self.recorder.run, args=(self.stopping,)),
        ]
        for thread in self._threads:
            thread.start()

    def _grown(self, id: str) -> None:
        self.catalogue.refresh(id)
        self.illustrated.append(Path(id))

    def _publish(self, event: Event) -> None:
        assert isinstance(event, LessonState)
        self.states.append(event)
        self.publisher.send(event)

    def close(self) -> None:
        """Idempotent."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        self.publisher.close()
        self.catalogue.close()


def until(true: Callable[[], bool], what: str) -> None:
    """Wait, without a fixed sleep, for another thread's work to show."""
    deadline = time.monotonic() + 10
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        pause.wait(0.005)


def watched(capture: Capture, lessons: Lessons) -> None:
    """Make sure the recorder's subscription has arrived at the publisher: it asks for history at its first packet."""
    probe_packet = msgspec.structs.replace(pictures()[0], epoch=0, keyframe=False)
    while not lessons.metrics.packets.labels("camera/720p")._value.get():
        capture.publisher.send(probe_packet)
        threading.Event().wait(0.005)
