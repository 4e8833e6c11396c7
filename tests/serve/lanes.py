"""Both pumps, the compiled one where it was built, and peers for their lanes."""

from __future__ import annotations

import importlib
import importlib.util
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from tests.netns.process import wait_for

BUILT = importlib.util.find_spec("appliance.serve._pump") is not None
NEEDS_C = pytest.mark.skipif(not BUILT, reason="the extension was not built")


def both(compiled: str, python: str) -> pytest.MarkDecorator:
    """Run a test with each of the two modules, as `module`."""
    names = [pytest.param(f"appliance.serve.{compiled}", marks=NEEDS_C), f"appliance.serve.{python}"]
    return pytest.mark.parametrize("module", names)


def load(module: str) -> ModuleType:
    """The module of `both`."""
    return importlib.import_module(module)


@dataclass
class Pair:
    """A pump with one lane, its socket, and the peer that it is connected to."""

    pump: Any
    lane: Any
    wire: socket.socket
    peer: socket.socket

    def say(self, datagram: bytes) -> None:
        """Have the peer send."""
        self.peer.sendto(datagram, self.wire.getsockname())

    def run(self, now: float) -> list[tuple[Any, int, bytes | None]]:
        """What is told once something has come."""
        told: list[tuple[Any, int, bytes | None]] = []
        wait_for(lambda: _readable(self.pump), "the pump has heard something")
        told += self.pump.run(now)
        return told

    def ack(self, block: int, now: float = 1.0) -> list[tuple[Any, int, bytes | None]]:
        """What is told of an ACK."""
        self.say(struct.pack("!HH", 4, block % 65536))
        return self.run(now)

    def heard(self) -> list[bytes]:
        """All that has come to the peer: on loopback it is there as soon as it is sent."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.peer.recv(65536))
            except BlockingIOError:
                return datagrams

    def blocks(self) -> list[int]:
        """The same as numbers of DATA packets."""
        return [struct.unpack("!HH", datagram[:4])[1] for datagram in self.heard()]


@contextmanager
def pair(module: str, source: str = "127.0.0.1") -> Iterator[Pair]:
    """A lane of this module that nobody has yet."""
    with _socket(source) as wire, _socket(source) as peer:
        wire.connect(peer.getsockname())
        pump = load(module).Pump()
        lane = load(module).Lane(pump, wire.fileno())
        try:
            yield Pair(pump, lane, wire, peer)
        finally:
            lane.close()
            pump.close()


def _socket(source: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    wire = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    wire.bind((source, 0))
    return wire


def _readable(pump: Any) -> bool:
    return bool(select.select([pump.fileno()], [], [], 0)[0])
