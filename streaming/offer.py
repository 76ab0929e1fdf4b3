"""Judges what a browser sends: WHEP offers (RFC 8866 SDP, RFC 9429) and trickled candidates (RFC 8840).

Pure. Everything a stranger can write goes through here before aiortc sees it; a text that cannot be used raises
OfferError with a sentence for people, and nothing else escapes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.sdp import (
    H264Profile,
    MediaDescription,
    SessionDescription,
    candidate_from_sdp,
    candidate_to_sdp,
    parse_h264_profile_level_id,
)

LONGEST_OFFER = 64 * 1024
MOST_CANDIDATES = 32
SHORTEST_PASSWORD = 22  # RFC 8839 section 5.4
_FINGERPRINTS = frozenset({"sha-256", "sha-384", "sha-512"})
_PROFILES = frozenset({H264Profile.PROFILE_CONSTRAINED_BASELINE, H264Profile.PROFILE_BASELINE})
_CANDIDATE = re.compile(r"^(?:a=)?candidate:(\S+) ([0-9]{1,5}) (\S+) ([0-9]{1,10}) (\S+) ([0-9]{1,5}) typ (\S+)(.*)$")
_ICE_WORD = re.compile(r"^[A-Za-z0-9+/=_-]{4,256}$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # all that is no text but tab and the ends of lines
# What aiortc's parser raises on text that is not SDP: it asserts, indexes and unpacks what it reads.
PARSE_ERRORS = (AssertionError, AttributeError, LookupError, TypeError, ValueError, StopIteration)


class OfferError(ValueError):
    """The other side sent something that cannot be used; the message says what, for people."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered. `kinds` are the media asked for, in the order of the offer's sections."""

    sdp: str
    kinds: tuple[str, ...]
    mids: tuple[str, ...]
    username: str

    @property
    def mid(self) -> str:
        """The section that stands for the whole bundle (RFC 9143 section 7.2)."""
        return self.mids[0]


@dataclass(frozen=True, slots=True)
class Fragment:
    """Trickled candidates, and the ICE credentials that they belong to, if the fragment says so."""

    candidates: tuple[RTCIceCandidate, ...]
    username: str | None
    password: str | None = None


def read(text: str, peer: str, *, publishes: bool = False) -> Offer:
    """Check an offer and make it ready for aiortc; `.local` names become `peer`, the signalling client's address.

    With `publishes` the other side must want to send (WHIP), else to receive (WHEP).
    """
    _check_text(text, "offer")
    sdp = _rewrite(text, peer)
    try:
        description = SessionDescription.parse(sdp)
    except PARSE_ERRORS as error:
        raise OfferError(f"the offer is not readable SDP ({type(error).__name__})") from None
    media = description.media
    if not media:
        raise OfferError("the offer has neither sound nor picture")
    kinds = tuple(section.kind for section in media)
    if not set(kinds) <= {"audio", "video"} or len(set(kinds)) != len(kinds):
        raise OfferError("the offer may hold one audio and one video section, nothing else")
    for section in media:
        _check_section(section, publishes=publishes)
    mids = [section.rtp.muxId for section in media]
    bundled = [str(mid) for group in description.group if group.semantic == "BUNDLE" for mid in group.items]
    if len(set(mids)) != len(mids) or (bundled != mids and (bundled or len(mids) > 1)):
        # A bundle that names a section which is not there would leave aiortc's transceivers without a transport.
        raise OfferError("the offer must bundle its sections (a=group:BUNDLE), each with its own a=mid")
    if sum(len(section.ice_candidates) for section in media) > MOST_CANDIDATES:
        raise OfferError(f"the offer holds more than {MOST_CANDIDATES} candidates")
    return Offer(sdp, kinds, tuple(mids), _ice_username(media[0]))


def read_fragment(text: str, peer: str) -> Fragment:
    """Check a trickle-ice-sdpfrag (RFC 8840 section 9)."""
    _check_text(text, "fragment")
    lines = text.splitlines()
    username, password = (_one_credential(lines, name) for name in ("ice-ufrag", "ice-pwd"))
    written = [line for line in lines if line.startswith("a=candidate:")]
    if len(written) > MOST_CANDIDATES:
        raise OfferError(f"the fragment holds more than {MOST_CANDIDATES} candidates")
    try:
        usable = [usable_line for line in written if (usable_line := _rewrite_candidate(line, peer)) is not None]
        candidates = tuple(candidate_from_sdp(line.removeprefix("a=candidate:")) for line in usable)
    except PARSE_ERRORS as error:
        raise OfferError(f"the fragment holds an unreadable candidate ({type(error).__name__})") from None
    return Fragment(candidates, username, password)


def write_fragment(
    mids: Sequence[str], kind: str, username: str, password: str, candidates: Sequence[RTCIceCandidate]
) -> str:
    """The kit's side after an ICE restart (RFC 9725 section 4.3.3): credentials and candidates of the bundle's first
    section, which is of `kind`."""
    lines = [
        "a=ice-options:trickle ice2",
        f"a=group:BUNDLE {' '.join(mids)}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mids[0]}",
        f"a=ice-ufrag:{username}",
        f"a=ice-pwd:{password}",
        *(f"a=candidate:{candidate_to_sdp(candidate)}" for candidate in candidates),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"


def _one_credential(lines: Sequence[str], name: str) -> str | None:
    found = {line.partition(":")[2].strip() for line in lines if line.startswith(f"a={name}:")}
    if len(found) > 1:
        raise OfferError(f"the fragment names more than one {name}")
    return next(iter(found), None)


def check_restart(fragment: Fragment) -> tuple[str, str]:
    """The new ICE user name and password of a fragment that restarts ICE (RFC 8445 section 5.3)."""
    username, password = fragment.username or "", fragment.password or ""
    if not _ICE_WORD.match(username):
        raise OfferError("the fragment's ice-ufrag cannot be used")
    if not _ICE_WORD.match(password) or len(password) < SHORTEST_PASSWORD:
        raise OfferError("an ICE restart needs an ice-pwd of at least 22 characters")
    return username, password


def _check_text(text: str, what: str) -> None:
    if not text.strip():
        raise OfferError(f"the {what} is empty")
    if len(text) > LONGEST_OFFER:
        raise OfferError(f"the {what} is longer than {LONGEST_OFFER} characters")
    if _CONTROL.search(text):
        raise OfferError(f"the {what} is not text")


def _check_section(section: MediaDescription, *, publishes: bool) -> None:
    mid = section.rtp.muxId
    if not mid or len(mid.encode()) > 16:
        raise OfferError("every section of the offer needs an a=mid of 1 to 16 bytes")
    if not _ICE_WORD.match(_ice_username(section)) or not (section.ice and section.ice.password):
        raise OfferError("the offer has no usable ICE user name and password")
    fingerprints = section.dtls.fingerprints if section.dtls else []
    if not any(fingerprint.algorithm.lower() in _FINGERPRINTS for fingerprint in fingerprints):
        raise OfferError("the offer has no DTLS fingerprint (sha-256, sha-384 or sha-512)")
    if section.direction not in ("sendonly" if publishes else "recvonly", "sendrecv"):
        wanted = "send {} (a=sendonly)" if publishes else "ask to receive {} (a=recvonly)"
        raise OfferError(f"the offer does not {wanted.format(section.kind)}")
    if section.kind == "video" and not any(_plays_h264(codec.name, codec.parameters) for codec in section.rtp.codecs):
        raise OfferError("the offer has no H.264 baseline with packetization-mode=1 (RFC 6184)")
    if section.kind == "audio" and not any(
        codec.name.lower() == "opus" and codec.clockRate == 48000 for codec in section.rtp.codecs
    ):
        raise OfferError("the offer has no Opus (RFC 7587)")


def _ice_username(section: MediaDescription) -> str:
    return (section.ice.usernameFragment or "") if section.ice else ""


def _plays_h264(name: str, parameters: dict[str, int | str | None]) -> bool:
    if name.upper() != "H264" or str(parameters.get("packetization-mode", "0")) != "1":
        return False
    try:
        profile, _ = parse_h264_profile_level_id(str(parameters.get("profile-level-id", "42E01F")))
    except ValueError:
        return False
    return profile in _PROFILES


def _rewrite(text: str, peer: str) -> str:
    """The offer with usable candidates only, and without end-of-candidates.

    Browsers reach the kit by themselves, so more candidates (peer-reflexive ones) always may follow: told that no
    more come, aioice would give up at once on an offer that has none.
    """
    lines = []
    for line in text.splitlines():
        if line.startswith("a=end-of-candidates"):
            continue
        written = _rewrite_candidate(line, peer) if line.startswith("a=candidate:") else line
        if written:
            lines.append(written)
    return "\r\n".join(lines) + "\r\n"


def _rewrite_candidate(line: str, peer: str) -> str | None:
    """A UDP candidate with a literal address, or None. Raises ValueError when the line is none at all."""
    match = _CANDIDATE.match(line.strip())
    if match is None:
        raise OfferError("the candidate is not readable (RFC 8839 section 5.1)")
    foundation, component, transport, priority, host, port, kind, rest = match.groups()
    if transport.lower() != "udp" or component != "1" or kind not in ("host", "srflx", "relay"):
        return None
    address = peer if host.lower().endswith(".local") else host
    if not is_address(address) or not 0 < int(port) < 65536:
        return None
    return f"a=candidate:{foundation} {component} udp {priority} {address} {port} typ {kind}{rest}"


def is_address(host: str) -> bool:
    """Whether `host` is a literal IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
