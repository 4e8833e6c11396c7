"""Phones that boot, one request after the other, against a world of clusters: what is remembered between."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from appliance.cluster.homes import Home, Homes
from appliance.cluster.knowledge import Event, Knowledge
from appliance.cluster.names import read
from appliance.cluster.situation import Local
from appliance.cluster.verdict import NotFound, Take, Unavailable, Verdict
from appliance.config import load
from tests.cluster.phones import DEAD, Server, follow, having

CTL, ITL = "CTLSEP001122334455.tlv", "ITLSEP001122334455.tlv"
PLAIN, SIGNED = "SEP001122334455.cnf.xml", "SEP001122334455.cnf.xml.sgn"
ENCRYPTED = "SEP001122334455.cnf.xml.enc.sgn"
SEP = "SEP001122334455"
RINGS, DEFAULT, LIST = "RingList.xml.sgn", "XMLDefault.cnf.xml", "ITLFile.tlv"
PHONE = "10.9.0.7"
WALL = 1_800_000_000.0
PHONES_FILES = (ITL, PLAIN, SIGNED, RINGS)
NOTHING = having(RINGS, DEFAULT, LIST)

CONFIGURATION = b"""
version = 1
[clusters]
[[a]]
addresses = 10.1.0.1
[[b]]
addresses = 10.2.0.1
[[c]]
addresses = 10.3.0.1
[networks]
10.9.0.0/16 = c
[autoregistration]
policy = network
"""


class World:
    """Clusters, a box that knows nothing yet, and a time that moves only when it is told to."""

    def __init__(self, **servers: Server) -> None:
        self.servers = {name: servers.get(name, NOTHING) for name in "abc"}
        self.stale: dict[tuple[str, str], float] = {}
        self.listed: dict[str, str] = {}
        self.unused: set[str] = set()
        self.homes = Homes()
        self.wall = WALL
        self.events: list[Event] = []
        self.clusters = ""  # that were asked for the last file
        self.took = 0.0  # s for it
        configuration = load.parse(CONFIGURATION, "test")
        self.knowledge = Knowledge(
            configuration,
            self.homes,
            lambda device, order: self.listed.get(device),
            self._copy,
            lambda cluster: self.servers[cluster] is DEAD,
        )

    def _copy(self, cluster: str, asked: str) -> float | None:
        return self.stale.get((cluster, asked))

    def ask(self, asked: str, client: str = PHONE, local: Local | None = None, alone: str = "") -> Verdict:
        now = self.wall - WALL
        address = ip_address(client)
        situation = self.knowledge.situation(
            read(asked.encode()),
            address,
            client,
            local or Local("local"),
            tuple(name for name in self.servers if name not in self.unused),
            frozenset(self.unused),
            alone,
            self.wall,
            now,
        )
        end = follow(situation, self.servers)
        self.clusters, self.took = end.clusters, end.at
        event = self.knowledge.ended(situation, client, end.decision, self.wall, now)
        if event is not None:
            self.events.append(event)
        self.wall += 0.1
        return end.decision.verdict

    def boot(self, client: str = PHONE) -> list[Verdict]:
        self.wall += 86400
        return [self.ask(name, client) for name in (CTL, ITL, SIGNED, ENCRYPTED, RINGS)]

    def home(self) -> Home:
        found = self.homes.of(SEP, self.wall)
        assert found is not None
        return found


def booted(place: str) -> list[Verdict]:
    return [NotFound(), Take(place), Take(place), NotFound(), Take(place)]


def test_a_boot_of_an_unknown_and_of_a_known_phone() -> None:
    world = World(b=having(*PHONES_FILES))
    assert world.boot() == booted("b")
    world.servers["a"] = DEAD
    world.wall += 86400
    for name in (CTL, ITL, SIGNED, ENCRYPTED, RINGS):
        world.ask(name)
        assert (world.clusters, world.took) == ("b", 0)
    assert world.events == []


def test_a_phone_that_was_moved_has_no_mixture() -> None:
    world = World(a=having(*PHONES_FILES))
    assert world.boot() == booted("a")
    # Its trust list may be left behind.
    world.servers |= {"a": having(ITL, RINGS), "b": having(*PHONES_FILES)}
    assert world.boot() == booted("b")
    assert world.events == [Event("device has moved", SEP, "b", ("a",))]


def test_a_phone_that_was_deleted() -> None:
    world = World(a=having(*PHONES_FILES))
    world.boot()
    world.servers["a"] = NOTHING
    world.wall += 86400
    assert world.ask(CTL) == NotFound(remember=True)
    assert world.homes.of(SEP, world.wall) is None
    assert world.events == [Event("device is nowhere any more", SEP, "a")]
    assert world.ask(ITL) == NotFound()
    assert world.clusters == ""
    assert world.ask(DEFAULT) == Take("c")


def test_its_home_is_dead() -> None:
    world = World(a=having(*PHONES_FILES))
    world.boot()
    world.servers["a"] = DEAD
    everything = (CTL, ITL, SIGNED, RINGS, DEFAULT, LIST)
    for name in everything:
        assert isinstance(world.ask(name), Unavailable), name
    world.stale = {("a", ITL): 60.0, ("a", RINGS): 60.0}
    assert [world.ask(name) for name in (ITL, RINGS)] == [Take("a", 60.0), Take("a", 60.0)]
    # Added to b meanwhile
    world.servers["b"] = having(*PHONES_FILES)
    assert world.boot() == booted("b")
    assert world.home().missed == ("a",)
    # And a is back, without it
    world.servers["a"] = NOTHING
    assert world.boot() == booted("b")
    assert world.home().missed == ()


def test_a_home_that_was_found_while_a_higher_one_was_silent() -> None:
    world = World(a=DEAD, b=having(*PHONES_FILES))
    assert world.boot() == booted("b")
    assert world.home().missed == ("a",)
    assert world.boot() == booted("b")
    assert (world.clusters, world.took) == ("b", 0)
    assert world.home().missed == ("a",)
    world.servers["a"] = having(*PHONES_FILES)
    assert world.boot() == booted("a")


def test_a_known_duplicate_is_no_new_home() -> None:
    world = World(a=having(*PHONES_FILES), b=having(*PHONES_FILES))
    world.ask(ITL)
    assert world.home().duplicates == ("b",)
    assert world.events == [Event("device in several clusters", SEP, "a", ("b",))]
    world.servers["a"] = DEAD
    world.wall += 86400
    assert isinstance(world.ask(ITL), Unavailable)
    assert world.home().place == "a"


def test_a_comparison_holds_from_the_next_boot_on() -> None:
    world = World(a=having(*PHONES_FILES), b=having(*PHONES_FILES))
    world.ask(CTL)
    world.homes.learn(SEP, Home("a", world.wall, world.wall, following="b"))
    assert world.ask(ITL) == Take("a")
    assert world.boot() == booted("b")
    assert world.home().place == "b"


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_home_by_hand_stays_by_hand(by_hand: bool) -> None:
    world = World(a=having(*PHONES_FILES), b=having(*PHONES_FILES))
    world.homes.learn(SEP, Home("a", world.wall, world.wall, following="b", by_hand=by_hand))
    assert world.boot() == booted("b")
    assert world.home().by_hand is by_hand


def test_two_phones_behind_one_address() -> None:
    other = "SEPAABBCCDDEEFF.cnf.xml.sgn"
    world = World(a=having(*PHONES_FILES, LIST), b=having(other, RINGS))
    for _ in range(2):
        assert world.ask(SIGNED) == Take("a")
        assert world.ask(RINGS) == Take("a")
        assert world.ask(LIST) == Take("a")
        world.wall += 61
        assert world.ask(other) == Take("b")
        assert world.ask(RINGS) == Take("b")
        assert world.clusters == "b"
        world.wall += 61
    # Nobody has named itself for a while: its network's cluster, and no trust list at all
    assert world.ask(RINGS) == Take("c")
    assert world.ask(LIST) == NotFound()


def test_two_phones_behind_one_address_that_boot_at_once() -> None:
    other = "SEPAABBCCDDEEFF.cnf.xml.sgn"
    world = World(a=having(*PHONES_FILES, LIST), b=having(other, RINGS, LIST))
    world.ask(SIGNED)
    world.ask(other)
    assert world.ask(RINGS) == Take("b")
    assert world.ask(LIST) == NotFound()


def test_a_default_file_is_for_unknown_phones_alone() -> None:
    world = World(a=having(*PHONES_FILES))
    assert world.ask(DEFAULT) == Take("c")
    assert world.ask(DEFAULT, client="10.8.0.1") == NotFound()
    world.ask(SIGNED)
    assert isinstance(world.ask(DEFAULT), Unavailable)
    # Another phone, which nobody knows, has got the address.
    world.wall += 86400
    assert world.ask("SEPAABBCCDDEEFF.cnf.xml") == NotFound(remember=True)
    assert world.ask(DEFAULT) == Take("c")


def test_no_default_file_after_an_incomplete_search() -> None:
    world = World(a=DEAD)
    assert isinstance(world.ask(SIGNED), Unavailable)
    assert isinstance(world.ask(DEFAULT), Unavailable)
    assert isinstance(world.ask(LIST), Unavailable)
    assert world.ask(DEFAULT, client="10.9.0.8") == Take("c")
    world.wall += 121
    assert world.ask(DEFAULT) == Take("c")
    world.ask(SIGNED)
    world.servers["a"] = NOTHING
    world.ask(SIGNED)
    assert world.ask(DEFAULT) == Take("c")


def test_a_device_that_an_inventory_names() -> None:
    world = World(b=having(*PHONES_FILES))
    world.listed[SEP] = "b"
    assert world.ask(CTL) == NotFound()
    assert world.clusters == "b"
    assert world.home().place == "b"


def test_a_device_of_the_local_store() -> None:
    world = World(a=having(*PHONES_FILES))
    own = Local("local", file=True, configuration=True)
    assert world.ask(SIGNED, local=own) == Take("local")
    assert world.ask(RINGS, local=Local("local", file=True)) == Take("local")
    assert world.ask(RINGS) == NotFound()


def test_what_has_been_round_teaches_nothing() -> None:
    world = World(a=having(*PHONES_FILES))
    assert world.ask(SIGNED, alone="it comes from a cluster") == NotFound()
    assert world.homes.of(SEP, world.wall) is None
    assert world.homes.at(PHONE, world.wall) == ()
    assert world.ask(SIGNED) == Take("a")


def test_missing_for_a_while() -> None:
    world = World()
    assert world.ask(CTL) == NotFound(remember=True)
    for name in (ITL, SIGNED, PLAIN):
        assert world.ask(name) == NotFound()
        assert world.clusters == ""
    world.ask("SIP001122334455.cnf")
    assert world.clusters == "abc"
    world.wall += 31
    world.servers["c"] = having(*PHONES_FILES)
    assert world.ask(ITL) == Take("c")


def test_the_network_of_the_configuration(tmp_path: Path) -> None:
    assert ip_address(PHONE) in ip_network("10.9.0.0/16")
    assert World().ask("Ringlist.xml") == NotFound(remember=True)
    assert World().ask(RINGS) == Take("c")
    assert World().ask(RINGS, client="10.8.0.1") == Take("a")


def test_a_home_that_is_out_of_use_stays_the_home() -> None:
    world = World(a=having(*PHONES_FILES))
    world.boot()
    world.unused = {"a"}
    for name in (CTL, ITL, SIGNED, RINGS, LIST, DEFAULT):
        assert isinstance(world.ask(name), Unavailable), name
    assert world.events == []
    world.unused = set()
    assert world.boot() == booted("a")


def test_a_file_that_fails_in_mid_boot_is_no_move() -> None:
    world = World(a=having(*PHONES_FILES))
    world.ask(CTL)
    # The administrator prepares a move; one file fails meanwhile.
    world.servers |= {"a": having(*PHONES_FILES, failing=ENCRYPTED), "b": having(*PHONES_FILES, ENCRYPTED)}
    assert isinstance(world.ask(ENCRYPTED), Unavailable)
    assert [world.ask(name) for name in (SIGNED, RINGS)] == [Take("a"), Take("a")]


def test_what_follows_is_not_undone_by_one_failure() -> None:
    world = World(a=having(*PHONES_FILES), b=having(*PHONES_FILES))
    world.homes.learn(SEP, Home("a", world.wall, world.wall, following="b", by_hand=True))
    world.ask(CTL)
    world.servers["b"] = DEAD
    world.wall += 200
    assert isinstance(world.ask(ITL), Unavailable)
    assert world.home().place == "b"
    assert world.home().by_hand


def test_a_move_while_the_device_is_looked_for() -> None:
    world = World(a=having(*PHONES_FILES))
    now = world.wall - WALL
    name, client = read(ITL.encode()), ip_address(PHONE)
    seen = world.knowledge.situation(
        name, client, PHONE, Local("local"), ("a", "b", "c"), frozenset(), "", world.wall, now
    )
    world.homes.learn(SEP, Home("b", world.wall, world.wall, by_hand=True))
    world.knowledge.ended(seen, PHONE, follow(seen, world.servers).decision, world.wall, now)
    assert world.home().place == "b"


def test_a_request_that_was_given_up_says_nothing_of_the_device() -> None:
    world = World()
    now = world.wall - WALL
    seen = world.knowledge.situation(
        read(SIGNED.encode()),
        ip_address(PHONE),
        PHONE,
        Local("local"),
        ("a",),
        frozenset(),
        "",
        world.wall,
        now,
    )
    world.knowledge.given_up(seen, PHONE, world.wall, now)
    assert isinstance(world.ask(DEFAULT), Unavailable)


def test_what_another_device_of_the_address_has_heard_is_no_excuse() -> None:
    world = World(a=DEAD)
    assert isinstance(world.ask(SIGNED), Unavailable)
    world.servers["a"] = NOTHING
    assert world.ask("SEPAABBCCDDEEFF.cnf.xml") == NotFound(remember=True)
    assert isinstance(world.ask(DEFAULT), Unavailable)


def test_no_trust_list_of_the_phone_that_had_the_address() -> None:
    world = World(a=having(*PHONES_FILES, LIST))
    world.boot()
    assert world.ask(LIST) == Take("a")
    world.wall += 86400
    assert world.ask("CTLSEPAABBCCDDEEFF.tlv") == NotFound(remember=True)
    assert world.ask(LIST) == Take("c")  # as a default file: by the network


def test_a_search_that_began_before_a_reload_teaches_nothing() -> None:
    world = World()
    now = world.wall - WALL
    seen = world.knowledge.situation(
        read(SIGNED.encode()),
        ip_address(PHONE),
        PHONE,
        Local("local"),
        ("a",),
        frozenset(),
        "",
        world.wall,
        now,
    )
    world.knowledge.configure(load.parse(CONFIGURATION, "test"))
    world.knowledge.ended(seen, PHONE, follow(seen, world.servers).decision, world.wall, now)
    assert len(world.knowledge.negatives) == 0
