"""The log on its way to a syslog server: a bounded queue, and a greenlet that empties it.

Nobody waits for the server. While it is away lines gather; where too many do, the newer ones are dropped and
counted.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
import gevent.ssl
from gevent.event import Event

from appliance.report.counters import Counters
from appliance.report.syslog import Destination, destination, framed, message

QUEUE_MAX = 10_000  # lines
BATCH = 200  # lines of one write
GATHER = 0.05  # s in which lines gather
PATIENCE = 5.0  # s for a connect, a handshake, a write
PAUSE_FIRST, PAUSE_LAST = 1.0, 60.0
"""s between two attempts to reach the server: twice as long each time."""
LAST_WORDS = 1.0  # s for what is left at the end


class Syslog:
    """Sends lines where `configure` says; nowhere at first. `tell` writes an event to the log."""

    def __init__(self, counters: Counters, tell: Callable[..., None]) -> None:
        self._counters = counters
        self._tell = tell
        self._lines: deque[tuple[float, str]] = deque()
        self._some = Event()
        self._waking = False
        self._to: Destination | None = None
        self._hostname = ""
        self._sender: gevent.Greenlet[..., None] | None = None
        self._away = False

    def configure(self, url: str, hostname: str) -> None:
        """Send to this server from now on, in the name of this host."""
        self._hostname = hostname
        to = destination(url)
        if to == self._to:
            return
        self._stop()
        self._to, self._away = to, False
        if to is None:
            self._lines.clear()
        else:
            self._sender = gevent.spawn(self._send, to)

    def put(self, line: str) -> None:
        """One line, escaped already. Where too many wait, it is counted and dropped."""
        if self._to is None:
            return
        if len(self._lines) >= QUEUE_MAX:
            self._counters.syslog_dropped += 1
            return
        self._lines.append((time.time(), line))
        if not self._waking:
            self._waking = True
            self._some.set()

    def close(self) -> None:
        """Send what is left, for a second at most."""
        ends = time.monotonic() + LAST_WORDS
        while self._to is not None and self._lines and not self._away and time.monotonic() < ends:
            gevent.sleep(GATHER)
        self._stop()
        self._to = None

    def _stop(self) -> None:
        if self._sender is not None:
            self._sender.kill()
            self._sender = None

    def _send(self, to: Destination) -> None:
        pause = PAUSE_FIRST
        while True:
            try:
                with _connected(to) as connection:
                    while True:
                        self._well(to)
                        self._some.wait()
                        gevent.sleep(GATHER)
                        self._some.clear()
                        self._waking = False
                        while self._lines:
                            self._write(to, connection)
                            pause = PAUSE_FIRST
            except OSError as error:  # also a name that is not known, and a certificate that is not trusted
                self._ill(to, error)
            self._waking = True  # what came meanwhile is sent at once
            self._some.set()
            gevent.sleep(pause)
            pause = min(2 * pause, PAUSE_LAST)

    def _write(self, to: Destination, connection: Any) -> None:
        """The oldest lines. They leave the queue when they are sent: after a failure they are sent anew."""
        batch = list(itertools.islice(self._lines, BATCH))
        made = [message(line, seconds, self._hostname, os.getpid()) for seconds, line in batch]
        if to.transport == "udp":
            for each in made:
                try:
                    connection.send(each)
                except ConnectionRefusedError:  # the answer to one that was sent before
                    self._counters.syslog_dropped += 1
                self._lines.popleft()
        else:
            if _hung_up(connection):
                raise ConnectionResetError("the server has closed the connection")
            connection.sendall(b"".join(map(framed, made)))
            for _ in batch:
                self._lines.popleft()
        gevent.sleep(0)

    def _well(self, to: Destination) -> None:
        if self._away:
            self._away = False
            self._tell("syslog server reached again", server=str(to), dropped=self._counters.syslog_dropped)

    def _ill(self, to: Destination, error: OSError) -> None:
        if not self._away:
            self._away = True
            self._tell("syslog server not reached", server=str(to), why=error.strerror or str(error))


def _connected(to: Destination) -> Any:
    """A connected socket; OSError."""
    if to.transport == "udp":
        return _datagrams(to)
    connection = gevent.socket.create_connection((to.host, to.port), PATIENCE)
    try:
        # A machine that has gone without a word is noticed by what it does not acknowledge.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2 * PATIENCE * 1000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if to.transport == "tcp":
            return connection
        # The certificates of all authorities are read: not in the loop.
        context = gevent.get_hub().threadpool.apply(_trusting)
        return context.wrap_socket(connection, server_hostname=to.host)
    except BaseException:
        connection.close()
        raise


def _trusting() -> Any:
    """What TLS goes by: the authorities that the system trusts, and the name that was asked for. (`ssl` would
    make one whose sockets hold up the loop.)
    """
    context = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


def _datagrams(to: Destination) -> Any:
    found = gevent.socket.getaddrinfo(to.host, to.port, type=socket.SOCK_DGRAM)
    family, kind, number, _, address = found[0]
    connection = gevent.socket.socket(family, kind, number)
    try:
        connection.settimeout(PATIENCE)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _hung_up(connection: Any) -> bool:
    """Whether the server has closed its side: a write would still succeed, and be lost."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
