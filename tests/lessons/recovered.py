"""The judge of what a crash has left: recovers a lesson, plays all of it, compares it with what a fresh process sees.

Knows no bench: `judge` gets a data folder, and what is wrong with it comes back as words.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import av
import msgspec

from appliance.fmp4 import VIDEO_TIMESCALE
from appliance.messages import Lesson, Packet
from lessons import playlist, recovery
from lessons.catalogue import FILE, Catalogue
from lessons.journal import CAMERA, NAME, SCREEN, parse
from lessons.reader import LessonFiles, UnknownLesson
from lessons.recording import Recording, fold
from tests.disk import Entry
from tests.lessons.media import film, moved, pictures
from tests.lessons.room import feed, metrics
from tests.writelog import WriteLog

SOURCES = (CAMERA, SCREEN)
MORE_S = 2
FRAME_S = 1 / 30
LATER_BOOT = "another boot"
fresh = multiprocessing.get_context("forkserver")
fresh.set_forkserver_preload(["lessons.reader", "lessons.catalogue"])


class View(msgspec.Struct):
    """A lesson as a process shows it: the catalogue's row, and the playlists there are."""

    row: Lesson | None
    playlists: dict[str, str]


@dataclass
class Finding:
    """`end_ns` is the capture time up to which the camera is there (None: no fragment), `recorded_s` how long the
    lesson is, `marks` the ids of those that are there, `complaints` what is wrong."""

    lesson: bool = False
    end_ns: int | None = None
    recorded_s: float = 0.0
    goes_on: bool = False
    marks: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


def show(files: LessonFiles, catalogue: Catalogue, id: str) -> View:
    playlists = {}
    for source in SOURCES:
        with suppress(UnknownLesson):
            playlists[source] = files.playlist(id, source)
    return View(catalogue.get(id), playlists)


def _show_afresh(data: str, id: str, answer: Connection) -> None:
    catalogue = Catalogue(Path(data) / "afresh.sqlite", Path(data) / "lessons")
    answer.send(show(LessonFiles(Path(data) / "lessons"), catalogue, id))


def rebuilt(data: Path, id: str) -> View:
    """What a new process, with an empty catalogue, makes of the journal."""
    (data / "afresh.sqlite").unlink(missing_ok=True)
    here, there = fresh.Pipe(duplex=False)
    process = fresh.Process(target=_show_afresh, args=(str(data), id, there))
    process.start()
    there.close()
    view = here.recv()
    process.join()
    assert isinstance(view, View)
    return view


def decoded_s(file: Path) -> float:
    """How long the pictures of a file are. Every picture and every sound is decoded. Raises av.FFmpegError for one that
    cannot be, AssertionError when there are not as many as the file says."""
    with av.open(str(file)) as container:
        for stream in container.streams:
            assert isinstance(stream, av.VideoStream | av.AudioStream)
            stream.codec_context.options = {"err_detect": "explode"}
        frames = [0 for _ in container.streams]
        for packet in container.demux():
            assert packet.stream is not None
            frames[packet.stream.index] += len(packet.decode())
        video = container.streams.video[0]
        assert frames[video.index] == video.frames, f"{frames[video.index]} of {video.frames} pictures can be decoded"
    return claimed_s(file)


def claimed_s(file: Path) -> float:
    """How long the pictures of a file say they are."""
    with av.open(str(file)) as container:
        video = container.streams.video[0]
        assert video.duration is not None and video.time_base is not None
        return float(video.duration * video.time_base)


def listed_s(text: str) -> float:
    """How long a playlist is."""
    return sum(float(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF:"))


def lengths(files: LessonFiles, data: Path, id: str, recording: Recording) -> Iterator[str]:
    """Complaints about downloads and playlists that are not as long as the journal says, or do not play."""
    for source in SOURCES:
        parts = [part for part in recording.strand(source).parts if part.fragments]
        recorded_s = sum(part.end - part.opened.start for part in parts) / VIDEO_TIMESCALE
        if source == CAMERA and not math.isclose(recorded_s, recording.duration_s, abs_tol=0.001):
            yield f"parts of {recorded_s:.3f} s make a lesson of {recording.duration_s:.3f} s"
        text = playlist.render(replace(recording, state="ended"), source)
        if not math.isclose(listed_s(text), recorded_s, abs_tol=0.001):
            yield f"{source}: the playlist has {listed_s(text):.3f} s of {recorded_s:.3f}"
        if not parts:
            continue
        span_s = (parts[-1].end - parts[0].opened.start) / VIDEO_TIMESCALE  # a screen's holes lengthen pictures
        file = data / f"{source}.mp4"
        try:
            file.write_bytes(b"".join(files.download(id, source).read()))
            played_s = decoded_s(file)
        except (av.FFmpegError, OSError, ValueError, AssertionError) as error:
            yield f"{source}: does not play: {error}"
            continue
        if not math.isclose(played_s, span_s, abs_tol=FRAME_S):
            yield f"{source}: plays {played_s:.3f} s of {span_s:.3f}"


def read(folder: Path) -> Recording | None:
    """The journal, if there is one."""
    path = folder / NAME
    return fold(parse(path.read_bytes()).records) if path.exists() else None


def _recover_noted(data: str, at: float, answer: Connection) -> None:
    log = WriteLog(Path(data))
    log.install()
    live = recovery.recover(Path(data) / "lessons", LATER_BOOT, metrics(), 0, at)
    if live:
        feed(live, moved(more(), epoch=8, by_s=43_200), at)
    answer.send_bytes(msgspec.msgpack.encode(log.entries))


def recover_noted(data: Path, at: float) -> list[Entry]:
    """Recover the lesson below `data`, in a process of its own, and let it go on for two seconds; what that asked of
    the disk."""
    here, there = fresh.Pipe(duplex=False)
    process = fresh.Process(target=_recover_noted, args=(str(data), at, there))
    process.start()
    there.close()
    entries = msgspec.msgpack.decode(here.recv_bytes(), type=list[Entry])
    process.join()
    return entries


def judge(data: Path, id: str, at: float) -> Finding:
    """Recover lesson `id` below `data` at Unix time `at`, on another boot; see that all of it plays and is shown as it
    is; let it go on, for two seconds, if it does, Stop, and see again. Whatever is raised meanwhile is a complaint."""
    finding = Finding()
    try:
        _judge(finding, data, id, at)
    except Exception as error:  # the root of a judgement: the next one is not to miss it
        finding.complaints.append(f"{type(error).__name__}: {error}")
    return finding


def _judge(finding: Finding, data: Path, id: str, at: float) -> None:
    root = data / "lessons"
    files = LessonFiles(root)
    with suppress(UnknownLesson, OSError):
        files.playlist(id)  # what it remembers of the journal is older than what recovery makes of it
    live = recovery.recover(root, LATER_BOOT, metrics(), 0, at)
    recording = read(root / id)
    if recording is None:
        return
    finding.lesson, finding.recorded_s, finding.goes_on = True, recording.duration_s, live is not None
    finding.marks = set(recording.marks)
    finding.end_ns = max((part.fragments[-1].end_ns for part in recording.parts if part.fragments), default=None)
    if (live is not None) != (recording.state == "live"):
        finding.complaints.append(f"is {recording.state}, goes on: {live is not None}")
    with closing(Catalogue(data / FILE, root)) as catalogue:
        finding.complaints += lengths(files, data, id, recording)
        if show(files, catalogue, id) != rebuilt(data, id):
            finding.complaints.append("after recovery, catalogue or playlist is not what the journal says")
        if live is None:
            return
        feed(live, moved(more(), epoch=9, by_s=86_400), at)
        live.stop(0, at)
        catalogue.refresh(id)
        ended = read(root / id)
        assert ended is not None
        finding.complaints += lengths(files, data, id, ended)
        recorded_s = recording.duration_s + MORE_S
        if ended.state != "ended" or not math.isclose(ended.duration_s, recorded_s, abs_tol=0.05):
            finding.complaints.append(f"is {ended.state} and {ended.duration_s:.3f} s long, not {recorded_s:.3f}")
        if show(files, catalogue, id) != rebuilt(data, id):
            finding.complaints.append("at the end, catalogue or playlist is not what the journal says")


def more() -> list[Packet]:
    """What comes after the power has: both tracks, and a shared screen."""
    screen = [msgspec.structs.replace(one, source="screen", rung="main") for one in pictures(MORE_S)]
    return sorted([*film(MORE_S), *screen], key=lambda one: one.pts_ns)
