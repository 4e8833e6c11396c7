"""Interfaces and states in few words."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)

from appliance.config.model import Interface, IPv4Mode, IPv6Mode, Route
from appliance.network.state import OURS, Family, Held, Link, Setting, State, Way


def interface(
    name: str = "eth0",
    ipv4: str = "off",
    address: str = "",
    gateway: str = "",
    ipv6: str = "off",
    address6: str = "",
    gateway6: str = "",
    mtu: int | None = None,
    routes: str = "",
) -> Interface:
    """Lists are separated by blanks, routes are "10.0.0.0/8>10.1.1.1"; addresses alone make a mode static."""
    return Interface(
        name,
        IPv4Mode("static" if address else ipv4),
        tuple(map(IPv4Interface, address.split())),
        IPv4Address(gateway) if gateway else None,
        IPv6Mode("static" if address6 else ipv6),
        tuple(map(IPv6Interface, address6.split())),
        IPv6Address(gateway6) if gateway6 else None,
        mtu,
        tuple(route(each) for each in routes.split()),
    )


def route(text: str) -> Route:
    network, _, via = text.partition(">")
    return Route(ip_network(network), ip_address(via))


def held(text: str, ifname: str = "eth0", protocol: int = OURS) -> Held:
    return Held(ip_interface(text), ifname, protocol)


def way(text: str, ifname: str = "eth0", metric: int = 100, protocol: int = OURS) -> Way:
    """ "default4>10.1.1.1", "10.0.0.0/8" """
    network, _, via = text.partition(">")
    whole = {"default4": "0.0.0.0/0", "default6": "::/0"}.get(network, network)
    return Way(ip_network(whole), ip_address(via) if via else None, ifname, metric, protocol)


def link(name: str, *, up: bool = True, mtu: int = 1500, carrier: bool = True, ours: bool = False) -> Link:
    return Link(name, 0, "", up, up and carrier, mtu, ours=ours)


QUIET = {"promote_secondaries": 0, "accept_ra": 1, "autoconf": 1, "use_tempaddr": 0, "disable_ipv6": 0}


def settings(name: str, **values: int) -> tuple[Setting, ...]:
    """What the kernel has of a new interface, but for `values`."""
    both = QUIET | values
    return tuple(
        Setting(name, Family.IPV4 if key == "promote_secondaries" else Family.IPV6, key, value)
        for key, value in both.items()
    )


def state(
    *links: Link, addresses: Sequence[Held] = (), routes: Sequence[Way] = (), set_: Sequence[Setting] = ()
) -> State:
    """With the settings of a new interface where none are given."""
    named = {each.ifname for each in set_}
    usual = [each for link in links if link.name not in named for each in settings(link.name)]
    return State(tuple(links), tuple(addresses), tuple(routes), (*set_, *usual))
