"""The lessons service: ``python -m lessons``."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import structlog

from appliance import durable, service
from appliance.command_pool import CommandPool
from lessons import recovery, space
from lessons.amendments import Amendments
from lessons.catalogue import FILE, Catalogue
from lessons.clock import Clock
from lessons.commands import Commands
from lessons.edits import Edits
from lessons.erase import Eraser
from lessons.handlers import dispatch
from lessons.illustrator import Illustrator
from lessons.join import Joins
from lessons.library import Library
from lessons.lowering import Lowering
from lessons.marks import Marks
from lessons.metrics import Metrics
from lessons.receipts import Receipts
from lessons.recorder import Recorder
from lessons.retention import Retention
from lessons.talk import Talk
from lessons.tracks import Tracks
from lessons.trim import Trims
from lessons.writer import Writer

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def main() -> None:
    me = service.begin("lessons")
    root = me.settings.lessons
    receipts = Receipts(me.settings.data_dir)
    eraser = Eraser(root, receipts, lambda id: catalogue.erase(id), me.publisher.send, time.time)
    try:
        durable.keep_folder(root)
        receipts.reserve()
        eraser.bury()
    except OSError as error:
        structlog.get_logger().error("no folder for lessons", folder=str(root), error=str(error))
    boot_id = BOOT_ID.read_text().strip()
    metrics = Metrics(me.registry)
    talk = me.settings.record_talk
    live = recovery.recover(root, boot_id, metrics, time.monotonic_ns(), time.time(), talk=talk)
    catalogue = Catalogue(me.settings.data_dir / FILE, root)

    writer = Writer(catalogue.refresh)

    def recorded(folder: Path) -> None:
        illustrator.ask(folder)
        if me.settings.saving_replay:
            lowering.ask(folder.name)

    recorder = Recorder(me.settings.bus, metrics, writer, me.publisher.send, recorded)
    if live:
        recorder.start(live)
    edits = Edits(root)
    amendments = Amendments(recorder, edits, catalogue.refresh)
    illustrator = Illustrator(root, recorder.live_id, amendments.write, look=me.settings.auto_chapters)
    days = me.settings.retention_days
    commands = Commands(
        root, boot_id, recorder, catalogue, metrics, eraser, me.settings.lesson_minutes, days,
        me.settings.lesson_visibility, talk=talk,
    )  # fmt: skip
    clock = Clock(me.settings.data_dir, boot_id)
    retention = Retention(root, catalogue, amendments, eraser, receipts, clock, days, recorder.live_id)

    def grown(id: str) -> None:
        catalogue.refresh(id)
        recorded(root / id)

    joins = Joins(
        root, edits, recorder.live_id, commands.get, lambda id: eraser.erase(id, "joined", "teacher"), grown, time.time
    )  # fmt: skip
    joins.finish()
    handlers = {
        **commands.handlers(),
        **Library(amendments, commands.get, time.time).handlers(),
        **joins.handlers(),
        **retention.handlers(),
        **Marks(amendments, time.time).handlers(),
        **Tracks(root, amendments, time.time).handlers(),
        **Trims(root, amendments, time.time, illustrator.ask).handlers(),
        **Talk(amendments, talk, time.time).handlers(),
    }
    server = CommandPool(me.settings.bus, "lessons", partial(dispatch, handlers))
    me.spawn("writer", writer.run)
    expected = space.expected_rate(me.settings.video_bitrate)
    lowering = Lowering(root, recorder.live_id, me.settings.video_bitrate_saving, expected)
    me.spawn("space", space.watch, root, space.Rate(expected), lambda: recorder.live, me.publisher.send, me.stopping)
    me.spawn("recorder", recorder.run, me.stopping)
    me.spawn("illustrator", illustrator.run, me.stopping)
    me.spawn("retention", retention.run, me.stopping)
    if me.settings.saving_replay:
        me.spawn("lowering", lowering.run, me.stopping)
    me.start()
    server.serve(me.stopping)
    me.join()
    catalogue.close()


if __name__ == "__main__":
    main()
