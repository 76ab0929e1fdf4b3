"""A publisher whose offer has the form of OBS Studio's (libdatachannel 0.24), with aiortc behind it.

tests.e2e.test_obs does the same with the engine itself, where that can be had.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from aiortc.sdp import SessionDescription

from appliance.messages import AudioFormat, Event, Packet
from tests.streaming.caster import Caster
from tests.streaming.conftest import Running
from tests.streaming.ingest.test_service import listen, take, units

# As it was sent, but for the credentials: all candidates at once, the fingerprint for the whole session, no header
# extensions, no RTX, one codec each; sound comes first.
OFFER = """\
v=0
o=rtc 3458913061 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=group:LS 0 1
a=msid-semantic:WMS *
a=ice-options:ice2,trickle
a=fingerprint:sha-256 {fingerprint}
m=audio {port} UDP/TLS/RTP/SAVPF 111
c=IN IP4 {address}
a=mid:0
a=sendonly
a=ssrc:{audio} cname:c1nTuYq9d2kEwR7s
a=ssrc:{audio} msid:hOv2ZeXYIvFcQ0nM hOv2ZeXYIvFcQ0nM-audio
a=msid:hOv2ZeXYIvFcQ0nM hOv2ZeXYIvFcQ0nM-audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1
a=setup:{setup}
a=ice-ufrag:{username}
a=ice-pwd:{password}
a=candidate:1 1 UDP 2114977791 {address} {port} typ host
a=end-of-candidates
m=video {port} UDP/TLS/RTP/SAVPF 96
c=IN IP4 {address}
a=mid:1
a=sendonly
a=ssrc:{video} cname:c1nTuYq9d2kEwR7s
a=ssrc:{video} msid:hOv2ZeXYIvFcQ0nM hOv2ZeXYIvFcQ0nM-video
a=msid:hOv2ZeXYIvFcQ0nM hOv2ZeXYIvFcQ0nM-video
a=rtcp-mux
a=rtpmap:96 H264/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 goog-remb
a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1
a=setup:{setup}
a=ice-ufrag:{username}
a=ice-pwd:{password}
"""


class ObsCaster(Caster):
    """`setup` is the DTLS role that it offers: clients of one role only say `active` (RFC 9725 section 4.4.4)."""

    def __init__(self, media: dict[str, list[Packet]], setup: str = "actpass") -> None:
        super().__init__(media)
        self._setup = setup

    async def offer(self) -> str:
        await super().offer()
        own = self.pc.localDescription.sdp
        given = {name: re.search(pattern, own) for name, pattern in GIVEN.items()}
        host, port = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", own).groups()  # type: ignore[union-attr]
        audio, video = (transceiver.sender._ssrc for transceiver in self.pc.getTransceivers())
        found = {name: match.group(1) for name, match in given.items() if match}
        text = OFFER.format(address=host, port=port, audio=audio, video=video, setup=self._setup, **found)
        return text.replace("\n", "\r\n")


GIVEN = {"fingerprint": r"fingerprint:sha-256 (\S+)", "username": r"ice-ufrag:(\S+)", "password": r"ice-pwd:(\S+)"}


def of(rung: str) -> Callable[[Packet | Event], bool]:
    return lambda message: isinstance(message, Packet) and message.rung == rung


def sections(answer: str) -> list[Any]:
    return list(SessionDescription.parse(answer).media)


@pytest.mark.parametrize("setup", ["actpass", "active"])
def test_an_offer_as_obs_makes_it(running: Running, video: list[Packet], audio: list[Packet], setup: str) -> None:
    subscriber = listen(running, b"media/screen/")

    async def scenario() -> None:
        caster = ObsCaster({"audio": audio, "video": video}, setup)
        reply = await caster.publish(running.client)
        sound, picture = sections(reply.answer)
        assert (sound.kind, sound.rtp.muxId, sound.direction) == ("audio", "0", "recvonly")
        assert (picture.kind, picture.rtp.muxId, picture.direction) == ("video", "1", "recvonly")
        assert [(codec.payloadType, codec.name) for codec in sound.rtp.codecs] == [(111, "opus")]
        assert [(codec.payloadType, codec.name) for codec in picture.rtp.codecs] == [(96, "H264")]
        assert picture.rtp.codecs[0].parameters["packetization-mode"] == "1"
        assert "nack" in {feedback.type for feedback in picture.rtp.codecs[0].rtcpFeedback}
        for section in (sound, picture):
            assert section.rtcp_mux and section.ice_candidates and section.rtp.headerExtensions == []
            assert section.dtls.role == ("server" if setup == "active" else "client")
        assert "a=group:BUNDLE 0 1" in reply.answer.splitlines()
        pictures = await asyncio.to_thread(take, subscriber, of("main"), 40)
        sounds = await asyncio.to_thread(take, subscriber, of("opus"), 40)
        assert pictures[0].keyframe and {units(one) for one in pictures} <= {units(one) for one in video}
        assert {one.data for one in sounds} <= {one.data for one in audio}
        assert all(isinstance(one.format, AudioFormat) for one in sounds)
        # Both on one clock: what was sent together stands together.
        assert abs(pictures[-1].pts_ns - sounds[-1].pts_ns) < 1_000_000_000
        # As OBS: first the connection, then the session.
        await caster.close()
        await asyncio.to_thread(running.client.close, reply.session, viewer="t1")

    asyncio.run(scenario())
    subscriber.close()
    assert running.server is not None
    assert running.server.sources.publishers == {}
