"""The controller by table, and against simulated lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.ladder import CALM_NS, NS, Ladder, Step
from streaming.quality import Quality

PACKETS_A_SECOND = 150
OCTETS_A_SECOND = 187_500  # 1.5 Mb/s


def busy(seconds: int = 5, bits: int = 1_500_000) -> Ladder:
    """A ladder at the top after some calm seconds of sending."""
    ladder = Ladder(0)
    for second in range(seconds + 1):
        ladder.sent(second * NS, PACKETS_A_SECOND * second, bits // 8 * second)
    return ladder


def at(ladder: Ladder) -> Step:
    """Its step now: a type checker takes an attribute for unchanged."""
    return ladder.step


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ([], Step.HIGH),
        ([("loss", 0.07)] * 5, Step.HIGH),
        ([("loss", 0.10)], Step.HIGH),
        ([("loss", 0.10), ("loss", 0.0), ("loss", 0.10)], Step.HIGH),
        ([("loss", 0.10)] * 2, Step.LOW),
        ([("loss", 0.15)], Step.LOW),
        ([("nacked", 9)], Step.HIGH),
        ([("nacked", 20)], Step.HIGH),
        ([("nacked", 20)] * 2, Step.LOW),
        ([("full", None)], Step.LOW),
        ([("estimate", 300_000)], Step.HIGH),  # the first one: perhaps it has not grown yet
        ([("estimate", rate) for rate in (300_000, 330_000, 360_000, 400_000)], Step.HIGH),
        ([("estimate", 2_300_000), ("estimate", 1_400_000)], Step.HIGH),  # fell, but carries what is sent
        ([("estimate", 2_300_000), ("estimate", 1_000_000)], Step.LOW),
        ([("estimate", 300_000)] * 3, Step.HIGH),
        ([("estimate", 300_000)] * 4, Step.LOW),
    ],
)
def test_one_step_down_within_a_second(signs: list[tuple[str, float | None]], expected: Step) -> None:
    ladder = busy()
    for number, (kind, value) in enumerate(signs):
        arguments = (5 * NS + number * NS // 5, *(() if value is None else (value,)))
        getattr(ladder, kind)(*arguments)
    assert at(ladder) == expected


def test_what_is_heard_while_queues_drain_counts_for_nothing() -> None:
    ladder = busy()
    for tenth in range(18):
        ladder.loss(5 * NS + tenth * NS // 10, 0.5)
    assert at(ladder) == Step.LOW
    for tenth in range(40):
        ladder.loss(8 * NS + tenth * NS // 10, 0.5)
    assert at(ladder) == Step.STILL


def test_one_bad_moment_does_not_take_the_picture_away() -> None:
    ladder = busy()
    ladder.loss(5 * NS, 0.5)
    for second in range(10, 60, 5):
        ladder.loss(second * NS, 0.5)
    assert at(ladder) == Step.LOW


def test_a_line_below_150_kbps_gets_stills_at_the_next_sign() -> None:
    ladder = busy()
    ladder.loss(5 * NS, 0.5)
    ladder.estimate(6 * NS, 120_000)
    ladder.loss(8 * NS, 0.5)
    assert at(ladder) == Step.STILL


def test_up_after_ten_calm_seconds_and_back_at_once() -> None:
    ladder = busy()
    ladder.loss(5 * NS, 0.5)
    ladder.sent(15 * NS - 1, 0, 0)
    assert at(ladder) == Step.LOW
    ladder.sent(15 * NS, 0, 0)
    assert at(ladder) == Step.HIGH
    ladder.loss(15 * NS + NS // 10, 0.5)
    assert at(ladder) == Step.LOW
    ladder.sent(35 * NS, 0, 0)
    assert at(ladder) == Step.LOW  # twice as long now
    ladder.sent(36 * NS, 0, 0)
    assert at(ladder) == Step.HIGH


def test_a_climb_that_lasted_is_forgiven() -> None:
    ladder = busy()
    for begin in (100, 300, 500):
        ladder.loss(begin * NS, 0.5)
        ladder.sent(begin * NS + CALM_NS, 0, 0)
        assert at(ladder) == Step.HIGH


def test_the_choice_bounds_the_ladder() -> None:
    quality = Quality("automatic", 0)
    quality.ladder.full(5 * NS)
    assert (quality.step, quality.showing) == (Step.LOW, "low")
    quality.choose("sharp", 6 * NS)
    quality.ladder.full(9 * NS)
    assert (quality.step, quality.showing) == (Step.HIGH, "high")
    quality.choose("saving", 10 * NS)
    quality.ladder.sent(100 * NS, 0, 0)
    assert (quality.step, quality.showing) == (Step.LOW, "low")
    quality.choose("sound", 101 * NS)
    assert (quality.step, quality.showing) == (None, "none")
    quality.choose("automatic", 102 * NS)
    assert quality.showing == "high"


def test_a_source_of_one_rung_is_sent_or_not() -> None:
    quality = Quality("saving", 0, fixed=True)
    assert quality.step is Step.HIGH
    quality.choose("sound", 0)
    assert quality.step is None


RATES = {Step.HIGH: 1_500_000, Step.LOW: 400_000, Step.STILL: 0}
AUDIO = 60_000


@dataclass
class Line:
    """A bottleneck of `capacity` with a queue of 0.3 s, and a browser behind it that reports once a second."""

    capacity: int
    random_loss: float = 0.0
    ladder: Ladder = field(default_factory=lambda: Ladder(0))
    estimate: float = 300_000.0
    queue: float = 0.0
    packets: int = 0
    octets: int = 0
    steps: list[tuple[int, Step]] = field(default_factory=list)

    def second(self, now_ns: int) -> None:
        rate = RATES[self.ladder.step] + AUDIO
        self.packets += rate // 8 // 1100 + 100
        self.octets += rate // 8
        self.queue += rate - self.capacity
        lost = max(0.0, self.queue - 0.3 * self.capacity) / rate
        congested = self.queue > 0.05 * self.capacity
        self.queue = min(max(self.queue, 0.0), 0.3 * self.capacity)
        through = min(rate, self.capacity)
        grown = min(self.estimate * 1.08, max(self.estimate, 1.5 * through + 10_000))
        self.estimate = 0.85 * through if congested else grown
        self.ladder.sent(now_ns, self.packets, self.octets)
        self.ladder.estimate(now_ns, int(self.estimate))
        self.ladder.loss(now_ns, min(1.0, lost + self.random_loss))
        self.steps.append((now_ns, self.ladder.step))

    def run(self, seconds: int) -> list[Step]:
        begin = len(self.steps)
        for second in range(begin + 1, begin + seconds + 1):
            self.second(second * NS)
        return [step for _, step in self.steps[begin:]]

    def climbs(self) -> int:
        steps = [step for _, step in self.steps]
        return sum(later > earlier for earlier, later in zip(steps, steps[1:], strict=False))


@pytest.mark.parametrize(
    ("capacity", "home"),
    [(10_000_000, Step.HIGH), (2_000_000, Step.HIGH), (700_000, Step.LOW), (300_000, Step.STILL), (90_000, Step.STILL)],
)
def test_a_steady_line_is_found_and_kept(capacity: int, home: Step) -> None:
    line = Line(capacity)
    line.run(30)
    steps = line.run(600)
    assert steps.count(home) > 0.9 * len(steps)
    assert line.climbs() <= 12


def test_a_line_that_gets_better_is_used() -> None:
    line = Line(300_000)
    line.run(30)
    line.capacity = 5_000_000
    assert line.run(400)[-1] is Step.HIGH


def test_a_line_that_gets_worse_is_noticed_within_two_reports() -> None:
    line = Line(5_000_000)
    assert set(line.run(60)) == {Step.HIGH}
    line.capacity = 600_000
    assert line.run(2)[-1] is Step.LOW


@settings(max_examples=60, deadline=None)
@given(st.integers(50_000, 3_000_000), st.floats(0, 0.3))
def test_nothing_oscillates(capacity: int, loss: float) -> None:
    line = Line(capacity, loss)
    line.run(1200)
    # Ten seconds, doubled each time, for each of two steps.
    assert line.climbs() <= 16


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sent", "loss", "nacked", "estimate", "full"]),
            st.integers(0, 3 * NS),
            st.integers(0, 2**64),
        ),
        max_size=200,
    )
)
def test_any_feedback_moves_one_step_at_a_time(events: list[tuple[str, int, int]]) -> None:
    ladder, now_ns = Ladder(0), 0
    for kind, wait_ns, value in events:
        now_ns += wait_ns
        before = ladder.step
        match kind:
            case "sent":
                ladder.sent(now_ns, value, value)
            case "loss":
                ladder.loss(now_ns, value % 257 / 256)
            case "nacked":
                ladder.nacked(now_ns, value % 2000)
            case "estimate":
                ladder.estimate(now_ns, value)
            case _:
                ladder.full(now_ns)
        assert abs(ladder.step - before) <= 1
        assert ladder.step <= before or kind == "sent"
