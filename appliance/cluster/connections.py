"""HTTP connections to clusters: made, bounded, and kept for the next request, but not for long."""

from __future__ import annotations

import errno
import http.client
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket
from gevent.lock import BoundedSemaphore

from appliance.cluster.upstream import SILENCE_MAX, Target, Unasked, Unconnected, Unheard
from appliance.config.model import IPAddress
from appliance.network.sockaddr import family, sockaddr

CONNECT_TIMEOUT = 1.0  # s
IDLE_MAX = 4.0  # s that a connection may have been idle and still be used: CUCM closes one after 5 s
CONNECTIONS_MAX = 64  # to one address at a time; the rest queue

_READ = 1  # of the loop's watchers
_ANSWER = b"HTTP/"

# No port, no buffer, no descriptor left: this box could not ask.
_OURS = {errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class _Wire(socket.socket):
    """Lets others run at each read: a cluster that sends without an end is readable at any moment."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """As any socket's."""
        gevent.sleep(0)
        return super().recv_into(*args, **kwargs)


class Connection(http.client.HTTPConnection):
    """One whose socket stays in reach: http.client lets go of it when the answer says "close"."""

    def __init__(self, target: Target, wire: _Wire) -> None:
        super().__init__(str(target.address).partition("%")[0], target.port)
        self.sock = self.wire = wire
        self.auto_open = 0

    def close(self) -> None:
        """Close, whatever http.client has let go of."""
        super().close()
        self.wire.close()

    def waiting(self, count: int = 1) -> bytes | None:
        """Up to `count` bytes that have come unread: none at the end, None where nothing has come."""
        self.wire.settimeout(0)
        try:
            return self.wire.recv(count, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        finally:
            self.wire.settimeout(SILENCE_MAX)


def connect(target: Target) -> Connection:
    """A fresh connection; `Unconnected`, or `Unasked` where it is this box that has none to give."""
    try:
        wire = _Wire(family(target.address), socket.SOCK_STREAM)
    except OSError as error:
        raise Unasked(f"no HTTP connection: {why(error)}") from None
    try:
        wire.settimeout(CONNECT_TIMEOUT)
        wire.connect(sockaddr(target.address, target.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.settimeout(SILENCE_MAX)
    except OSError as error:
        wire.close()
        ours = error.errno in _OURS
        kind = Unasked if ours else Unheard if isinstance(error, TimeoutError) else Unconnected
        raise kind(f"no HTTP connection: {why(error)}") from None
    except BaseException:
        wire.close()
        raise
    return Connection(target, wire)


def why(error: Exception) -> str:
    """An error in words that hold nothing of the peer's."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


class _Idle:
    """A connection after its answer, until it is used again, ends, or has been idle for long enough.

    What comes then is the end, a word about it ("408"), or more of a file than was announced.
    """

    def __init__(
        self,
        connection: Connection,
        response: http.client.HTTPResponse,
        surplus: Callable[[], None],
        over: Callable[[_Idle], None],
    ) -> None:
        self.connection = connection
        self.since = time.monotonic()
        self._response = response
        self._surplus = surplus
        self._over = over
        self._closed = False
        loop: Any = gevent.get_hub().loop
        self._timer = loop.timer(IDLE_MAX)
        self._timer.start(self.close)
        self._watcher = loop.io(connection.wire.fileno(), _READ)
        self._watcher.start(self._look)

    def rest(self) -> None:
        """Watch no longer."""
        for watcher in (self._timer, self._watcher):
            watcher.stop()
            watcher.close()

    def close(self) -> None:
        """Close the connection."""
        if self._closed:
            return
        self._closed = True
        self.rest()
        self._over(self)
        self._response.close()
        self.connection.close()

    def usable(self) -> bool:
        """Whether nothing has come, and it has not been idle for too long; else it is closed."""
        self._look()
        if time.monotonic() - self.since >= IDLE_MAX:
            self.close()
        return not self._closed

    def _look(self) -> None:
        first = self.connection.waiting(len(_ANSWER))
        if first is not None:
            self.close()
            if first and not _ANSWER.startswith(first):
                self._surplus()


class Connections:
    """The connections that are kept, by target, and the places for those in use."""

    def __init__(self) -> None:
        self._idle: dict[Target, list[_Idle]] = {}
        self._ending: set[_Idle] = set()
        self._places: dict[Target, BoundedSemaphore] = {}

    def place(self, target: Target) -> BoundedSemaphore:
        """What bounds the connections to one target."""
        return self._places.setdefault(target, BoundedSemaphore(CONNECTIONS_MAX))

    def kept(self, target: Target) -> Connection | None:
        """A connection that can be used again, None where there is none."""
        idle = self._idle.get(target, [])
        while idle:
            entry = idle[-1]
            if entry.usable():
                idle.remove(entry)
                entry.rest()
                return entry.connection
        return None

    def keep(
        self,
        target: Target,
        connection: Connection,
        response: http.client.HTTPResponse,
        surplus: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep a connection whose answer was read to its end; `surplus` is called when more of it comes.

        One that the cluster is about to close is not used again, only looked at until it is closed.
        """
        if response.will_close:
            self._ending.add(_Idle(connection, response, surplus, self._ending.discard))
            return
        # http.client counts a response as open until it is closed, and sends nothing before.
        response.close()
        idle = self._idle.setdefault(target, [])
        idle.append(_Idle(connection, response, surplus, idle.remove))

    def drop(self, target: Target) -> None:
        """Close those to one target that are idle."""
        for entry in self._idle.pop(target, [])[:]:
            entry.close()
        place = self._places.get(target)
        if place is not None and place.counter == CONNECTIONS_MAX:
            del self._places[target]

    def forget(self, address: IPAddress) -> None:
        """Close those to one address that are idle."""
        for target in [target for target in self._idle if target.address == address]:
            self.drop(target)

    def close(self) -> None:
        """Close all that are idle."""
        for target in list(self._idle):
            self.drop(target)
        for entry in list(self._ending):
            entry.close()
