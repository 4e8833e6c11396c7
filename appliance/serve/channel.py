"""One end of what two processes of the proxy talk by: whole messages, in order, descriptors beside them.

Nothing here waits but `wait_for_room`: who does not read, because it hangs, holds up nobody else.
"""

from __future__ import annotations

import array
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent.event import Event

from appliance.serve.framing import MESSAGE_MAX, Malformed, decode, encode
from appliance.serve.messages import Message

DESCRIPTORS_MAX = 250  # of one message: the kernel's SCM_MAX_FD is 253
FULL = 256 * 1024
"""bytes that wait to be sent, above which more had better wait."""
BUFFER = 256 * 1024  # bytes that the kernel is asked to hold, either way
BATCH = 32  # messages that are taken before others get a turn

_READ, _WRITE = 1, 2
_SPACE = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)

Take = Callable[[Message, list[int]], None]
"""Takes a message and the descriptors that came with it, which are its own from then on."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ends


def receive(wire: socket.socket, buffer: memoryview, flags: int = 0) -> tuple[Message | None, list[int]]:
    """The next message, None at the end, and its descriptors; `OSError`, `Malformed`."""
    count, control, told, _ = wire.recvmsg_into([buffer], _SPACE, flags | socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    try:
        if told & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            raise OSError(0, "a message was cut")
        return (decode(bytes(buffer[:count])) if count else None), list(descriptors)
    except (OSError, Malformed):
        close_all(descriptors)
        raise


def transmit(wire: socket.socket, data: bytes, descriptors: Sequence[int], flags: int = 0) -> None:
    """Send one message; `OSError`."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    wire.sendmsg([data], [rights] if descriptors else [], flags)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for descriptor in descriptors:
        os.close(descriptor)


class Channel:
    """An end in the loop. `take` takes each message; `gone` is told once why there will be no more."""

    def __init__(
        self,
        wire: socket.socket,
        take: Take,
        gone: Callable[[str], None],
        fault: Callable[[Exception], None],
    ) -> None:
        """`fault` takes what is a mistake of ours. The socket is the channel's from now on."""
        wire.setblocking(False)
        self._wire = wire
        self._take = take
        self._gone = gone
        self._fault = fault
        self._buffer = memoryview(bytearray(MESSAGE_MAX))
        self._queue: deque[tuple[bytes, list[int]]] = deque()
        self._queued = 0  # bytes
        self._room = Event()
        self._room.set()
        self._open = True
        loop = gevent.get_hub().loop
        self._reading: Any = loop.io(wire.fileno(), _READ)
        self._writing: Any = loop.io(wire.fileno(), _WRITE)
        self._reading.start(self._readable)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._queue

    @property
    def full(self) -> bool:
        """Whether too much waits already."""
        return self._queued > FULL

    def put(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send at once, or as soon as the other end takes it; nothing where there is none any more.

        The descriptors stay the caller's.
        """
        if not self._open:
            return
        data = encode(message)
        if not self._queue and self._try(data, descriptors):
            return
        self._queue.append((data, [os.dup(each) for each in descriptors]))
        self._queued += len(data)
        if self._queued > FULL:
            self._room.clear()
        self._writing.start(self._writable)

    def wait_for_room(self) -> None:
        """Wait until not too much is waiting to be sent."""
        self._room.wait()

    def take_rest(self) -> None:
        """Take all that has arrived, now: the other end's process has ended."""
        while self._open and self._take_one():
            pass

    def close(self) -> None:
        """Neither take nor send any more."""
        if not self._open:
            return
        self._open = False
        for watcher in (self._reading, self._writing):
            watcher.stop()
            watcher.close()
        self._wire.close()
        for _, descriptors in self._queue:
            close_all(descriptors)
        self._queue.clear()
        self._room.set()

    def _try(self, data: bytes, descriptors: Sequence[int]) -> bool:
        """Whether it is out, or can never be."""
        try:
            transmit(self._wire, data, descriptors)
        except BlockingIOError:
            return False
        except OSError as error:  # it is gone; or no memory, too many descriptors under way
            gevent.get_hub().loop.run_callback(self._cut, error.strerror or "cannot be sent to")
        return True

    def _writable(self) -> None:
        while self._queue and self._try(*self._queue[0]):
            data, descriptors = self._queue.popleft()
            self._queued -= len(data)
            close_all(descriptors)
        if not self._queue:
            self._writing.stop()
        if self._queued <= FULL:
            self._room.set()

    def _readable(self) -> None:
        for _ in range(BATCH):
            if not self._take_one():
                return

    def _take_one(self) -> bool:
        """Whether there was something, and may be more."""
        try:
            message, descriptors = receive(self._wire, self._buffer)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True  # it went without hearing us out: told once, and before what it has said itself
        except OSError as error:
            return self._end(error.strerror or "")
        except Malformed as error:
            return self._end(f"what it says is not understood: {error}")
        if message is None:
            return self._end("")
        try:
            self._take(message, descriptors)
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one message
            self._fault(error)
        return self._open

    def _cut(self, why: str) -> None:
        """Nothing can be sent any more; what has been said before that still counts."""
        self.take_rest()
        self._end(why)

    def _end(self, why: str) -> bool:
        if self._open:
            self.close()
            self._gone(why)
        return False
