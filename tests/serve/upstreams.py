"""Clusters of the tests' own, in threads, with plain sockets: each request is answered as its test says."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from appliance.cluster.probe import is_probe
from tests.serve.phone import Phone, ack, data, error, oack, read_options
from tests.serve.proxy import Proxy, Settings, free_port

ADDRESS = "127.0.1.1"
PATIENCE = 15.0  # s: longer than any client of ours waits


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the name, and the fields (HTTP, in lower case) or options (TFTP) that came with it."""

    name: str
    fields: dict[str, str]
    connection: int = 0


HttpAnswer = Callable[[socket.socket, Asked], object]
"""Sends whatever; when it returns False, or the peer is gone, the connection is closed."""


class _Server:
    """A socket and the thread that listens on it.

    A probe, with which a proxy looks whether asking leads back to it, is answered with "not found"; it
    is in `probes`, and nowhere else.
    """

    kind: socket.SocketKind

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port or free_port()
        self.asked: list[Asked] = []
        self.probes: list[str] = []
        self.failures: list[AssertionError] = []  # what its clients should not have said
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.wire = socket.socket(socket.AF_INET, self.kind)
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.wire.bind((address, self.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for wire in [self.wire, *self._open]:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits there
            wire.close()

    def names(self) -> list[str]:
        """What it was asked for, in order."""
        return [asked.name for asked in self.asked]

    def _note(self, asked: Asked) -> bool:
        """Whether it is for the test to answer."""
        probe = is_probe(asked.name)
        with self._lock:
            if probe:
                self.probes.append(asked.name)
            else:
                self.asked.append(asked)
        return not probe

    def _spawn(self, work: Callable[[], object], wire: socket.socket) -> None:
        def run() -> None:
            with wire, contextlib.suppress(OSError):
                wire.settimeout(PATIENCE)
                try:
                    work()
                except AssertionError as failure:
                    self.failures.append(failure)
            self._open.discard(wire)

        self._open.add(wire)
        threading.Thread(target=run, daemon=True).start()


class HttpUpstream(_Server):
    """Reads requests, and leaves every byte of the answer to `answer`."""

    kind = socket.SOCK_STREAM

    def __init__(self, answer: HttpAnswer, address: str = ADDRESS, port: int = 0) -> None:
        super().__init__(address, port)
        self.connections = 0
        self._answer = answer
        self.wire.listen(200)
        threading.Thread(target=self._listen, daemon=True).start()

    def settings(self, name: str = "east", **more: object) -> Settings:
        """It as a cluster."""
        cluster = {"addresses": self.address, "protocol": "http", "http_port": self.port, **more}
        return {f"clusters/{name}": cluster}

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self.wire.accept()
                self.connections += 1
                self._spawn(functools.partial(self._serve, wire, self.connections), wire)

    def _serve(self, wire: socket.socket, connection: int) -> None:
        with wire.makefile("rb") as lines:
            while line := lines.readline():
                fields = {}
                while (field := lines.readline().decode("latin-1")).strip():
                    key, _, value = field.partition(":")
                    fields[key.lower()] = value.strip()
                asked = Asked(line.split(b" ")[1].decode().removeprefix("/"), fields, connection)
                if not self._note(asked):
                    self.connections -= 1
                    wire.sendall(head("Content-Length: 0", "Connection: close", status="404 Not Found"))
                    return
                if self._answer(wire, asked) is False:
                    return


class Tid:
    """The server's side of one transfer. What comes from elsewhere than the client is left out."""

    def __init__(self, wire: socket.socket, client: tuple[str, int]) -> None:
        self.wire = wire
        self.client = client

    def send(self, datagram: bytes) -> None:
        """Send to the client."""
        self.wire.sendto(datagram, self.client)

    def receive(self) -> bytes:
        """The client's next datagram; OSError after a while."""
        while True:
            datagram, source = self.wire.recvfrom(65536)
            if source == self.client:
                return datagram

    def give(self, body: bytes, first: int = 1, blksize: int = 512) -> None:
        """The blocks of a file from `first` on, each after the ACK of the one before. Ends at an ERROR."""
        for number in range(first, len(body) // blksize + 2):
            self.send(data(number, body[(number - 1) * blksize : number * blksize]))
            while (answer := self.receive()) != ack(number):
                if answer[:2] == b"\0\5":
                    return

    def agree(self, *options: str) -> bytes:
        """Send an OACK; what the client answers."""
        self.send(oack(*options))
        return self.receive()


TftpAnswer = Callable[[Tid, Asked], object]


class TftpUpstream(_Server):
    """Takes requests; each is answered from a port of its own."""

    kind = socket.SOCK_DGRAM

    def __init__(self, answer: TftpAnswer, address: str = ADDRESS, port: int = 0) -> None:
        super().__init__(address, port)
        self._answer = answer
        threading.Thread(target=self._listen, daemon=True).start()

    def settings(self, name: str = "east", **more: object) -> Settings:
        """It as a cluster."""
        cluster = {"addresses": self.address, "protocol": "tftp", "tftp_port": self.port, **more}
        return {f"clusters/{name}": cluster}

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                request, client = self.wire.recvfrom(65536)
                if not request:  # what `shutdown` wakes with
                    return
                name, _, *options = request[2:].split(b"\0")[:-1]
                asked = Asked(name.decode(), read_options(b"\0\6" + b"".join(o + b"\0" for o in options)))
                if not self._note(asked):
                    self.wire.sendto(error(1), client)
                    continue
                wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                wire.bind((self.address, 0))
                self._spawn(functools.partial(self._answer, Tid(wire, client), asked), wire)


def head(*fields: str, status: str = "200 OK") -> bytes:
    """The head of an HTTP answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


def whole(body: bytes, status: str = "200 OK") -> bytes:
    """An HTTP answer as it should be."""
    return head(f"Content-Length: {len(body)}", status=status) + body


def reset(wire: socket.socket) -> bool:
    """Have the connection end by a reset."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


Outcome = bytes | int
"""A whole file; 1 for "not found"; 0 where nobody knows, or where it broke off."""


def ask_http(server: tuple[str, int], name: str, source: str = "", patience: float = 15.0) -> Outcome:
    """Ask as a phone does."""
    with socket.create_connection(server, patience, (source, 0)) as wire:
        wire.sendall(f"GET /{name} HTTP/1.1\r\nHost:{server[0]}\r\n\r\n".encode())
        with wire.makefile("rb") as answer:
            try:
                status = int(answer.readline().split(b" ")[1])
                length = -1
                while line := answer.readline().strip():
                    key, _, value = line.partition(b":")
                    length = int(value) if key.lower() == b"content-length" else length
                body = answer.read(length)
            except ConnectionResetError:
                return 0
    assert status in (200, 404, 503), status
    if status != 200:
        return 1 if status == 404 else 0
    return body if len(body) == length else 0


def ask_tftp(server: tuple[str, int], name: str, source: str = "", patience: float = 15.0) -> Outcome:
    """Ask without options, as phones do."""
    received = bytearray()
    with Phone(server, source) as phone:
        phone.ask(name)
        while True:
            datagram = phone.receive(patience)
            opcode, number = struct.unpack("!HH", datagram[:4])
            if opcode == 5:
                assert number in (0, 1), datagram
                return int(number)
            assert opcode == 3
            if number == (len(received) // 512 + 1) % 65536:
                received += datagram[4:]
                phone.send(ack(number))
                if len(datagram) < 516:
                    return bytes(received)


ASK: dict[str, Callable[..., Outcome]] = {"tftp": ask_tftp, "http": ask_http}


def ask_both(proxy: Proxy, name: str, source: str = "") -> list[Outcome]:
    """What two phones get that ask at the same time, over TFTP and over HTTP, for a file each."""

    def ask(transport: str) -> Outcome:
        return ASK[transport](getattr(proxy, transport), f"{name}.{transport}", source)

    with ThreadPoolExecutor(2) as phones:
        return list(phones.map(ask, ASK))
