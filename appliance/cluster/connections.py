"""HTTP connections to clusters: made, bounded, and kept for the next request, but not for long."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent.hub import Waiter
from gevent.lock import BoundedSemaphore

from appliance.cluster.upstream import Target, Unasked, Unconnected, Unheard
from appliance.config.model import IPAddress
from appliance.http.reply import BadReply
from appliance.network.sockaddr import family, sockaddr

CONNECT_TIMEOUT = 1.0  # s
IDLE_MAX = 4.0  # s that a connection may have been idle and still be used: CUCM closes one after 5 s
CONNECTIONS_MAX = 64  # to one address at a time; the rest queue
PIECE = 64 * 1024  # bytes of one read

_READ, _WRITE = 1, 2  # of the loop's watchers
_ANSWER = b"HTTP/"

# No port, no buffer, no descriptor left: this box could not ask.
_OURS = {errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class Connection:
    """One TCP connection. Its socket never blocks; a greenlet that has to wait does so in the loop."""

    __slots__ = ("_loop", "_watcher", "_wire", "closed", "drained")

    def __init__(self, wire: socket.socket) -> None:
        self.closed = False
        self.drained = False  # the last read has taken all that had come
        self._wire = wire
        self._loop: Any = gevent.get_hub().loop
        self._watcher: Any = self._loop.io(wire.fileno(), _READ)

    def send(self, request: bytes) -> None:
        """Send a request, which is never more than fits where an answer has been read; `OSError`."""
        if self._wire.send(request) < len(request):
            raise OSError(errno.ENOBUFS, "the connection takes no request")

    def receive(self, until: float) -> bytes:
        """What comes next, empty at the end. Waits until that time; `TimeoutError`, `OSError`."""
        while True:
            try:
                data = self._wire.recv(PIECE)
            except BlockingIOError:
                self.wait(until)
            else:
                self.drained = len(data) < PIECE
                return data

    def wait(self, until: float) -> None:
        """Wait until something has come, or the end; `TimeoutError`."""
        waiter: Any = Waiter()
        timer = self._loop.timer(max(0.0, until - time.monotonic()))
        timer.start(waiter.switch, False)
        self._watcher.start(waiter.switch, True)
        try:
            if not waiter.get():
                raise TimeoutError
        finally:
            self._watcher.stop()
            timer.stop()
            timer.close()

    def unread(self, count: int = 1) -> bytes | None:
        """Up to `count` bytes that have come unread: none at the end, None where nothing has come."""
        try:
            return self._wire.recv(count, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def watch(self, seen: Callable[[], None]) -> None:
        """Call that in the loop when something has come, or the end."""
        self._watcher.start(seen)

    def rest(self) -> None:
        """Watch no longer."""
        self._watcher.stop()

    def close(self) -> None:
        """End it."""
        if not self.closed:
            self.closed = True
            self._watcher.stop()
            self._watcher.close()
            self._wire.close()


def connect(target: Target) -> Connection:
    """A fresh connection; `Unconnected`, or `Unasked` where it is this box that has none to give."""
    try:
        wire = gevent.socket.socket(family(target.address), socket.SOCK_STREAM)
    except OSError as error:
        raise Unasked(f"no HTTP connection: {why(error)}") from None
    try:
        wire.settimeout(CONNECT_TIMEOUT)
        wire.connect(sockaddr(target.address, target.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        wire.close()
        ours = error.errno in _OURS
        kind = Unasked if ours else Unheard if isinstance(error, TimeoutError) else Unconnected
        raise kind(f"no HTTP connection: {why(error)}") from None
    except BaseException:
        wire.close()
        raise
    # From here on a plain one does, which never waits by itself.
    plain = socket.socket(fileno=wire.detach())
    plain.setblocking(False)
    return Connection(plain)


def why(error: OSError | BadReply) -> str:
    """An error in words that hold nothing of the peer's."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


class _Idle:
    """A connection after its answer, until it is used again, ends, or has been idle for long enough.

    What comes then is the end, a word about it ("408"), or more of a file than was announced.
    """

    __slots__ = ("_closed", "_over", "_surplus", "_timer", "connection", "since")

    def __init__(
        self, connection: Connection, surplus: Callable[[], None], over: Callable[[_Idle], None]
    ) -> None:
        self.connection = connection
        self.since = time.monotonic()
        self._surplus = surplus
        self._over = over
        self._closed = False
        loop: Any = gevent.get_hub().loop
        self._timer = loop.timer(IDLE_MAX)
        self._timer.start(self.close)
        connection.watch(self._look)

    def rest(self) -> None:
        """Watch no longer."""
        self._timer.stop()
        self._timer.close()
        self.connection.rest()

    def close(self) -> None:
        """Close the connection."""
        if self._closed:
            return
        self._closed = True
        self.rest()
        self._over(self)
        self.connection.close()

    def usable(self) -> bool:
        """Whether nothing has come, and it has not been idle for too long; else it is closed."""
        self._look()
        if time.monotonic() - self.since >= IDLE_MAX:
            self.close()
        return not self._closed

    def _look(self) -> None:
        first = self.connection.unread(len(_ANSWER))
        if first is not None:
            self.close()
            if first and not _ANSWER.startswith(first):
                self._surplus()


class Pool:
    """The connections to one address: those that are kept, and `place` for those in use. `host` is the
    address as a request names it.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        host = str(target.address).partition("%")[0]
        self.host = f"{host if target.address.version == 4 else f'[{host}]'}:{target.port}"
        self.place = BoundedSemaphore(CONNECTIONS_MAX)
        self._idle: list[_Idle] = []
        self._ending: set[_Idle] = set()

    @property
    def unused(self) -> bool:
        """Whether there is nothing in it."""
        return not self._idle and not self._ending and self.place.counter == CONNECTIONS_MAX

    def kept(self) -> Connection | None:
        """A connection that can be used again, None where there is none."""
        while self._idle:
            entry = self._idle[-1]
            if entry.usable():
                self._idle.pop()
                entry.rest()
                return entry.connection
        return None

    def keep(self, connection: Connection, stays: bool, surplus: Callable[[], None] = lambda: None) -> None:
        """Keep a connection whose answer was read to its end; `surplus` is called when more of it comes.

        One that does not stay is not used again, only looked at until the cluster closes it.
        """
        if stays:
            self._idle.append(_Idle(connection, surplus, self._idle.remove))
        else:
            self._ending.add(_Idle(connection, surplus, self._ending.discard))

    def drop(self) -> None:
        """Close those that are idle."""
        for entry in self._idle[:]:
            entry.close()

    def close(self) -> None:
        """Close those that are idle, and those that the clusters are about to close."""
        self.drop()
        for entry in list(self._ending):
            entry.close()


class Connections:
    """The connections to all clusters, by target."""

    def __init__(self) -> None:
        self._pools: dict[Target, Pool] = {}

    def pool(self, target: Target) -> Pool:
        """Those to one target."""
        pool = self._pools.get(target)
        if pool is None:
            pool = self._pools[target] = Pool(target)
        return pool

    def forget(self, address: IPAddress) -> None:
        """Close those to one address that are idle."""
        for target in [target for target in self._pools if target.address == address]:
            self._pools[target].drop()
            if self._pools[target].unused:
                del self._pools[target]

    def close(self) -> None:
        """Close all that are idle."""
        for pool in self._pools.values():
            pool.close()
