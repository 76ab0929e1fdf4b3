"""Answers a service's commands several at a time, for a service of which some have to wait for a disk.

To callers it is a `CommandServer`. The socket stays with the thread that calls `serve`; workers hand their replies back
to it. A handler runs on any of the workers, beside others.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from appliance.bus import address, answer, encode_reply
from appliance.messages import Command, Reply

WORKERS = 4
LAST_REPLIES_S = 4.0  # how long a service that ends waits for commands that it has begun


class CommandPool:
    """`handle` carries out one command; it may raise CommandRefused."""

    def __init__(self, folder: Path, service: str, handle: Callable[[Command], Reply], workers: int = WORKERS) -> None:
        self._handle = handle
        self._workers = workers
        self._asked: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
        self._open = 0
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 100)
        self._socket.bind(address(folder, service, "cmd"))

    def serve(self, stopping: threading.Event) -> None:
        """Loop until `stopping` is set and what has been begun is answered; then close the socket."""
        done = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        for number in range(self._workers):
            threading.Thread(target=self._work, args=(done,), name=f"commands-{number}", daemon=True).start()
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(done, zmq.POLLIN)
        while not stopping.is_set():
            self._turn(poller, done)
        poller.unregister(self._socket)  # takes nothing new
        deadline = time.monotonic() + LAST_REPLIES_S
        while self._open and time.monotonic() < deadline:
            self._turn(poller, done)
        self._socket.close()
        # The eventfd stays: a worker that a disk still holds up would write into a stranger's.

    def _turn(self, poller: zmq.Poller, done: int) -> None:
        ready = dict(poller.poll(200))
        if done in ready:
            for _ in range(os.eventfd_read(done)):
                caller, reply = self._answered.get()
                self._open -= 1
                self._socket.send_multipart((caller, b"", reply))
        if self._socket in ready:
            caller, _, body = self._socket.recv_multipart()
            self._open += 1
            self._asked.put((caller, body))

    def _work(self, done: int) -> None:
        while True:
            caller, body = self._asked.get()
            self._answered.put((caller, encode_reply(answer(self._handle, body))))
            os.eventfd_write(done, 1)
