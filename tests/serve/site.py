"""A site whose power returns: thousands of phones, each with a port and a timer of its own, in one thread."""

from __future__ import annotations

import heapq
import resource
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.serve.phone import rrq

RETRY = 1.0  # s without an answer; what phones do
BLOCK = 512  # bytes


@dataclass(slots=True)
class _Phone:
    wire: socket.socket
    last: bytes
    server: tuple[str, int]
    due: float = 0.0
    blocks: int = 0
    whole: bool = False
    body: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Figures:
    """How it went, until the last phone had its file, or patience was at its end."""

    phones: int
    whole: int
    wrong: int
    seconds: float
    retries: int

    def __str__(self) -> str:
        rate = self.whole / self.seconds
        return (
            f"{self.whole} of {self.phones} phones whole in {self.seconds:.2f} s: {rate:.0f} transfers/s, "
            f"{self.retries} retries"
        )


def addresses(count: int, network: int) -> list[str]:
    """Addresses spread over 127.NETWORK.0.0/16."""
    return [f"127.{network}.{number // 250}.{number % 250 + 1}" for number in range(count)]


@contextmanager
def sockets(sources: Sequence[str]) -> Iterator[list[socket.socket]]:
    """A UDP socket for each of these addresses."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wires: list[socket.socket] = []
    try:
        for source in sources:
            wires.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
            wires[-1].bind((source, 0))
        yield wires
    finally:
        for wire in wires:
            wire.close()


def fetch_all(
    server: tuple[str, int], sources: Sequence[str], name: str, body: bytes, patience: float = 60.0
) -> Figures:
    """Let a phone of each address fetch the file, lock-step, all from the same moment on."""
    with sockets(sources) as wires, select.epoll() as poll:
        phones = {wire.fileno(): _Phone(wire, rrq(name), server) for wire in wires}
        for number in phones:
            poll.register(number, select.EPOLLIN)
        started = now = time.monotonic()
        timers: list[tuple[float, int]] = []
        for number, phone in phones.items():
            _send(phone, number, timers, time.monotonic())
        left, wrong, retries = len(phones), 0, 0
        while left and now - started < patience:
            for number, _ in poll.poll(max(0.0, timers[0][0] - now) if timers else 0.1):
                phone = phones[number]
                if _take(phone, number, timers):
                    poll.unregister(number)
                    wrong += phone.body != body
                    left -= 1
            now = time.monotonic()
            while timers and timers[0][0] <= now:
                due, number = heapq.heappop(timers)
                phone = phones[number]
                if not phone.whole and phone.due == due:
                    retries += 1
                    _send(phone, number, timers, now)
        return Figures(len(phones), len(phones) - left - wrong, wrong, now - started, retries)


def _send(phone: _Phone, number: int, timers: list[tuple[float, int]], now: float) -> None:
    phone.wire.sendto(phone.last, phone.server)
    phone.due = now + RETRY
    heapq.heappush(timers, (phone.due, number))


def _take(phone: _Phone, number: int, timers: list[tuple[float, int]]) -> bool:
    """One datagram; whether the file has come to its end."""
    datagram, source = phone.wire.recvfrom(2048)
    if datagram[:2] != b"\0\3" or struct.unpack("!H", datagram[2:4])[0] != phone.blocks + 1:
        return False
    phone.blocks += 1
    phone.body += datagram[4:]
    phone.last, phone.server = b"\0\4" + datagram[2:4], source
    _send(phone, number, timers, time.monotonic())
    phone.whole = len(datagram) < BLOCK + 4
    return phone.whole
