"""To which worker the kernel gives a client's requests: the same for a client, and never one that is gone."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address

import pytest

from appliance.serve import backoff, datagrams, http
from appliance.serve.listening import Door
from appliance.serve.ports import Port
from tests.serve.proxy import free_port

SOURCES = {4: [f"127.77.{number % 3}.{number}" for number in range(1, 121)], 6: ["::1"]}
HERE = {4: "127.0.0.1", 6: "::1"}


@contextmanager
def port(version: int, transport: str, workers: int) -> Iterator[tuple[Port, tuple[str, int]]]:
    number = free_port()
    address = ip_address(HERE[version])
    it = Port(Door(transport, address, number), 0, workers)
    try:
        yield it, (str(address), number)
    finally:
        it.close()


def arrivals(it: Port, server: tuple[str, int], sources: Sequence[str]) -> list[int]:
    """The worker that each address's request comes to."""
    kind = socket.SOCK_DGRAM if it.transport == "tftp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    found = []
    for source in sources:
        with socket.socket(family, kind) as wire:
            wire.bind((source, 0))
            wire.connect(server)
            if it.transport == "tftp":
                wire.send(b"x")
            found.append(taken(it))
    return found


def taken(it: Port) -> int:
    numbers = []
    for number, wire in enumerate(it.wires):
        try:
            if it.transport == "tftp":
                wire.recv(10)
            else:
                wire.accept()[0].close()
        except BlockingIOError:
            continue
        numbers.append(number)
    (number,) = numbers
    return number


@pytest.mark.parametrize("transport", ["tftp", "http"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("workers", [2, 3, 16])
def test_by_address(workers: int, version: int, transport: str) -> None:
    """Whatever the port; over both transports alike; and evenly."""
    sources = SOURCES[version]
    with port(version, transport, workers) as (it, server):
        found = arrivals(it, server, sources)
        assert arrivals(it, server, sources) == found
        with port(version, "http" if transport == "tftp" else "tftp", workers) as (other, at):
            assert arrivals(other, at, sources) == found
        if version == 4:
            share = len(sources) / workers
            counts = Counter(found)
            assert len(counts) == workers
            assert max(counts.values()) < 2.5 * share


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("running", [[0], [1, 2], [0, 3], [0, 1, 2], [3]])
def test_those_that_do_not_run_get_nothing(running: list[int], version: int) -> None:
    """Their clients go to the others, evenly; nobody else's do; and all come back."""
    sources = SOURCES[version]
    with port(version, "tftp", 4) as (it, server):
        before = arrivals(it, server, sources)
        it.steer(running)
        meanwhile = arrivals(it, server, sources)
        assert set(meanwhile) <= set(running)
        assert all(now == then for now, then in zip(meanwhile, before, strict=True) if then in running)
        moved = Counter(now for now, then in zip(meanwhile, before, strict=True) if then not in running)
        if version == 4:
            assert set(moved) == set(running)
            assert max(moved.values()) < 2 * moved.total() / len(running)
        it.steer(range(4))
        assert arrivals(it, server, sources) == before


def test_none_runs() -> None:
    """Requests wait where they would go to otherwise."""
    with port(4, "tftp", 3) as (it, server):
        before = arrivals(it, server, SOURCES[4])
        it.steer([])
        assert arrivals(it, server, SOURCES[4]) == before


@pytest.mark.parametrize("transport", ["tftp", "http"])
def test_a_port_that_somebody_has(transport: str) -> None:
    """Be it one alone, or one that shares it: with its own."""
    listen = (datagrams if transport == "tftp" else http).listen
    address = ip_address("127.0.0.1")
    with ExitStack() as stack:
        number = free_port()
        alone = stack.enter_context(listen(address, number, 0))
        with pytest.raises(OSError, match="in use"):
            Port(Door(transport, address, number), 0, 2)
        alone.close()
        it = Port(Door(transport, address, number), 0, 2)
        stack.callback(it.close)
        with pytest.raises(OSError, match="in use"):
            Port(Door(transport, address, number), 0, 2)


@pytest.mark.parametrize(
    ("before", "lived", "pause"),
    [
        (0, 0, 0.1),
        (0.1, 0, 0.2),
        (0.2, 29, 0.4),
        (16, 1, 30),
        (30, 1, 30),
        (30, 31, 0.1),
    ],
)
def test_pauses(before: float, lived: float, pause: float) -> None:
    assert backoff.pause(before, lived) == pytest.approx(pause)
