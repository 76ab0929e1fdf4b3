from __future__ import annotations

import pytest
from aiortc import rtp
from hypothesis import given
from hypothesis import strategies as st

from streaming import clock, rtcp

words = st.integers(0, 2**32 - 1)


@given(words, st.lists(st.integers(0, 65535), min_size=1, max_size=40, unique=True))
def test_nacks_as_another_stack_writes_them(ssrc: int, lost: list[int]) -> None:
    data = bytes(rtp.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc, lost=sorted(lost)))
    assert rtcp.parse(data) == [rtcp.Nack(ssrc, sorted(lost))]


def test_feedback_in_one_compound_packet() -> None:
    block = rtp.RtcpReceiverInfo(ssrc=7, fraction_lost=64, packets_lost=1, highest_sequence=2, jitter=3, lsr=4, dlsr=5)
    data = b"".join(
        bytes(packet)
        for packet in (
            rtp.RtcpRrPacket(ssrc=1, reports=[block]),
            rtp.RtcpSdesPacket(chunks=[rtp.RtcpSourceInfo(ssrc=1, items=[(1, b"x")])]),
            rtp.RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=7),
            rtp.RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=b"\x00\x00\x00\x09\x01\x00\x00\x00"),
            rtp.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=rtp.pack_remb_fci(1_500_000, [7])),
            rtp.RtcpByePacket(sources=[1]),
        )
    )
    reception, pli, fir, estimate, goodbye = rtcp.parse(data)
    assert reception == rtcp.Reception(7, 0.25, 3, 4, 5, 2, 1)
    assert (pli, fir) == (rtcp.KeyframeWanted(7), rtcp.KeyframeWanted(9))
    assert isinstance(estimate, rtcp.Estimate)
    assert abs(estimate.bits_per_second - 1_500_000) < 10
    assert goodbye == rtcp.Goodbye()


@pytest.mark.parametrize("lost", [0, 5, 2**23 - 1, -1, -(2**23)])
def test_the_number_lost_is_negative_where_duplicates_came(lost: int) -> None:
    block = rtp.RtcpReceiverInfo(
        ssrc=7, fraction_lost=0, packets_lost=lost, highest_sequence=2**32 - 1, jitter=0, lsr=0, dlsr=0
    )
    (reception,) = rtcp.parse(bytes(rtp.RtcpRrPacket(ssrc=1, reports=[block])))
    assert isinstance(reception, rtcp.Reception)
    assert (reception.highest, reception.lost) == (2**32 - 1, lost)


@given(st.binary(max_size=200))
def test_foreign_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        rtcp.parse(data)
    except rtcp.RtcpError:
        return


@given(st.binary(max_size=60), st.sampled_from([200, 201, 205, 206]), st.integers(0, 31))
def test_well_framed_nonsense_raises_nothing_else(body: bytes, kind: int, count: int) -> None:
    body = body[: len(body) // 4 * 4]
    try:
        rtcp.parse(bytes([0x80 | count, kind, 0, len(body) // 4]) + body)
    except rtcp.RtcpError:
        return


@pytest.mark.parametrize("cname", ["a", "ab", "abc", "abcd", "9e0b7ff5-0d5b-4b8e-b3f4-0a2cbf1b0a3c"])
def test_reports_read_elsewhere(cname: str) -> None:
    data = rtcp.sender_report(5, cname, ntp=2**63 + 1, ticks=2**32 + 9, packets=3, octets=4)
    report, description = rtp.RtcpPacket.parse(data)
    assert report == rtp.RtcpSrPacket(
        ssrc=5, sender_info=rtp.RtcpSenderInfo(ntp_timestamp=2**63 + 1, rtp_timestamp=9, packet_count=3, octet_count=4)
    )
    assert isinstance(description, rtp.RtcpSdesPacket)
    assert description.chunks == [rtp.RtcpSourceInfo(ssrc=5, items=[(1, cname.encode())])]
    assert rtp.RtcpPacket.parse(rtcp.goodbye([5, 6]))[1] == rtp.RtcpByePacket(sources=[5, 6])


@given(st.integers(0, 10**18), st.integers(0, 10**10))
def test_rtp_and_ntp_times_run_alike(start_ns: int, later_ns: int) -> None:
    offset = 1_700_000_000 * clock.NS
    ntp_s = (clock.ntp(start_ns + later_ns, offset) - clock.ntp(start_ns, offset)) % 2**64 / 2**32
    video_s = (clock.ticks(start_ns + later_ns, 90_000) - clock.ticks(start_ns, 90_000)) / 90_000
    assert abs(ntp_s - later_ns / clock.NS) < 1e-6
    assert abs(video_s - later_ns / clock.NS) < 2e-5


def test_ntp_epoch() -> None:
    assert clock.ntp(0, 0) == 2_208_988_800 << 32
    assert clock.abs_send_time(clock.ntp(clock.NS // 2, 0)) == (2_208_988_800 & 0x3F) << 18 | 1 << 17


@pytest.mark.parametrize(
    ("last_report", "delay", "round_trip_ns"),
    [
        (0x0001_0000, 0x8000, 500_000_000),
        (0x0002_0000, 0, 0),
        (0x0001_F000, 0x0800, 31_250_000),
        (0, 0, None),  # no report was received yet
        (0x0003_0000, 0, None),  # from the future
        (0x0001_0000, 0x0002_0000, None),
    ],
)
def test_the_round_trip_is_what_reports_say(last_report: int, delay: int, round_trip_ns: int | None) -> None:
    assert clock.round_trip_ns(0xAAAA_0002_0000_BBBB, last_report, delay) == round_trip_ns
