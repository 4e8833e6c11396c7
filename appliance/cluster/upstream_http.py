"""Asking a cluster over HTTP: the protocol that clusters speak among themselves on port 6970.

`http.client` over gevent's sockets. Connections are kept for the next request, but not for long:
CUCM closes one that has been idle for 5 s.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_from_bytes

import gevent
from gevent import socket
from gevent.lock import BoundedSemaphore

from appliance.cluster.body import Broken
from appliance.cluster.upstream import Absent, Refused, Target, Unreachable, Waiting
from appliance.network.sockaddr import family, sockaddr

CONNECT_TIMEOUT = 1.0  # s
HEAD_TIMEOUT = 1.5  # s for the head of an answer: what is left of a search is for TFTP
ANSWER_TIMEOUT = 5.0  # s between two pieces of a body
IDLE_MAX = 4.0  # s that a connection may have been idle and still be used
CONNECTIONS_MAX = 64  # to one address at a time; the rest queue
BUSY_PAUSES = (0.25, 0.5, 1.0)  # s before asking again a cluster that says 503: it is still searching
PIECE = 64 * 1024  # bytes


class _Wire(socket.socket):
    """Lets others run at each read: a cluster that sends without an end is readable at any moment."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """As any socket's."""
        gevent.sleep(0)
        return super().recv_into(*args, **kwargs)


class _Connection(http.client.HTTPConnection):
    """One whose socket stays in reach: http.client lets go of it when the answer says "close"."""

    def __init__(self, target: Target, wire: _Wire) -> None:
        super().__init__(str(target.address).partition("%")[0], target.port)
        self.sock = self.wire = wire
        self.auto_open = 0

    def close(self) -> None:
        """Close, whatever http.client has let go of."""
        super().close()
        self.wire.close()

    def idle(self) -> bool:
        """Whether nothing came since the last answer: neither the end nor what nobody asked for."""
        self.wire.settimeout(0)
        try:
            self.wire.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self.wire.settimeout(ANSWER_TIMEOUT)
        return False


_Idle = tuple[_Connection, float]
"""A kept connection, and since when it is idle."""


class Connections:
    """The kept connections to clusters, by target."""

    def __init__(self) -> None:
        self._idle: dict[Target, list[_Idle]] = {}
        self._places: dict[Target, BoundedSemaphore] = {}

    def place(self, target: Target) -> BoundedSemaphore:
        """What bounds the connections to one target."""
        return self._places.setdefault(target, BoundedSemaphore(CONNECTIONS_MAX))

    def kept(self, target: Target) -> _Connection | None:
        """A connection that can be used again, None where there is none."""
        idle = self._idle.get(target, [])
        while idle:
            connection, since = idle.pop()
            if time.monotonic() - since < IDLE_MAX and connection.idle():
                return connection
            connection.close()
        return None

    def keep(self, target: Target, connection: _Connection) -> None:
        """Keep a connection whose answer was read to its end."""
        entry = connection, time.monotonic()
        self._idle.setdefault(target, []).append(entry)
        gevent.spawn_later(IDLE_MAX, self._drop, target, entry)

    def close(self) -> None:
        """Close all that are idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop()[0].close()

    def _drop(self, target: Target, entry: _Idle) -> None:
        idle = self._idle.get(target, [])
        if entry in idle:  # else it was used again
            idle.remove(entry)
            entry[0].close()


class HttpFile:
    """A body that is being read; see `upstream.Opened`."""

    def __init__(
        self,
        connections: Connections,
        target: Target,
        connection: _Connection,
        response: http.client.HTTPResponse,
        place: BoundedSemaphore,
    ) -> None:
        self.size = response.length
        self._connections = connections
        self._target = target
        self._connection: _Connection | None = connection
        self._wire = connection.wire
        self._response = response
        self._reader = response.fp
        self._place: BoundedSemaphore | None = place

    def pieces(self) -> Iterator[bytes]:
        """See `upstream.Opened`."""
        received = 0
        try:
            while piece := self._next(received):
                received += len(piece)
                yield piece
            surplus = self._surplus()
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"the server broke off after {received} bytes: {_why(error)}") from None
        if self.size is not None and received != self.size:
            raise Broken(f"the server broke off after {received} of {self.size} bytes")
        if surplus:
            raise Broken(f"the server sent more than the announced {self.size} bytes")
        if self._connection is not None and not self._response.will_close:
            # http.client counts a response as open until it is closed, and sends nothing before.
            self._response.close()
            self._connections.keep(self._target, self._connection)
            self._connection = None

    def close(self) -> None:
        """See `upstream.Opened`."""
        if self._connection is not None:
            self._response.close()
            self._connection.close()
            self._connection = None
        if self._place is not None:
            self._place.release()
            self._place = None

    def _next(self, received: int) -> bytes:
        with gevent.Timeout(ANSWER_TIMEOUT, TimeoutError):
            if self.size is None:
                return self._response.read1(PIECE)
            # Not through the response: newer ones let go of the reader with the last byte.
            return self._reader.read1(min(PIECE, self.size - received))

    def _surplus(self) -> bool:
        """Whether more has come than was announced, as far as that can be seen without waiting."""
        if self.size is None:
            return False
        self._wire.settimeout(0)
        try:
            return bool(self._reader.peek(1))
        finally:
            self._wire.settimeout(ANSWER_TIMEOUT)


def open_file(connections: Connections, target: Target, name: str, via: str, waiting: Waiting) -> HttpFile:
    """Ask for a file; `Absent`, `Refused` or `Unreachable` where it does not come.

    `name` is the client's own spelling. `waiting` is kept while it runs.
    """
    place = connections.place(target)
    place.acquire()
    try:
        for pause in (*BUSY_PAUSES, None):
            waiting.since = time.monotonic()
            connection, response = _ask(connections, target, name, via)
            waiting.since = None
            if response.status == http.client.OK:
                _refuse_bad_length(connection, response)
                return HttpFile(connections, target, connection, response, place)
            _settle(connections, target, connection, response)
            if response.status in (http.client.NOT_FOUND, http.client.GONE):
                raise Absent
            if response.status != http.client.SERVICE_UNAVAILABLE:
                raise Refused(f"HTTP status {response.status}")
            if pause is not None:
                gevent.sleep(pause)
        raise Refused("HTTP status 503: busy")
    except BaseException:
        place.release()
        raise


def _ask(
    connections: Connections, target: Target, name: str, via: str
) -> tuple[_Connection, http.client.HTTPResponse]:
    kept = connections.kept(target)
    if kept is not None:
        try:
            return kept, _request(kept, name, via)
        except Unreachable:
            # The cluster may close an idle connection at any moment: that says nothing of its health.
            pass
    connection = _connect(target)
    return connection, _request(connection, name, via)


def _connect(target: Target) -> _Connection:
    try:
        wire = _Wire(family(target.address), socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(f"no HTTP connection: {_why(error)}") from None
    try:
        wire.settimeout(CONNECT_TIMEOUT)
        wire.connect(sockaddr(target.address, target.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.settimeout(ANSWER_TIMEOUT)
    except OSError as error:
        wire.close()
        raise Unreachable(f"no HTTP connection: {_why(error)}") from None
    except BaseException:
        wire.close()
        raise
    return _Connection(target, wire)


def _request(connection: _Connection, name: str, via: str) -> http.client.HTTPResponse:
    try:
        path = "/" + quote_from_bytes(name.lstrip("/").encode(), safe="/~!$&'()*+,;=:@")
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.putheader("Via", via)
        connection.endheaders()
        with gevent.Timeout(HEAD_TIMEOUT, TimeoutError):
            return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"no HTTP answer: {_why(error)}") from None
    except BaseException:
        connection.close()
        raise


def _settle(
    connections: Connections,
    target: Target,
    connection: _Connection,
    response: http.client.HTTPResponse,
) -> None:
    """Read the rest of a short answer, so that its connection can be used again."""
    usable = False
    try:
        with gevent.Timeout(ANSWER_TIMEOUT, TimeoutError):
            response.read(PIECE)
        usable = response.isclosed() and not response.will_close
    except (OSError, http.client.HTTPException):
        pass
    finally:
        if usable:
            connections.keep(target, connection)
        else:
            response.close()
            connection.close()


def _refuse_bad_length(connection: _Connection, response: http.client.HTTPResponse) -> None:
    """http.client takes a Content-Length that is no number for none, and any end for the file's end."""
    told = response.getheader("Content-Length") is not None
    if told and response.length is None and not response.chunked:
        response.close()
        connection.close()
        raise Refused("a Content-Length that is no number")


def _why(error: Exception) -> str:
    """An error in words that hold nothing of the peer's."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
