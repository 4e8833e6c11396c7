from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from appliance.config.model import Interface
from appliance.network.lease import Lease
from appliance.network.proposal import as_static
from appliance.network.state import Family, State
from appliance.network.wanted import Port, wanted
from tests.network.build import held, interface, link, state, way

ETH0 = state(link("eth0"))
DEFAULT = ip_network("0.0.0.0/0")
LEASE = Lease(
    "eth0",
    Family.IPV4,
    (ip_interface("10.5.0.57/24"),),
    ((DEFAULT, ip_address("10.5.0.1")), (ip_network("10.7.0.0/16"), ip_address("10.5.0.9"))),
    (ip_address("10.5.0.53"),),
)
LEASE6 = Lease("eth0", Family.IPV6, (ip_interface("fd05::1d6/128"),), dns=(ip_address("fd05::53"),))


@pytest.mark.parametrize(
    ("interfaces", "leases", "present", "addresses", "routes"),
    [
        ([], [LEASE], ETH0, [], []),
        ([interface()], [LEASE], ETH0, [], []),
        (
            [interface(ipv4="dhcp")],
            [LEASE],
            ETH0,
            ["10.5.0.57/24"],
            [way("default4>10.5.0.1"), way("10.7.0.0/16>10.5.0.9")],
        ),
        ([interface(ipv4="dhcp")], [], ETH0, [], []),
        ([interface("eth1", ipv4="dhcp")], [LEASE], state(link("eth1")), [], []),
        ([interface(address="10.6.0.5/24")], [LEASE], ETH0, ["10.6.0.5/24"], []),
        # a configured route is before the lease's own for the same network
        (
            [interface(ipv4="dhcp", routes="10.7.0.0/16>10.5.0.8")],
            [LEASE],
            ETH0,
            ["10.5.0.57/24"],
            [way("10.7.0.0/16>10.5.0.8"), way("default4>10.5.0.1")],
        ),
        # a route whose next hop is not on the link (yet)
        ([interface(ipv4="dhcp", routes="10.7.0.0/16>10.5.0.8")], [], ETH0, [], []),
        # ... or is this box itself
        (
            [interface(address="10.5.0.5/24", routes="10.7.0.0/16>10.5.0.5")],
            [],
            ETH0,
            ["10.5.0.5/24"],
            [],
        ),
        # by an address that somebody else has given
        (
            [interface(ipv4="dhcp", routes="10.7.0.0/16>10.5.0.8")],
            [],
            state(link("eth0"), addresses=[held("10.5.0.99/24", protocol=0)]),
            [],
            [way("10.7.0.0/16>10.5.0.8")],
        ),
        # IPv6
        ([interface(ipv6="dhcp")], [LEASE6], ETH0, ["fd05::1d6/128"], []),
        ([interface(ipv6="auto")], [LEASE6], ETH0, [], []),
        (
            [interface(address6="fd05::5/64", gateway6="fe80::1")],
            [],
            ETH0,
            ["fd05::5/64"],
            [way("default6>fe80::1")],
        ),
        # the second interface is the second choice
        (
            [
                interface(address="10.5.0.5/24", gateway="10.5.0.1"),
                interface("eth1", address="10.6.0.5/24", gateway="10.6.0.1"),
            ],
            [],
            state(link("eth0"), link("eth1")),
            ["10.5.0.5/24", "10.6.0.5/24"],
            [way("default4>10.5.0.1"), way("default4>10.6.0.1", "eth1", 101)],
        ),
    ],
)
def test_wanted(
    interfaces: list[Interface], leases: list[Lease], present: State, addresses: list[str], routes: object
) -> None:
    found = wanted(interfaces, leases, present)
    assert [str(each.interface) for each in found.addresses] == addresses
    assert list(found.routes) == routes


@pytest.mark.parametrize(
    ("interfaces", "present", "mtus", "ports"),
    [
        ([interface()], ETH0, {}, [Port("eth0")]),
        ([interface(mtu=1400)], ETH0, {"eth0": 1500}, [Port("eth0", 1400)]),
        # what it had before this box changed it
        ([interface()], ETH0, {"eth0": 1500}, [Port("eth0", 1500)]),
        ([interface("eth9")], ETH0, {}, []),
        # a VLAN comes after what it stands on, and has no more than that
        (
            [interface("eth0.10", mtu=1500), interface(mtu=1400)],
            ETH0,
            {},
            [Port("eth0", 1400), Port("eth0.10", 1400, "eth0", 10)],
        ),
        ([interface("eth9.10"), interface("eth9")], ETH0, {}, []),
    ],
)
def test_ports(interfaces: list[Interface], present: State, mtus: dict[str, int], ports: list[Port]) -> None:
    assert list(wanted(interfaces, (), present, mtus).ports) == ports


SLAAC = state(
    link("eth0"),
    addresses=[held("fd05::a/64", protocol=2), held("fe80::a/64", protocol=3)],
    routes=[way("default6>fe80::1", metric=1024, protocol=9), way("fd05::/64", metric=256, protocol=2)],
)


@pytest.mark.parametrize(
    ("before", "leases", "present", "after", "dns"),
    [
        (interface(), [], ETH0, interface(), []),
        (interface(ipv4="dhcp"), [], ETH0, interface(ipv4="dhcp"), []),
        (
            interface(ipv4="dhcp", routes="10.8.0.0/16>10.5.0.7"),
            [LEASE],
            ETH0,
            interface(address="10.5.0.57/24", gateway="10.5.0.1", routes="10.8.0.0/16>10.5.0.7"),
            ["10.5.0.53"],
        ),
        (
            interface(ipv4="dhcp", ipv6="dhcp"),
            [LEASE, LEASE6],
            SLAAC,
            interface(
                address="10.5.0.57/24", gateway="10.5.0.1", address6="fd05::1d6/64", gateway6="fe80::1"
            ),
            ["10.5.0.53", "fd05::53"],
        ),
        (interface(ipv6="auto"), [], SLAAC, interface(address6="fd05::a/64", gateway6="fe80::1"), []),
        (interface(address="10.6.0.5/24"), [LEASE], ETH0, interface(address="10.6.0.5/24"), ["10.5.0.53"]),
    ],
)
def test_as_static(
    before: Interface, leases: list[Lease], present: State, after: Interface, dns: list[str]
) -> None:
    """Address, gateway and name servers are carried over."""
    found = as_static(before, leases, present)
    assert found.interface == after
    assert list(map(str, found.dns)) == dns
