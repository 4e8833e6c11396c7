"""Which listeners there ought to be, row by row."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import parse
from appliance.network.state import Family, Held, Link, Setting, State
from appliance.serve.listening import Door, Filter, Stand, doors, here, own_addresses, stand


def link(name: str, index: int, up: bool = True) -> Link:
    return Link(name, index, "", up, up, 1500)


def held(text: str, tentative: bool = False) -> Held:
    """Such as "10.0.0.5/24 eth0"."""
    interface, ifname = text.split()
    return Held(ip_interface(interface), ifname, tentative=tentative)


def off(*ifnames: str) -> tuple[Setting, ...]:
    return tuple(Setting(ifname, Family.IPV6, "disable_ipv6", 1) for ifname in ifnames)


LO = (held("127.0.0.1/8 lo"), held("::1/128 lo"))
ETH0 = (held("10.0.0.5/24 eth0"), held("fd66::5/64 eth0"), held("fe80::1/64 eth0"))
ETH1 = (held("10.1.0.5/24 eth1"), held("fe80::1/64 eth1"))
LINKS = (link("lo", 1), link("eth0", 2), link("eth1", 3))

BOTH = State(LINKS, (*LO, *ETH0, *ETH1))
NO_IPV6 = State(LINKS, (*LO, ETH0[0], ETH1[0]), settings=off("eth0", "eth1"))
HALF_IPV6 = State(LINKS, (*LO, *ETH0, ETH1[0]), settings=off("eth1"))
NEW = State(LINKS, (*LO, ETH0[0], held("fd66::5/64 eth0", True), held("fe80::1/64 eth0", True), ETH1[0]))
UNPLUGGED = replace(NEW, links=(LINKS[0], replace(LINKS[1], carrier=False), LINKS[2]))
DOWN = State((LINKS[0], link("eth0", 2, up=False)), (*LO, ETH0[0]))
HALF_DOWN = State((LINKS[0], link("eth0", 2, up=False), LINKS[2]), (*LO, ETH0[0], ETH1[0]))
BARE = State(LINKS, LO)
ALONE = State(LINKS[:1], LO)
NOTHING = State((link("lo", 1, up=False),))
NOT_NAMED = "10.0.0.5 is on eth0, which [tftp] interfaces does not name"
TENTATIVE = "fd66::5 on eth0 is tentative: not known yet to be nobody else's"

ROWS = [
    ("0.0.0.0", "", BOTH, Stand(True, ("lo", "eth0", "eth1"), "")),
    ("::", "", BOTH, Stand(True, ("lo", "eth0", "eth1"), "")),
    ("::", "", NO_IPV6, Stand(True, ("lo",), "IPv6 is off on eth0; IPv6 is off on eth1")),
    ("::", "", HALF_IPV6, Stand(True, ("lo", "eth0"), "IPv6 is off on eth1")),
    ("::", "", NEW, Stand(True, ("lo",), f"{TENTATIVE}; eth1 has no IPv6 address")),
    ("0.0.0.0", "", BARE, Stand(True, ("lo",), "eth0 has no IPv4 address; eth1 has no IPv4 address")),
    ("0.0.0.0", "", DOWN, Stand(True, ("lo",), "eth0 is down")),
    ("0.0.0.0", "", HALF_DOWN, Stand(True, ("lo", "eth1"), "")),  # a port that nobody uses is nobody's matter
    ("0.0.0.0", "eth0 eth1", HALF_DOWN, Stand(True, ("eth1",), "eth0 is down")),
    ("0.0.0.0", "eth0", DOWN, Stand(True, (), "eth0 is down")),
    ("0.0.0.0", "", ALONE, Stand(True, ("lo",), "")),
    ("0.0.0.0", "", NOTHING, Stand(True, (), "this box has no IPv4 address")),
    ("::", "", NOTHING, Stand(True, (), "this box has no IPv6 address")),
    ("0.0.0.0", "eth1", BOTH, Stand(True, ("eth1",), "")),
    ("0.0.0.0", "eth0 eth1", BOTH, Stand(True, ("eth0", "eth1"), "")),
    ("0.0.0.0", "eth2", BOTH, Stand(True, (), "there is no eth2")),
    ("::", "eth1 eth0", HALF_IPV6, Stand(True, ("eth0",), "IPv6 is off on eth1")),
    ("10.0.0.5", "", BOTH, Stand(True, ("eth0",), "")),
    ("10.0.0.5", "eth0", BOTH, Stand(True, ("eth0",), "")),
    (
        "10.0.0.5",
        "eth1",
        BOTH,
        Stand(False, (), NOT_NAMED),
    ),
    ("10.0.0.6", "", BOTH, Stand(False, (), "10.0.0.6 is not an address of this box")),
    ("10.0.0.5", "", DOWN, Stand(False, (), "eth0 is down")),
    ("fd66::5", "", BOTH, Stand(True, ("eth0",), "")),
    ("fd66::5", "", NEW, Stand(False, (), TENTATIVE)),
    ("fd66::5", "", UNPLUGGED, Stand(False, (), "eth0 has no carrier")),
    ("0.0.0.0", "", UNPLUGGED, Stand(True, ("lo", "eth0", "eth1"), "")),
    ("fd66::6", "", BOTH, Stand(False, (), "fd66::6 is not an address of this box")),
    (
        "fd66::5",
        "",
        NO_IPV6,
        Stand(False, (), "fd66::5 is not an address of this box; IPv6 is off on eth0, eth1"),
    ),
    ("fe80::1%eth0", "", BOTH, Stand(True, ("eth0",), "", 2)),
    ("fe80::1%eth1", "", BOTH, Stand(True, ("eth1",), "", 3)),
    ("fe80::1%eth1", "", HALF_IPV6, Stand(False, (), "IPv6 is off on eth1")),
    ("fe80::1%eth2", "", BOTH, Stand(False, (), "there is no eth2")),
    ("fe80::2%eth0", "", BOTH, Stand(False, (), "fe80::2%eth0 is not an address of this box")),
    ("fe80::1%eth0", "", DOWN, Stand(False, (), "eth0 is down")),
    ("127.0.0.1", "", BARE, Stand(True, ("lo",), "")),
    ("127.9.9.9", "", BARE, Stand(True, ("lo",), "")),
    ("127.0.0.1", "", NOTHING, Stand(False, (), "127.0.0.1 is not an address of this box")),
    ("::1", "eth0", BOTH, Stand(False, (), "::1 is on lo, which [tftp] interfaces does not name")),
]


@pytest.mark.parametrize(("address", "chosen", "state", "found"), ROWS)
def test_stand(address: str, chosen: str, state: State, found: Stand) -> None:
    assert stand(ip_address(address), tuple(chosen.split()), state) == found


def test_an_address_of_two_links() -> None:
    """As the loopback of a router, and an anycast address; one of them is enough."""
    twice = State(LINKS, (held("10.0.0.5/32 eth0"), held("10.0.0.5/32 eth1")))
    assert stand(ip_address("10.0.0.5"), (), twice) == Stand(True, ("eth0", "eth1"), "")
    assert stand(ip_address("10.0.0.5"), ("eth1",), twice) == Stand(True, ("eth1",), "")


ADDRESSES = st.sampled_from([row[0] for row in ROWS])
CHOSEN = st.sampled_from([row[1] for row in ROWS])
STATES = st.builds(
    State,
    st.lists(st.sampled_from(LINKS), unique=True).map(tuple),
    st.lists(
        st.sampled_from([*LO, *ETH0, *ETH1]).flatmap(
            lambda each: st.sampled_from([each, replace(each, tentative=True)])
        )
    ).map(tuple),
    settings=st.sampled_from([(), off("eth0"), off("eth0", "eth1")]),
)


@given(ADDRESSES, CHOSEN, STATES)
def test_what_is_absent_has_a_reason(address: str, chosen: str, state: State) -> None:
    """Whatever there is, be it in the middle of a change; and a reason is no listener."""
    found = stand(ip_address(address), tuple(chosen.split()), state)
    assert found.to_open or not found.interfaces
    assert found.interfaces or found.why
    assert set(found.interfaces) <= {each.ifname for each in state.addresses}


def test_doors() -> None:
    def of(text: str) -> tuple[Door, ...]:
        return doors(parse(f"version = 1\n[tftp]\n{text}\n".encode(), "test").tftp)

    one, all_of_them = ip_address("10.0.0.5"), ip_address("::")
    assert of("listen = 10.0.0.5, ::\nport = 6969") == (
        Door("tftp", one, 6969),
        Door("http", one, 6970),
        Door("tftp", all_of_them, 6969),
        Door("http", all_of_them, 6970),
    )
    assert of("listen = ::\nhttp_port = 0") == (Door("tftp", all_of_them, 69),)


def packed(address: str) -> bytes:
    return ip_address(address).packed


def test_places() -> None:
    found = here((), BOTH)
    assert found.filter is None
    gone = ["10.0.0.6", "fd66::6", "fe80::1"]
    assert [address for address in gone if found.has(packed(address))] == []
    assert all(found.has(packed(address)) for address in ("10.0.0.5", "fd66::5", "::1", "127.5.5.5"))
    links = [index for index in range(5) if found.has(packed("fe80::1") + index.to_bytes(4, "big"))]
    assert links == [2, 3]


@pytest.mark.parametrize(
    ("chosen", "address", "ifindex", "passes"),
    [
        ("eth0", "10.0.0.5", 2, True),
        ("eth0", "fd66::5", 2, True),
        ("eth0", "fe80::1", 2, True),
        ("eth0", "10.0.0.5", 3, False),  # it came in elsewhere
        ("eth0", "10.1.0.5", 2, False),  # to an address of another link
        ("eth0", "10.1.0.5", 3, False),
        ("eth0", "10.0.0.5", 1, True),  # this box itself
        ("eth0", "10.1.0.5", 1, False),
        ("eth0", "127.0.0.1", 1, False),
        ("eth0 lo", "127.0.0.1", 1, True),
        ("eth0 lo", "127.4.4.4", 1, True),
        ("eth0 lo", "::1", 1, True),
        ("eth0 lo", "10.1.0.5", 3, False),
        ("eth0 eth1", "10.1.0.5", 2, True),
        ("eth2", "10.0.0.5", 2, False),
    ],
)
def test_filter(chosen: str, address: str, ifindex: int, passes: bool) -> None:
    wanted = here(tuple(chosen.split()), BOTH).filter
    assert isinstance(wanted, Filter)
    assert wanted.passes(packed(address), ifindex) is passes


def test_own_addresses() -> None:
    """Those as well that cannot be used yet."""
    found = {str(address) for address in own_addresses(NEW)}
    assert found == {"127.0.0.1", "::1", "10.0.0.5", "fd66::5", "fe80::1%eth0", "10.1.0.5"}
