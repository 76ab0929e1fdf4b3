"""What streaming.aiortc_private takes for granted in aiortc, aioice and pylibsrtp. A failure here after an update
says which of their private parts changed: read the release, adapt aiortc_private, then this file."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import aioice
import pytest
from aioice.ice import CandidatePair, Connection, StunProtocol
from aioice.stun import TransactionError, TransactionTimeout
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from streaming import offer
from streaming.aiortc_private import Peer
from streaming.codecs import preferences, receivable
from streaming.lane import Ssrcs
from tests.streaming.watcher import Watcher

SSRCS = {"video": Ssrcs(17, 18), "audio": Ssrcs(19, 20)}


def source(thing: Any) -> str:
    return inspect.getsource(thing)


def test_the_preferred_codecs_exist() -> None:
    *pictures, repair = preferences("video")
    assert [codec.parameters["profile-level-id"] for codec in pictures] == ["42e01f", "42001f"]
    assert {codec.parameters["packetization-mode"] for codec in pictures} == {"1"}
    assert repair.mimeType == "video/rtx"
    assert [codec.mimeType for codec in preferences("audio")] == ["audio/opus"]


def test_gathering_is_skipped_once_it_is_marked_as_started() -> None:
    async def scenario() -> None:
        connection: Any = Connection(ice_controlling=False)
        connection._local_candidates_start = True
        connection._local_candidates += await connection.get_component_candidates(1, ["127.0.0.1"])
        connection._local_candidates_end = True
        await connection.gather_candidates()
        assert [candidate.host for candidate in connection.local_candidates] == ["127.0.0.1"]
        (protocol,) = connection._protocols
        assert protocol.transport.get_extra_info("socket").getsockname()[0] == "127.0.0.1"
        assert connection._nominated == {}
        assert connection._check_list == []
        await connection.close()

    asyncio.run(scenario())


def test_datagrams_pass_through_what_is_hidden() -> None:
    assert "self.receiver.data_received(" in source(StunProtocol.datagram_received)
    assert list(inspect.signature(Connection.data_received).parameters) == ["self", "data", "component"]
    assert "self._handle_rtcp_data(" in source(RTCDtlsTransport._recv_next)
    assert "def remote_addr" in source(CandidatePair)
    assert "self._nominated.get(component)" in source(aioice.Connection.sendto)


def test_pairs_are_nominated_where_it_is_noticed() -> None:
    """aioice writes the pair into the dictionary that it was given, and empties it when it closes."""
    written = [
        line.strip() for line in source(Connection).splitlines() if "_nominated" in line and "pair._nom" not in line
    ]
    assert [line for line in written if "self._nominated: dict" in line or "self._nominated =" in line] == [
        "self._nominated: dict[int, CandidatePair] = {}"
    ]
    assert "self._nominated[pair.component] = pair" in written
    assert "self._nominated.clear()" in written
    assert not [line for line in written if ".pop(" in line or "del " in line or ".update(" in line]


def test_ice_can_begin_anew() -> None:
    """What restart_ice changes is what aioice reads for every check, and nothing else remembers the old credentials."""
    assert "self._local_username" in source(vars(Connection)["local_username"].fget)
    assert "self._local_password" in source(vars(Connection)["local_password"].fget)
    assert "self.remote_username" in source(Connection.build_request)
    assert "self.remote_password.encode" in source(Connection.check_start)
    assert "self._check_list.append(pair)" in source(Connection.check_incoming)
    assert "self._nominated[pair.component] = pair" in source(Connection.check_complete)
    finished = source(Connection.connect)
    assert finished.index("self._check_list_state.get()") < finished.index("self._query_consent_task = ")
    assert "self._closing = True" in source(Connection.close)
    connection: Any = Connection(ice_controlling=False)
    assert connection._check_list_done is False and connection._query_consent_task is None
    assert [len(thing) for thing in (connection._remote_candidates, connection._early_checks)] == [0, 0]


def test_consent_is_asked_for_in_our_way() -> None:
    """aioice's own ends the connection of a browser that does not answer for half a minute."""
    assert "asyncio.create_task(self.query_consent())" in source(Connection.connect)
    consent = source(Connection.query_consent)
    assert "while True" in consent and "retransmissions=0" in consent and "return await self.close()" in consent


def test_the_end_of_ice_is_heard_before_aioice_looks() -> None:
    assert "await self._connection.connect()" in source(RTCIceTransport.start)
    assert "self._check_list_maybe_complete()" in source(Connection.check_complete)
    looking = source(Connection.connect)
    assert "await asyncio.sleep(0.02)" in looking, "does aioice wake by itself now? Then _hasten is in vain"

    async def scenario() -> None:
        watcher, ready = Watcher(), asyncio.Event()
        peer = Peer(
            ("video", "audio"),
            SSRCS,
            on_ready=lambda _: ready.set(),
            on_rtcp=lambda _: None,
            on_gone=lambda: ready.set(),
        )
        connection: Any = peer._connection
        await watcher.accept(await peer.answer(offer.read(await watcher.offer(), "127.0.0.1"), ["127.0.0.1"]))
        async with asyncio.timeout(5):
            await ready.wait()
            assert peer._dtls.state == "connected"
            await peer.restart_ice("abcd", "p" * 22, ["127.0.0.1"])  # waits for the end of aioice's own connect()
        assert connection._query_consent_task is not None
        await peer.close()
        await watcher.close()

    asyncio.run(scenario())


def test_a_check_tells_the_round_trip() -> None:
    assert list(inspect.signature(Connection.build_request).parameters) == ["self", "pair", "nominate"]
    wanted = ["request", "addr", "integrity_key", "retransmissions"]
    assert list(inspect.signature(StunProtocol.request).parameters)[1:] == wanted
    assert issubclass(TransactionTimeout, TransactionError)

    async def scenario() -> list[int | None]:
        peers = [Connection(ice_controlling=controlling) for controlling in (True, False)]
        for one, other in (peers, peers[::-1]):
            one._local_candidates += await one.get_component_candidates(1, ["127.0.0.1"])
            one._local_candidates_end = True
            other.remote_username, other.remote_password = one.local_username, one.local_password
            for candidate in one.local_candidates:
                await other.add_remote_candidate(candidate)
            await other.add_remote_candidate(None)
        await asyncio.gather(*(peer.connect() for peer in peers))
        subject = Peer(["audio"], SSRCS, on_ready=lambda _: None, on_rtcp=lambda _: None, on_gone=lambda: None)
        unconnected = await subject.round_trip_ns()
        own, subject._connection = subject._connection, peers[1]
        took = await subject.round_trip_ns()
        await peers[0].close()
        unanswered = await subject.round_trip_ns()
        subject._connection = own
        await subject.close()
        await peers[1].close()
        return [unconnected, took, unanswered]

    unconnected, took, unanswered = asyncio.run(scenario())
    assert (unconnected, unanswered) == (None, None)
    assert took is not None and 0 < took < 500_000_000


def test_a_sender_is_started_by_its_send_method_only() -> None:
    connected = source(RTCPeerConnection._RTCPeerConnection__connect)  # type: ignore[attr-defined]
    assert "transceiver.sender.send(" in connected
    assert "if self.__started:" in source(RTCRtpSender.stop)


def test_negotiation_leaves_what_we_take() -> None:
    async def scenario() -> None:
        offering = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        answering = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for kind in ("video", "audio"):
            offering.addTransceiver(kind, direction="recvonly")
            answering.addTransceiver(kind, direction="sendonly").setCodecPreferences(preferences(kind))
        offer = await offering.createOffer()
        await answering.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        answer = await answering.createAnswer()
        video, audio = answering.getTransceivers()
        assert isinstance(video.sender._ssrc, int)
        assert video.sender.transport is audio.sender.transport
        assert video.sender._stream_id == audio.sender._stream_id
        transport: Any = video.sender.transport
        assert isinstance(transport.transport._connection, Connection)
        assert transport._tx_srtp is None
        assert isinstance(video.sender._rtx_ssrc, int)
        assert f"a=ssrc-group:FID {video.sender._ssrc} {video.sender._rtx_ssrc}" in answer.sdp
        codec, repair = video._codecs[:2]
        assert (codec.parameters["profile-level-id"], repair.mimeType) == ("42e01f", "video/rtx")
        assert repair.parameters["apt"] == codec.payloadType
        assert "VP8" not in answer.sdp
        assert answer.sdp.count("a=sendonly") == 2
        assert answer.sdp.count("a=setup:active") == 2
        for pc in (offering, answering):
            await pc.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("profile", [Policy.SRTP_PROFILE_AES128_CM_SHA1_80, Policy.SRTP_PROFILE_AEAD_AES_128_GCM])
def test_protecting_in_place_equals_the_public_way(profile: int) -> None:
    def session(kind: int) -> Any:
        policy = Policy(key=bytes(range(30)), ssrc_type=kind, srtp_profile=profile)
        policy.allow_repeat_tx = True
        return Session(policy)

    packet = b"\x80\x60\x12\x34" + bytes(8) + b"payload"
    room, length = ffi.new("char[]", 2048), ffi.new("int *")
    ffi.buffer(room)[0 : len(packet)] = packet
    length[0] = len(packet)
    ours = session(Policy.SSRC_ANY_OUTBOUND)
    assert lib.srtp_protect(ours._srtp[0], room, length) == 0
    protected = bytes(ffi.buffer(room)[0 : length[0]])
    assert protected == session(Policy.SSRC_ANY_OUTBOUND).protect(packet)
    assert ours.protect(packet) == protected
    assert session(Policy.SSRC_ANY_INBOUND).unprotect(protected) == packet


def test_a_receiver_is_started_by_its_receive_method_only() -> None:
    connected = source(RTCPeerConnection._RTCPeerConnection__connect)  # type: ignore[attr-defined]
    assert "transceiver.receiver.receive(" in connected
    assert "if self.__started:" in source(RTCRtpReceiver.stop)
    assert "self._handle_rtp_data(data, arrival_time_ms=" in source(RTCDtlsTransport._recv_next)
    assert {codec.mimeType for codec in receivable("video")} == {"video/H264"}


def test_negotiation_tells_what_comes_in() -> None:
    async def scenario() -> None:
        offering = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        answering = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for kind in ("video", "audio"):
            offering.addTransceiver(kind, direction="sendonly")
            answering.addTransceiver(kind, direction="recvonly").setCodecPreferences(receivable(kind))
        offer = await offering.createOffer()
        await answering.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        answer = await answering.createAnswer()
        assert answer.sdp.count("a=recvonly") == 2
        assert "rtx" not in answer.sdp and "VP8" not in answer.sdp
        assert "a=rtcp-fb:" in answer.sdp and "nack pli" in answer.sdp and "goog-remb" in answer.sdp
        video, audio = answering.getTransceivers()
        types = {codec.payloadType for transceiver in (video, audio) for codec in transceiver._codecs}
        assert len(types) == len(video._codecs) + len(audio._codecs)
        for pc in (offering, answering):
            await pc.close()

    asyncio.run(scenario())


def test_extensions_that_aiortc_does_not_know_are_agreed_to_under_the_offers_ids() -> None:
    base = "http://www.webrtc.org/experiments/rtp-hdrext"
    wanted = [f"a=extmap:9 {base}/abs-capture-time", f"a=extmap:10 {base}/playout-delay"]

    async def scenario() -> None:
        watcher = Watcher()
        text = (await watcher.offer()).replace("a=mid:", "\r\n".join([*wanted, "a=mid:"]))
        peer = Peer(("video", "audio"), SSRCS, on_ready=lambda _: None, on_rtcp=lambda _: None, on_gone=lambda: None)
        answer = await peer.answer(offer.read(text, "127.0.0.1"), ["127.0.0.1"])
        assert [answer.splitlines().count(line) for line in wanted] == [2, 2]
        assert "a=ssrc-group:FID 17 18" in answer and "a=ssrc:19 cname:" in answer
        await peer.close()
        await watcher.close()

    asyncio.run(scenario())
