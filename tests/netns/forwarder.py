"""A bad road for TFTP: forwards datagrams both ways, repeats some and lets some be overtaken.

Run inside a host as a program of its own (`Road` does). To the server it looks like the client,
to the client like the server: each transfer port of the server has a port of its own here. What
happens to a datagram is drawn from a seeded generator. When it is ended it prints its counts.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import random
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.netns.lab import Host
    from tests.netns.process import Process

SPREAD = 0.004  # s; a late datagram is at most this late: enough to be overtaken, far below any timeout
PORT = 6969
NONE: frozenset[int] = frozenset()
OPENING = frozenset({1, 6})  # RRQ and OACK, whose repetition many clients do not survive

End = tuple[str, int]
Receiver = Callable[[bytes, End], None]


@dataclass(slots=True)
class Counts:
    """Datagrams of one run: heard from each side, and what was done to them."""

    from_client: int = 0
    from_server: int = 0
    repeated: int = 0
    late: int = 0


class Forwarder:
    """Between any number of clients and one server (address, port of its requests). IPv4 only."""

    def __init__(self, server: End, seed: int, repeat: float, late: float, spared: frozenset[int]) -> None:
        self.counts = Counts()
        self._server = server
        self._draw = random.Random(seed)
        self._repeat = repeat
        self._late = late
        self._spared = spared
        self._selector = selectors.DefaultSelector()
        self._pending: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._upstream: dict[End, socket.socket] = {}  # by client
        self._returns: dict[tuple[End, End], socket.socket] = {}  # by client and the server's transfer port
        self._entry = self._open(PORT, self._request)

    def run(self, ended: Callable[[], bool]) -> None:
        """Forward until `ended`, which is asked some twenty times a second."""
        while not ended():
            now = time.monotonic()
            while self._pending and self._pending[0][0] <= now:
                heapq.heappop(self._pending)[2]()
            wait = self._pending[0][0] - now if self._pending else 0.05
            for key, _ in self._selector.select(max(wait, 0.0)):
                sock, receiver = key.fileobj, key.data
                assert isinstance(sock, socket.socket)
                try:
                    datagram, sender = sock.recvfrom(65536)
                except ConnectionError:
                    continue  # the other side has closed its port: the end of a transfer
                receiver(datagram, sender)

    def _open(self, port: int, receiver: Receiver) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", port))
        self._selector.register(sock, selectors.EVENT_READ, receiver)
        return sock

    def _request(self, datagram: bytes, client: End) -> None:
        """From a client to the port of requests."""
        self.counts.from_client += 1
        if client not in self._upstream:
            self._upstream[client] = self._open(0, lambda data, tid: self._answer(client, data, tid))
        self._send(self._upstream[client], datagram, self._server)

    def _answer(self, client: End, datagram: bytes, tid: End) -> None:
        """From a transfer port of the server."""
        self.counts.from_server += 1
        if (client, tid) not in self._returns:
            self._returns[client, tid] = self._open(0, lambda data, sender: self._reply(sender, data, tid))
        self._send(self._returns[client, tid], datagram, client)

    def _reply(self, client: End, datagram: bytes, tid: End) -> None:
        """From a client to the port that stands for a transfer port of the server."""
        self.counts.from_client += 1
        if client in self._upstream:
            self._send(self._upstream[client], datagram, tid)

    def _send(self, sock: socket.socket, datagram: bytes, target: End) -> None:
        spared = int.from_bytes(datagram[:2]) in self._spared
        copies = 2 if not spared and self._draw.random() < self._repeat else 1
        self.counts.repeated += copies - 1
        for _ in range(copies):
            delay = 0.0
            if not spared and self._draw.random() < self._late:
                delay = self._draw.uniform(0, SPREAD)
                self.counts.late += 1
            due = time.monotonic() + delay
            heapq.heappush(self._pending, (due, next(self._order), lambda: sock.sendto(datagram, target)))


class Road:
    """A forwarder in `host` on UDP `PORT`, as a context manager; its counts are there when it has ended.

    Shares `repeat` and `late` are from 0 to 1. Packets with the opcodes `spared` come through once
    and at once.
    """

    def __init__(
        self, host: Host, server: str, *, seed: int, repeat: float, late: float, spared: frozenset[int] = NONE
    ) -> None:
        self.counts = Counts()
        argv = [sys.executable, "-m", "tests.netns.forwarder", server, "69"]
        argv += [str(seed), str(repeat), str(late), *map(str, sorted(spared))]
        self._process: Process = host.start(argv, lambda: host.bound("udp", PORT), name="forwarder")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()
        if kind is None:
            self.counts = Counts(**json.loads(self._process.output().splitlines()[-1]))


def main() -> None:
    """Forward until SIGTERM, then print the counts as one line of JSON."""
    parser = argparse.ArgumentParser()
    for name, kind in (("server", str), ("port", int), ("seed", int), ("repeat", float), ("late", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("spared", type=int, nargs="*")
    asked = parser.parse_args()
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    forwarder = Forwarder(
        (asked.server, asked.port), asked.seed, asked.repeat, asked.late, frozenset(asked.spared)
    )
    forwarder.run(lambda: bool(ended))
    print(json.dumps(asdict(forwarder.counts)), flush=True)


if __name__ == "__main__":
    main()
