from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance import durable
from lessons import recovery
from lessons.assembler import SECOND
from lessons.folder import RESERVE, RESERVE_BYTES, release
from lessons.journal import NAME, Gap, Interrupted, encode, parse
from lessons.session import RETRY_S, Session
from tests.lessons.media import film, moved, probe
from tests.lessons.room import AT, BOOT, ID, begin, feed, metrics, read, record

MINUTE = 60.0


def die(root: Path, count: int = 250) -> Session:
    """A lesson whose process vanished after `count` packets: nothing is flushed."""
    live = begin(root)
    feed(live, film(4)[:count])
    return live


def go_on(root: Path, boot: str = BOOT, at: float = AT + MINUTE) -> Session | None:
    return recovery.recover(root, boot, metrics(), 7, at)


def test_the_same_boot_goes_on_in_the_same_part_and_nothing_is_missing(tmp_path: Path) -> None:
    whole = record(tmp_path / "whole", film(4))
    die(tmp_path / "cut", 170)
    again = go_on(tmp_path / "cut")
    assert again is not None
    last = again.recording.last_fragment
    assert last is not None
    assert again.since_ns == last.end_ns - SECOND
    feed(again, film(4))
    again.stop(0, AT + MINUTE)
    assert (again.folder / "part-0001.mp4").read_bytes() == (whole / "part-0001.mp4").read_bytes()
    assert read(again.folder).gaps == []


def test_another_boot_goes_on_in_the_next_part(tmp_path: Path) -> None:
    die(tmp_path, 250)
    again = go_on(tmp_path, "boot-b")
    assert again is not None
    assert again.since_ns == 7
    feed(again, moved(film(2), epoch=5, by_s=-3000))
    again.stop(0, AT + MINUTE)
    recording = read(again.folder)
    assert recording.gaps == [Gap(None, "restart")]
    assert [part.opened.file for part in recording.parts] == ["part-0001.mp4", "part-0002.mp4"]
    assert recording.parts[1].opened.start == recording.parts[0].end


@pytest.mark.parametrize("left", [None, RESERVE_BYTES // 2])
def test_what_a_full_disk_took_of_the_space_set_aside_is_there_again(tmp_path: Path, left: int | None) -> None:
    live = die(tmp_path)
    release(live.folder, keep=left or 0)
    again = go_on(tmp_path)
    assert again is not None
    set_aside = (again.folder / RESERVE).stat()
    assert set_aside.st_size == RESERVE_BYTES and set_aside.st_blocks * 512 >= RESERVE_BYTES


@pytest.mark.parametrize("later", [31 * MINUTE, -31 * MINUTE])
def test_an_old_lesson_is_closed(tmp_path: Path, later: float) -> None:
    die(tmp_path)
    assert go_on(tmp_path, at=AT + later) is None
    assert read(tmp_path / ID).state == "interrupted"
    assert go_on(tmp_path) is None


@pytest.mark.parametrize(
    ("planned", "later", "expected"),
    [
        (None, 29, True), (None, 31, False), (None, -29, True), (None, -31, False),
        (55, 29, True), (55, 54, True), (55, 56, False), (10, 29, True), (55, -31, False), (55, 60 * 24 * 365, False),
    ],
)  # fmt: skip
def test_a_lesson_goes_on_before_its_bell_or_while_it_is_young(
    tmp_path: Path, planned: int | None, later: int, expected: bool
) -> None:
    live = begin(tmp_path, planned_end=None if planned is None else AT + planned * MINUTE)
    feed(live, film(4)[:250])
    assert recovery.goes_on(read(live.folder), AT + later * MINUTE) is expected
    assert (go_on(tmp_path, "boot-b", AT + later * MINUTE) is not None) is expected


def test_only_the_newest_goes_on(tmp_path: Path) -> None:
    for id in ("20261123-081502-0001", "20261123-091502-0002"):
        feed(begin(tmp_path, id), film(4))
    again = go_on(tmp_path)
    assert again is not None and again.id.endswith("0002")
    assert read(tmp_path / "20261123-081502-0001").state == "interrupted"


@pytest.mark.parametrize("more", [b"\0" * 5000, b"moof and then the light went out"])
def test_bytes_behind_the_last_fragment_are_kept_aside_once(tmp_path: Path, more: bytes) -> None:
    live = die(tmp_path)
    part = live.folder / "part-0001.mp4"
    for tail in (more, b"second time"):
        length = read(live.folder).parts[0].length
        with part.open("ab") as file:
            file.write(tail)
        assert go_on(tmp_path) is not None
        assert part.stat().st_size == length
    assert (live.folder / "part-0001.mp4.tail").read_bytes() == more
    probe(part)


def test_the_journal_may_be_torn_anywhere(tmp_path: Path) -> None:
    live = die(tmp_path)
    journal = live.folder / NAME
    whole = journal.read_bytes()
    media = (live.folder / "part-0001.mp4").read_bytes()
    ends = parse(whole).ends
    for cut in (ends[0] + 1, ends[1], ends[2] + 30, len(whole) - 1):
        journal.write_bytes(whole[:cut] + b"\0" * 100)
        (live.folder / "part-0001.mp4").write_bytes(media)
        again = go_on(tmp_path)
        assert again is not None
        assert parse(journal.read_bytes()).good == journal.stat().st_size
        feed(again, film(4))
        again.stop(0, AT)
        recording = read(live.folder)
        assert recording.duration_s > 2.9
        for part in recording.parts:
            if part.fragments:
                probe(live.folder / part.opened.file)
        for path in live.folder.glob("*.mp4"):
            path.unlink()


@pytest.mark.parametrize("lost", [1, 3000, 100_000])
@pytest.mark.parametrize("zeroed", [False, True])
def test_media_that_the_disk_lost_leaves_the_journal_too(tmp_path: Path, lost: int, zeroed: bool) -> None:
    live = die(tmp_path, 300)
    part = live.folder / "part-0001.mp4"
    before = read(live.folder)
    data = part.read_bytes()
    keep = max(0, len(data) - lost)
    if zeroed:
        keep = min(keep, before.parts[0].fragments[-1].offset)
    part.write_bytes(data[:keep] + (bytes(len(data) - keep) if zeroed else b""))
    again = go_on(tmp_path)
    assert again is not None
    after = read(live.folder)
    count = sum(len(one.fragments) for one in after.parts)
    assert count < len(before.parts[0].fragments)
    feed(again, moved(film(2), epoch=1, by_s=60))
    again.stop(0, AT)
    final = read(live.folder)
    assert sum(len(one.fragments) for one in final.parts) == count + 2
    for one in final.parts:
        if one.fragments:
            probe(live.folder / one.opened.file)


def test_a_lost_part_file_leaves_the_journal_too(tmp_path: Path) -> None:
    live = die(tmp_path)
    (live.folder / "part-0001.mp4").unlink()
    again = go_on(tmp_path)
    assert again is not None
    assert again.recording.parts[0].fragments == []
    assert (again.recording.duration_s, again.recording.bytes) == (0, 0)
    feed(again, moved(film(2), epoch=1, by_s=60))
    again.stop(0, AT)
    final = read(live.folder)
    assert final.parts[1].opened.file == "part-0002.mp4"
    assert final.parts[1].opened.start == 0
    probe(live.folder / "part-0002.mp4")


@pytest.mark.parametrize("noise", [b"", b"\0" * 500, b"garbage\n", encode([Interrupted(1.0)], 1)])
def test_a_folder_without_usable_journal_is_left_alone(tmp_path: Path, noise: bytes) -> None:
    folder = tmp_path / ID
    folder.mkdir()
    (folder / NAME).write_bytes(noise)
    (folder / "part-0001.mp4").write_bytes(b"precious")
    assert go_on(tmp_path) is None
    assert (folder / NAME).read_bytes() == noise
    assert (folder / "part-0001.mp4").read_bytes() == b"precious"


def test_a_process_that_ends_in_order_loses_nothing(tmp_path: Path) -> None:
    live = begin(tmp_path)
    feed(live, film(4)[:200])
    live.suspend(0, AT)
    again = go_on(tmp_path)
    assert again is not None
    feed(again, film(4))
    again.stop(0, AT)
    recording = read(live.folder)
    assert (len(recording.parts), recording.gaps) == (1, [])
    assert recording.duration_s == pytest.approx(4.0, abs=0.01)
    probe(live.folder / "part-0001.mp4")


class Disk:
    """An Appender's disk that refuses when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = 0
        disk, append = self, durable.Appender.append

        def refuse(self: durable.Appender, data: bytes) -> int:
            if disk.error:
                raise OSError(disk.error, os.strerror(disk.error))
            return append(self, data)

        monkeypatch.setattr(durable.Appender, "append", refuse)


@pytest.mark.parametrize(
    ("number", "incident"),
    [(errno.ENOSPC, "disk_full"), (errno.EROFS, "disk_read_only"), (errno.EIO, "disk_error")],
)
def test_a_disk_that_refuses_ends_the_part_not_the_lesson(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, incident: str
) -> None:
    disk = Disk(monkeypatch)
    live = begin(tmp_path)
    packets = film(20)
    feed(live, packets[:200])
    durable_s = live.state().recorded_s
    disk.error = number
    feed(live, packets[200:400])
    assert (live.state().incident, live.state().recorded_s) == (incident, durable_s)
    disk.error = 0
    feed(live, packets[400:])
    live.stop(0, AT)
    recording = read(live.folder)
    assert live.state().incident == ""
    assert [one.reason for one in recording.gaps] == [incident]
    seconds = recording.gaps[0].seconds
    assert seconds is not None and RETRY_S <= seconds <= RETRY_S + 3.5
    assert recording.duration_s + seconds == pytest.approx(20, abs=0.1)
    assert recording.state == "ended"
    for part in recording.parts:
        probe(live.folder / part.opened.file)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small tmpfs")
def test_a_really_full_disk_still_takes_the_stop(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    if os.system(f"mount -t tmpfs -o size=512k none {root} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    try:
        live = begin(root)
        assert (live.folder / RESERVE).exists()
        (root / "ballast").write_bytes(bytes(200_000))
        feed(live, film(20))
        with (root / "ballast").open("ab", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        feed(live, moved(film(4), epoch=3, by_s=100))
        assert live.state().incident == "disk_full"
        live.stop(0, AT)
        recording = read(live.folder)
        assert recording.state == "ended"
        probe(live.folder / "part-0001.mp4")
    finally:
        os.system(f"umount {root}")


def test_pictures_that_do_not_come_are_an_incident(tmp_path: Path) -> None:
    live = begin(tmp_path)
    live.watch(0, AT)
    live.watch(4 * SECOND, AT)
    assert live.state().incident == "no_video"
    live.feed(film(4)[0], 5 * SECOND, AT)
    feed(live, film(4)[:50])
    live.watch(film(4)[49].pts_ns, AT)
    assert live.state().incident == ""
