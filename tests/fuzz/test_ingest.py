"""What a publisher sends, after decryption: RTP to packets of the bus, sender reports to times."""

from __future__ import annotations

from contextlib import suppress
from struct import pack
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from appliance.messages import AudioFormat, VideoFormat
from streaming import rtcp
from streaming.ingest import feedback, rtp
from streaming.ingest.parameter_sets import LARGEST_SIDE
from streaming.ingest.reorder import LARGEST_JUMP, MOST_WAITING
from streaming.ingest.stream import Incoming, Stream
from streaming.ingest.timing import Offset
from streaming.rtp_h264 import payloads
from tests.fuzz import FUZZ
from tests.fuzz.test_rtcp import compound
from tests.streaming import material

REAL = [payload for packet in material.video_packets(6) for payload in payloads(packet.data)]
MS = 1_000_000


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    """RTP with a payload that is real, torn or none; heads may lie."""
    payload = draw(st.sampled_from(REAL) | st.binary(max_size=60))
    payload = payload[: draw(st.integers(0, len(payload)) | st.just(len(payload)))]
    head = pack(
        "!BBHII",
        draw(st.just(0x80) | st.integers(0, 255)),
        draw(st.sampled_from([96, 0x80 | 96])),
        draw(st.integers(0, 40) | st.integers(0, 0xFFFF)),
        draw(st.integers(0, 5) | st.integers(0, 0xFFFFFFFF)),
        draw(st.sampled_from([1, 1, 1, 2])),
    )
    return head + payload


@given(
    kind=st.sampled_from(["video", "audio"]),
    sent=st.lists(st.tuples(datagrams() | compound() | st.binary(max_size=40), st.integers(0, 400)), max_size=40),
)
@FUZZ
def test_a_publishers_datagrams(kind: Literal["video", "audio"], sent: list[tuple[bytes, int]]) -> None:
    stream = Stream(Incoming(kind, frozenset({96})), source="screen", rung="main", epoch=1, shared=Offset())
    now_ns, seq, pts_ns = 1_000_000 * MS, 0, 0
    for data, pause_ms in sent:
        now_ns += pause_ms * MS
        found = []
        with suppress(rtp.RtpError):
            found = stream.push(rtp.parse(data), now_ns)
        with suppress(rtcp.RtcpError):
            for report in feedback.sender_reports(data):
                stream.reported(report, now_ns)
        for packet in [*found, *stream.expire(now_ns)]:
            assert packet.seq > seq and packet.pts_ns > pts_ns and packet.duration_ns > 0 and packet.data
            seq, pts_ns = packet.seq, packet.pts_ns
            if isinstance(packet.format, VideoFormat):
                assert 0 < packet.format.width <= LARGEST_SIDE and 0 < packet.format.height <= LARGEST_SIDE
            else:
                assert isinstance(packet.format, AudioFormat) and packet.format.channels in (1, 2)
        assert len(feedback.nack(1, 2, stream.missing(now_ns))) <= 1200
        if (block := stream.block(now_ns)) is not None:
            assert len(feedback.receiver_report(1, [block])) == 32
    assert len(stream._reorder._waiting) <= MOST_WAITING + 1
    assert len(stream._reorder._missing) <= LARGEST_JUMP
