from __future__ import annotations

import msgspec
from prometheus_client import CollectorRegistry

from appliance.messages import Packet, ViewersState
from streaming.fanout import Fanout
from streaming.metrics import Metrics

SECOND = 1_000_000_000


class Bench:
    """A fan-out without viewers, whose wishes and events are kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.wished: list[str] = []
        self.states: list[ViewersState] = []
        self.registry = CollectorRegistry()
        self.fanout = Fanout(Metrics(self.registry), self.asked.append, self.wished.append, self.states.append)

    def counted(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"preau_streaming_{name}")


def test_pictures_lost_by_many_ask_once_a_second() -> None:
    bench = Bench()
    video = bench.fanout.tracks["video"]
    for now_ns in range(0, 3 * SECOND, SECOND // 50):
        bench.fanout.want_keyframe(video, now_ns)
        if now_ns % SECOND == 0:
            bench.fanout.tick(now_ns)
    assert bench.asked == ["camera/720p"] * 3
    assert bench.counted("keyframe_requests_total") == 3


def test_sound_never_asks() -> None:
    bench = Bench()
    bench.fanout.want_keyframe(bench.fanout.tracks["audio"], 0)
    assert bench.asked == []


def test_a_gap_on_the_bus_is_counted_and_asks(video: list[Packet]) -> None:
    bench = Bench()

    for packet in [*video[:5], *video[8:12]]:
        bench.fanout.publish(packet, packet.pts_ns)
    assert bench.asked == ["camera/720p"]
    assert bench.counted("bus_drops_total") == 3


def test_foreign_and_unreadable_packets_harm_nothing(video: list[Packet]) -> None:
    bench = Bench()

    bench.fanout.publish(msgspec.structs.replace(video[0], rung="aac"), 0)
    bench.fanout.publish(msgspec.structs.replace(video[0], data=b"nonsense"), 0)
    bench.fanout.publish(video[1], 0)
    assert bench.fanout.tracks["video"].history.group_of_pictures() == []


def test_the_event_comes_each_second() -> None:
    bench = Bench()
    bench.fanout.tick(0)
    assert bench.states == [ViewersState(0, 0, [])]
