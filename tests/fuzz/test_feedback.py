"""Whatever a viewer sends as RTCP: acted on or ignored, and what it asks for stays within its bounds."""

from __future__ import annotations

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import Packet
from streaming import clock, offer
from streaming.ladder import Step
from streaming.lane import MAX_RESENDS, Negotiated
from streaming.track import Track
from streaming.viewer import Viewer
from tests.fuzz import FUZZ
from tests.fuzz.test_rtcp import compound
from tests.fuzz.test_sdp import SAMPLE, SSRCS
from tests.streaming import material

PACKETS = material.video_packets(12)


class Line:
    """Takes whatever is sent."""

    def __init__(self) -> None:
        self.packets = 0

    def send(self, burst: object, *_: object) -> int:
        return int(getattr(burst, "count", 1))

    def send_packet(self, packet: bytes) -> bool:
        self.packets += 1
        return True


def track(name: str, kind: str, rung: int = 0) -> Track:
    return Track(name, kind=kind, rate=clock.VIDEO_RATE, wall_offset_ns=0, rung=rung)


@st.composite
def about_our_streams(draw: st.DrawFn) -> bytes:
    """Compound packets whose SSRCs are the viewer's."""
    data = draw(compound())
    for number in range(0, len(data) - 3, 4):
        if draw(st.integers(0, 3)) == 0:
            ssrc = draw(st.sampled_from([SSRCS["video"].media, SSRCS["audio"].media]))
            data = data[:number] + ssrc.to_bytes(4) + data[number + 4 :]
    return data


async def feed(datagrams: list[bytes], frames: list[Packet]) -> None:
    picture, saving, sound = track("camera/720p", "video"), track("camera/360p", "video", 1), track("m/opus", "audio")
    asked: list[Track] = []
    viewer = Viewer(
        owner="v1", name="Ada", role="pupil", source="camera", offer=offer.read(SAMPLE, "127.0.0.1"),
        tracks={"video": picture, "audio": sound}, rungs={Step.HIGH: picture, Step.LOW: saving}, quality="automatic",
        ssrcs=SSRCS, on_ready=lambda _: None, on_gone=lambda _: None, on_keyframe=asked.append,
        on_rung=lambda _: None, on_change=lambda: None,
    )  # fmt: skip
    line = Line()
    viewer._connected(
        [
            Negotiated(kind, SSRCS[kind].media, 96 + number, clock.VIDEO_RATE, "c", str(number), 1, 2, 10)
            for number, kind in enumerate(("video", "audio"))
        ]
    )
    viewer.peer.path = line  # type: ignore[assignment]
    for packet in frames:
        frame, _ = picture.accept(packet, time.monotonic_ns())
        for lane in [viewer.lanes[picture]] if frame and picture in viewer.lanes else []:
            lane.send(frame, line)  # type: ignore[arg-type]
    for data in datagrams:
        viewer.feedback(data)
    sent = sum(lane.sent for lane in viewer.every_lane)
    assert line.packets <= MAX_RESENDS * sent
    assert len(asked) <= sum(map(len, datagrams))
    assert set(viewer.lanes) <= {picture, saving, sound}


@given(st.lists(about_our_streams() | st.binary(max_size=1500), max_size=6))
@FUZZ
def test_feedback(datagrams: list[bytes]) -> None:
    asyncio.run(feed(datagrams, PACKETS))
