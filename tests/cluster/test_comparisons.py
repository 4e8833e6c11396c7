"""Homes compared in the background, with clusters whose files change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from appliance.cluster.comparisons import Comparisons
from appliance.cluster.homes import Home, Homes
from appliance.cluster.knowledge import Event
from appliance.cluster.names import read
from appliance.config.model import Cluster
from tests.cluster.answers import FILE
from tests.cluster.servers import Answer, Asked, reply
from tests.cluster.world import ONE, TWO, World, until

SEP = "SEP001122334455"
PLAIN = f"{SEP}.cnf.xml"
FORMS = read(PLAIN.encode()).configurations
SLOW, QUICK = 3600.0, 0.02


def having(*names: str, status: int = 404) -> Answer:
    """A cluster with these files; what it says of others."""

    def answer(asked: Asked) -> list[bytes | None]:
        name = asked.line.split()[1].removeprefix("/")
        return [reply(200, FILE) if name in names else reply(status)]

    return answer


HAS, HAS_SIGNED, HAS_NOT, FAILS = having(PLAIN), having(f"{PLAIN}.sgn"), having(), having(status=500)


class Side:
    """A box with two clusters, and what it told of devices."""

    def __init__(self, world: World, east: Answer, west: Answer, pace: float) -> None:
        self.east, self.west = world.http(east), world.http(west, TWO)
        self.homes = Homes()
        self.told: list[Event] = []
        self.looping: set[str] = set()
        self.comparisons = Comparisons(
            world.configuration(ONE, TWO),
            world.fetches,
            self.homes,
            self.tell,
            world.faults.append,
            self.unused,
            pace,
        )

    def unused(self, cluster: Cluster) -> str:
        return "it loops" if cluster.name in self.looping else ""

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def home(self) -> Home | None:
        return self.homes.of(SEP, time.time())

    def compared(self) -> bool:
        """Whether the home was compared just now, or is gone."""
        home = self.home()
        return home is None or home.compared > time.time() - 60

    def lines(self) -> list[str]:
        """What was asked of both."""
        return sorted({asked.line.split()[1] for server in (self.east, self.west) for asked in server.asked})


@contextmanager
def side(world: World, east: Answer, west: Answer, pace: float = SLOW) -> Iterator[Side]:
    """Running, with a device that is at home in east, and was compared long ago."""
    made = Side(world, east, west, pace)
    made.homes.learn(SEP, Home("east", time.time(), 0.0))
    made.comparisons.start()
    try:
        yield made
    finally:
        made.comparisons.close()


def boots(side: Side) -> None:
    home = side.home()
    assert home is not None
    side.comparisons.boots(SEP, home, FORMS, time.time())


MOVED = Event("device has moved: from its next boot on", SEP, "west", ("east",))
DOUBLE = Event("device in several clusters", SEP, "east", ("west",))
GONE = Event("device is nowhere any more", SEP, "east")

ROWS: list[tuple[Answer, Answer, list[Event], dict[str, object] | None]] = [
    # east, west, what is told, and what the home is then besides compared
    (HAS, HAS_NOT, [], {}),
    (HAS_SIGNED, HAS_NOT, [], {}),
    (HAS, FAILS, [], {}),
    (HAS, HAS, [DOUBLE], {"duplicates": ("west",)}),
    (HAS_NOT, HAS, [MOVED], {"following": "west"}),
    (HAS_NOT, HAS_SIGNED, [MOVED], {"following": "west"}),
    (HAS_NOT, HAS_NOT, [GONE], None),
]


@pytest.mark.parametrize(("east", "west", "told", "changes"), ROWS)
def test_a_device_that_boots(
    world: World, east: Answer, west: Answer, told: list[Event], changes: dict[str, object] | None
) -> None:
    with side(world, east, west) as here:
        boots(here)
        until(here.compared)
        home = here.home()
        if changes is None:
            assert home is None
        else:
            assert home is not None
            assert home == replace(Home("east", home.seen, home.compared), **changes)  # type: ignore[arg-type]
        until(lambda: len(here.told) == len(told))
        assert here.told == told
        assert len(world.fetches) <= 4  # of which all may end as they like


@pytest.mark.parametrize(("east", "west"), [(FAILS, HAS), (HAS_NOT, FAILS)])
def test_silence_is_no_evidence(world: World, east: Answer, west: Answer) -> None:
    with side(world, east, west) as here:
        before = here.home()
        boots(here)
        until(lambda: len(here.east.asked) > 0 and len(here.west.asked) > 0)
        until(lambda: not len(world.fetches))
        assert here.home() == before
        assert here.told == []


def test_the_same_news_are_told_once(world: World) -> None:
    with side(world, HAS, HAS) as here:
        boots(here)
        until(lambda: here.told == [DOUBLE])
        home = here.home()
        assert home is not None
        here.homes.learn(SEP, replace(home, compared=0.0))
        boots(here)
        until(here.compared)
        assert here.told == [DOUBLE]


def test_a_home_that_was_compared_lately(world: World) -> None:
    with side(world, HAS, HAS) as here:
        here.homes.learn(SEP, Home("east", time.time(), time.time()))
        boots(here)
        other = Home("east", time.time(), 0.0)
        here.homes.learn("SEP000000000000", other)
        here.comparisons.boots(
            "SEP000000000000", other, read(b"SEP000000000000.cnf.xml").configurations, time.time()
        )
        until(lambda: here.told == [Event("device is nowhere any more", "SEP000000000000", "east")])
        assert f"/{PLAIN}" not in here.lines()


def test_one_that_is_at_home_elsewhere_meanwhile(world: World) -> None:
    """A request has found out while the clusters were asked: that stands."""
    found = Home("west", time.time(), time.time())
    with side(world, HAS_NOT, HAS_NOT) as here:

        def answer(asked: Asked) -> list[bytes | None]:
            here.homes.learn(SEP, found)
            return [reply(404)]

        here.east.close()
        here.east = world.http(answer)
        boots(here)
        until(lambda: here.home() == found)
        until(lambda: len(here.lines()) == 2)
        until(lambda: not len(world.fetches))
        assert (here.home(), here.told) == (found, [])


def test_one_of_the_local_store_is_not_compared(world: World) -> None:
    with side(world, HAS, HAS, QUICK) as here:
        here.homes.learn(SEP, Home("local", time.time(), 0.0))
        boots(here)
        here.homes.learn("SEP000000000000", Home("east", time.time(), 0.0))
        until(lambda: len(here.told) == 1)
        assert f"/{PLAIN}" not in here.lines()


def test_the_slow_round(world: World) -> None:
    """It comes to every phone whose home has not been compared for long, whether it boots or not."""
    phones = [f"SEP00112233445{number}" for number in range(5)]
    with side(world, having(*(f"{phone}.cnf.xml" for phone in phones)), HAS_NOT, QUICK) as here:
        for phone in phones:
            here.homes.learn(phone, Home("east", time.time(), 0.0))
        here.homes.learn("GATEWAY.EXAMPLE.COM", Home("east", time.time(), 0.0))
        lately = Home("east", time.time(), time.time())
        here.homes.learn("SEP000000000000", lately)

        def all_compared() -> bool:
            homes = [here.homes.of(phone, time.time()) for phone in phones]
            return all(home is not None and home.compared > 0 for home in homes)

        until(all_compared)
        assert here.homes.of("SEP000000000000", time.time()) == lately
        assert not any("GATEWAY" in line.upper() or "000000000000" in line for line in here.lines())


def test_a_fault_costs_one_comparison(world: World) -> None:
    with side(world, HAS, HAS, QUICK) as here:
        told: list[Event] = []

        def fail_once(event: Event) -> None:
            told.append(event)
            if len(told) == 1:
                raise ValueError("a mistake")

        here.comparisons._tell = fail_once
        boots(here)
        until(lambda: len(world.faults) == 1)
        here.homes.learn("SEP000000000000", Home("east", time.time(), 0.0))
        until(lambda: len(told) == 2)
    assert [str(fault) for fault in world.faults] == ["a mistake"]
    world.faults.clear()


def test_another_configuration(world: World) -> None:
    with side(world, HAS_NOT, HAS) as here:
        here.comparisons.configure(world.configuration(ONE))
        boots(here)
        until(lambda: here.told == [GONE])
        assert here.west.asked == []
