"""The HTTP side: GET and HEAD of files, for phones that try port 6970 first (phones.md 2.1)."""

from __future__ import annotations

import socket
import time
from collections import Counter
from typing import Any

import gevent

from appliance.config.model import IPAddress
from appliance.network.sockaddr import client_address, family, sockaddr
from appliance.serve import datagrams
from appliance.serve.connection import Connection
from appliance.serve.delivery import LARGE_PIECE
from appliance.serve.listening import ELSEWHERE, Filter
from appliance.serve.log import Log
from appliance.serve.surroundings import Surroundings

BACKLOG = 1024  # connections that wait to be accepted
BATCH = 16  # connections taken before others get a turn
PAUSE = 0.05  # s without accepting, where there are no descriptors: some connection will end
INTERVAL = 0.25  # s between two looks at deadlines: one is seen that much late at most


class HttpListener:
    """One listening socket."""

    def __init__(self, wire: socket.socket, connections: Connections, log: Log) -> None:
        self._wire = wire
        self._connections = connections
        self._log = log
        loop = gevent.get_hub().loop
        self._watcher: Any = loop.io(wire.fileno(), 1)
        self._again: Any = loop.timer(PAUSE)
        self._listen()

    def note_link(self, wanted: bool) -> None:
        """Have the kernel note by which link connections come, or not any more: it costs a little."""
        datagrams.note_link(self._wire, wanted)

    def close(self) -> None:
        """Accept no more connections."""
        for watcher in (self._watcher, self._again):
            watcher.stop()
            watcher.close()
        self._wire.close()

    def _listen(self) -> None:
        self._watcher.start(self._readable)

    def _readable(self) -> None:
        """In the loop: take those that wait. Nothing of it raises further."""
        for _ in range(BATCH):
            try:
                wire, peer = self._wire.accept()
                self._connections.take(wire, client_address(peer))
            except BlockingIOError:
                return
            except OSError as fault:
                self._log.event("accept failed", why=fault.strerror or "")
                self._watcher.stop()
                self._again.start(self._listen)
                return
            except Exception as error:  # noqa: BLE001  a mistake of ours costs one connection, not the port
                self._log.fault(error)


class Connections:
    """The connections of all listeners; bounded in all and for each client."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._open: dict[Connection, None] = {}
        self._clients: Counter[IPAddress] = Counter()
        self._buffer = memoryview(bytearray(LARGE_PIECE))
        # One coarse timer: one for each connection would cost as much as its answers.
        self._timer: Any = gevent.get_hub().loop.timer(INTERVAL, INTERVAL)

    def __len__(self) -> int:
        return len(self._open)

    def take(self, wire: socket.socket, client: IPAddress) -> None:
        """Serve a new connection, or close it where there is no place for one more."""
        wanted = self._around.filter
        if wanted is not None and not _passes(wanted, wire):
            self._around.counters.drop(ELSEWHERE)
            wire.close()
            return
        settings = self._around.settings
        allowed = not settings.allow or any(client in network for network in settings.allow)
        full = len(self._open) >= settings.transfers_max
        if not allowed or full or self._clients[client] >= settings.transfers_per_client_max:
            why = "no place for one more connection" if allowed else "not of an allowed network"
            self._around.counters.drop(why)
            wire.close()
            return
        try:
            connection = Connection(self._around, wire, client, self._buffer, self._closed)
        except OSError:
            wire.close()  # the client has gone again
            self._around.counters.peers_gone += 1
            return
        if not self._open:
            self._timer.start(self._look)
        self._open[connection] = None
        self._clients[client] += 1

    def ending(self) -> list[gevent.Greenlet[..., None]]:
        """Those that are answering, which take no further request; the others are closed."""
        for connection in list(self._open):
            connection.last = True
            if not connection.answering:
                connection.close()
        return [connection.greenlet for connection in self._open if connection.greenlet is not None]

    def stop(self) -> None:
        """End those that still run."""
        gevent.killall([each.greenlet for each in self._open if each.greenlet is not None])
        for connection in list(self._open):
            connection.close()

    def _closed(self, connection: Connection) -> None:
        del self._open[connection]
        self._clients[connection.client] -= 1
        if not self._clients[connection.client]:
            del self._clients[connection.client]
        if not self._open:
            self._timer.stop()

    def _look(self) -> None:
        now = time.monotonic()
        for connection in [each for each in self._open if each.wire.deadline <= now]:
            try:
                connection.overdue()
            except Exception as error:  # noqa: BLE001  one connection's mistake must not stop the others' timer
                self._around.fault(error)


def _passes(wanted: Filter, wire: socket.socket) -> bool:
    try:
        return wanted.passes(*datagrams.came_to(wire))
    except (OSError, ValueError):
        return False  # it has gone again, or came before the kernel was asked to say where to


def listen(address: IPAddress, port: int, dscp: int) -> socket.socket:
    """A socket that hears connections, which inherit its mark; it never blocks. `OSError`."""
    wire = socket.socket(family(address), socket.SOCK_STREAM)
    try:
        datagrams.mark(wire, address.version, dscp)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        wire.bind(sockaddr(address, port))
        wire.listen(BACKLOG)
        wire.setblocking(False)
    except OSError:
        wire.close()
        raise
    return wire
