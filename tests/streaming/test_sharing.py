"""Who is served by which process: by table, and as a class that comes and goes at random."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.sharing import ID_BYTES, REMEMBERED, SILENT_S, Sharing, place, public_id, well_formed


class Room:
    """A few processes that answer at once, and what they serve."""

    def __init__(self, processes: int) -> None:
        self.sharing = Sharing(processes)
        self.served: dict[int, set[str]] = {number: set() for number in range(1, processes + 1)}
        self.count = 0

    def join(self, viewer: str, now: float = 0.0) -> int:
        process = self.sharing.take(viewer, (), now)
        self.count += 1
        session = f"{process}.{self.count}"
        self.served[process].add(session)
        self.sharing.answered(process)
        self.sharing.opened(viewer, process, session, len(self.served[process]))
        return process

    def leave(self, viewer: str, session: str) -> None:
        for sessions in self.served.values():
            sessions.discard(session)
        self.sharing.closed(viewer, session)

    def tell(self, now: float) -> None:
        for process, sessions in self.served.items():
            self.sharing.told(process, len(sessions), now)


def test_a_class_is_shared_out_evenly() -> None:
    room = Room(3)
    assert [room.join(f"v{number}") for number in range(6)] == [1, 2, 3, 1, 2, 3]


def test_a_crowd_whose_answers_are_not_there_yet_is_shared_out_evenly() -> None:
    sharing = Sharing(2)
    taken = [sharing.take(f"v{number}", (), 0.0) for number in range(10)]
    assert taken.count(1) == taken.count(2) == 5
    for process in taken:
        sharing.answered(process)
    assert sharing.take("v", (), 0.0) == 1


def test_what_a_process_says_counts() -> None:
    sharing = Sharing(2)
    sharing.told(1, 7, 0.0)
    sharing.told(2, 3, 0.0)
    assert sharing.take("v", (), 0.0) == 2
    sharing.told(2, 9, 1.0)
    assert sharing.take("v", (), 1.0) == 1
    sharing.told(3, 0, 1.0)  # of another kit's settings
    assert sharing.take("w", (), 1.0) == 1


def test_the_screen_comes_from_where_the_camera_does() -> None:
    room = Room(2)
    first = room.join("a")
    assert room.join("b") != first
    assert room.join("a") == first
    room.leave("a", f"{first}.1")
    assert room.join("a") == first, "the screen is still there"
    room.leave("a", f"{first}.3")
    room.leave("a", f"{first}.4")
    room.tell(0.0)
    assert room.join("c") == first, "the emptier one"
    assert room.join("d") == first
    assert room.join("a") != first, "nothing keeps it there"


def test_a_process_that_is_away_or_silent_comes_last() -> None:
    room = Room(2)
    for number in range(3):
        room.join(f"v{number}")
    room.sharing.away(2)
    assert [room.join(f"w{number}") for number in range(4)] == [1] * 4
    room.tell(10.0)
    assert room.join("x", 10.0) == 2, "it is back"
    room.sharing.told(1, 6, 20.0)
    assert room.join("y", 20.0) == 1, "the other has not spoken for long"
    assert room.join("z", 20.0 + SILENT_S * 2) == 2, "both are silent"


def test_who_was_tried_is_not_asked_again() -> None:
    sharing = Sharing(3)
    tried: list[int] = []
    while len(tried) < 3:
        tried.append(sharing.take("v", tried, 0.0))
    assert sorted(tried) == [1, 2, 3]


def test_a_dead_process_does_not_keep_its_viewers() -> None:
    room = Room(2)
    room.join("a")
    assert room.join("b") == 2
    room.sharing.away(2)
    assert room.join("b") == 1
    room.tell(1.0)
    assert room.join("b", 1.0) == 1, "the screen beside the camera"


def test_few_viewers_are_remembered() -> None:
    room = Room(2)
    for number in range(2 * REMEMBERED):
        room.join(f"v{number}")
    assert len(room.sharing._viewers) == REMEMBERED


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["join", "leave", "tell"]), st.integers(0, 9)), max_size=60),
)
def test_whoever_comes_goes_where_the_fewest_are(processes: int, happenings: list[tuple[str, int]]) -> None:
    room = Room(processes)
    for number, (what, which) in enumerate(happenings):
        sessions = [session for served in room.served.values() for session in served]
        if what == "join":
            before = {process: len(served) for process, served in room.served.items()}
            room.tell(float(number))
            assert before[room.join(f"v{number}", float(number))] == min(before.values())
        elif what == "leave" and sessions:
            room.leave("", sorted(sessions)[which % len(sessions)])
        else:
            room.tell(float(number))
    assert not +room.sharing._asked


@pytest.mark.parametrize(
    ("public", "found"),
    [
        ("abc_-", (1, "abc_-")),
        ("2.abc", (2, "abc")),
        ("3.abc", (3, "abc")),
        ("4.abc", None),
        ("1.abc", None),
        ("02.abc", None),
        ("-2.abc", None),
        ("²." + "abc", None),
        (".abc", None),
        ("x.abc", None),
        ("", (1, "")),
    ],
)
def test_an_id_says_which_process(public: str, found: tuple[int, str] | None) -> None:
    assert place(public, 3) == found


@given(st.integers(1, 16), st.from_regex(r"[0-9A-Za-z_-]{16}", fullmatch=True))
def test_ids_lead_back(process: int, session: str) -> None:
    assert place(public_id(process, session), 16) == (process, session)


def test_the_form_of_an_id() -> None:
    assert all(well_formed(secrets.token_urlsafe(ID_BYTES)) for _ in range(100))
    assert not any(map(well_formed, ("", "nothing", "A" * 15, "A" * 17, "A" * 15 + "\n", "é" * 16, "2." + "A" * 14)))
