"""When lessons go: never unsent without a week's warning, never by a clock in doubt, never to make room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.bus import CommandRefused
from appliance.messages import WARNING_S, Lesson, Packet
from appliance.settings import Settings
from lessons.client import LessonsClient
from lessons.edits import Edits
from lessons.journal import NAME, Described, Sent, Warned
from lessons.retention import DAY_S, EARLIEST, Erase, Warn, dated, plan
from tests import disks
from tests.lessons.media import film
from tests.lessons.room import AT, ID, read, record
from tests.lessons.service import Capture, Lessons, until, watched

OTHER = "20261120-081502-0001"
DAYS = 180
END = AT + DAYS * DAY_S


def lesson(
    ends_at: float | None = None,
    *,
    sent: bool = False,
    warned_at: float | None = None,
    started_at: float = AT,
    days: int = DAYS,
) -> Lesson:
    known = Lesson(
        ID, "", "", "ended", started_at, 60.0, 0, 1, 0, False, ends_at=ends_at, sent=sent, warned_at=warned_at
    )  # fmt: skip
    return dated(known, days)


@pytest.mark.parametrize(
    ("one", "now", "due"),
    [
        (lesson(), END - WARNING_S - 1, []),
        (lesson(), END - WARNING_S, [Warn(ID)]),
        (lesson(), END + 1000 * DAY_S, [Warn(ID)]),
        (lesson(warned_at=END - WARNING_S), END - 1, []),
        (lesson(warned_at=END - WARNING_S), END, [Erase(ID)]),
        (lesson(warned_at=END + 9), END + 9 + WARNING_S - 1, []),
        (lesson(warned_at=END + 9), END + 9 + WARNING_S, [Erase(ID)]),
        (lesson(sent=True), END - 1, []),
        (lesson(sent=True), END, [Erase(ID)]),
        (lesson(AT + DAY_S), AT, [Warn(ID)]),
        (lesson(AT + DAY_S, warned_at=AT), AT + 2 * DAY_S, []),
        (lesson(AT + DAY_S, warned_at=AT), AT + WARNING_S, [Erase(ID)]),
        # Kept for longer after a warning: that one counts no more.
        (lesson(END + 30 * DAY_S, warned_at=END - WARNING_S), END + 30 * DAY_S, [Warn(ID)]),
        # A clock that was wrong from the beginning: nobody knows the lesson's age.
        (lesson(started_at=86_400.0), END, []),
        (lesson(END, started_at=86_400.0), END, [Warn(ID)]),
    ],
)
def test_what_is_due(one: Lesson, now: float, due: list[Warn | Erase]) -> None:
    assert plan([one], now, trusted=True) == due
    assert plan([one], now, trusted=False) == []
    assert plan([msgspec.structs.replace(one, state="live")], now, trusted=True) == []


times = st.floats(EARLIEST - 100 * DAY_S, EARLIEST + 4000 * DAY_S)
many = st.lists(
    st.builds(
        lesson, st.none() | times, sent=st.booleans(), warned_at=st.none() | times, started_at=times,
        days=st.integers(1, 3650),
    ),
    max_size=6,
)  # fmt: skip


@given(many, times, st.booleans())
def test_nothing_unsent_goes_without_a_week_of_warning(lessons: list[Lesson], now: float, trusted: bool) -> None:
    for one in lessons:
        steps = plan([one], now, trusted=trusted)
        if Erase(one.id) in steps:
            assert trusted and one.ends_at is not None and now >= one.ends_at
            assert one.sent or (one.warned_at is not None and one.warned_at <= now - WARNING_S)
        assert trusted or not steps


@given(st.lists(st.tuples(st.floats(0, 40 * DAY_S), st.booleans(), st.none() | st.floats(1, 400 * DAY_S)), max_size=40))
def test_over_a_life_of_looks(steps: list[tuple[float, bool, float | None]]) -> None:
    """Looks at any times, with clocks in doubt and teachers who change the date: whenever it goes, the teacher was told
    for a week of the date that holds, without having changed it meanwhile to a later one."""
    now, known = AT, msgspec.structs.replace(lesson(), ends_at=None)
    warned: float | None = None
    for passed, trusted, longer in steps:
        now += passed
        if longer is not None:
            ends_at = now + longer
            if warned is not None and ends_at - WARNING_S > warned:
                warned = None
            known = msgspec.structs.replace(known, ends_at=ends_at)
        for step in plan([dated(known, DAYS)], now, trusted=trusted):
            assert trusted
            if step == Warn(ID):
                assert warned is None
                warned = now
                known = msgspec.structs.replace(known, warned_at=now)
            else:
                assert warned is not None and now - warned >= WARNING_S
                return


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(data_dir=tmp_path / "data")
    settings.bus.mkdir(parents=True)
    settings.lessons.mkdir()
    yield settings


class Wall:
    """A clock that the test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[[Wall], Lessons]]:
    started: list[Lessons] = []

    def start(wall: Wall) -> Lessons:
        """The service with a clock that never steps while it runs."""
        started.append(Lessons(settings, wall=wall, boot_s=lambda: wall.now - AT))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_lesson_is_warned_of_kept_and_goes(settings: Settings, serve: Callable[[Wall], Lessons]) -> None:
    record(settings.lessons, film(4))
    wall = Wall(AT + 59 * DAY_S)
    service, client = serve(wall), LessonsClient(settings)

    def days_pass(days: float) -> None:
        """With a look every day."""
        until_then = wall.now + days * DAY_S
        while wall.now < until_then:
            wall.now = min(until_then, wall.now + DAY_S)
            service.retention.step()

    assert client.get(ID).ends_at == END and client.get(ID).warned_at is None
    days_pass(113.5)
    assert client.get(ID).warned_at is None
    days_pass(1)
    told = client.get(ID)
    assert told.warned_at == wall.now and not told.sent
    days_pass(6)
    assert client.get(ID).warned_at == told.warned_at
    kept = client.keep(ID, wall.now + 30.25 * DAY_S)
    assert (kept.ends_at, kept.warned_at) == (wall.now + 30.25 * DAY_S, None)
    days_pass(29)
    assert client.get(ID).warned_at is not None
    days_pass(1.5)
    assert client.list()  # its date has passed, but not a week since the warning
    days_pass(1)
    assert client.list() == [] and not (settings.lessons / ID).exists()
    [receipt] = client.receipts()
    assert (receipt.erasing.why, receipt.erasing.by, receipt.erased_at) == ("date", "", wall.now)


@pytest.mark.parametrize("pause", [4.0, 59.0])
def test_after_a_pause_the_week_begins_anew(settings: Settings, serve: Callable[[Wall], Lessons], pause: float) -> None:
    """The kit was off, or its clock jumped meanwhile: who should have been warned?"""
    record(settings.lessons, film(4))
    Edits(settings.lessons).write(ID, lambda _: [Described(AT, ends_at=AT + 30 * DAY_S)])
    wall = Wall(AT + 24 * DAY_S)
    service, client = serve(wall), LessonsClient(settings)
    service.retention.step()
    assert client.get(ID).warned_at == wall.now
    wall.now += pause * DAY_S
    back = wall.now
    for _ in range(7):
        service.retention.step()
        assert client.get(ID).warned_at == back
        wall.now += 0.999 * DAY_S
    wall.now = back + 7 * DAY_S
    service.retention.step()
    assert client.list() == []


def test_a_sent_lesson_goes_at_its_date(settings: Settings, serve: Callable[[Wall], Lessons]) -> None:
    record(settings.lessons, film(4))
    Edits(settings.lessons).write(ID, lambda _: [Sent("nuage", "0f", AT + 60)])
    wall = Wall(AT + 59 * DAY_S)
    service, client = serve(wall), LessonsClient(settings)
    while wall.now < END:
        service.retention.step()
        assert client.get(ID).sent and client.get(ID).warned_at is None
        wall.now += DAY_S
    service.retention.step()
    assert client.list() == []
    assert service.receipts.untold()[0].uplink == "nuage"


@pytest.mark.parametrize("wrong", [AT - DAY_S, END + 30 * DAY_S])
def test_a_clock_in_doubt_deletes_nothing(settings: Settings, serve: Callable[[Wall], Lessons], wrong: float) -> None:
    record(settings.lessons, film(4))
    record(settings.lessons, film(4), OTHER)
    Edits(settings.lessons).write(OTHER, lambda _: [Sent("nuage", "0f", AT + 60)])
    wall = Wall(wrong)
    service, client = serve(wall), LessonsClient(settings)
    for _ in range(23):
        service.retention.step()
        wall.now += 3600
    assert [one.warned_at for one in client.list()] == [None, None]
    assert client.receipts() == []


@pytest.mark.parametrize("ends_at", [AT - 1, AT, AT + 3651 * DAY_S, float("inf"), float("nan")])
def test_dates_that_no_lesson_can_have(settings: Settings, serve: Callable[[Wall], Lessons], ends_at: float) -> None:
    record(settings.lessons, film(4))
    serve(Wall(AT))
    with pytest.raises(CommandRefused) as refused:
        LessonsClient(settings).keep(ID, ends_at)
    assert refused.value.kind == "invalid"


def test_a_date_is_kept_once(settings: Settings, serve: Callable[[Wall], Lessons]) -> None:
    record(settings.lessons, film(4))
    serve(Wall(AT))
    client = LessonsClient(settings)
    with pytest.raises(CommandRefused) as refused:
        client.keep(OTHER, AT + DAY_S)
    assert refused.value.kind == "not_found"
    client.keep(ID, AT + DAY_S)
    size = (settings.lessons / ID / NAME).stat().st_size
    assert client.keep(ID, AT + DAY_S).ends_at == AT + DAY_S
    assert (settings.lessons / ID / NAME).stat().st_size == size
    assert read(settings.lessons / ID).about.ends_at == AT + DAY_S


def everything(root: Path, but: str) -> dict[str, bytes]:
    """The files of all lessons except `but`."""
    files = (Path(where, name) for where, _, names in os.walk(root) for name in names)
    return {str(path.relative_to(root)): path.read_bytes() for path in files if but not in path.parts}


@pytest.mark.root
def test_nothing_is_ever_deleted_to_make_room(tmp_path: Path) -> None:
    """A full disk under a live lesson, and old ones that go tomorrow, or in a week. All of them stay as they are, and
    recording stops."""
    disks.require()
    ids = [ID, OTHER, "20261119-081502-0002"]
    with disks.Disk(tmp_path, 16) as disk:
        settings = Settings(data_dir=disk.folder, runtime_dir=tmp_path / "run")
        settings.bus.mkdir()
        settings.lessons.mkdir()
        for id in ids:
            record(settings.lessons, film(4), id)
        Edits(settings.lessons).write(OTHER, lambda _: [Warned(END - WARNING_S)])
        Edits(settings.lessons).write(ids[2], lambda _: [Sent("nuage", "0f", AT + 60)])
        wall = Wall(END - DAY_S)
        capture, service = Capture(settings.bus), Lessons(settings, wall=wall, boot_s=lambda: wall.now)
        try:
            client = LessonsClient(settings)
            live = client.start("", "7Q2F").id
            watched(capture, service)
            packets = film(30)
            capture.send(packets[:300])
            until(lambda: client.get(live).duration_s >= 2, "two seconds on disk")
            service.retention.step()
            assert {one.id for one in client.list() if one.warned_at is not None} == {ID, OTHER}
            before = everything(settings.lessons, live)
            rest = iter(packets[300:])
            with disk.full():
                until(lambda: full(capture, service, rest), "a full disk")
                for _ in range(48):
                    service.retention.step()
            assert everything(settings.lessons, live) == before
            assert {one.id for one in client.list()} == {*ids, live} and client.receipts() == []
        finally:
            service.close()
            capture.close()


def full(capture: Capture, service: Lessons, packets: Iterator[Packet]) -> bool:
    """Record a little more; whether that was refused for want of room."""
    capture.send(list(islice(packets, 10)))
    return service.states[-1].incident == "disk_full"
