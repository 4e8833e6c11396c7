"""Probes on their way, with servers that lead back here and servers that do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from appliance.cluster.clients import Clients
from appliance.cluster.fetch import Fetches
from appliance.cluster.loops import FORWARDS_MAX, Loops, Pace
from appliance.cluster.probe import Arrival, is_probe
from appliance.config.model import Configuration, Protocol
from tests.cluster.answers import has_not, silent
from tests.cluster.servers import Asked, reply
from tests.cluster.world import ONE, TWO, VIA, World, until

OTHERS = f"appliance-probe-{'ab' * 16}.txt"
QUICK = Pace(every=0.05, looping=0.02, settle=0.0)
SLOW = Pace()


class Box:
    """What looks for circles, and what it told."""

    def __init__(self, world: World, asked: Configuration, pace: Pace) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        self.loops = Loops(
            asked,
            lambda event, facts: self.told.append((event, dict(facts))),
            world.faults.append,
            pace,
        )
        self.clients = Clients(world.room, VIA, world.faults.append, probe_name=self.loops.probe_name)
        self.fetches = Fetches(self.clients)

    def events(self) -> list[str]:
        """What it told, without the facts."""
        return [event for event, _ in self.told]

    def out_of_use(self, cluster: str = "east", address: str = ONE) -> str:
        """Why an address is not asked."""
        return self.loops.out_of_use(cluster, ip_address(address))

    def in_use(self, configuration: Configuration) -> list[str]:
        """The addresses that are asked."""
        return [str(each) for cluster in configuration.clusters for each in self.clients.in_use(cluster)]

    def back(self, asked: Asked) -> list[bytes | None]:
        """The answer of a server that asks this box for whatever it is asked for, and has nothing else."""
        path = asked.line.split()[1].removeprefix("/")
        assert is_probe(path)
        assert self.loops.arrived(path, "http") is Arrival.OURS
        return [reply(404)]


@contextmanager
def box(world: World, asked: Configuration, pace: Pace = QUICK) -> Iterator[Box]:
    """Running."""
    made = Box(world, asked, pace)
    made.loops.start(made.fetches)
    try:
        yield made
    finally:
        made.loops.close()
        made.clients.stop()


def answers(first: Callable[[Asked], list[bytes | None]]) -> list[Callable[[Asked], list[bytes | None]]]:
    """How a server answers: its only item, which a test may replace."""
    return [first]


def test_a_circle_is_found_stays_found_and_heals(world: World) -> None:
    way = answers(has_not)
    server = world.http(lambda asked: way[0](asked))
    with box(world, world.configuration(ONE)) as here:
        way[0] = here.back
        until(lambda: here.events() == ["address loops"])
        assert here.told[0][1] == {"cluster": "east", "address": ONE, "over": "http"}
        count = len(server.asked)
        until(lambda: len(server.asked) > count + 5)
        assert here.out_of_use().startswith("leads back to this box: a probe came back over HTTP ")
        assert here.events() == ["address loops"]
        way[0] = has_not
        until(lambda: here.out_of_use() == "")
        until(lambda: here.events() == ["address loops", "address loops no more"])
        count = len(server.asked)
        until(lambda: len(server.asked) > count + 3)
        assert len(here.told) == 2
    assert len({asked.line for asked in server.asked}) == len(server.asked), (
        "each probe has a name of its own"
    )


@pytest.mark.parametrize("leading", [ONE, TWO])
def test_one_address_that_leads_back(leading: str, world: World) -> None:
    """The one beside it stays in use, all the time; both together are the whole cluster."""
    ways = {each: answers(has_not) for each in (ONE, TWO)}
    servers = {each: world.http(lambda asked, way=way: way[0](asked), each) for each, way in ways.items()}  # type: ignore[misc]
    asked = world.configuration(f"{ONE}, {TWO}")
    (other,) = {ONE, TWO} - {leading}
    with box(world, asked) as here:
        ways[leading][0] = here.back
        until(lambda: here.events() == ["address loops"])
        assert here.told[0][1] == {"cluster": "east", "address": leading, "over": "http"}
        count = len(servers[leading].asked)
        until(lambda: len(servers[leading].asked) > count + 5)
        assert (here.in_use(asked), here.out_of_use(address=other)) == ([other], "")
        ways[other][0] = here.back
        until(lambda: here.in_use(asked) == [])
        ways[leading][0] = has_not
        until(lambda: here.in_use(asked) == [leading])
        ways[other][0] = has_not
        until(lambda: here.in_use(asked) == [ONE, TWO])
        assert here.events() == ["address loops"] * 2 + ["address loops no more"] * 2


@pytest.mark.parametrize(
    ("client", "via", "why"),
    [
        ("10.66.0.2", "", "an address of this box itself"),
        ("10.66.0.1", VIA, "an address of this box itself"),
        ("10.66.0.2", f"{VIA}, 1.1 squid", "an address of this box itself"),
        ("10.66.0.1", "", "leads back to this box"),
        ("10.66.0.1", "1.1 squid", "leads back to this box"),
        ("10.66.0.2", "1.1 appliance-fedcba9876543210", "leads back to this box"),  # that one is here as well
        ("127.0.0.1", "", "leads back to this box"),
    ],
)
def test_how_an_address_leads_back(client: str, via: str, why: str, world: World) -> None:
    """Behind address translation it is this box itself, where nobody is between."""

    def back(asked: Asked) -> list[bytes | None]:
        path = asked.line.split()[1].removeprefix("/")
        assert here.loops.arrived(path, "http", ip_address(client), via) is Arrival.OURS
        return [reply(404)]

    way = answers(has_not)
    world.http(lambda asked: way[0](asked))
    with box(world, world.configuration(f"{ONE}, {TWO}")) as here:
        here.loops.own(frozenset(map(ip_address, ("10.66.0.2", "127.0.0.1"))))
        way[0] = back
        until(lambda: here.out_of_use() != "")
        assert here.out_of_use().startswith(f"{why}: a probe came back over HTTP ")
        assert here.out_of_use(address=TWO) == ""


def test_an_address_that_was_started_later(world: World) -> None:
    """It is probed though the one beside it has answered, and another box's probe has found it first."""

    def back(asked: Asked) -> list[bytes | None]:
        return [reply(404)] if OTHERS in asked.line else here.back(asked)

    first = world.http(has_not)
    asked = world.configuration(f"{ONE}, {TWO}")
    with box(world, asked, Pace(every=3600.0, looping=3600.0, unanswered=0.02)) as here:
        (cluster,) = asked.clusters
        until(lambda: first.asked != [] and here.clients.health(cluster, cluster.addresses[1]).troubled)
        world.http(back, TWO)
        here.loops.forward(OTHERS, 5.0)
        until(lambda: here.events() == ["address loops"])
        assert here.in_use(asked) == [ONE]


def test_an_address_that_is_down_does_not_keep_the_others_out(world: World) -> None:
    """The way it heals is told, though it is the look after that address that shows it."""
    way = answers(has_not)
    server = world.http(lambda asked: way[0](asked))
    asked = world.configuration(f"{ONE}, {TWO}")
    with box(world, asked, Pace(every=0.05, looping=0.02, settle=0.0)) as here:
        way[0] = here.back
        until(lambda: here.events() == ["address loops"])
        (cluster,) = asked.clusters
        until(lambda: here.clients.health(cluster, cluster.addresses[1]).troubled)
        assert here.in_use(asked) == [TWO]
        way[0] = has_not
        until(lambda: here.out_of_use() == "")
        assert here.events() == ["address loops", "address loops no more"]
    assert server.asked


def test_a_cluster_that_passes_nothing_on(world: World) -> None:
    server = world.http(has_not)
    with box(world, world.configuration(ONE, TWO)) as here:
        until(lambda: len(server.asked) > 5)
        for cluster, address in (("east", ONE), ("west", TWO), ("unknown", ONE)):
            assert here.out_of_use(cluster, address) == ""
        assert here.told == []


def test_one_that_loops_is_asked_again_sooner(world: World) -> None:
    """Also where the next round would be long after."""
    way = answers(has_not)
    server = world.http(lambda asked: way[0](asked))
    with box(world, world.configuration(ONE), Pace(every=3600.0, looping=0.05, settle=0.0)) as here:
        way[0] = here.back
        until(lambda: len(server.asked) > 3)
        way[0] = has_not
        until(lambda: here.events() == ["address loops", "address loops no more"])


def test_a_cluster_that_has_fallen_silent_is_not_healed(world: World) -> None:
    """That nothing comes back of a probe that nobody has answered says nothing."""
    way = answers(has_not)
    server = world.http(lambda asked: way[0](asked))
    asked = world.configuration(ONE)
    with box(world, asked) as here:
        way[0] = here.back
        until(lambda: here.events() == ["address loops"])
        server.close()
        (cluster,) = asked.clusters
        health = here.clients.health(cluster, cluster.addresses[0])
        until(lambda: health.silent(time.monotonic()) is not None)
        gone = time.monotonic()
        until(lambda: time.monotonic() - gone > 10 * QUICK.every)
        assert here.out_of_use() != ""
        assert here.events() == ["address loops"]


def test_probes_of_others_go_to_every_cluster_also_to_those_that_loop(world: World) -> None:
    one, two = world.http(lambda asked: way[0](asked)), world.http(has_not, TWO)
    way = answers(has_not)
    with box(world, world.configuration(ONE, TWO), SLOW) as here:
        way[0] = here.back
        until(lambda: here.out_of_use() != "" and len(two.asked) == 1)
        way[0] = has_not
        assert here.loops.arrived(OTHERS, "tftp") is Arrival.FORWARD
        here.loops.forward(OTHERS, 5.0)
        assert [server.asked[-1].line for server in (one, two)] == [f"GET /{OTHERS} HTTP/1.1"] * 2
        assert one.asked[-1].fields["via"] == VIA
        assert here.loops.arrived(OTHERS, "tftp") is Arrival.SEEN
        assert len(here.fetches) == 0


def test_no_more_probes_of_others_than_there_is_room_for(world: World) -> None:
    names = [f"appliance-probe-{number:032x}.txt" for number in range(FORWARDS_MAX + 2)]
    *first, refused, last = names

    def asked() -> set[str]:
        return {each.line.split()[1].removeprefix("/") for each in server.asked}

    with box(world, world.configuration(ONE), Pace(every=3600.0, hold=0.0)) as here:
        server = world.http(silent)
        for name in first:
            here.loops.forward(name, 30.0)
        here.loops.forward(refused, 30.0)
        assert len(here.loops._forwarding) == FORWARDS_MAX
        # One of the connections to an address is taken by the probe of this box.
        until(lambda: len(asked() & set(first)) >= FORWARDS_MAX - 1)
        here.loops._forwarding.kill()
        here.clients.drop("east")  # it has said nothing for as long as the others were passed on
        here.loops.forward(last, 30.0)
        until(lambda: last in asked())
        assert refused not in asked()


def test_who_asks_is_not_kept_waiting_for_a_silent_cluster(world: World) -> None:
    """Else this box would be taken for silent itself; and the name goes on its way all the same."""
    with box(world, world.configuration(ONE, TWO), Pace(every=3600.0, hold=0.05)) as here:
        one, two = world.http(silent), world.http(has_not, TWO)
        until(lambda: len(one.asked) == len(two.asked) == 1)
        started = time.monotonic()
        here.loops.forward(OTHERS, 30.0)
        assert time.monotonic() - started < 1.0
        until(lambda: [server.asked[-1].line for server in (one, two)] == [f"GET /{OTHERS} HTTP/1.1"] * 2)


def test_probes_of_others_end_with_the_box(world: World) -> None:
    server = world.http(silent)
    with box(world, world.configuration(ONE), Pace(every=3600.0, hold=0.0)) as here:
        until(lambda: len(server.asked) == 1)
        here.loops.forward(OTHERS, 30.0)
        until(lambda: len(server.asked) == 2)
        assert len(here.loops._forwarding) == 1
    assert len(here.loops._forwarding) == 0


def test_a_reload_probes_at_once(world: World) -> None:
    """The one that is gone is forgotten with all that it may still bring back."""
    way = answers(has_not)
    one, two = world.http(lambda asked: way[0](asked)), world.http(has_not, TWO)
    with box(world, world.configuration(ONE), Pace(every=3600.0, looping=3600.0)) as here:
        way[0] = here.back
        until(lambda: here.out_of_use() != "")
        here.clients.drop("east")
        here.loops.configure(world.configuration(TWO), ("east",))
        assert here.out_of_use() == ""
        until(lambda: len(two.asked) == 1)
        late = one.asked[0].line.split()[1].removeprefix("/")
        assert here.loops.arrived(late, "http") is Arrival.OURS
        assert here.out_of_use() == ""
        here.loops.configure(world.configuration(TWO), ())
        until(lambda: len(two.asked) == 2)
    assert len(one.asked) == 1


def test_a_circle_stays_known_over_a_reload(world: World) -> None:
    way = answers(has_not)
    server = world.http(lambda asked: way[0](asked))
    asked = world.configuration(ONE)
    with box(world, asked, Pace(every=3600.0, looping=3600.0, settle=0.0)) as here:
        way[0] = here.back
        until(lambda: here.out_of_use() != "")
        for count in range(2, 5):
            here.loops.configure(asked, ())
            until(lambda count=count: len(server.asked) == count)  # type: ignore[misc]
            assert here.out_of_use() != ""
        assert here.events() == ["address loops"]


def test_an_address_that_is_this_box_itself(world: World) -> None:
    """An address may move in and out at any moment, as with VRRP."""
    asked = world.configuration("10.66.0.200", more=f"[tftp]\nhttp_port = {world.http_port}")
    (cluster,) = asked.clusters
    (address,) = cluster.addresses
    made = Box(world, asked, SLOW)
    made.loops.own(frozenset([address]))
    made.loops.start(made.fetches)
    try:
        health = made.clients.health(cluster, address)
        assert health.out_of_use == "an address of this box itself"
        assert made.clients.in_use(cluster) == []
        made.loops.own(frozenset())
        assert health.out_of_use == ""
        assert made.clients.in_use(cluster) != []
        made.loops.own(frozenset([address]))
        assert health.out_of_use != ""
    finally:
        made.loops.close()
        made.clients.stop()
    facts = {"cluster": "east", "address": "10.66.0.200"}
    why = {"why": "an address of this box itself"}
    out, back = ("address out of use", {**facts, **why}), ("address in use again", facts)
    assert made.told == [out, back, out]


def test_an_address_that_moves_in_while_it_is_probed(world: World) -> None:
    """What has come back shows nothing then: it is in use at once when the address has moved out again."""
    asked = world.configuration("10.66.0.200", more=f"[tftp]\nhttp_port = {world.http_port}")
    (cluster,) = asked.clusters
    (address,) = cluster.addresses
    made = Box(world, asked, SLOW)
    made.loops.start(made.fetches)
    try:
        (upstream,) = made.clients.upstreams(cluster)
        name = made.loops.probe_name(upstream)
        made.loops.arrived(name, "tftp")
        assert made.out_of_use(address="10.66.0.200") != ""
        assert made.in_use(asked) == []
        assert made.clients.probed(cluster) != []
        made.loops.own(frozenset([address]))
        assert made.loops.arrived(name, "http") is Arrival.OURS
        assert made.out_of_use(address="10.66.0.200") == ""
        assert made.clients.probed(cluster) == []
        assert made.clients.probe(upstream, Protocol.HTTP) is None
        made.loops.own(frozenset())
        assert made.in_use(asked) == ["10.66.0.200"]
    finally:
        made.loops.close()
        made.clients.stop()
    assert made.events() == ["address loops", "address out of use", "address in use again"]


def test_a_reload_before_the_start(world: World) -> None:
    """Own addresses are looked at from the start on."""
    made = Box(world, world.configuration(ONE), QUICK)
    made.loops.configure(world.configuration(TWO), ("east",))
    assert made.told == []
