"""A browser's own socket: on the port that ICE checked, connected to the address that it checked.

The kernel keeps the route of a connected socket, which a call to send with an address looks up each time. It also gives
it whatever comes from that address (the best match wins), and everything else to asyncio's socket of the same port:
checks from another address, by which ICE learns of a change, come in as before. Belongs to the loop that made it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from streaming.consent import Consent
from streaming.srtp import SrtpPath

# A viewer's bounded backlog: a second of picture at 2 Mb/s (the kernel doubles it for its own bookkeeping).
SEND_BUFFER_BYTES = 256 * 1024
_LARGEST_READ = 2048  # more than any datagram that is looked at


class Link:
    """From the port of `bound` to `address`, encrypted by the session `srtp`. `receive(data, address)` gets what comes
    from there, and what came from elsewhere in the moment before the socket was connected; one datagram a turn of the
    loop.

    Raises OSError when there is no way to the address.
    """

    def __init__(
        self,
        bound: socket.socket,
        address: tuple[str, int],
        srtp: Any,
        consent: Consent,
        receive: Callable[[bytes, Any], None],
    ) -> None:
        self._address, self._srtp, self._consent, self._receive = address, srtp, consent, receive
        self._socket = socket.socket(bound.family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._share(bound)
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self.path = SrtpPath(srtp, self._socket)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def _share(self, bound: socket.socket) -> None:
        """Bind to the same port, which nobody else may from then on, and with as large a queue of what comes."""
        receive_bytes = bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # what it says is doubled
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        for each in (bound, self._socket):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(bound.getsockname())
        finally:
            for each in (bound, self._socket):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)

    def _read(self) -> None:
        try:
            data, address = self._socket.recvfrom(_LARGEST_READ)
        except OSError:  # nothing after all, or the browser's port is closed (ICMP)
            return
        self._receive(data, address)

    def takes(self, data: bytes, address: Any) -> bool:
        """Whether a STUN message was about consent, and no more is to be done about it."""
        if address[:2] != self._address:
            return False
        if (answer := self._consent.answer(data)) is not None:
            self._send(answer)
            return True
        return self._consent.confirms(data)

    def tick(self, now_ns: int) -> None:
        """Once a second: ask for consent when it is time to."""
        if (question := self._consent.question(now_ns)) is not None:
            self._send(question)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet."""
        self._send(self._srtp.protect_rtcp(packet))

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # lost: the socket is full, or the network away
            self._socket.send(data)

    def close(self) -> None:
        """Idempotent."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
