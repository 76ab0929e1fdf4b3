"""Encrypts a burst of RTP packets in place and gives it to the kernel in one call. All that touches pylibsrtp's
private parts stands here; tests/streaming/test_aiortc_contract.py holds them.

It runs for every frame of every viewer. One loop, one burst at a time: all viewers encrypt in the same buffer.
"""

from __future__ import annotations

import errno
import socket
from itertools import repeat
from struct import pack
from typing import Any

from pylibsrtp import Error as SrtpError
from pylibsrtp._binding import ffi, lib

from streaming.burst import MOST_PACKETS, Burst

# What encryption adds to a packet (RFC 3711 section 5.2, RFC 7714 section 13), by the name DTLS has for it.
TRAILERS = {b"SRTP_AEAD_AES_256_GCM": 16, b"SRTP_AEAD_AES_128_GCM": 16, b"SRTP_AES128_CM_SHA1_80": 10}
LARGEST_PACKET = 1500

_UDP_SEGMENT = 103  # linux/udp.h
# Full, or no way there at the moment; whatever else the kernel says to a burst, it says to the way of sending it.
_LOST = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})
_protect, _memmove = lib.srtp_protect, ffi.memmove
_INT_BYTES = 4
_room = ffi.new("char[]", MOST_PACKETS * LARGEST_PACKET)
_view = memoryview(ffi.buffer(_room))
_lengths = ffi.new("int[]", MOST_PACKETS)
_length_places = [_lengths + number for number in range(MOST_PACKETS)]


class _Prepared:
    """What is the same for every viewer that a burst goes to: where its packets begin and what the kernel is told."""

    __slots__ = ("bytes", "buffers", "how", "places")

    def __init__(self, burst: Burst) -> None:
        self.places = [_room + number * burst.stride for number in range(burst.count)]
        self.buffers = [_view[: burst.total]]
        self.how = [(socket.SOL_UDP, _UDP_SEGMENT, pack("=H", burst.stride))]
        self.bytes = _INT_BYTES * burst.count


class SrtpPath:
    """A `streaming.burst.Path` through libsrtp and a UDP socket. `session` is kept: the context lives in it."""

    __slots__ = ("_address", "_contexts", "_cut", "_sendmsg", "_sendto", "_session")

    def __init__(self, session: Any, out: socket.socket, address: tuple[str, int]) -> None:
        self._session, self._contexts = session, repeat(session._srtp[0])
        self._sendmsg, self._sendto, self._address = out.sendmsg, out.sendto, address
        self._cut = True

    def send(self, burst: Burst, seq: int, ticks: int, ssrc: int) -> int:
        """Encrypt and send. How many packets went: fewer than the burst has when the socket was full."""
        prepared = burst.prepared
        if not isinstance(prepared, _Prepared):
            burst.prepared = prepared = _Prepared(burst)
        burst.write(_view, seq, ticks, ssrc)
        _memmove(_lengths, burst.lengths, prepared.bytes)
        if any(map(_protect, self._contexts, prepared.places, _length_places)):
            raise SrtpError("srtp_protect failed")
        if burst.count == 1 or not self._cut:
            return self._send_each(burst)
        try:
            self._sendmsg(prepared.buffers, prepared.how, 0, self._address)
        except OSError as error:
            if error.errno in _LOST:
                return 0
            self._cut = False  # a device or a tunnel that cannot: from now on one by one
            return self._send_each(burst)
        return burst.count

    def _send_each(self, burst: Burst) -> int:
        sendto, address, stride, total = self._sendto, self._address, burst.stride, burst.total
        for number in range(burst.count):
            try:
                sendto(_view[number * stride : min(number * stride + stride, total)], address)
            except OSError:  # full, or an ICMP error of an earlier packet: lost either way, as UDP may
                return number
        return burst.count

    def send_packet(self, packet: bytes) -> bool:
        """Encrypt and send one RTP packet."""
        _view[: len(packet)] = packet
        _lengths[0] = len(packet)
        if _protect(next(self._contexts), _room, _lengths):
            raise SrtpError("srtp_protect failed")
        try:
            self._sendto(_view[: _lengths[0]], self._address)
        except OSError:
            return False
        return True
