"""A client's TCP connection in the loop: a socket that never blocks."""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Waiter

SEND_TIMEOUT = 30.0  # s for the client to take anything of what is sent
RECEIVE_MAX = 16 * 1024  # bytes of one call

_READ, _WRITE = 1, 2


class Wire:
    """One connection. `readable` is called in the loop when something has arrived, while `listen` is on.

    `deadline`, of `time.monotonic`, is for whoever watches over the connection.
    """

    __slots__ = ("_readable", "_reading", "_socket", "_waiter", "_writing", "deadline")

    def __init__(self, connected: socket.socket, readable: Callable[[], None]) -> None:
        self.deadline = math.inf
        self._socket = connected
        self._readable = readable
        self._waiter: Any = None
        self._writing: Any = None
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reading: Any = gevent.get_hub().loop.io(connected.fileno(), _READ)

    def listen(self) -> None:
        """Call `readable` from now on."""
        self._reading.start(self._readable)

    def pause(self) -> None:
        """Call it no longer."""
        self._reading.stop()

    def receive(self) -> bytes | None:
        """What has arrived: None where nothing has, empty at the end; `OSError`."""
        try:
            return self._socket.recv(RECEIVE_MAX)
        except BlockingIOError:
            return None

    def offer(self, head: bytes, body: bytes | memoryview) -> int:
        """Send as much as goes out without waiting, and say how many bytes that were; `OSError`."""
        try:
            if not body:
                return self._socket.send(head)
            if not head:
                return self._socket.send(body)
            return self._socket.sendmsg((head, body))
        except BlockingIOError:
            return 0

    def wait(self) -> None:
        """In a greenlet: until the client takes more, and others have had their turn; `TimeoutError`."""
        self.deadline = time.monotonic() + SEND_TIMEOUT
        waiter = self._waiter = Waiter()
        try:
            self._on_writable(waiter.switch, True)
            if not waiter.get():
                raise TimeoutError("timed out")
        finally:
            self._writing.stop()
            self._waiter = None
            self.deadline = math.inf

    def call_when_writable(self, call: Callable[..., None], *args: object) -> None:
        """Once, in the loop: when the client takes more, and others have had their turn."""
        self.deadline = time.monotonic() + SEND_TIMEOUT

        def once() -> None:
            self._writing.stop()
            call(*args)

        self._on_writable(once)

    def expire(self) -> bool:
        """In the loop, at the deadline: end the waiting of a greenlet; whether there was one."""
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        waiter.switch(False)
        return True

    def reset(self) -> None:
        """Let `close` tell the client by a reset that what it got is not all."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        """End the connection."""
        for watcher in (self._reading, self._writing):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._socket.close()

    def _on_writable(self, call: Callable[..., None], *args: object) -> None:
        if self._writing is None:
            self._writing = gevent.get_hub().loop.io(self._socket.fileno(), _WRITE)
        self._writing.start(call, *args)
