"""Encrypts bursts of RTP packets in place and gives each to the kernel in one call, for one viewer or for many at once.
All that touches pylibsrtp's private parts stands here; tests/streaming/test_aiortc_contract.py holds them.

It runs for every frame of every viewer: what is done per packet or per viewer is done by loops that are not written in
Python (`map` over columns). One thread, one burst at a time: all viewers encrypt in the same buffer.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, cycle, islice, repeat
from operator import call
from struct import pack
from typing import Any, cast

from pylibsrtp import Error as SrtpError
from pylibsrtp._binding import ffi, lib

from streaming.burst import MOST_PACKETS, Burst

# What encryption adds to a packet (RFC 3711 section 5.2, RFC 7714 section 13), by the name DTLS has for it.
TRAILERS = {b"SRTP_AEAD_AES_256_GCM": 16, b"SRTP_AEAD_AES_128_GCM": 16, b"SRTP_AES128_CM_SHA1_80": 10}
LARGEST_PACKET = 1500

_UDP_SEGMENT = 103  # linux/udp.h
# Full, or no way there at the moment; whatever else the kernel says to a burst, it says to the way of sending it.
_LOST = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.EHOSTUNREACH, errno.ENETUNREACH})
_protect, _memmove = lib.srtp_protect, ffi.memmove
_INT_BYTES = 4
# Few enough bytes to stay in a processor's cache, enough viewers at a time to make what Python does negligible.
_ROOM_BYTES = 128 * 1024
_MOST_COPIES = 64
_room = ffi.new("char[]", _ROOM_BYTES)
_view = memoryview(ffi.buffer(_room))
_lengths = ffi.new("int[]", _MOST_COPIES * MOST_PACKETS)
_length_places = [_lengths + number for number in range(_MOST_COPIES * MOST_PACKETS)]


class _Prepared:
    """What is the same for every viewer that a burst of this form goes to: where `copies` of it lie in the buffer, a
    copy a viewer, and what the kernel is told."""

    __slots__ = ("buffers", "copies", "datagrams", "how", "lengths", "places")

    def __init__(self, stride: int, total: int, lengths: bytes) -> None:
        self.copies = min(_MOST_COPIES, _ROOM_BYTES // total)
        count, starts = -(-total // stride), range(0, self.copies * total, total)
        steps = (*repeat(stride, count - 1), total - (count - 1) * stride)
        self.places = list(accumulate(islice(cycle(steps), self.copies * count - 1), initial=_room))
        self.datagrams = list(map(_view.__getitem__, map(slice, starts, range(total, _ROOM_BYTES + 1, total))))
        self.buffers = list(zip(self.datagrams))
        self.how = [(socket.SOL_UDP, _UDP_SEGMENT, pack("=H", stride))]
        self.lengths = lengths * self.copies


_prepare = lru_cache(maxsize=64)(_Prepared)  # packets of sound are of few lengths


def _prepared(burst: Burst) -> _Prepared:
    if (prepared := burst.prepared) is None:
        burst.prepared = prepared = _prepare(burst.stride, burst.total, burst.lengths)
    return cast(_Prepared, prepared)


class SrtpPath:
    """A `streaming.burst.Path` through libsrtp and a connected UDP socket. `session` is kept: the context lives in
    it."""

    __slots__ = ("context", "joint", "send_one", "sendmsg", "session")

    def __init__(self, session: Any, out: socket.socket) -> None:
        self.session, self.context = session, session._srtp[0]
        self.sendmsg, self.send_one = out.sendmsg, out.send
        self.joint = True

    def send(self, burst: Burst, seq: int, ticks: int) -> int:
        """Encrypt and send. How many packets went: fewer than the burst has when the socket was full."""
        if self.joint:
            return SrtpPaths([self]).send(burst, seq, ticks).get(0, burst.count)
        prepared = _prepared(burst)
        _view[: burst.total] = burst.numbered(seq, ticks)
        _encrypt(prepared, repeat(self.context, burst.count), burst.count)
        return self.send_each(burst, prepared.datagrams[0])

    def send_each(self, burst: Burst, datagrams: memoryview) -> int:
        """Send the packets of a burst, encrypted, one by one; how many went."""
        for number, start in enumerate(range(0, burst.total, burst.stride)):
            try:
                self.send_one(datagrams[start : start + burst.stride])
            except OSError:  # full, or an ICMP error of an earlier packet: lost either way, as UDP may
                return number
        return burst.count

    def send_packet(self, packet: bytes) -> bool:
        """Encrypt and send one RTP packet."""
        _view[: len(packet)] = packet
        _lengths[0] = len(packet)
        if _protect(self.context, _room, _lengths):
            raise SrtpError("srtp_protect failed")
        try:
            self.send_one(_view[: _lengths[0]])
        except OSError:
            return False
        return True


class SrtpPaths:
    """The ways to many viewers who get the same packets."""

    def __init__(self, paths: Sequence[SrtpPath]) -> None:
        self._paths = list(paths)
        self._contexts = [path.context for path in paths]
        self._sendmsg = [path.sendmsg for path in paths]
        self._send_one = [path.send_one for path in paths]

    def send(self, burst: Burst, seq: int, ticks: int) -> dict[int, int]:
        """Encrypt a burst for each and send it. Those to whom fewer packets went than the burst has, by their places,
        and how many."""
        prepared, data = _prepared(burst), burst.numbered(seq, ticks)
        short: dict[int, int] = {}
        for begin in range(0, len(self._paths), prepared.copies):
            end = min(begin + prepared.copies, len(self._paths))
            self._send(burst, prepared, data, begin, end, short)
        return short

    def _send(
        self, burst: Burst, prepared: _Prepared, data: bytes, begin: int, end: int, short: dict[int, int]
    ) -> None:
        copies, count = end - begin, burst.count
        _view[: copies * burst.total] = data * copies
        contexts = self._contexts[begin:end]
        if count == 1:  # every packet of sound
            _encrypt(prepared, contexts, copies)
            sending: Iterator[Any] = map(call, self._send_one[begin:end], prepared.datagrams)
        else:
            _encrypt(prepared, chain.from_iterable(map(repeat, contexts, repeat(count))), copies * count)
            sending = map(call, self._sendmsg[begin:end], prepared.buffers, repeat(prepared.how))
        place = begin
        while place < end:
            try:
                for _ in sending:
                    place += 1
            except OSError as error:  # the map goes on behind the one that failed
                went = self._alone(error, self._paths[place], burst, prepared.datagrams[place - begin])
                if went != count:
                    short[place] = went
                place += 1

    def _alone(self, error: OSError, path: SrtpPath, burst: Burst, datagrams: memoryview) -> int:
        """What is left to do for one viewer when the kernel refused its burst; how many packets went."""
        if error.errno == errno.ECONNREFUSED:  # so ICMP said of an earlier one; this one was not tried
            return path.send_each(burst, datagrams)
        if burst.count == 1 or error.errno in _LOST:
            return 0
        path.joint = False  # a device or a tunnel that cannot cut bursts: from now on one by one
        return path.send_each(burst, datagrams)


def _encrypt(prepared: _Prepared, contexts: Sequence[Any] | Iterator[Any] | repeat[Any], packets: int) -> None:
    """Encrypt so many packets where they lie, each with its context."""
    _memmove(_lengths, prepared.lengths, _INT_BYTES * packets)
    if any(map(_protect, contexts, prepared.places, _length_places)):
        raise SrtpError("srtp_protect failed")
