"""The lists of clusters, fetched: what of them is known, and when they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from appliance.cluster.inventories import Inventories
from appliance.cluster.inventory import NAME, SIZE_MAX
from tests.cluster.answers import breaks, has_not, silent
from tests.cluster.servers import HANG_UP, Answer, Asked, reply
from tests.cluster.world import ONE, TWO, World, until

SEP, OTHER = "SEP001122334455", "SEP001122334466"
LISTED = "inventory = yes"


def listing(*devices: str) -> bytes:
    """A cluster's list of all its configurations."""
    return "".join(f"{device}.cnf.xml.sgn\t12952\r\n" for device in devices).encode()


def gives(*devices: str) -> Answer:
    return lambda asked: [reply(200, listing(*devices))]


@contextmanager
def running(world: World, *addresses: str, each: str = LISTED) -> Iterator[Inventories]:
    made = Inventories(world.configuration(*addresses, each=each), world.fetches, world.faults.append)
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_lists_of_two(world: World) -> None:
    """Of a device in both the first in order counts."""
    east, west = world.http(gives(SEP)), world.http(gives(SEP, OTHER), TWO)
    with running(world, ONE, TWO) as made:
        until(lambda: len(made.inventory) == 3)
        assert [made.inventory.count(name) for name in ("east", "west", "north")] == [1, 2, 0]
        order = ("east", "west")
        assert [made.inventory.place(device, order) for device in (SEP, OTHER)] == ["east", "west"]
        assert made.inventory.place(SEP, ("west", "east")) == "west"
        assert made.inventory.place("SEP000000000000", order) is None
    lines = [asked.line for server in (east, west) for asked in server.asked]
    assert lines == [f"GET /{NAME} HTTP/1.1"] * 2


def test_only_where_it_is_wanted(world: World) -> None:
    server = world.http(gives(SEP))
    with running(world, ONE, each="") as made:
        made.configure(world.configuration(ONE))
        gevent.idle()
        assert len(made.inventory) == 0
        made.configure(world.configuration(ONE, each=LISTED))
        until(lambda: made.inventory.count("east") == 1)
        assert len(server.asked) == 1
        made.configure(world.configuration(ONE))
        assert made.inventory.place(SEP, ("east",)) is None


def too_long(asked: Asked) -> Iterator[bytes | None]:
    """A list without an end."""
    yield b"HTTP/1.1 200 OK\r\n\r\n" + listing(OTHER)
    for _ in range(10 * SIZE_MAX // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize(
    "then",
    [has_not, breaks, lambda asked: [reply(500)], lambda asked: [HANG_UP]],
    ids=["404", "broken off", "500", "closed"],
)
def test_a_list_that_does_not_come_leaves_the_one_before(world: World, then: Answer) -> None:
    """One cluster is asked after the other: that the last has been asked tells that the first is done."""
    way = [gives(SEP)]
    world.http(lambda asked: way[0](asked))
    last = world.http(has_not, TWO)
    asked = world.configuration(ONE, TWO, each=LISTED)
    with running(world, ONE, TWO) as made:
        until(lambda: len(last.asked) == 1)
        assert made.inventory.place(SEP, ("east",)) == "east"
        way[0] = then
        made.configure(asked)
        until(lambda: len(last.asked) == 2)
        assert made.inventory.place(SEP, ("east",)) == "east"
        way[0] = gives(OTHER)
        made.configure(asked)
        until(lambda: len(last.asked) == 3)
        assert [made.inventory.place(device, ("east",)) for device in (SEP, OTHER)] == [None, "east"]


def test_a_list_without_an_end(world: World) -> None:
    """No more of it is taken than there is room for, and the next cluster is asked all the same."""
    server = world.http(too_long)
    world.http(gives(SEP), TWO)
    with running(world, ONE, TWO) as made:
        until(lambda: made.inventory.count("west") == 1)
        until(lambda: server.open == 0)
        assert made.inventory.count("east") <= 1


def test_the_end(world: World) -> None:
    """Also while a list is waited for."""
    server = world.http(silent)
    with running(world, ONE):
        until(lambda: len(server.asked) == 1)
    until(lambda: server.open == 0)


def test_a_fault_costs_one_list(world: World) -> None:
    server = world.http(gives(SEP))
    made = Inventories(world.configuration(ONE, TWO, each=LISTED), world.fetches, world.faults.append)
    world.http(gives(OTHER), TWO)
    put = made.inventory.put

    def fail(cluster: str, named: frozenset[str]) -> None:
        if cluster == "east":
            raise ValueError("a mistake")
        put(cluster, named)

    made.inventory.put = fail  # type: ignore[method-assign]
    made.start()
    until(lambda: made.inventory.count("west") == 1)
    made.close()
    assert [str(fault) for fault in world.faults] == ["a mistake"]
    assert len(server.asked) == 1
    world.faults.clear()
