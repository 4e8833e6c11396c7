"""Asking a cluster over HTTP: the protocol that clusters speak among themselves on port 6970.

`http.client` over gevent's sockets, on connections that are used again (RFC 9112 section 9.3).
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import gevent
from gevent.lock import BoundedSemaphore

from appliance.cluster.body import Broken
from appliance.cluster.connections import Connection, Connections, connect, why
from appliance.cluster.upstream import (
    SILENCE_MAX,
    Absent,
    Refused,
    Target,
    Unasked,
    Unchanged,
    Unreachable,
    Waiting,
)

HEAD_TIMEOUT = 1.5  # s for the head of an answer: what is left of a search is for TFTP
REST_TIMEOUT = 0.25  # s for what follows the head of "not found": the answer is known, and waited for
BUSY_PAUSES = (0.25, 0.5, 1.0)  # s before a busy cluster is asked again
BUSY_REST = 0.5  # s of the time for the answer that these leave to what is tried next
PIECE = 64 * 1024
VALIDATOR_MAX = 200  # characters

# Field and condition of a validator, by its kind (RFC 9110 sections 8.8 and 13.1).
_VALIDATORS = {"etag": ("ETag", "If-None-Match"), "modified": ("Last-Modified", "If-Modified-Since")}


class HttpFile:
    """A body that is being read; see `upstream.Opened`."""

    def __init__(
        self,
        connections: Connections,
        target: Target,
        connection: Connection,
        response: http.client.HTTPResponse,
        place: BoundedSemaphore,
        waiting: Waiting,
    ) -> None:
        self.size = response.length
        # A body that only the end of the connection ends looks whole wherever the cluster closes it.
        self.keepable = response.length is not None or bool(response.chunked)
        self.validator = _validator(response)
        self._connections = connections
        self._target = target
        self._connection: Connection | None = connection
        self._response = response
        self._reader = response.fp
        self._place: BoundedSemaphore | None = place
        self._waiting = waiting

    def pieces(self) -> Iterator[bytes]:
        """See `upstream.Opened`."""
        received = 0
        try:
            while piece := self._next(received):
                received += len(piece)
                yield piece
            surplus = self._surplus()
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"the server broke off after {received} bytes: {why(error)}") from None
        if self.size is not None and received != self.size:
            raise Broken(f"the server broke off after {received} of {self.size} bytes")
        if surplus:
            raise Broken(f"the server sent more than the announced {self.size} bytes")
        # http.client has closed the one whose last chunk came with the word "close".
        if self._connection is not None and self.keepable and self._connection.wire.fileno() >= 0:
            self._connections.keep(self._target, self._connection, self._response, self._waiting.surplus)
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
        with gevent.Timeout(SILENCE_MAX, TimeoutError):
            if self.size is None:
                return self._response.read1(PIECE)
            # Not through the response: newer ones let go of the reader with the last byte.
            return self._reader.read1(min(PIECE, self.size - received))

    def _surplus(self) -> bool:
        """Whether more has come than was announced. What comes later is seen while the connection is
        idle, and told by `Waiting.surplus`.
        """
        if self.size is None or self._connection is None:
            return False
        wire = self._connection.wire
        wire.settimeout(0)
        try:
            return bool(self._reader.peek(1))
        finally:
            wire.settimeout(SILENCE_MAX)


def open_file(
    connections: Connections, target: Target, name: str, via: str, size_max: int, waiting: Waiting
) -> HttpFile:
    """Ask for a file; `Absent`, `Unchanged`, `Refused` or `Unreachable` where it does not come.

    `name` is the client's own spelling; one that is announced with over `size_max` bytes is refused.
    `waiting` is kept while it runs.
    """
    place = connections.place(target)
    place.acquire()
    try:
        if not waiting.allowed():
            raise Unasked("found silent by another request")
        for pause in (*BUSY_PAUSES, None):
            connection, response = _ask(connections, target, name, via, waiting)
            waiting.pause()
            if response.status == http.client.OK:
                if fault := _unfit(response, size_max):
                    response.close()
                    connection.close()
                    raise Refused(fault)
                return HttpFile(connections, target, connection, response, place, waiting)
            _settle(connections, target, connection, response)
            if response.status in (http.client.NOT_FOUND, http.client.GONE):
                raise Absent
            if response.status == http.client.NOT_MODIFIED and waiting.validator:
                raise Unchanged
            if response.status != http.client.SERVICE_UNAVAILABLE:
                raise Refused(f"HTTP status {response.status}")
            if pause is None or not _time_for(pause, waiting):
                break
            gevent.sleep(pause)
        raise Refused("HTTP status 503: busy")
    except BaseException:
        place.release()
        raise


def _time_for(pause: float, waiting: Waiting) -> bool:
    return waiting.until is None or time.monotonic() + pause + BUSY_REST <= waiting.until


def _ask(
    connections: Connections, target: Target, name: str, via: str, waiting: Waiting
) -> tuple[Connection, http.client.HTTPResponse]:
    waiting.begin(time.monotonic())
    kept = connections.kept(target)
    if kept is not None:
        try:
            return kept, _request(kept, name, via, waiting.validator)
        except Unreachable:
            # The cluster may close an idle connection at any moment: that says nothing of its health.
            # Others that were kept as long are no better.
            connections.drop(target)
    connection = connect(target)
    waiting.sent = time.monotonic()
    return connection, _request(connection, name, via, waiting.validator)


def _request(connection: Connection, name: str, via: str, validator: str) -> http.client.HTTPResponse:
    try:
        path = "/" + quote_from_bytes(name.lstrip("/").encode(), safe="/~!$&'()*+,;=:@")
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.putheader("Via", via)
        if validator:
            kind, _, value = validator.partition(":")
            connection.putheader(_VALIDATORS[kind][1], value)
        connection.endheaders()
        with gevent.Timeout(HEAD_TIMEOUT, TimeoutError):
            return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"no HTTP answer: {why(error)}") from None
    except BaseException:
        connection.close()
        raise


def _settle(
    connections: Connections, target: Target, connection: Connection, response: http.client.HTTPResponse
) -> None:
    """Read the rest of a short answer, so that its connection can be used again."""
    usable = False
    try:
        with gevent.Timeout(REST_TIMEOUT, TimeoutError):
            response.read(PIECE)
        usable = response.isclosed() and not response.will_close
    except (OSError, http.client.HTTPException):
        pass
    finally:
        if usable:
            connections.keep(target, connection, response)
        else:
            response.close()
            connection.close()


def _unfit(response: http.client.HTTPResponse, size_max: int) -> str:
    """Why the body cannot be taken: what http.client overlooks would make it another than the file, or
    its end unknown. Empty where it can.
    """
    lengths = {value.strip() for value in response.headers.get_all("Content-Length", [])}
    if len(lengths) > 1 or not all(value.isascii() and value.isdigit() for value in lengths):
        return "a Content-Length that is no one number"
    if response.getheader("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        return "a Transfer-Encoding that nobody asked for"
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        return "a Content-Encoding that nobody asked for"
    if response.length is not None and response.length > size_max:
        return "larger than allowed"
    return ""


def _validator(response: http.client.HTTPResponse) -> str:
    """The answer's validator in the form of `answer.Found`."""
    for kind, (field, _) in _VALIDATORS.items():
        value = response.getheader(field, "").strip()
        if value and value.isascii() and value.isprintable() and len(value) <= VALIDATOR_MAX:
            return f"{kind}:{value}"
    return ""
