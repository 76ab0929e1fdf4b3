"""Everything that touches aiortc's and aioice's private parts; tests/streaming/test_aiortc_contract.py holds them.

aiortc does SDP, ICE and DTLS. Its sender is never started: when DTLS is done `Peer` takes the SRTP context and the
nominated pair's socket, and streaming.srtp sends.
Belongs to the loop that made it.
"""

from __future__ import annotations

import asyncio
import functools
import random
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, cast

from aioice.stun import TransactionError
from aioice.utils import random_string
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import (
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.sdp import SessionDescription

from streaming import gate
from streaming.codecs import preferences, receivable
from streaming.ingest.stream import Incoming
from streaming.lane import Negotiated, Ssrcs
from streaming.offer import PARSE_ERRORS, Offer, OfferError
from streaming.srtp import TRAILERS, SrtpPath

# What aioice raises on a STUN message whose attributes are not what they should be.
_STUN_ERRORS = (struct.error, LookupError)
# What setRemoteDescription and createAnswer raise on an offer that was readable but cannot be answered.
NEGOTIATION_ERRORS = (*PARSE_ERRORS, InternalError, InvalidAccessError, InvalidStateError, OperationError)

CONSENT_S = 5.0
WAKING_PAUSE_S = 0.1  # beside the half second that an answer is waited for
AWAY_NS = 2_500_000_000  # a browser is heard at least once a second; some of that may be lost
# A viewer's bounded backlog: a second of picture at 2 Mb/s (the kernel doubles it for its own bookkeeping).
SEND_BUFFER_BYTES = 256 * 1024
_MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
_ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
_PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"


class _Nominated(dict[int, Any]):
    """aioice's nominated pairs by component, which tells `changed` when one comes or all go."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def __setitem__(self, component: int, pair: Any) -> None:
        super().__setitem__(component, pair)
        self._changed()

    def clear(self) -> None:
        super().clear()
        self._changed()


class Connection:
    """One browser's connection, whichever way media goes. Calls back on its loop: `on_rtcp(data)` with decrypted
    compound packets, `on_gone()` when the connection is lost. `heard_ns` is when a datagram last came from the browser
    (0: never). `path` is what encrypts and sends RTP to the browser now, None while there is no way to it, or while it
    rests; ICE may change its mind about the pair at any time. Who is silent is for the owner to give up, not for ICE.
    Of media and feedback, `most_per_s` datagrams a second are looked at."""

    most_per_s = gate.FEEDBACK_PER_S

    def __init__(self, kinds: Sequence[str], *, on_rtcp: Callable[[bytes], None], on_gone: Callable[[], None]) -> None:
        self._on_rtcp, self._on_gone = on_rtcp, on_gone
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._pc.on("connectionstatechange", self._changed)
        self.heard_ns = 0
        self._guarded: list[Any] = []
        self._closing: asyncio.Future[None] | None = None
        self._looking: asyncio.Future[None] | None = None
        self._media, self._checks = gate.Budget(self.most_per_s), gate.Budget(gate.CHECKS_PER_S)
        self._kinds = list(kinds)
        for kind in kinds:
            self._prepare(kind)
        self._dtls: Any = self._pc.getTransceivers()[0].sender.transport
        self._connection: Any = self._dtls.transport._connection
        self._connection._nominated = _Nominated(self._repoint)
        self._srtp: Any = None
        self._pair: Any = None
        self._socket: socket.socket | None = None
        self.path: SrtpPath | None = None
        self._resting: SrtpPath | None = None
        self._waking: asyncio.Future[None] | None = None
        self._address: tuple[str, int] = ("", 0)

    def _prepare(self, kind: str) -> None:
        """Add the transceiver of one kind of media."""
        raise NotImplementedError

    async def answer(self, offer: Offer, addresses: Sequence[str]) -> str:
        """Apply the offer, bind a socket on each address, and return the answer. Raises NEGOTIATION_ERRORS."""
        await self._pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        self._extend(offer)
        await self._gather(addresses)
        self._connection.data_received = self._guard(self._connection.data_received)
        self._connection.query_consent = self._ask_consent
        self._dtls._handle_rtcp_data = self._handle_rtcp
        self._hasten()
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        return self._pc.localDescription.sdp

    def _extend(self, offer: Offer) -> None:
        """Agree to what aiortc does not know of."""

    async def _gather(self, addresses: Sequence[str]) -> None:
        """In place of aioice's own gathering, which takes every interface and never loopback."""
        connection = self._connection
        connection._local_candidates_start = True
        connection._local_candidates += await connection.get_component_candidates(1, list(addresses))
        connection._local_candidates_end = True
        for protocol in connection._protocols:
            if protocol not in self._guarded:
                self._guarded.append(protocol)
                # Else aioice's close would wait until a full socket has sent what asyncio keeps for it.
                protocol.transport.close = protocol.transport.abort
                protocol.datagram_received = self._from_peer_only(protocol.datagram_received)

    def _hasten(self) -> None:
        """aioice looks every 20 ms whether its checks have succeeded; DTLS begins at once when they have."""
        connection, completed = self._connection, asyncio.Event()
        connect, is_complete = connection.connect, connection._check_list_maybe_complete

        def is_complete_noted() -> bool:
            if complete := is_complete():
                completed.set()
            return bool(complete)

        async def connect_at_once() -> None:
            looking = self._looking = asyncio.ensure_future(connect())
            looking.add_done_callback(lambda done: done.cancelled() or done.exception())  # else asyncio complains of it
            waiting = asyncio.ensure_future(completed.wait())
            await asyncio.wait((looking, waiting), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if looking.done():
                looking.result()

        connection._check_list_maybe_complete = is_complete_noted
        connection.connect = connect_at_once

    def _from_peer_only(self, receive: Callable[[bytes, Any], None]) -> Callable[[bytes, Any], None]:
        """What comes from others than the browser is dropped, but for the check that makes its address known."""

        def receive_checked(data: bytes, address: Any) -> None:
            if not data:
                return
            if self._is_peer(address):
                self._heard(time.monotonic_ns())
                if gate.is_stun(data) and not self._checks.take(self.heard_ns):
                    return
            elif not self._may_introduce(data):
                return
            with suppress(*_STUN_ERRORS):
                receive(data, address)

        return receive_checked

    def _heard(self, now_ns: int) -> None:
        """A datagram came from the browser's address."""
        before_ns, self.heard_ns = self.heard_ns, now_ns
        if before_ns and now_ns - before_ns > AWAY_NS and self._resting is None:
            self._back()

    def _may_introduce(self, data: bytes) -> bool:
        connection = self._connection
        few = len(connection._remote_candidates) < gate.MOST_ADDRESSES
        return few and gate.introduces(data, connection._local_username)

    def _is_peer(self, address: Any) -> bool:
        remote = (address[0], address[1])
        pairs = (*self._connection._check_list, *self._connection._nominated.values())
        return any(pair.remote_addr == remote for pair in pairs)

    def _guard(self, receive: Callable[[bytes, int], None]) -> Callable[[bytes, int], None]:
        """aiortc ends a connection on an empty datagram and on one that is longer than its SRTP buffer; until DTLS
        begins it takes none, and aioice keeps all."""

        def receive_guarded(data: bytes, component: int) -> None:
            fits = len(data) <= gate.LARGEST_DATAGRAM and self._connection._queue.qsize() < gate.MOST_WAITING
            if fits and gate.is_media(data) and self._media.take(time.monotonic_ns()):
                receive(data, component)

        return receive_guarded

    async def _handle_rtcp(self, data: bytes) -> None:
        self._on_rtcp(data)

    def _changed(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self._on_gone()

    async def add_candidate(self, candidate: RTCIceCandidate, mid: str) -> None:
        """Give aioice one more remote candidate (UDP, literal address). Raises OfferError."""
        if len(self._connection._remote_candidates) >= gate.MOST_ADDRESSES:
            raise OfferError(f"the browser has more than {gate.MOST_ADDRESSES} addresses")
        candidate.sdpMid = mid
        await self._pc.addIceCandidate(candidate)

    async def restart_ice(
        self, username: str, password: str, addresses: Sequence[str]
    ) -> tuple[str, str, list[RTCIceCandidate]]:
        """Begin ICE anew under the browser's new credentials (RFC 8445 section 9); returns the kit's own ones.

        Media keeps to the pair in use until another is nominated; DTLS and SRTP do not notice. The sockets stay, and
        `addresses` that are new to the kit get one. Raises OfferError when the connection is already closed.
        """
        connection = self._connection
        while connection._check_list_done and connection._query_consent_task is None and not connection._closing:
            await asyncio.sleep(0.01)  # aioice is about to look at the list of its first checks
        if connection._closing:
            raise OfferError("the connection is closed; open a new session")
        for pair in connection._check_list:
            if pair.task is not None:
                pair.task.cancel()
        connection._check_list.clear()
        connection._remote_candidates.clear()
        connection._early_checks.clear()
        connection._local_username, connection._local_password = random_string(4), random_string(22)
        connection.remote_username, connection.remote_password = username, password
        bound = {candidate.host for candidate in connection.local_candidates}
        if new := [address for address in addresses if address not in bound]:
            await self._gather(new)
        candidates = self._dtls.transport.iceGatherer.getLocalCandidates()
        return connection.local_username, connection.local_password, candidates

    async def round_trip_ns(self) -> int | None:
        """How long the browser's answer to a STUN check took just now, with all that queues there and back; None when
        none came within half a second. Consent checks (RFC 7675) are the same message."""
        connection = self._connection
        pair, password = connection._nominated.get(1), connection.remote_password
        if pair is None or password is None:
            return None
        request, key = connection.build_request(pair, nominate=False), password.encode()
        asked_ns = time.monotonic_ns()
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
        except TransactionError:
            return None
        return time.monotonic_ns() - asked_ns

    async def _ask_consent(self) -> None:
        """In place of aioice's own, which ends a connection that is not answered for half a minute: a browser whose
        network was away for longer is still there."""
        while True:
            await asyncio.sleep(CONSENT_S * random.uniform(0.8, 1.2))  # RFC 7675 section 5.1
            await self.round_trip_ns()

    def rest(self) -> None:
        """The browser is silent: send it no media (RFC 7675 section 5.1) until it has answered a check again. Chromium
        sends none itself once fifteen seconds of its own were not answered, but takes the kit's for a new beginning.
        Idempotent."""
        if self.path is not None:
            self._resting, self.path = self.path, None
            self._waking = asyncio.ensure_future(self._wake())

    @property
    def resting(self) -> bool:
        return self._resting is not None

    async def _wake(self) -> None:
        while self._resting is not None:
            if await self.round_trip_ns() is None:
                await asyncio.sleep(WAKING_PAUSE_S)
            elif self._resting is not None:
                self.path, self._resting = self._resting, None
                self._back()

    def _back(self) -> None:
        """The browser was silent for a while, and is not any more."""

    def _repoint(self) -> None:
        """Send to the nominated pair from now on."""
        pair = self._connection._nominated.get(1)
        if pair is self._pair or self._srtp is None:
            return
        if self._socket is not None:
            self._socket.close()
        self._socket, self.path, self._resting, self._pair = None, None, None, pair
        if pair is not None:
            self._socket = pair.protocol.transport.get_extra_info("socket").dup()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            self._address = pair.remote_addr
            self.path = SrtpPath(self._srtp, self._socket, pair.remote_addr)

    def _encrypt_with(self, srtp: Any) -> None:
        """DTLS is done, and this is its outgoing SRTP session."""
        self._srtp = srtp
        self._repoint()

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet; it is lost when the socket is full."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto(self._srtp.protect_rtcp(packet), self._address)

    async def close(self) -> None:
        """End the connection and its sockets. Idempotent; who stops waiting does not stop it."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    def _end_looking(self) -> None:
        """aioice's own look at its checks may come after its close, and would begin to ask for consent for ever."""
        for task in (self._looking, self._waking, self._connection._query_consent_task):
            if task is not None:
                task.cancel()

    async def _close(self) -> None:
        try:
            await self._pc.close()
        finally:
            self._end_looking()
            self._srtp = self._pair = self.path = self._resting = None
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Peer(Connection):
    """A viewer's connection: `on_ready(tracks)` is called once ICE and DTLS are done, `on_path()` whenever ICE has
    changed `path`, `on_back()` when the browser is heard after a silence. `ssrcs` are those to send with."""

    def __init__(
        self,
        kinds: Sequence[str],
        ssrcs: Mapping[str, Ssrcs],
        *,
        on_ready: Callable[[list[Negotiated]], None],
        on_rtcp: Callable[[bytes], None],
        on_gone: Callable[[], None],
        on_path: Callable[[], None] = lambda: None,
        on_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_ready, self._on_path, self._ssrcs = on_ready, on_path, ssrcs
        self._on_back = on_back
        self._negotiated: list[Negotiated] = []
        super().__init__(kinds, on_rtcp=on_rtcp, on_gone=on_gone)

    def _prepare(self, kind: str) -> None:
        transceiver = self._pc.addTransceiver(kind, direction="sendonly")
        transceiver.setCodecPreferences(preferences(kind))
        sender = cast(Any, transceiver.sender)
        sender._ssrc, sender._rtx_ssrc = self._ssrcs[kind]
        # The instance's own `send` hides the method: aiortc's encoder and RTCP tasks never start.
        sender.send = functools.partial(self._started, transceiver)

    def _repoint(self) -> None:
        super()._repoint()
        self._on_path()

    def _back(self) -> None:
        self._on_back()

    def _extend(self, offer: Offer) -> None:
        offered = {
            section.rtp.muxId: section.rtp.headerExtensions for section in SessionDescription.parse(offer.sdp).media
        }
        for transceiver in self._pc.getTransceivers():
            known: list[RTCRtpHeaderExtensionParameters] = cast(Any, transceiver)._headerExtensions
            known += [
                each for each in offered[transceiver.mid or ""] if each.uri in (_ABS_CAPTURE_TIME, _PLAYOUT_DELAY)
            ]

    async def _started(self, transceiver: RTCRtpTransceiver, parameters: RTCRtpSendParameters) -> None:
        """aiortc calls it, in place of RTCRtpSender.send, once DTLS is connected."""
        if any(track.mid == parameters.muxId for track in self._negotiated):
            return
        codec = parameters.codecs[0]
        # What SDP matched: the codec, and right after it the RTX that repairs it.
        repair = [each for each in parameters.codecs[1:2] if each.mimeType.lower() == "video/rtx"]
        ids = {extension.uri: extension.id for extension in parameters.headerExtensions}
        self._negotiated.append(
            Negotiated(
                kind=transceiver.kind,
                ssrc=cast(Any, transceiver.sender)._ssrc,
                payload_type=int(codec.payloadType or 0),
                rate=codec.clockRate,
                cname=parameters.rtcp.cname or "",
                mid=parameters.muxId,
                mid_id=ids.get(_MID, 0),
                abs_send_time_id=ids.get(_ABS_SEND_TIME, 0),
                capture_time_id=ids.get(_ABS_CAPTURE_TIME, 0),
                playout_delay_id=ids.get(_PLAYOUT_DELAY, 0),
                repair_ssrc=cast(Any, transceiver.sender)._rtx_ssrc,
                repair_payload_type=int(repair[0].payloadType or 0) if repair else 0,
                trailer=TRAILERS[self._dtls._ssl.get_selected_srtp_profile()],
            )
        )
        if len(self._negotiated) == len(self._kinds):
            self._encrypt_with(self._dtls._tx_srtp)
            self._on_ready(self._negotiated)


class IncomingPeer(Connection):
    """A publisher's connection: `on_ready(tracks)` is called once ICE and DTLS are done, `on_rtp(data)` with every
    decrypted RTP packet."""

    most_per_s = gate.MEDIA_PER_S

    def __init__(
        self,
        kinds: Sequence[str],
        *,
        on_ready: Callable[[list[Incoming]], None],
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._on_ready, self._on_rtp = on_ready, on_rtp
        self._incoming: dict[str, Incoming] = {}
        super().__init__(kinds, on_rtcp=on_rtcp, on_gone=on_gone)
        self._dtls._handle_rtp_data = self._handle_rtp

    def _prepare(self, kind: str) -> None:
        transceiver = self._pc.addTransceiver(kind, direction="recvonly")
        transceiver.setCodecPreferences(receivable(kind))
        # The instance's own `receive` hides the method: aiortc's decoder thread and RTCP task never start.
        cast(Any, transceiver.receiver).receive = functools.partial(self._started, transceiver)

    async def _started(self, transceiver: RTCRtpTransceiver, parameters: RTCRtpReceiveParameters) -> None:
        """aiortc calls it, in place of RTCRtpReceiver.receive, once DTLS is connected."""
        if parameters.muxId in self._incoming:
            return
        kind: Literal["audio", "video"] = "video" if transceiver.kind == "video" else "audio"
        types = frozenset(int(codec.payloadType or 0) for codec in parameters.codecs)
        self._incoming[parameters.muxId] = Incoming(kind, types)
        if len(self._incoming) == len(self._kinds):
            self._encrypt_with(self._dtls._tx_srtp)
            self._on_ready(list(self._incoming.values()))

    async def _handle_rtp(self, data: bytes, arrival_time_ms: int) -> None:
        self._on_rtp(data)
