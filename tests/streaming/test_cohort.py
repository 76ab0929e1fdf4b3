"""Viewers in step are sent what each would have been sent alone, and part without losing anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming.burst import MOST_PACKETS, Burst
from streaming.cohort import Cohort
from streaming.history import History
from streaming.lane import MOST_BACKLOG, Lane
from tests.streaming.test_history_and_lane import Collect, add, lane, parse, resend


class Side:
    """Two viewers' paths; `room` is how many packets each socket still takes."""

    def __init__(self) -> None:
        self.out: list[list[bytes]] = [[], []]
        self.room = [10**6, 10**6]

    def path(self, place: int) -> Collect:
        return Collect(self.out[place], room=len(self.out[place]) + self.room[place])

    def send(self, burst: Burst, seq: int, ticks: int) -> dict[int, int]:
        went = {place: self.path(place).send(burst, seq, ticks) for place in range(2)}
        return {place: count for place, count in went.items() if count != burst.count}


def in_step(side: Side, history: History) -> tuple[Cohort, list[Lane]]:
    lanes = [lane(), lane()]
    first = add(history, 0, keyframe=True)
    for place, each in enumerate(lanes):
        assert each.step is None
        each.send(first, side.path(place))
    assert lanes[0].step == lanes[1].step is not None
    return Cohort(lanes, side), lanes


def test_each_gets_the_same_numbers_and_counts_on() -> None:
    side, history = Side(), History()
    cohort, lanes = in_step(side, history)
    for number in range(1, 4):
        assert cohort.send(add(history, number)) == []
    assert side.out[0] == side.out[1]
    assert [parse(packet).sequence_number for packet in side.out[0]] == [(65530 + n) % 65536 for n in range(12)]
    assert [(each.sent, each.octets) for each in lanes] == [(12, 24)] * 2
    assert [resend(lanes[0], parse(packet).sequence_number, history) for packet in side.out[0]] == side.out[0]


def test_a_full_socket_parts_them_and_costs_the_other_nothing() -> None:
    side, history = Side(), History()
    cohort, lanes = in_step(side, history)
    side.room[1] = 1
    assert cohort.send(add(history, 1)) == [lanes[1]]
    assert cohort.dissolved and lanes[0].cohort is lanes[1].cohort is None
    assert [each.sent for each in lanes] == [6, 4]
    assert lanes[1].waiting and not lanes[0].waiting and lanes[1].step is None
    side.room[1] = 100
    for number, keyframe in ((2, False), (3, True)):
        frame = add(history, number, keyframe=keyframe)
        for place, each in enumerate(lanes):
            each.send(frame, side.path(place))
    assert [parse(packet).payload[0] for packet in side.out[0]] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [parse(packet).payload[0] for packet in side.out[1]] == [0, 0, 0, 1, 3, 3, 3]
    assert [parse(packet).sequence_number for packet in side.out[1]] == [(65530 + n) % 65536 for n in range(7)]
    assert lanes[0].step != lanes[1].step


def test_a_long_frame_leaves_in_pieces_and_what_is_left_survives_the_parting() -> None:
    side, history = Side(), History()
    cohort, lanes = in_step(side, history)
    cohort.send(add(history, 1, size=3 * MOST_PACKETS, keyframe=True))
    assert len(side.out[0]) == 3 + MOST_PACKETS
    cohort.send(add(history, 2))
    assert cohort.proceed() == [] and len(side.out[0]) == 3 + 2 * MOST_PACKETS
    cohort.dissolve()
    assert cohort.proceed() == [] and not cohort.backlog
    for place, each in enumerate(lanes):
        each.send(add(history, 3) if place == 0 else history.group_of_pictures()[-1], side.path(place))
        while each.backlog:
            each.proceed(side.path(place))
    assert side.out[0] == side.out[1]
    assert [parse(packet).sequence_number for packet in side.out[0]] == [
        (65530 + number) % 65536 for number in range(3 + 3 * MOST_PACKETS + 6)
    ]


def test_a_backlog_that_only_grows_is_given_up() -> None:
    side, history = Side(), History()
    cohort, lanes = in_step(side, history)
    frames = [add(history, 1, size=3 * MOST_PACKETS, keyframe=True)]
    frames += [add(history, number) for number in range(2, MOST_BACKLOG + 2)]
    stopped = [cohort.send(frame) for frame in frames]
    assert stopped == [[]] * (len(frames) - 1) + [lanes]
    assert all(each.waiting and not each.backlog for each in lanes)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 3, MOST_PACKETS, 2 * MOST_PACKETS + 1]),
            st.booleans(),
            st.integers(0, 60),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_together_and_alone_is_the_same(frames: list[tuple[int, bool, int, bool]]) -> None:
    """Each frame's size, whether it is a keyframe, how many packets the second viewer's socket takes meanwhile, and
    whether something parts the viewers before."""
    together, alone, history = Side(), Side(), History()
    cohort, lanes = in_step(together, history)
    others = [lane(), lane()]
    for place, other in enumerate(others):
        other.send(history.group_of_pictures()[0], alone.path(place))
    for number, (size, keyframe, room, parts) in enumerate(frames, 1):
        frame = add(history, number, size=size, keyframe=keyframe)
        if parts:
            cohort.dissolve()
        if cohort.dissolved and lanes[0].step == lanes[1].step is not None:
            cohort = Cohort(lanes, together)
        for side, served in ((together, lanes), (alone, others)):
            side.room[1] = room
            begun = len(side.out[1])
            if served is lanes and not cohort.dissolved:
                cohort.send(frame)
            else:
                for place, each in enumerate(served):
                    each.send(frame, side.path(place))
            while any(each.backlog for each in served) or (served is lanes and cohort.backlog):
                side.room[1] = room - (len(side.out[1]) - begun)
                if served is lanes and not cohort.dissolved:
                    cohort.proceed()
                else:
                    for place, each in enumerate(served):
                        each.proceed(side.path(place))
    assert together.out == alone.out
    assert [(each.sent, each.octets) for each in lanes] == [(each.sent, each.octets) for each in others]
