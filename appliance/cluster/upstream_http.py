"""Asking a cluster over HTTP: the protocol that clusters speak among themselves on port 6970.

A request is one send, on a connection that is used again (RFC 9112 section 9.3); an answer that is
short is one receive.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import gevent

from appliance.cluster.body import Broken
from appliance.cluster.connections import PIECE, Connection, Connections, Pool, connect, why
from appliance.cluster.upstream import (
    SILENCE_MAX,
    VIA_MAX,
    Absent,
    Refused,
    Target,
    Unasked,
    Unchanged,
    Unreachable,
    Waiting,
)
from appliance.http.reply import BadReply, Reply, ReplyReader

HEAD_TIMEOUT = 1.5  # s for the head of an answer: what is left of a search is for TFTP
REST_TIMEOUT = 0.25  # s for what follows the head of "not found": the answer is known, and waited for
BUSY_PAUSES = (0.25, 0.5, 1.0)  # s before a busy cluster is asked again
BUSY_REST = 0.5  # s of the time for the answer that these leave to what is tried next
VALIDATOR_MAX = 200  # characters

OK, NOT_MODIFIED, NOT_FOUND, GONE, BUSY = 200, 304, 404, 410, 503

# Field and condition of a validator, by its kind (RFC 9110 sections 8.8 and 13.1).
_VALIDATORS = {"etag": ("etag", "If-None-Match"), "modified": ("last-modified", "If-Modified-Since")}


class _Exchange:
    """One request on one connection, and its answer as it comes."""

    __slots__ = ("connection", "reader", "reply")

    def __init__(self, connection: Connection, request: bytes) -> None:
        """Send it, and wait for the head of the answer; `Unreachable`. The connection is ours from now on."""
        self.connection = connection
        self.reader = ReplyReader()
        try:
            connection.send(request)
            until = time.monotonic() + HEAD_TIMEOUT
            connection.wait(until)  # nothing can be there yet
            self.reply = self._head(until)
        except (OSError, BadReply) as error:
            connection.close()
            raise Unreachable(f"no HTTP answer: {why(error)}") from None
        except BaseException:
            connection.close()
            raise

    def next(self, until: float) -> bytes:
        """The next bytes of the body; none where its end has come, or only bytes that frame it. `OSError`,
        `BadReply`.
        """
        data = self.connection.receive(until)
        if data:
            return self.reader.body(data)
        self.reader.end()
        return b""

    def _head(self, until: float) -> Reply:
        while True:
            data = self.connection.receive(until)
            if not data:
                self.reader.end()
            reply = self.reader.take(data)
            if reply is not None:
                return reply


class HttpFile:
    """A body that is being read; see `upstream.Opened`."""

    def __init__(self, pool: Pool, exchange: _Exchange, waiting: Waiting) -> None:
        """It holds a place of the pool."""
        reply = exchange.reply
        self.size = reply.length
        # A body that only the end of the connection ends looks whole wherever the cluster closes it.
        self.keepable = reply.length is not None or reply.chunked
        self.validator = _validator(reply)
        self.via = _via(reply)
        self._pool: Pool | None = pool
        self._exchange = exchange
        self._waiting = waiting

    def pieces(self) -> Iterator[bytes]:
        """See `upstream.Opened`."""
        received, reader = 0, self._exchange.reader
        try:
            piece = reader.body()
            until = time.monotonic() + SILENCE_MAX
            while piece or not reader.ended:
                if piece:
                    received += len(piece)
                    yield piece
                    until = time.monotonic() + SILENCE_MAX
                piece = b"" if reader.ended else self._exchange.next(until)
        except (OSError, BadReply) as error:
            of = "" if self.size is None else f" of {self.size}"
            raise Broken(f"the server broke off after {received}{of} bytes: {why(error)}") from None
        self._ended()

    def close(self) -> None:
        """See `upstream.Opened`."""
        if self._pool is not None:
            self._exchange.connection.close()
            self._let_go(self._pool)

    def _ended(self) -> None:
        """The body is there to its end. What comes later than that is seen while the connection is idle, and
        told by `Waiting.surplus`.
        """
        connection, reply = self._exchange.connection, self._exchange.reply
        surplus = self._exchange.reader.surplus or (not connection.drained and bool(connection.unread()))
        if surplus and self.size is not None:
            raise Broken(f"the server sent more than the announced {self.size} bytes")
        if self._pool is not None and self.keepable and not surplus:
            self._pool.keep(connection, reply.stays, self._waiting.surplus)
            self._let_go(self._pool)

    def _let_go(self, pool: Pool) -> None:
        self._pool = None
        pool.place.release()


def open_file(
    connections: Connections, target: Target, name: str, via: str, size_max: int, waiting: Waiting
) -> HttpFile:
    """Ask for a file; `Absent`, `Unchanged`, `Refused` or `Unreachable` where it does not come.

    `name` is the client's own spelling; one that is announced with over `size_max` bytes is refused.
    `waiting` is kept while it runs.
    """
    pool = connections.pool(target)
    pool.place.acquire()
    try:
        if not waiting.allowed():
            raise Unasked("found silent by another request")
        request = _request(pool.host, name, via, waiting.validator)
        for pause in (*BUSY_PAUSES, None):
            exchange = _ask(pool, request, waiting)
            waiting.pause()
            reply = exchange.reply
            if reply.status == OK:
                if fault := _unfit(reply, size_max):
                    exchange.connection.close()
                    raise Refused(fault)
                return HttpFile(pool, exchange, waiting)
            _settle(pool, exchange)
            if reply.status in (NOT_FOUND, GONE):
                raise Absent(_via(reply))
            if reply.status == NOT_MODIFIED and waiting.validator:
                raise Unchanged
            if reply.status != BUSY:
                raise Refused(f"HTTP status {reply.status}")
            if pause is None or not _time_for(pause, waiting):
                break
            gevent.sleep(pause)
        raise Refused("HTTP status 503: busy")
    except BaseException:
        pool.place.release()
        raise


def _time_for(pause: float, waiting: Waiting) -> bool:
    return waiting.until is None or time.monotonic() + pause + BUSY_REST <= waiting.until


def _ask(pool: Pool, request: bytes, waiting: Waiting) -> _Exchange:
    waiting.begin(time.monotonic())
    kept = pool.kept()
    if kept is not None:
        try:
            return _Exchange(kept, request)
        except Unreachable:
            # The cluster may close an idle connection at any moment: that says nothing of its health.
            # Others that were kept as long are no better.
            pool.drop()
    connection = connect(pool.target)
    waiting.sent = time.monotonic()
    return _Exchange(connection, request)


def _request(host: str, name: str, via: str, validator: str) -> bytes:
    path = quote_from_bytes(name.lstrip("/").encode(), safe="/~!$&'()*+,;=:@")
    condition = ""
    if validator:
        kind, _, value = validator.partition(":")
        condition = f"{_VALIDATORS[kind][1]}: {value}\r\n"
    return f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nVia: {via}\r\n{condition}\r\n".encode()


def _settle(pool: Pool, exchange: _Exchange) -> None:
    """Read the rest of a short answer, so that its connection can be used again."""
    reader, received, whole = exchange.reader, 0, False
    try:
        if exchange.reply.stays:
            until = time.monotonic() + REST_TIMEOUT
            received = len(reader.body())
            while not reader.ended and received <= PIECE:
                received += len(exchange.next(until))
            whole = reader.ended and not reader.surplus
    except (OSError, BadReply):
        pass
    finally:
        if whole:
            pool.keep(exchange.connection, True)
        else:
            exchange.connection.close()


def _unfit(reply: Reply, size_max: int) -> str:
    """Why the body cannot be taken: it would be another than the file, or its end is unknown. Empty where
    it can.
    """
    if reply.fault:
        return reply.fault
    if reply.fields.get("content-encoding", "identity").lower() != "identity":
        return "a Content-Encoding that nobody asked for"
    if reply.length is not None and reply.length > size_max:
        return "larger than allowed"
    return ""


def _validator(reply: Reply) -> str:
    """The answer's validator in the form of `answer.Found`."""
    for kind, (field, _) in _VALIDATORS.items():
        value = reply.fields.get(field, "")
        if value and value.isascii() and value.isprintable() and len(value) <= VALIDATOR_MAX:
            return f"{kind}:{value}"
    return ""


def _via(reply: Reply) -> str:
    """As `upstream.Opened.via`."""
    value = reply.fields.get("via", "")
    return value[:VIA_MAX] if value.isascii() and value.isprintable() else ""
