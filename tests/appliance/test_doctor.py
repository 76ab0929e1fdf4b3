"""What the doctor finds in the data folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from appliance.doctor import CLOCK, JOURNAL, RECEIPTS, Finding, clock, lessons, receipts
from appliance.lines import frame, read_chain
from appliance.settings import Settings
from lessons.clock import Clock


def write(folder: Path, *words: str) -> None:
    data = b""
    for word in words:
        chain = read_chain(data)
        data += frame(chain.next_number, msgspec.json.encode({"word": word, "previous": chain.head}))
    (folder / RECEIPTS).write_bytes(data)


def findings(folder: Path) -> list[Finding]:
    return list(receipts(Settings(data_dir=folder)))


def test_a_whole_chain_a_torn_end_and_a_changed_line(tmp_path: Path) -> None:
    assert findings(tmp_path) == []
    write(tmp_path, "one", "two", "three")
    [finding] = findings(tmp_path)
    assert finding.level == "ok" and finding.text.startswith("receipts: 3 lines, an unbroken chain, the newest ")
    data = (tmp_path / RECEIPTS).read_bytes()
    (tmp_path / RECEIPTS).write_bytes(data[:-3])
    assert [one.level for one in findings(tmp_path)] == ["ok"]
    (tmp_path / RECEIPTS).write_bytes(data.replace(b"two", b"TWO"))
    assert findings(tmp_path) == [
        Finding("wrong", "receipts: line 3 does not follow from the one before: damaged or changed")
    ]


def test_a_clock_in_doubt_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert list(clock(settings)) == []
    Clock(tmp_path, "a", lambda: 1_790_000_000.0, lambda: 50.0).look(1_789_990_000.0)
    assert list(clock(settings)) == []
    Clock(tmp_path, "b", lambda: 1_789_000_000.0, lambda: 50.0).look(1_788_000_000.0)
    [finding] = clock(settings)
    assert finding.level == "note"
    assert "is behind a day that the kit has known (newest known day: 2026-09-21)" in finding.text
    (tmp_path / CLOCK).write_bytes(b"garbled")
    assert list(clock(settings)) == []


def test_lessons_that_no_list_shows_are_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert list(lessons(settings)) == []
    for id, journal in {
        "20261123-081502-4f2a": frame(1, b'{"type":"created"}'),
        "20261123-091502-4f2a": frame(1, b'{"type":"created"}')[:-4],
        "20261123-101502-4f2a": b"\0" * 4096,
        "20261123-111502-4f2a": frame(2, b'{"type":"created"}'),
    }.items():
        folder = settings.lessons / id
        folder.mkdir(parents=True)
        (folder / JOURNAL).write_bytes(journal)
    (settings.lessons / "20261123-121502-4f2a").mkdir()
    (settings.lessons / ".deleted-20261123-131502-4f2a").mkdir()
    *wrong, counted = lessons(settings)
    assert [(one.level, one.text[:27]) for one in wrong] == [
        ("wrong", f"lesson 20261123-{hour:02d}1502-4f2a") for hour in (9, 10, 11, 12)
    ]
    assert f"`preau lesson delete {wrong[0].text[7:27]}` erases it" in wrong[0].text
    assert counted == Finding("ok", "lessons: 5 looked at")
