"""A lesson recorded in real time, with all that was asked of the disk for it.

    python -m tests.lessons.logged FOLDER LOG SECONDS

Camera, microphone, a shared screen for a while, marks, pictures of another size from the middle on, Stop; by the
service's own session, backlog and writer. LOG gets a `Log`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import msgspec

from appliance import durable
from appliance.messages import Packet
from lessons import session
from lessons.assembler import SECOND
from lessons.backlog import Backlog, Note
from lessons.journal import Created, Mark
from lessons.writer import Live, Writer
from tests.disk import Entry
from tests.lessons.media import ORIGIN_NS, SOUND_DELAY_NS, pictures, shared_sounds, sounds
from tests.lessons.room import BOOT, ID, metrics
from tests.writelog import WriteLog

MARK_EVERY_S = 2.3
SHARED = (0.2, 0.7)  # from here to there of the lesson a screen is shared
LEAD_S = 0.2


class Fed(msgspec.Struct, frozen=True):
    """At `at_ns` a picture of the camera that lasts until `end_ns` was given to the recorder; on CLOCK_MONOTONIC."""

    at_ns: int
    end_ns: int


class Marked(msgspec.Struct, frozen=True):
    """At `at_ns` mark `id` was said to be durable."""

    at_ns: int
    id: str


class Log(msgspec.Struct, frozen=True):
    """The lesson was begun at `began_ns`, in Unix seconds `at`, and durably there at `there_ns`; `first_ns` is the
    capture time of its first picture, and all of it was durable at `stopped_ns`."""

    began_ns: int
    there_ns: int
    at: float
    first_ns: int
    stopped_ns: int
    entries: list[Entry]
    fed: list[Fed]
    marked: list[Marked]

    def fed_ns(self, at_ns: int) -> int:
        """Up to which capture time the recorder had been given pictures at `at_ns`."""
        return max((one.end_ns for one in self.fed if one.at_ns <= at_ns), default=self.first_ns)


def packets(seconds: int) -> list[Packet]:
    """What comes, in the order of its coming, as if the first picture were taken at ORIGIN_NS."""
    half = seconds // 2 * SECOND
    small, large = pictures(seconds), pictures(seconds, 192, 144)
    camera = [one for one in small if one.pts_ns - ORIGIN_NS < half]
    camera += [one for one in large if one.pts_ns - ORIGIN_NS >= half]
    screen = [msgspec.structs.replace(one, source="screen", rung="main") for one in small]
    begin, end = (ORIGIN_NS + int(share * seconds * SECOND) for share in SHARED)
    shared = [one for one in (*screen, *shared_sounds(seconds)) if begin <= one.pts_ns < end]
    return sorted([*camera, *sounds(seconds), *shared], key=comes_ns)


def comes_ns(packet: Packet) -> int:
    """When a packet comes: pictures when they are taken, sound a little later."""
    return packet.pts_ns + (SOUND_DELAY_NS if packet.codec == "aac" else 0)


def record(root: Path, seconds: int) -> Log:
    """Record below `root`, for so many seconds. All of the process's calls are noted from now on."""
    coming = packets(seconds)
    log = WriteLog(root)
    log.install()
    durable.make_folder(root / "lessons")
    at, began_ns = time.time(), time.monotonic_ns()
    shift = began_ns + int(LEAD_S * SECOND) - ORIGIN_NS
    created = Created(ID, "Les volcans", "7Q2F", at, BOOT, at + 3600)
    live = Live(session.create(root / "lessons", created, metrics(), began_ns), Backlog())
    there_ns = time.monotonic_ns()
    writer = Writer(lambda id: None)
    thread = threading.Thread(target=writer.run)
    thread.start()
    writer.begin(live)
    writer.end()
    fed: list[Fed] = []
    marked: list[Marked] = []
    pause = threading.Event()
    next_mark_ns, marks = ORIGIN_NS, 0
    for packet in coming:
        due_ns = comes_ns(packet) + shift
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            pause.wait(left_ns / SECOND)
        now_ns = time.monotonic_ns()
        if packet.source == "camera":
            fed.append(Fed(now_ns, packet.pts_ns + shift + packet.duration_ns))
        live.backlog.put(msgspec.structs.replace(packet, pts_ns=packet.pts_ns + shift), now_ns, time.time())
        if comes_ns(packet) >= next_mark_ns:
            marks += 1
            next_mark_ns += int(MARK_EVERY_S * SECOND)
            live.backlog.note(_note(f"{marks:08x}", marked), now_ns, time.time())
    live.backlog.signal("stop", time.monotonic_ns(), time.time())
    thread.join()
    return Log(began_ns, there_ns, at, ORIGIN_NS + shift, time.monotonic_ns(), log.entries, fed, marked)


def _note(id: str, marked: list[Marked]) -> Note:
    """A mark of where the lesson is; `marked` gets it when it is durable."""
    done: Future[bool] = Future()
    done.add_done_callback(lambda _: marked.append(Marked(time.monotonic_ns(), id)))
    return Note(lambda live, now_ns: [Mark(id, live.place(now_ns), f"repère {id}", "teacher", time.time())], done)


def logged(folder: Path, seconds: int) -> Log:
    """Record so in a process of its own."""
    file = folder / "log"
    (folder / "data").mkdir()
    command = [sys.executable, "-m", "tests.lessons.logged", str(folder / "data"), str(file), str(seconds)]
    subprocess.run(command, check=True)
    return msgspec.msgpack.decode(file.read_bytes(), type=Log)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(msgspec.msgpack.encode(record(Path(sys.argv[1]), int(sys.argv[3]))))
