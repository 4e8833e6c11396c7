"""A TFTP client of plain datagrams: what it sends and how it behaves is the test's to say."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import Any, Self

Address = tuple[Any, ...]
"""(host, port), for IPv6 with flow and scope as well."""

BLOCK = 512
PATIENCE = 3.0  # s for an answer that must come


class Refused(Exception):
    """The server ended the transfer with this ERROR."""

    def __init__(self, code: int, received: bytes) -> None:
        super().__init__(f"ERROR {code} after {len(received)} bytes")
        self.code = code
        self.received = received


def rrq(name: str | bytes, *strings: str | bytes, mode: str = "octet", opcode: int = 1) -> bytes:
    """A request; `strings` are names and values of options in turn."""
    parts = [part if isinstance(part, bytes) else part.encode() for part in (name, mode, *strings)]
    return struct.pack("!H", opcode) + b"".join(part + b"\0" for part in parts)


def ack(block: int) -> bytes:
    """An ACK; `block` counts without bound."""
    return struct.pack("!HH", 4, block % 65536)


def data(block: int, payload: bytes) -> bytes:
    """A DATA packet."""
    return struct.pack("!HH", 3, block % 65536) + payload


def error(code: int, text: bytes = b"") -> bytes:
    """An ERROR."""
    return struct.pack("!HH", 5, code) + text + b"\0"


def oack(*strings: str) -> bytes:
    """An OACK of these names and values."""
    return b"\0\6" + b"".join(part.encode() + b"\0" for part in strings)


class Phone:
    """One socket. `tid` is where the last answer came from."""

    def __init__(self, server: Address, source: str = "", wire: socket.socket | None = None) -> None:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.server = (*server, 0, 0) if family == socket.AF_INET6 and len(server) == 2 else server
        self.tid = self.server
        self.wire = wire or socket.socket(family, socket.SOCK_DGRAM)
        if wire is None:
            self.wire.bind((source, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.close()

    def ask(self, name: str | bytes, *options: str, mode: str = "octet") -> None:
        """Send a request to the server's port."""
        self.wire.sendto(rrq(name, *options, mode=mode), self.server)

    def send(self, datagram: bytes, to: Address | None = None) -> None:
        """Send to the running transfer, or to another address."""
        self.wire.sendto(datagram, to or self.tid)

    def receive(self, timeout: float = PATIENCE) -> bytes:
        """The next datagram; AssertionError when none comes."""
        datagram = self.heard(timeout)
        assert datagram is not None, f"no answer within {timeout:g} s"
        return datagram

    def heard(self, timeout: float) -> bytes | None:
        """The next datagram, None when none comes."""
        self.wire.settimeout(timeout)
        try:
            datagram, source = self.wire.recvfrom(65536)
        except TimeoutError:
            return None
        self.tid = (source[0].partition("%")[0], *source[1:])
        return datagram

    def waiting(self) -> list[bytes]:
        """What has come and was not taken yet."""
        datagrams = []
        while (datagram := self.heard(0.02)) is not None:
            datagrams.append(datagram)
        return datagrams

    def fetch(self, name: str | bytes, *options: str, mode: str = "octet") -> bytes:
        """A whole file, whatever way it takes; `Refused`. Repeats nothing: on loopback nothing is lost."""
        self.ask(name, *options, mode=mode)
        return self.finish()

    def finish(self, received: bytes = b"", blocks: int = 0, blksize: int = BLOCK, window: int = 1) -> bytes:
        """The rest of a file of which so much is here; `Refused`."""
        body = bytearray(received)
        pending = 0
        while True:
            datagram = self.receive()
            opcode, number = struct.unpack("!HH", datagram[:4])
            if opcode == 5:
                raise Refused(number, bytes(body))
            if opcode == 6:
                given = read_options(datagram)
                blksize = int(given.get("blksize", blksize))
                window = int(given.get("windowsize", window))
                self.send(ack(0))
                continue
            assert opcode == 3, datagram[:40]
            if number != (blocks + 1) % 65536:
                continue  # a repetition
            body += datagram[4:]
            blocks += 1
            pending += 1
            last = len(datagram) - 4 < blksize
            if last or pending == window:
                self.send(ack(blocks))
                pending = 0
            if last:
                return bytes(body)


def read_options(datagram: bytes) -> dict[str, str]:
    """The options of an OACK."""
    strings = [part.decode() for part in datagram[2:].split(b"\0")[:-1]]
    return dict(zip(strings[0::2], strings[1::2], strict=True))


def fetch(server: Address, name: str | bytes, *options: str, mode: str = "octet", source: str = "") -> bytes:
    """A whole file by a phone of its own; `Refused`."""
    with Phone(server, source) as phone:
        return phone.fetch(name, *options, mode=mode)


def timed_fetch(server: Address, name: str, source: str = "") -> tuple[bytes, float]:
    """The same, and the seconds it took."""
    started = time.monotonic()
    return fetch(server, name, source=source), time.monotonic() - started
