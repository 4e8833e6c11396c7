"""Small servers on loopback, each doing what its test says. Plain gevent sockets: nothing of the
product judges itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import gevent
from gevent import socket
from gevent.event import Event

HANG_UP = b""
"""Among the pieces of an answer: close the connection here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request: on which connection, counted from 0, and its head."""

    connection: int
    line: str
    fields: dict[str, str]


Answer = Callable[[Asked], Iterable[bytes]]


def reply(status: int, body: bytes = b"", *fields: str) -> bytes:
    """A whole answer, with its length."""
    lines = [f"HTTP/1.1 {status} Some words", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


class HttpServer:
    """Answers each request on a connection with the pieces that `answer` gives."""

    def __init__(self, address: str, port: int, answer: Answer) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.open = 0  # connections at the moment
        self.most = 0  # at one time
        self.gone = Event()  # some connection has ended
        self._answer = answer
        self._wire = socket.create_server((address, port), backlog=100)
        self._greenlets = [gevent.spawn(self._accept)]

    def close(self) -> None:
        """Answer no more, and end what is open."""
        gevent.killall(self._greenlets)
        self._wire.close()

    def _accept(self) -> None:
        while True:
            wire, _ = self._wire.accept()
            self._greenlets.append(gevent.spawn(self._serve, wire, self.connections))
            self.connections += 1

    def _serve(self, wire: socket.socket, number: int) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            with wire, wire.makefile("rb") as lines, contextlib.suppress(OSError):
                while line := lines.readline():
                    fields = {}
                    while (field := lines.readline().decode()).strip():
                        name, _, value = field.partition(":")
                        fields[name.lower()] = value.strip()
                    self.asked.append(asked := Asked(number, line.decode().strip(), fields))
                    for piece in self._answer(asked):
                        if piece == HANG_UP:
                            return
                        wire.sendall(piece)
        finally:
            self.open -= 1
            self.gone.set()


class TftpServer:
    """Sends files in blocks of 512 bytes, without options. What is no file is a datagram to answer with,
    and an empty one is silence.
    """

    def __init__(self, address: str, port: int, files: dict[str, bytes], answer: bytes = b"") -> None:
        self.asked: list[str] = []
        self.open = 0  # transfers at the moment
        self._files = files
        self._answer = answer
        self._address = address
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._wire.bind((address, port))
        self._greenlets = [gevent.spawn(self._listen)]

    def close(self) -> None:
        """Answer no more."""
        gevent.killall(self._greenlets)
        self._wire.close()

    def _listen(self) -> None:
        while True:
            datagram, peer = self._wire.recvfrom(2048)
            name = datagram[2:].partition(b"\0")[0].decode()
            self.asked.append(name)
            if name in self._files:
                self._greenlets.append(gevent.spawn(self._send, peer, self._files[name]))
            elif self._answer:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
                    wire.bind((self._address, 0))
                    wire.sendto(self._answer, peer)

    def _send(self, peer: tuple[str, int], data: bytes) -> None:
        """One transfer, to its end or to an ERROR."""
        self.open += 1
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire, contextlib.suppress(OSError):
                wire.bind((self._address, 0))
                wire.connect(peer)
                for block in range(1, len(data) // 512 + 2):
                    wire.send(b"\0\3" + block.to_bytes(2, "big") + data[(block - 1) * 512 : block * 512])
                    if wire.recv(2048)[:2] != b"\0\4":
                        return
        finally:
            self.open -= 1
