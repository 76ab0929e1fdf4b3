"""A WebSocket client that loses nothing.

simple_websocket's own leaves whatever came in one segment with the server's 101 unread until more comes: a server that
hangs up at once is then never heard.
"""

from __future__ import annotations

import threading
from functools import partial

import simple_websocket


class Client(simple_websocket.Client):  # type: ignore[misc]
    """Its thread does not outlive a failed test."""

    def __init__(self, url: str, **headers: str) -> None:
        super().__init__(url, headers=headers, thread_class=partial(threading.Thread, daemon=True))

    def handshake(self) -> None:
        super().handshake()
        self._handle_events()
        self.connected = True  # also after a goodbye: its thread ends with the socket, and then `receive` tells
