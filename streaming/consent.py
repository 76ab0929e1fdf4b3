"""Consent of one pair that ICE has nominated (RFC 7675), both ways: answers to the browser's checks, and ours.

Pure: datagrams in and out, times are arguments. It knows one kind of STUN message (RFC 8489), a binding request or
response with integrity under the credentials of the pair, and leaves all others to ICE: `None` says so. The browser's
checks on a pair in use ask for no more than an answer: it is valid and nominated already.
"""

from __future__ import annotations

import hmac
import random
from binascii import crc32
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from secrets import token_bytes
from struct import Struct
from typing import NamedTuple

NS = 1_000_000_000
# With what a tick of a second adds, four to six (section 5.1).
LEAST_NS, MOST_NS = 4 * NS, 5 * NS
_REQUEST, _RESPONSE, _COOKIE = 0x0001, 0x0101, 0x2112A442
_USERNAME, _INTEGRITY, _PRIORITY, _USE_CANDIDATE = 0x0006, 0x0008, 0x0024, 0x0025
_XOR_MAPPED_ADDRESS, _FINGERPRINT, _CONTROLLED, _CONTROLLING = 0x0020, 0x8028, 0x8029, 0x802A
_NEED_NOT_KNOW = 0x8000
_KNOWN = frozenset({_USERNAME, _PRIORITY, _USE_CANDIDATE, _XOR_MAPPED_ADDRESS})
_PEER_REFLEXIVE = 110 << 24 | 65535 << 8 | 255  # its priority (RFC 8445 section 5.1.2)
_HEADER, _ATTRIBUTE, _CHECKSUM = Struct("!HHI12s"), Struct("!HH"), Struct("!HHI")
_INTEGRITY_BYTES, _FINGERPRINT_BYTES = 24, 8
_FINGERPRINT_XOR = 0x5354554E


class Credentials(NamedTuple):
    """Of either side, for one generation of ICE."""

    own_name: str
    own_password: str
    name: str
    password: str


class Consent:
    """`address` is the browser's; `controlling` and `tie_breaker` are our role. Begun at `now_ns`, when ICE has just
    checked the pair."""

    def __init__(
        self,
        credentials: Credentials,
        address: tuple[str, int],
        tie_breaker: int,
        now_ns: int,
        *,
        controlling: bool = False,
        chance: Callable[[int, int], float] = random.uniform,
    ) -> None:
        self._own_key, self._key = credentials.own_password.encode(), credentials.password.encode()
        self._expected = f"{credentials.own_name}:{credentials.name}".encode()
        self._role = _CONTROLLING if controlling else _CONTROLLED
        self._question = (
            _attribute(_USERNAME, f"{credentials.name}:{credentials.own_name}".encode())
            + _attribute(_PRIORITY, _PEER_REFLEXIVE.to_bytes(4))
            + _attribute(self._role, tie_breaker.to_bytes(8))
        )
        self._address = _packed(address)
        self._chance = chance
        self._pending: bytes | None = None
        self._wait(now_ns)

    def _wait(self, now_ns: int) -> None:
        self._due_ns = now_ns + int(self._chance(LEAST_NS, MOST_NS))

    def question(self, now_ns: int) -> bytes | None:
        """The check to send now, if one is due. One is under way at most: the next takes its place."""
        if now_ns < self._due_ns:
            return None
        self._wait(now_ns)
        self._pending = token_bytes(12)
        return _message(_REQUEST, self._pending, self._question, self._key)

    def confirms(self, data: bytes) -> bool:
        """Whether the datagram is the answer to our check."""
        if self._pending is None or _kind(data) != (_RESPONSE, self._pending):
            return False
        if _authentic(data, self._key) is None:
            return False
        self._pending = None
        return True

    def answer(self, data: bytes) -> bytes | None:
        """The answer to a check of the browser's; None for what ICE has to look at."""
        kind, transaction = _kind(data)
        if kind != _REQUEST:
            return None
        attributes = _authentic(data, self._own_key)
        if attributes is None or attributes.get(_USERNAME) != self._expected or self._role in attributes:
            return None
        mapped = _attribute(_XOR_MAPPED_ADDRESS, _xored(self._address, transaction))
        return _message(_RESPONSE, transaction, mapped, self._own_key)


def _kind(data: bytes) -> tuple[int, bytes]:
    """Type and transaction of a message; (0, b"") for what is none."""
    if len(data) < _HEADER.size:
        return 0, b""
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    return (kind, transaction) if cookie == _COOKIE and length == len(data) - _HEADER.size else (0, b"")


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, place and value of each; ends where one is torn."""
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        end = at + _ATTRIBUTE.size + length
        if end > len(data):
            return
        yield kind, at, data[at + _ATTRIBUTE.size : end]
        at = end + -length % 4


def _authentic(data: bytes, key: bytes) -> dict[int, bytes] | None:
    """The attributes that MESSAGE-INTEGRITY vouches for (RFC 8489 section 14.5); None when it does not, or when there
    is one among them that must be understood and is not."""
    found: dict[int, bytes] = {}
    for kind, at, value in _attributes(data):
        if kind == _INTEGRITY:
            return found if hmac.compare_digest(value, _integrity(data[:at], key)) else None
        if kind < _NEED_NOT_KNOW and kind not in _KNOWN:
            return None
        found.setdefault(kind, value)
    return None


def _integrity(before: bytes, key: bytes) -> bytes:
    """Of what comes before it, whose header counts it in."""
    length = len(before) - _HEADER.size + _INTEGRITY_BYTES
    return hmac.digest(key, before[:2] + length.to_bytes(2) + before[4:], "sha1")


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, transaction: bytes, attributes: bytes, key: bytes) -> bytes:
    """With integrity and fingerprint (RFC 8489 section 14.7)."""
    length = len(attributes) + _INTEGRITY_BYTES + _FINGERPRINT_BYTES
    before = _HEADER.pack(kind, length, _COOKIE, transaction) + attributes
    whole = before + _attribute(_INTEGRITY, _integrity(before, key))
    return whole + _CHECKSUM.pack(_FINGERPRINT, 4, crc32(whole) ^ _FINGERPRINT_XOR)


def _packed(address: tuple[str, int]) -> bytes:
    """An address as MAPPED-ADDRESS has it behind its first byte."""
    ip = ip_address(address[0])
    return (b"\x01" if ip.version == 4 else b"\x02") + address[1].to_bytes(2) + ip.packed


def _xored(packed: bytes, transaction: bytes) -> bytes:
    """As XOR-MAPPED-ADDRESS has it (RFC 8489 section 14.2)."""
    family, rest = packed[:1], packed[1:]
    pad = (_COOKIE >> 16).to_bytes(2) + _COOKIE.to_bytes(4) + transaction
    mixed = int.from_bytes(rest) ^ int.from_bytes(pad[: len(rest)])
    return b"\0" + family + mixed.to_bytes(len(rest))
