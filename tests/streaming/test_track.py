from __future__ import annotations

import msgspec
import pytest

from appliance.messages import Packet
from streaming.keyframes import ON_ITS_WAY_NS, KeyframeRequests
from streaming.track import Track

SECOND = 1_000_000_000


def track() -> Track:
    return Track("camera/720p", kind="video", rate=90_000, wall_offset_ns=0)


def test_a_track_that_is_not_there_has_its_nominal_rate(video: list[Packet]) -> None:
    subject = Track("camera/360p", kind="video", rate=90_000, wall_offset_ns=0, nominal_bps=400_000)
    assert subject.bits_per_second(0) == 400_000
    for packet in video[:60]:
        subject.accept(packet, packet.pts_ns)
    end_ns = video[59].pts_ns
    measured = subject.bits_per_second(end_ns)
    assert measured == pytest.approx(sum(len(packet.data) for packet in video[:60]) * 8 / 2, rel=0.05)
    assert subject.bits_per_second(end_ns + SECOND // 4) == measured
    assert subject.bits_per_second(end_ns + 2 * SECOND) == 400_000


def test_many_wishes_make_one_request_a_second() -> None:
    requests = KeyframeRequests()
    asked = [now for now in range(0, 5 * SECOND, SECOND // 100) if requests.want(now)]
    assert asked == [0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]


def test_a_wish_too_soon_waits_and_a_keyframe_fulfils_it() -> None:
    requests = KeyframeRequests()
    assert requests.want(0)
    requests.arrived()
    assert not requests.due(2 * SECOND)
    assert requests.want(3 * SECOND)
    requests.arrived()
    assert not requests.want(3 * SECOND + 1)
    assert not requests.due(4 * SECOND - 1)
    assert requests.due(4 * SECOND)
    requests.arrived()
    assert not requests.due(9 * SECOND)


def test_a_gap_waits_for_a_keyframe(video: list[Packet]) -> None:
    subject = track()
    frames = []
    for packet in video[:70]:
        if packet.seq == 10:
            continue
        frame, torn = subject.accept(packet, packet.pts_ns)
        assert torn == (packet.seq == 11)
        if frame is not None:
            frames.append(packet.seq)
    assert frames == [*range(1, 10), *range(31, 71)]
    assert subject.lost == 1


def test_a_new_epoch_waits_for_a_keyframe_and_is_no_loss(video: list[Packet]) -> None:
    subject = track()
    for packet in video[:40]:
        subject.accept(packet, packet.pts_ns)
    again = [msgspec.structs.replace(packet, epoch=2) for packet in video]
    assert subject.accept(again[1], 0) == (None, True)
    frame, torn = subject.accept(again[30], 0)
    assert frame is not None
    assert torn
    assert subject.lost == 28


def test_a_start_is_from_the_history_when_the_keyframe_is_fresh(video: list[Packet]) -> None:
    subject = track()
    assert subject.start(0) == ([], True)
    for packet in video[:35]:
        subject.accept(packet, packet.pts_ns)
    fresh, asked = subject.start(video[34].pts_ns)
    assert [frame.number for frame in fresh] == [30, 31, 32, 33, 34]
    assert not asked
    for packet in video[35:50]:
        subject.accept(packet, packet.pts_ns)
    now_ns = video[49].pts_ns
    assert subject.start(now_ns) == ([], True)
    assert subject.start(now_ns + ON_ITS_WAY_NS - 1) == ([], False)
    stale, asked = subject.start(now_ns + ON_ITS_WAY_NS)
    assert len(stale) == 20
    assert not asked


def test_a_keyframe_is_asked_for_before_the_viewer_is_connected(video: list[Packet]) -> None:
    subject = track()
    for packet in video[:35]:
        subject.accept(packet, packet.pts_ns)
    assert not subject.expect(video[34].pts_ns)  # a fresh one is there
    for packet in video[35:50]:
        subject.accept(packet, packet.pts_ns)
    now_ns = video[49].pts_ns
    assert subject.expect(now_ns)
    assert not subject.expect(now_ns + 1)
    subject.accept(msgspec.structs.replace(video[60], seq=video[50].seq), now_ns + 20_000_000)
    frames, asked = subject.start(now_ns + 50_000_000)
    assert [frame.keyframe for frame in frames] == [True]
    assert not asked


def test_unreadable_data_is_refused(video: list[Packet]) -> None:
    with pytest.raises(ValueError, match="Annex B"):
        track().accept(msgspec.structs.replace(video[0], data=b"nonsense"), 0)
