"""The HTTP side: GET and HEAD of files, for phones that try port 6970 first (phones.md 2.1)."""

from __future__ import annotations

import struct
import time
from collections import Counter

import gevent
from gevent import socket

from appliance.cluster.body import Broken
from appliance.cluster.names import BadName, Fault, read
from appliance.config.model import IPAddress, Unavailable
from appliance.http import ranges, response
from appliance.http.ranges import Span, Unsatisfiable
from appliance.http.request import BadRequest, Request, RequestReader
from appliance.network.sockaddr import client_address, family, sockaddr
from appliance.report.record import Result, Trail
from appliance.serve import datagrams
from appliance.serve.content import Content
from appliance.serve.log import Log
from appliance.serve.lookup import Asker, NoSuchFile, NotKnown
from appliance.serve.surroundings import Surroundings

HEAD_TIMEOUT = 10.0  # s from a request's first byte to its last
IDLE_TIMEOUT = 15.0  # s without a next request
SEND_TIMEOUT = 30.0  # s for the client to take one piece
PIECE = 64 * 1024  # bytes
BACKLOG = 1024  # connections that wait to be accepted

_BAD_NAME = {Fault.TOO_LONG: 414, Fault.ESCAPES: 403, Fault.NOT_PRINTABLE: 404, Fault.EMPTY: 404}


class HttpListener:
    """One listening socket and its connections."""

    def __init__(self, wire: socket.socket, connections: Connections, log: Log) -> None:
        self._wire = wire
        self._connections = connections
        self._log = log
        self._greenlet = gevent.spawn(self._listen)

    def close(self) -> None:
        """Accept no more connections."""
        self._greenlet.kill()
        self._wire.close()

    def _listen(self) -> None:
        while True:
            try:
                wire, peer = self._wire.accept()
                self._connections.take(wire, client_address(peer))
                gevent.sleep(0)  # where one more waits already, `accept` lets nobody else run
            except OSError as fault:
                self._log.event("accept failed", why=fault.strerror or "")
                gevent.sleep(0.05)  # out of descriptors: some connection will end
            except Exception as error:  # noqa: BLE001  a mistake of ours costs one connection, not the port
                self._log.fault(error)


class Connections:
    """The connections of all listeners; bounded in all and for each client."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._open: dict[gevent.Greenlet[..., None], Connection] = {}
        self._clients: Counter[IPAddress] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def take(self, wire: socket.socket, client: IPAddress) -> None:
        """Serve a new connection, or close it where there is no place for one more."""
        settings = self._around.settings
        allowed = not settings.allow or any(client in network for network in settings.allow)
        full = len(self._open) >= settings.transfers_max
        if not allowed or full or self._clients[client] >= settings.transfers_per_client_max:
            why = "no place for one more connection" if allowed else "not of an allowed network"
            self._around.counters.drop(why)
            wire.close()
            return
        connection = Connection(self._around, wire, client)
        greenlet = gevent.spawn(connection.serve)
        self._open[greenlet] = connection
        self._clients[client] += 1
        greenlet.link(self._ended)

    def ending(self) -> list[gevent.Greenlet[..., None]]:
        """Those that are answering, which take no further request; the others are closed."""
        answering = []
        for greenlet, connection in list(self._open.items()):
            connection.last = True
            if connection.answering:
                answering.append(greenlet)
            else:
                greenlet.kill(block=False)
        return answering

    def stop(self) -> None:
        """End those that still run."""
        gevent.killall(list(self._open))

    def _ended(self, greenlet: gevent.Greenlet[..., None]) -> None:
        client = self._open.pop(greenlet).client
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]


class Connection:
    """One client's connection: a greenlet each. After `last` is set it takes no further request."""

    def __init__(self, around: Surroundings, wire: socket.socket, client: IPAddress) -> None:
        self.client = client
        self.answering = False
        self.last = False
        self._around = around
        self._wire = wire
        self._reader = RequestReader()

    def serve(self) -> None:
        """Answer requests until the client, or a fault of its, ends the connection."""
        with self._wire:
            try:
                self._wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while not self.last and (request := self._next()) is not None:
                    self.answering = True
                    if not self._answer(request):
                        return
                    self.answering = False
                    gevent.sleep(0)  # who asks on and on must not keep the loop to itself
            except BadRequest as fault:
                self._around.counters.drop(f"malformed HTTP request: {fault.text}")
                self._refuse(fault.status, fault.text)
            except OSError:
                self._around.counters.peers_gone += 1
            except Exception as error:  # noqa: BLE001  a mistake of ours costs one connection
                self._around.fault(error)

    def _next(self) -> Request | None:
        """The next request; None when the client has gone, or takes too long over it."""
        request = self._reader.next()
        deadline = time.monotonic() + (IDLE_TIMEOUT if request is None else 0)
        started = False
        while request is None:
            self._wire.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._wire.recv(PIECE)
            except TimeoutError:
                return None
            if not data:
                return None
            if not started:
                started = True
                deadline = time.monotonic() + HEAD_TIMEOUT
            self._reader.feed(data)
            request = self._reader.next()
        self._wire.settimeout(SEND_TIMEOUT)
        return request

    def _answer(self, request: Request) -> bool:
        """Answer one request; whether the connection stays."""
        self._around.counters.requests_http += 1
        name = request.path.removeprefix(b"/")
        trail = Trail(str(self.client), "http", name, time.time(), time.monotonic())
        exchange = _Exchange(self._around, self._wire, request, trail)
        result, detail, stays = Result.FAULT, "", False
        try:
            result, detail, stays = exchange.answer(name, Asker(self.client, request.headers.get("via", "")))
        except OSError as fault:
            result, detail = Result.PEER_GONE, fault.strerror or "timed out"
        except gevent.GreenletExit:
            result, detail = Result.BROKEN_OFF, "stopped"
        finally:
            self._around.ended(trail.record(time.monotonic(), result, detail, exchange.sent))
        return stays

    def _refuse(self, status: int, text: str) -> None:
        head, body = response.error(status, text)
        try:
            self._wire.sendall(head + body)
        except OSError:
            pass


class _Exchange:
    """One request and its answer."""

    def __init__(self, around: Surroundings, wire: socket.socket, request: Request, trail: Trail) -> None:
        self.sent = 0  # bytes of the file
        self._around = around
        self._wire = wire
        self._request = request
        self._trail = trail

    def answer(self, name: bytes, asker: Asker) -> tuple[Result, str, bool]:
        """The result, its detail, and whether the connection stays; `OSError` where the client goes."""
        if self._request.method not in ("GET", "HEAD"):
            return Result.REFUSED, "method", self._refuse(405, "only GET and HEAD are served")
        try:
            content = self._around.lookup.open(read(name), asker, self._trail)
        except BadName as fault:
            return Result.REFUSED, str(fault), self._refuse(_BAD_NAME[fault.fault], "no such name")
        except NoSuchFile:
            return Result.NOT_FOUND, "", self._refuse(404, "file not found")
        except NotKnown as fault:
            if self._around.unavailable is Unavailable.SILENCE:
                return Result.UNAVAILABLE, str(fault), False
            return Result.UNAVAILABLE, str(fault), self._refuse(503, "not available now")
        try:
            return self._send(content)
        finally:
            content.close()

    def _send(self, content: Content) -> tuple[Result, str, bool]:
        try:
            size = content.whole_size()
        except Broken as fault:
            return Result.BROKEN_OFF, str(fault), self._refuse(503, "not available now")
        span = ranges.parse(self._range(), size)
        if isinstance(span, Unsatisfiable):
            self._wire.sendall(self._head(416, [("Content-Range", ranges.content_range(span, size))], 0))
            return Result.REFUSED, "range outside the file", self._request.keep_alive
        first, length, status, fields = 0, size, 200, list[tuple[str, str]]()
        if isinstance(span, Span):
            first, length, status = span.first, span.length, 206
            fields.append(("Content-Range", ranges.content_range(span, size)))
        head = self._head(status, fields, length)
        if self._request.method == "HEAD":
            self._wire.sendall(head)
            return Result.SERVED, "head only", self._request.keep_alive
        try:
            self._send_body(content, head, range(first, first + length), size)
        except Broken as fault:
            if not self.sent:
                return Result.BROKEN_OFF, str(fault), self._refuse(503, "not available now")
            # Content-Length is out already: a reset says more clearly than an end that it is not whole.
            self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return Result.BROKEN_OFF, str(fault), False
        return Result.SERVED, "" if status == 200 else "a part", self._request.keep_alive

    def _range(self) -> str | None:
        """The Range that counts: of a GET (RFC 9110 section 14.2), and not on a condition (13.1.5),
        as there is no validator that it could name.
        """
        if self._request.method != "GET" or "if-range" in self._request.headers:
            return None
        return self._request.headers.get("range")

    def _send_body(self, content: Content, head: bytes, span: range, size: int) -> None:
        """The span of a file of this size; the head goes out with the first piece."""
        while self.sent < len(span):
            piece = content.read(span[self.sent], min(PIECE, len(span) - self.sent))
            if not piece:
                raise Broken("shorter than was told")
            if span.start + self.sent + len(piece) == size and content.read(size, 1):
                # Waits for the end, so that what a cluster cuts short is never taken for whole.
                raise Broken("longer than was told")
            self._wire.sendall(head + piece)
            head = b""
            self.sent += len(piece)
        if head:
            if content.read(size, 1):
                raise Broken("longer than was told")
            self._wire.sendall(head)

    def _head(self, status: int, fields: list[tuple[str, str]], length: int) -> bytes:
        fields += [
            ("Content-Length", str(length)),
            ("Content-Type", "application/octet-stream"),
            ("Accept-Ranges", "bytes"),
            ("Cache-Control", "no-store"),
        ]
        if not self._request.keep_alive:
            fields.append(("Connection", "close"))
        return response.head(status, fields)

    def _refuse(self, status: int, text: str) -> bool:
        """Send an error; whether the connection stays."""
        keep = self._request.keep_alive and status != 405
        head, body = response.error(status, text, keep_alive=keep)
        self._wire.sendall(head if self._request.method == "HEAD" else head + body)
        return keep


def listen(address: IPAddress, port: int, dscp: int) -> socket.socket:
    """A socket that hears connections, which inherit its mark; `OSError`."""
    wire = socket.socket(family(address), socket.SOCK_STREAM)
    try:
        datagrams.mark(wire, address.version, dscp)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        wire.bind(sockaddr(address, port))
        wire.listen(BACKLOG)
    except OSError:
        wire.close()
        raise
    return wire
