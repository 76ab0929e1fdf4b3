"""The controller by table, and against simulated lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.ladder import CALM_NS, HOLD_NS, NO_ANSWER_NS, RAMP_NS, RATES, SETTLE_NS, Ladder, Step
from streaming.losses import NS
from streaming.quality import Quality
from streaming.signs import SIGN_LASTS_NS

PACKETS_A_SECOND = 150
MS = NS // 1000
PICTURE, REPAIR = 1, 2  # streams


@dataclass
class Heard:
    """Feeds a ladder: running totals, by what happened since the last call."""

    ladder: Ladder
    bits: int = 1_500_000
    highest: int = 0
    lost: int = 0
    sent: int = 0

    def second(self, now_ns: int) -> None:
        """A second has passed in which everything arrived."""
        self.sent += 1
        self.highest += PACKETS_A_SECOND
        self.ladder.sent(now_ns, PACKETS_A_SECOND * self.sent, self.bits // 8 * self.sent)
        self.ladder.received(now_ns, PICTURE, self.highest, self.lost)

    def loss(self, now_ns: int, fraction: float) -> None:
        """A report on a second's packets."""
        self.highest += PACKETS_A_SECOND
        self.lost += round(fraction * PACKETS_A_SECOND)
        self.ladder.received(now_ns, PICTURE, self.highest, self.lost)

    def tell(self, now_ns: int, kind: str, value: float) -> None:
        match kind:
            case "loss":
                self.loss(now_ns, value)
            case "nacked":
                self.ladder.nacked(now_ns, int(value))
            case "estimate":
                self.ladder.estimate(now_ns, int(value))
            case "trip":
                self.ladder.round_trip(now_ns, int(value * MS))
            case "full":
                self.ladder.full(now_ns)
            case _:
                raise ValueError(kind)
        self.ladder.pass_time(now_ns)


def busy(seconds: int = 5, bits: int = 1_500_000, *, probes: bool = False) -> Heard:
    """A ladder at the top after some calm seconds of sending, on a line with a round trip of 20 ms."""
    heard = Heard(Ladder(0, probes=probes), bits)
    heard.ladder.sent(0, 0, 0)
    heard.ladder.round_trip(0, 20 * MS)
    for second in range(1, seconds + 1):
        heard.second(second * NS)
    return heard


def at(ladder: Ladder) -> Step:
    """Its step now: a type checker takes an attribute for unchanged."""
    return ladder.step


def test_an_outage_is_no_weak_line() -> None:
    """What the viewer tells right after it, nearly all lost, is about packets that met no network."""
    heard = busy()
    back_ns = 25 * NS
    heard.sent += 20
    heard.ladder.sent(back_ns, PACKETS_A_SECOND * heard.sent, heard.bits // 8 * heard.sent)
    heard.ladder.back(back_ns)
    heard.ladder.received(back_ns, PICTURE, heard.highest, heard.lost)
    heard.highest += 20 * PACKETS_A_SECOND
    heard.lost += 20 * PACKETS_A_SECOND - 10
    for kind, value in (("nacked", 400), ("estimate", 60_000), ("trip", 600)):
        heard.tell(back_ns + 200 * MS, kind, value)
    heard.ladder.received(back_ns + 300 * MS, PICTURE, heard.highest, heard.lost)
    for second in range(1, 5):
        heard.second(back_ns + second * NS)
        heard.tell(back_ns + second * NS, "trip", 20)
    assert at(heard.ladder) is Step.HIGH
    # From then on it is heard as ever.
    heard.loss(back_ns + 5 * NS, 0.5)
    assert at(heard.ladder) is Step.LOW


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ([], Step.HIGH),
        ([(0, "loss", 0.29)], Step.HIGH),
        ([(0, "loss", 0.31)], Step.LOW),
        ([(1000 * second, "loss", 0.1) for second in range(10)], Step.HIGH),  # a bad radio
        ([(1000 * second, "loss", 0.2) for second in range(5)], Step.LOW),  # so bad that sound breaks off
        ([(0, "nacked", 9)], Step.HIGH),
        ([(0, "nacked", 40)], Step.HIGH),
        ([(0, "nacked", 40), (50, "nacked", 10)], Step.LOW),
        ([(0, "full", 0)], Step.LOW),
        ([(0, "estimate", 300_000)], Step.HIGH),  # the first one: perhaps it has not grown yet
        ([(200 * n, "estimate", 300_000 + 3000 * n) for n in range(10)], Step.HIGH),  # grows slowly
        ([(200 * n, "estimate", 300_000) for n in range(10)], Step.HIGH),  # does not know better
        ([(0, "estimate", 2_300_000), (200, "estimate", 1_400_000)], Step.HIGH),  # fell, but carries what is sent
        ([(0, "estimate", 2_300_000), (200, "estimate", 1_000_000)], Step.HIGH),  # a keyframe's packets came late
        ([(0, "estimate", 2_300_000), (200, "estimate", 900_000)], Step.LOW),
        ([(0, "trip", 219)], Step.HIGH),
        ([(0, "trip", 519)], Step.HIGH),
        ([(0, "trip", 521)], Step.LOW),
        # Two weak signs of two kinds, within a second and a half.
        ([(0, "loss", 0.1), (1000, "trip", 230)], Step.LOW),
        ([(0, "loss", 0.1), (1501, "trip", 230)], Step.HIGH),
        ([(0, "trip", 230), (200, "trip", 230)], Step.HIGH),
        ([(0, "estimate", 2_300_000), (200, "estimate", 1_200_000), (400, "trip", 230)], Step.LOW),
        ([(0, "estimate", 2_300_000), (200, "estimate", 1_200_000), (400, "loss", 0.1)], Step.LOW),
        ([(0, "estimate", 2_300_000), (200, "estimate", 1_200_000), (400, "trip", 130)], Step.HIGH),
        ([(0, "nacked", 14), (400, "trip", 230)], Step.LOW),
        # Chromium when a line of 5 Mb/s becomes one of 300 kb/s: its second estimate comes 150 ms later.
        ([(0, "estimate", 2_059_176), (182, "estimate", 729_040)], Step.LOW),
        # The same on 5% bursty losses: it asks for what is missing, twice if need be, and its estimate grows.
        (
            [(0, "estimate", 1_034_932), (132, "nacked", 3), (197, "loss", 0.07), (198, "nacked", 8)]
            + [(232, "estimate", 1_053_560), (330, "nacked", 3), (440, "loss", 0.07), (461, "estimate", 1_072_184)],
            Step.HIGH,
        ),
    ],
)
def test_down_within_a_second_of_congestion_and_by_nothing_else(
    signs: list[tuple[int, str, float]], expected: Step
) -> None:
    heard = busy()
    for after_ms, kind, value in signs:
        heard.tell(6 * NS + after_ms * MS, kind, value)
    assert at(heard.ladder) == expected


def test_the_low_rung_outlives_the_estimates_that_its_own_keyframes_spoil() -> None:
    """Chromium behind 800 kb/s, as it was heard: 430 kb/s arrive whole, and the estimate falls every other second."""
    heard = busy()
    heard.loss(6 * NS, 0.5)
    heard.bits = 430_000
    for second in range(7, 12):
        heard.second(second * NS)
    estimates = [(0, 427_944), (198, 354_406), (417, 354_406), (1056, 354_406), (1639, 294_254), (1850, 294_254)]
    for after_ms, bits in estimates:
        heard.tell(12 * NS + after_ms * MS, "estimate", bits)
        heard.tell(12 * NS + (after_ms + 10) * MS, "trip", 131)
    assert at(heard.ladder) == Step.LOW


def test_what_is_heard_while_queues_drain_counts_for_nothing() -> None:
    heard = busy()
    for tenth in range(15):
        heard.tell(5 * NS + tenth * NS // 10, "full", 0)
    assert at(heard.ladder) == Step.LOW
    for tenth in range(30):
        heard.tell(5 * NS + SETTLE_NS + tenth * NS // 10, "full", 0)
    assert at(heard.ladder) == Step.STILL


def test_one_bad_moment_does_not_take_the_picture_away() -> None:
    heard = busy()
    for second in range(5, 60, 5):
        heard.tell(second * NS, "full", 0)
    assert at(heard.ladder) == Step.LOW


@pytest.mark.parametrize(("estimate", "expected"), [(330_000, Step.LOW), (320_000, Step.STILL), (120_000, Step.STILL)])
def test_an_estimate_that_fell_below_the_low_rung_leads_to_stills_at_once(estimate: int, expected: Step) -> None:
    heard = busy()
    heard.tell(5 * NS, "estimate", 1_600_000)
    heard.tell(5 * NS + 1, "full", 0)
    assert at(heard.ladder) == Step.LOW
    heard.tell(7 * NS, "estimate", estimate)
    heard.tell(7 * NS + 1, "full", 0)
    assert at(heard.ladder) == expected


def test_who_cannot_be_probed_climbs_after_ten_calm_seconds_and_falls_at_once() -> None:
    heard = busy()
    ladder = heard.ladder
    ladder.full(5 * NS)
    ladder.pass_time(15 * NS - 1)
    assert (at(ladder), ladder.due(20 * NS)) == (Step.LOW, False)
    ladder.pass_time(15 * NS)
    assert at(ladder) == Step.HIGH
    ladder.full(15 * NS + NS // 10)
    assert at(ladder) == Step.LOW
    ladder.pass_time(35 * NS)
    assert at(ladder) == Step.LOW  # twice as long now
    ladder.pass_time(36 * NS)
    assert at(ladder) == Step.HIGH


def test_a_climb_that_lasted_is_forgiven() -> None:
    ladder = busy().ladder
    for begin in (100, 300, 500):
        ladder.full(begin * NS)
        ladder.pass_time(begin * NS + CALM_NS)
        assert at(ladder) == Step.HIGH


# --- probes ------------------------------------------------------------------------------------------------------


def probing(begin_ns: int = 20 * NS) -> Ladder:
    """A ladder on the low rung that has just begun a probe."""
    ladder = busy(probes=True).ladder
    ladder.full(5 * NS)
    ladder.pass_time(begin_ns)
    assert ladder.due(begin_ns) and not ladder.due(15 * NS - 1)
    ladder.sent(begin_ns - NS, 1000, 1_200_000)
    ladder.sent(begin_ns, 1050, 1_250_000)
    ladder.begin_probe(begin_ns)
    return ladder


def test_a_probe_grows_to_what_the_upper_rung_needs_holds_and_ends() -> None:
    ladder = probing()
    needed = 1.2 * RATES[Step.HIGH] - RATES[Step.LOW]
    extra = [ladder.extra(20 * NS + tenth * NS // 10) for tenth in range(26)]
    assert extra[0] == 0 and extra[-1] == 0
    assert extra[:16] == [pytest.approx(needed * tenth / 15, abs=1) for tenth in range(16)]
    assert extra[15:25] == [round(needed)] * 10
    assert at(ladder) == Step.LOW


def test_a_line_that_carried_the_probe_gets_the_upper_rung() -> None:
    ladder = probing()
    end_ns = 20 * NS + RAMP_NS + HOLD_NS
    ladder.received(end_ns - NS, PICTURE, 5000, 0)
    ladder.received(end_ns - 1, PICTURE, 5050, 0)
    ladder.pass_time(end_ns - 1)
    assert (at(ladder), ladder.probing) == (Step.LOW, True)
    ladder.pass_time(end_ns)
    assert (at(ladder), ladder.probing) == (Step.HIGH, False)
    assert not ladder.due(end_ns)


def test_silence_is_no_consent() -> None:
    ladder = probing()
    ladder.received(20 * NS + NS, PICTURE, 5000, 0)
    ladder.pass_time(20 * NS + NO_ANSWER_NS - 1)
    assert (at(ladder), ladder.probing) == (Step.LOW, True)
    ladder.pass_time(20 * NS + NO_ANSWER_NS)
    assert (at(ladder), ladder.probing) == (Step.LOW, False)


@pytest.mark.parametrize(
    ("signs", "failed"),
    [
        ([("trip", 90)], False),
        ([("trip", 90), ("trip", 30), ("trip", 90)], False),  # a radio's hiccups
        ([("trip", 81), ("trip", 81)], True),  # a queue that grows
        ([("trip", 72), ("trip", 75)], False),
        ([("trip", 600)], True),
        ([("full", 0)], True),
        ([("nacked", 12)], False),
        ([("nacked", 12), ("nacked", 40)], True),
        ([("estimate", 500_000), ("estimate", 520_000)], False),
        ([("estimate", 500_000), ("estimate", 220_000)], True),
    ],
)
def test_the_first_sign_ends_a_probe_which_costs_no_picture(signs: list[tuple[str, float]], failed: bool) -> None:
    ladder = probing()
    heard = Heard(ladder)
    for number, (kind, value) in enumerate(signs):
        heard.tell(21 * NS + number * NS // 20, kind, value)
    end_ns = 21 * NS + len(signs) * NS // 20
    assert (at(ladder), ladder.probing, ladder.extra(end_ns) > 0) == (Step.LOW, not failed, not failed)


def test_losses_of_the_padding_itself_count() -> None:
    ladder = probing()
    ladder.received(21 * NS, REPAIR, 100, 0)
    ladder.received(22 * NS, REPAIR, 500, 100)
    assert ladder.probing
    ladder.received(22 * NS + 1, REPAIR, 600, 160)
    assert not ladder.probing


def test_each_failed_probe_doubles_the_wait_up_to_a_bound() -> None:
    ladder, now_ns, waits = probing(), 20 * NS, []
    for _ in range(6):
        now_ns += NS
        ladder.full(now_ns)
        waits.append(next(second for second in range(200) if ladder.due(now_ns + second * NS)))
        now_ns += waits[-1] * NS
        ladder.begin_probe(now_ns)
    assert waits == [20, 40, 80, 80, 80, 80]
    assert at(ladder) == Step.LOW


def test_no_probe_begins_while_packets_queue() -> None:
    ladder = busy(probes=True).ladder
    ladder.full(5 * NS)
    ladder.round_trip(20 * NS, 80 * MS)
    assert not ladder.due(20 * NS)
    ladder.round_trip(20 * NS, 79 * MS)
    assert ladder.due(20 * NS)


def test_who_begins_low_climbs_by_probes() -> None:
    ladder = Ladder(0, start=Step.STILL, probes=True)
    assert at(ladder) == Step.STILL
    assert ladder.due(CALM_NS)
    assert Ladder(0, Step.LOW, Step.HIGH).step is Step.LOW


# --- the viewer's choice -----------------------------------------------------------------------------------------


def test_the_choice_bounds_the_ladder() -> None:
    quality = Quality("automatic", 0)
    quality.ladder.full(5 * NS)
    assert (quality.step, quality.showing) == (Step.LOW, "low")
    quality.choose("sharp", 6 * NS)
    quality.ladder.full(9 * NS)
    assert (quality.step, quality.showing) == (Step.HIGH, "high")
    quality.choose("saving", 10 * NS)
    quality.ladder.pass_time(100 * NS)
    assert (quality.step, quality.showing) == (Step.LOW, "low")
    quality.choose("sound", 101 * NS)
    assert (quality.step, quality.showing) == (None, "none")
    quality.choose("automatic", 102 * NS)
    assert quality.showing == "high"


def test_a_choice_does_not_change_what_is_known_of_the_line() -> None:
    quality = Quality("automatic", 0, start=Step.STILL)
    quality.ladder.probes = True
    assert quality.showing == "still"
    quality.choose("saving", NS)
    assert quality.ladder.probes


def test_a_source_of_one_rung_is_sent_or_not() -> None:
    quality = Quality("saving", 0, fixed=True)
    assert quality.step is Step.HIGH
    quality.choose("sound", 0)
    assert quality.step is None


# --- simulated lines ---------------------------------------------------------------------------------------------

TICK_NS = NS // 20
PACKET_BITS = 8 * 1100
PADDING_BITS = 8 * 330
KEYFRAME_SHARE = 0.24  # of a second's bits


@dataclass
class Line:
    """A bottleneck of `capacity` with a queue of 0.3 s, and a browser behind it that reports five times a second."""

    capacity: int
    random_loss: float = 0.0
    probes: bool = True
    now_ns: int = 0
    estimate: float = 300_000.0
    queue: float = 0.0
    packets: float = 0.0
    octets: float = 0.0
    lost: float = 0.0
    arrived: list[float] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    worst_queue_s: float = 0.0

    def __post_init__(self) -> None:
        self.ladder = Ladder(0, probes=self.probes)
        self.ladder.sent(0, 0, 0)

    def tick(self) -> None:
        self.now_ns += TICK_NS
        ladder, seconds = self.ladder, TICK_NS / NS
        picture = RATES[ladder.step] - RATES[Step.STILL]
        padding = ladder.extra(self.now_ns) * seconds
        bits = picture * (1 - KEYFRAME_SHARE) * seconds + 100_000 * seconds
        if self.now_ns % NS == 0:
            bits += picture * KEYFRAME_SHARE
        offered, carried = bits * 1.07 + padding, self.capacity * seconds
        self.packets += bits / PACKET_BITS + padding / PADDING_BITS
        self.octets += (bits + padding * 255 / 330) / 8
        self.queue += offered - carried
        overflow = max(0.0, self.queue - 0.3 * self.capacity)
        self.queue = min(max(self.queue, 0.0), 0.3 * self.capacity)
        share = min(1.0, (overflow / offered if offered else 0.0) + self.random_loss)
        self.lost += share * (bits / PACKET_BITS + padding / PADDING_BITS)
        self.arrived = [*self.arrived[-19:], bits * (1 - share)]
        queue_s = self.queue / self.capacity
        ladder.sent(self.now_ns, int(self.packets), int(self.octets))
        if ladder.probing or ladder.suspicious(self.now_ns) or self.now_ns % (10 * NS) == 0:
            ladder.round_trip(self.now_ns, int((0.02 + queue_s) * NS))
        if self.now_ns % (4 * TICK_NS) == 0:
            through = sum(self.arrived) / len(self.arrived) / seconds
            if queue_s > 0.1:
                self.estimate = min(self.estimate, 0.85 * through)
            else:
                self.estimate = min(self.estimate * 1.016, max(self.estimate, 1.5 * through + 10_000))
            ladder.estimate(self.now_ns, int(self.estimate))
            ladder.received(self.now_ns, PICTURE, int(self.packets), int(self.lost))
        ladder.pass_time(self.now_ns)
        if ladder.due(self.now_ns):
            ladder.begin_probe(self.now_ns)
        if ladder.probing:
            self.worst_queue_s = max(self.worst_queue_s, queue_s)
        self.steps.append(ladder.step)

    def run(self, seconds: float) -> list[Step]:
        """The steps of each tick."""
        before = len(self.steps)
        for _ in range(round(seconds * NS / TICK_NS)):
            self.tick()
        return self.steps[before:]

    def climbs(self) -> int:
        return sum(later > earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False))


HOMES = [(10_000_000, Step.HIGH), (2_500_000, Step.HIGH), (800_000, Step.LOW), (300_000, Step.STILL)]


@pytest.mark.parametrize("probes", [True, False])
@pytest.mark.parametrize(("capacity", "home"), [*HOMES, (160_000, Step.STILL)])
def test_a_steady_line_is_found_and_kept(capacity: int, home: Step, probes: bool) -> None:
    line = Line(capacity, probes=probes)
    line.run(30)
    steps = line.run(600)
    assert steps.count(home) > 0.9 * len(steps)
    assert line.climbs() <= (1 if probes else 12)


@pytest.mark.parametrize(("capacity", "home"), HOMES[2:])
def test_a_line_too_weak_is_left_within_seconds(capacity: int, home: Step) -> None:
    assert Line(capacity).run(4)[-1] is home


@pytest.mark.parametrize("capacity", [800_000, 300_000])
def test_a_failed_probe_leaves_the_queue_short(capacity: int) -> None:
    line = Line(capacity)
    line.run(10)
    line.worst_queue_s = 0.0
    line.run(600)
    assert 0 < line.worst_queue_s < 0.2


def test_a_line_that_gets_better_is_used() -> None:
    line = Line(300_000)
    line.run(60)
    line.capacity = 5_000_000
    assert line.run(130)[-1] is Step.HIGH


def test_a_line_that_gets_worse_is_left_within_a_second() -> None:
    line = Line(5_000_000)
    assert set(line.run(60)) == {Step.HIGH}
    line.capacity = 600_000
    assert line.run(1)[-1] is Step.LOW


def test_a_radio_that_loses_one_in_ten_keeps_the_picture() -> None:
    line = Line(5_000_000, 0.1)
    assert set(line.run(300)) == {Step.HIGH}


@settings(max_examples=12, deadline=None)
@given(st.integers(50_000, 3_000_000), st.floats(0, 0.3), st.booleans())
def test_nothing_oscillates(capacity: int, loss: float, probes: bool) -> None:
    line = Line(capacity, loss, probes)
    line.run(200)
    # Ten seconds, doubled each time, for each of two steps.
    assert line.climbs() <= 8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sent", "received", "nacked", "estimate", "trip", "full", "time", "probe"]),
            st.integers(0, 3 * NS),
            st.integers(0, 2**64),
        ),
        max_size=200,
    ),
    st.booleans(),
)
def test_any_feedback_moves_one_step_at_a_time(events: list[tuple[str, int, int]], probes: bool) -> None:
    ladder, now_ns = Ladder(0, probes=probes), 0
    for kind, wait_ns, value in events:
        now_ns += wait_ns
        before = ladder.step
        match kind:
            case "sent":
                ladder.sent(now_ns, value, value)
            case "received":
                ladder.received(now_ns, value % 3, value >> 8 & 0xFFFFFFFF, value % 2**24 - 2**23)
            case "nacked":
                ladder.nacked(now_ns, value % 2000)
            case "estimate":
                ladder.estimate(now_ns, value)
            case "trip":
                ladder.round_trip(now_ns, value)
            case "full":
                ladder.full(now_ns)
            case "probe":
                if ladder.due(now_ns):
                    ladder.begin_probe(now_ns)
            case _:
                ladder.pass_time(now_ns)
        assert abs(ladder.step - before) <= 1
        assert ladder.step <= before or kind == "time"
        assert ladder.extra(now_ns) >= 0 and ladder.suspicious(now_ns) in (True, False)


def test_suspicion_passes() -> None:
    heard = busy()
    heard.loss(6 * NS, 0.1)
    assert heard.ladder.suspicious(6 * NS + SIGN_LASTS_NS)
    assert not heard.ladder.suspicious(6 * NS + SIGN_LASTS_NS + 1)
