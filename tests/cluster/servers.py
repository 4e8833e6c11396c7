"""Small servers on loopback, each doing what its test says. Plain gevent sockets: nothing of the
product judges itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import gevent
from gevent import socket
from gevent.event import Event

HANG_UP, STALL = b"", None
"""Among the pieces of an answer: close the connection here; say no more until the client closes it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request: on which connection, counted from 0, and its head."""

    connection: int
    line: str
    fields: dict[str, str]


Answer = Callable[[Asked], Iterable[bytes | None]]


def reply(status: int, body: bytes = b"", *fields: str) -> bytes:
    """A whole answer, with its length."""
    lines = [f"HTTP/1.1 {status} Some words", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


class HttpServer:
    """Answers each request on a connection with the pieces that `answer` gives. Closes a connection on
    which nothing came for `idle` s.
    """

    def __init__(self, address: str, port: int, answer: Answer, idle: float | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.open = 0  # connections at the moment
        self.most = 0  # at one time
        self.gone = Event()  # some connection has ended
        self._answer = answer
        self._idle = idle
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._wire.bind((address, port))
        self._wire.listen(100)
        self._greenlets: list[gevent.Greenlet[..., None]] = [gevent.spawn(self._accept)]

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
            wire.settimeout(self._idle)
            with wire, wire.makefile("rb") as lines, suppress(OSError):
                while line := lines.readline():
                    fields = {}
                    while (field := lines.readline().decode()).strip():
                        name, _, value = field.partition(":")
                        fields[name.lower()] = value.strip()
                    self.asked.append(asked := Asked(number, line.decode().strip(), fields))
                    for piece in self._answer(asked):
                        if piece is STALL:
                            lines.read()
                        if not piece:
                            return
                        wire.sendall(piece)
        finally:
            self.open -= 1
            self.gone.set()


class BlackHole:
    """A TCP port where no connection comes about, and no refusal comes back: its backlog is full."""

    def __init__(self, address: str, port: int) -> None:
        self._wires = ExitStack()
        listening = self._wires.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        while self._connects(address, port):
            pass

    def close(self) -> None:
        """Refuse connections."""
        self._wires.close()

    def _connects(self, address: str, port: int) -> bool:
        wire = self._wires.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        wire.settimeout(0.1)
        try:
            wire.connect((address, port))
        except TimeoutError:
            return False
        return True


class TftpServer:
    """Sends files in blocks of 512 bytes, without options; refuses a request that has some if `plain`.
    What is no file is answered with the datagram `answer`, or not at all.
    """

    def __init__(
        self, address: str, port: int, files: dict[str, bytes], answer: bytes = b"", plain: bool = False
    ) -> None:
        self.asked: list[str] = []
        self.open = 0  # transfers at the moment
        self._files = files
        self._answer = answer
        self._plain = plain
        self._wires = ExitStack()
        self._wire = self._bound(address, port)
        self._greenlets: list[gevent.Greenlet[..., None]] = [gevent.spawn(self._listen, address)]

    def close(self) -> None:
        """Answer no more."""
        gevent.killall(self._greenlets)
        self._wires.close()

    def _bound(self, address: str, port: int = 0) -> socket.socket:
        wire = self._wires.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        wire.bind((address, port))
        return wire

    def _listen(self, address: str) -> None:
        while True:
            datagram, peer = self._wire.recvfrom(2048)
            name, _, *options = datagram[2:].removesuffix(b"\0").split(b"\0")
            self.asked.append(name.decode())
            wire = self._bound(address)
            if options and self._plain:
                wire.sendto(b"\0\5\0\10no options\0", peer)
            elif (data := self._files.get(name.decode())) is not None:
                wire.connect(peer)
                self._greenlets.append(gevent.spawn(self._send, wire, data))
            elif self._answer:
                wire.sendto(self._answer, peer)

    def _send(self, wire: socket.socket, data: bytes) -> None:
        """One transfer, to its end or to an ERROR."""
        self.open += 1
        try:
            for block in range(1, len(data) // 512 + 2):
                wire.send(b"\0\3" + block.to_bytes(2, "big") + data[(block - 1) * 512 : block * 512])
                if wire.recv(2048)[:2] != b"\0\4":
                    return
        except OSError:
            pass  # the client has gone
        finally:
            self.open -= 1
