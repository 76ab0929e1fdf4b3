from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from appliance import bus
from appliance.bus import CommandRefused, Publisher
from appliance.messages import (
    CAMERA_360P,
    CAMERA_720P,
    Done,
    GetStill,
    Packet,
    RequestKeyframe,
    Still,
    VideoFormat,
    WantRung,
)
from capture.__main__ import answer
from capture.demo import DemoPicture
from capture.encoders import video_frame
from capture.frames import FRAME_NS, RawFrame
from capture.pipeline import Pipeline
from capture.rungs import Wishes, ladder
from capture.still import jpeg

SECOND = 1_000_000_000


def test_a_wish_expires_by_itself() -> None:
    wishes = Wishes(3.0)
    assert not wishes.wanted(CAMERA_360P, 0)
    wishes.want(CAMERA_360P, SECOND)
    assert wishes.wanted(CAMERA_360P, 4 * SECOND - 1)
    assert not wishes.wanted(CAMERA_360P, 4 * SECOND)
    assert not wishes.wanted(CAMERA_720P, SECOND)


class Bench:
    """A pipeline that is fed by hand, and what it publishes."""

    def __init__(self, folder: Path) -> None:
        self.publisher = Publisher(folder, "capture")
        self.subscriber = bus.Subscriber(folder, ["capture"], [b"media/"], queue=1000)
        self.pipeline = Pipeline(self.publisher, CollectorRegistry(), ladder(1_500_000, 400_000))
        self._picture = DemoPicture("x")
        self._stopping = threading.Event()
        self._encoder = threading.Thread(target=self.pipeline.encode_video, args=(self._stopping,))
        self._encoder.start()
        assert self.next() is not None  # the slate: the subscription stands

    def next(self) -> Packet | None:
        message = self.subscriber.receive(5)
        return message if isinstance(message, Packet) else None

    def until(self, track: str) -> Packet:
        for _ in range(200):
            packet = self.next()
            assert packet is not None
            if packet.track == track:
                return packet
        raise AssertionError(track)

    def stop(self) -> None:
        self._stopping.set()
        self._encoder.join()
        self.subscriber.close()
        self.publisher.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.stop()


def test_the_saving_rung_is_encoded_while_wished_for(bench: Bench) -> None:
    assert [bench.next().track for _ in range(3)] == [CAMERA_720P] * 3  # type: ignore[union-attr]
    assert answer(bench.pipeline, WantRung(CAMERA_360P)) == Done()
    saving = bench.until(CAMERA_360P)
    assert (saving.keyframe, saving.format, saving.seq) == (True, VideoFormat(640, 360), 0)
    assert bench.pipeline.history.since([CAMERA_360P], 0) == []
    top = bench.until(CAMERA_720P)
    assert top.pts_ns > saving.pts_ns
    assert bench.until(CAMERA_360P).pts_ns == top.pts_ns  # the best rung first


def test_each_rung_has_keyframes_of_its_own(bench: Bench) -> None:
    answer(bench.pipeline, WantRung(CAMERA_360P))
    bench.until(CAMERA_360P)
    assert answer(bench.pipeline, RequestKeyframe(CAMERA_360P)) == Done()
    assert bench.pipeline.video[CAMERA_720P].keyframes.forced == 0
    with pytest.raises(CommandRefused, match="no track"):
        answer(bench.pipeline, WantRung("camera/1080p"))


def test_a_still_is_made_once_for_all(bench: Bench) -> None:
    still = answer(bench.pipeline, GetStill())
    assert isinstance(still, Still)
    assert still.data.startswith(b"\xff\xd8")
    assert still.data.endswith(b"\xff\xd9")
    assert answer(bench.pipeline, GetStill()) is still
    assert len(still.data) < 100_000


def test_no_still_before_the_first_picture(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, "capture")
    pipeline = Pipeline(publisher, CollectorRegistry(), ladder(1_500_000, 400_000))
    with pytest.raises(CommandRefused, match="no picture"):
        answer(pipeline, GetStill())
    publisher.close()


def test_a_demo_picture_fits_a_thin_line() -> None:
    picture = video_frame(RawFrame(DemoPicture("x").draw(FRAME_NS), FRAME_NS))
    assert 5_000 < len(jpeg(picture)) < 50_000
