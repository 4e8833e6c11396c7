"""The port of HTTP when the system refuses a connection, or we make a mistake over one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any, cast

import gevent
import pytest

from appliance.config.model import IPAddress
from appliance.serve.http import Connections, HttpListener
from appliance.serve.log import Log
from tests.hub import watched

BOUND = 5.0  # s


class Door(socket.socket):
    """Fails so often, then takes connections."""

    fails = 0
    asked = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.fails:
            self.fails -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Inside:
    """Takes connections, and what is said of them."""

    def __init__(self) -> None:
        self.taken: list[IPAddress] = []
        self.said: list[str] = []
        self.faults: list[BaseException] = []
        self.mistakes = 0

    def take(self, wire: socket.socket, client: IPAddress) -> None:
        wire.close()
        if self.mistakes:
            self.mistakes -= 1
            raise LookupError("a mistake of ours")
        self.taken.append(client)

    def event(self, event: str, **facts: str) -> None:
        self.said.append(f"{event}: {facts['why']}")

    def fault(self, error: BaseException) -> None:
        self.faults.append(error)


@pytest.fixture
def door() -> Iterator[Door]:
    with watched(), Door() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.setblocking(False)
        yield door


def knock(door: Door, inside: Inside, count: int, until: int) -> None:
    """Connect so often, and wait until so many are taken."""
    wires = [socket.create_connection(door.getsockname()) for _ in range(count)]
    with gevent.Timeout(BOUND):
        while len(inside.taken) < until:
            gevent.sleep(0.01)
    for wire in wires:
        wire.close()


def test_out_of_descriptors(door: Door) -> None:
    """It tries again after a while, and not all the time."""
    inside = Inside()
    door.fails = 2
    listener = HttpListener(door, cast(Connections, inside), cast(Log, inside))
    knock(door, inside, 3, until=3)
    listener.close()
    assert inside.said == ["accept failed: Too many open files"] * 2
    assert door.asked <= 2 + 3 + 3  # each turn ends with a look that finds nobody
    assert inside.faults == []


def test_a_mistake_costs_one_connection(door: Door) -> None:
    inside = Inside()
    inside.mistakes = 1
    listener = HttpListener(door, cast(Connections, inside), cast(Log, inside))
    knock(door, inside, 3, until=2)
    listener.close()
    assert [str(fault) for fault in inside.faults] == ["a mistake of ours"]
    assert inside.said == []


def test_more_than_one_turn(door: Door) -> None:
    inside = Inside()
    listener = HttpListener(door, cast(Connections, inside), cast(Log, inside))
    knock(door, inside, 60, until=60)
    listener.close()
    assert {str(client) for client in inside.taken} == {"127.0.0.1"}
