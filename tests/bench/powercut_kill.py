"""Power cuts by kill -9 of a real recorder process, which a small capture on a real bus feeds in real time."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType

import msgspec
import psutil

from appliance import bus
from appliance.bus import CommandServer, Publisher
from appliance.messages import Command, Done, GetHistory, History, Lesson, Packet, Reply, StartLesson
from appliance.settings import Settings
from lessons.assembler import SECOND
from tests.bench.powercut_log import Cut
from tests.kit import wait_until
from tests.lessons.logged import comes_ns, packets
from tests.lessons.media import ORIGIN_NS
from tests.lessons.recovered import judge

LONGEST_S = 5
MOMENTS_S = (0.2, LONGEST_S - 0.5)
START_S = 30.0
AWAY_S = 20.0


class Feed:
    """Capture and streaming as the recorder knows them: `play` publishes packets when they come."""

    def __init__(self, folder: Path) -> None:
        self._history: deque[Packet] = deque()
        self._stopping = threading.Event()
        self._publishers = {name: Publisher(folder, name) for name in ("capture", "streaming")}
        self._threads = [
            threading.Thread(target=CommandServer(folder, name, self._answer).serve, args=(self._stopping,))
            for name in self._publishers
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for publisher in self._publishers.values():
            publisher.close()

    def _answer(self, command: Command) -> Reply:
        if isinstance(command, GetHistory):
            held = [one for one in list(self._history) if one.track in command.tracks]
            return History([one for one in held if one.pts_ns >= command.since_ns])
        return Done()

    def play(self, coming: Sequence[Packet], seconds: float) -> tuple[int, int]:
        """Send what comes within so many seconds; returns when the first picture began and up to when pictures were
        sent (ns of CLOCK_MONOTONIC)."""
        first_ns = time.monotonic_ns()
        shift, end_ns, fed_ns = first_ns - ORIGIN_NS, first_ns + int(seconds * SECOND), first_ns
        pause = threading.Event()
        for packet in coming:
            due_ns = comes_ns(packet) + shift
            while (left_ns := min(due_ns, end_ns) - time.monotonic_ns()) > 0:
                pause.wait(left_ns / SECOND)
            if due_ns >= end_ns:
                break
            now = msgspec.structs.replace(packet, pts_ns=packet.pts_ns + shift)
            if packet.source == "screen":
                self._publishers["streaming"].send(now)
                continue
            self._history.append(now)
            self._publishers["capture"].send(now)
            if packet.source == "camera":
                fed_ns = now.pts_ns + now.duration_ns
        return first_ns, fed_ns


def kill(number: int, seed: int, folder: Path) -> tuple[Path, Lesson, float, int, int]:
    """Start a recorder with its data below `folder` and kill it, with what it has started, at a random moment of its
    lesson. Returns its data, the lesson, when (Unix seconds), the times of the first and behind the last picture."""
    data = folder / f"kill-{number}"
    settings = Settings(data_dir=data, runtime_dir=Path(tempfile.mkdtemp(dir=folder)))
    after_s = random.Random(seed).uniform(*MOMENTS_S)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREAU_")},
        "PREAU_DATA_DIR": str(data),
        "PREAU_RUNTIME_DIR": str(settings.bus),
    }
    with Feed(settings.bus) as feed, (folder / f"kill-{number}.log").open("w") as log:
        process = psutil.Popen([sys.executable, "-m", "lessons"], env=environ, stdout=log, stderr=log)
        try:
            lesson = wait_until(partial(_start, settings), START_S, "the recorder to begin a lesson")
            first_ns, fed_ns = feed.play(packets(LONGEST_S), after_s)
        finally:
            at = time.time()
            for victim in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    victim.kill()
            process.wait()
    return data, lesson, at, first_ns, fed_ns


def _start(settings: Settings) -> Lesson | None:
    try:
        reply = bus.call(settings.bus, "lessons", StartLesson("Coupure", "7Q2F", 55), timeout_s=START_S)
    except bus.ServiceAbsent:
        return None
    assert isinstance(reply, Lesson)
    return reply


def find(data: Path, lesson: Lesson, at: float, first_ns: int, fed_ns: int) -> Cut:
    """What a kill cost. Runs in any process."""
    finding = judge(data, lesson.id, at + AWAY_S)
    ended_ns = first_ns if finding.end_ns is None else finding.end_ns
    wrong = [*finding.complaints, *([] if finding.lesson else ["the lesson is not there"])]
    given_s = (fed_ns - first_ns) / SECOND
    return Cut(f"{data.name} after {given_s:.3f} s", given_s, max(0, fed_ns - ended_ns) / SECOND, wrong)
