"""Random configurations of interfaces, leases and states of a machine, by anything that can choose.

Few values, so that what there is and what there ought to be often meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import Any

from appliance.config.model import Interface, IPv4Mode, IPv6Mode
from appliance.config.verify_interfaces import verify_interfaces
from appliance.network.lease import Lease
from appliance.network.state import Family, Held, Link, Setting, State, Way
from tests.network.build import held, interface, link, settings, way

Choose = Callable[[Sequence[Any]], Any]

LINKS = ("eth0", "eth1")
VLAN = "eth0.10"
IPV4 = [f"10.{net}.0.{host}/{length}" for net in (1, 2) for host in (1, 2) for length in (24, 16)]
IPV6 = [f"fd0{net}::{host}/{length}" for net in (1, 2) for host in (1, 2) for length in (64, 48)]
ROUTERS = {4: ("10.1.0.254", "10.2.0.254", "10.1.0.253"), 6: ("fd01::ff", "fd02::ff", "fe80::1")}
NETWORKS = {4: ("10.77.0.0/16", "10.78.0.0/24"), 6: ("fd77::/64", "fd78::/48")}
PROTOCOLS = {"address": (73, 0, 2), "route": (73, 4, 9)}


@dataclass(frozen=True)
class World:
    """What the configuration says, what servers gave, and what there is."""

    interfaces: tuple[Interface, ...]
    leases: tuple[Lease, ...]
    present: State


def world(choose: Choose, vlans: bool = True) -> World:
    return World(configured(choose, vlans), tuple(leases(choose)), present(choose, vlans))


def configured(choose: Choose, vlans: bool = True) -> tuple[Interface, ...]:
    """Interfaces that the rules of a configuration allow: what breaks one is left out."""
    found: tuple[Interface, ...] = ()
    for name in (*LINKS, VLAN) if vlans else LINKS:
        if choose((True, True, False)):
            more = (*found, _interface(name, choose))
            if not list(verify_interfaces(more)):
                found = more
    return found


def _interface(name: str, choose: Choose) -> Interface:
    ipv4, ipv6 = choose(list(IPv4Mode)), choose(list(IPv6Mode))
    some = (0, 1, 1, 2)
    ways = " ".join(
        f"{choose(NETWORKS[version])}>{choose(ROUTERS[version])}"
        for version in (4, 6)
        for _ in range(choose((0, 0, 1)))
    )
    return interface(
        name,
        ipv4=ipv4,
        address=" ".join(choose(IPV4) for _ in range(choose(some))) if ipv4 == "static" else "",
        gateway=choose(("", *ROUTERS[4])) if ipv4 == "static" else "",
        ipv6=ipv6,
        address6=" ".join(choose(IPV6) for _ in range(choose(some))) if ipv6 == "static" else "",
        gateway6=choose(("", *ROUTERS[6])) if ipv6 == "static" else "",
        mtu=choose((None, None, 1400, 1500)),
        routes=ways,
    )


def leases(choose: Choose) -> list[Lease]:
    found = []
    for name in LINKS:
        if choose((True, False)):
            address = IPv4Interface(choose(IPV4))
            router = ip_address(choose(ROUTERS[4]))
            default = way(f"default4>{router}").network
            found.append(Lease(name, Family.IPV4, (address,), ((default, router),)))
        if choose((True, False)):
            address6 = IPv6Interface(choose(IPV6).partition("/")[0] + "/128")
            found.append(Lease(name, Family.IPV6, (address6,)))
    return found


def present(choose: Choose, vlans: bool = True) -> State:
    """A state that a kernel can be in."""
    links = [_link(name, choose) for name in LINKS if choose((True, True, True, False))]
    if vlans and any(each.name == "eth0" for each in links) and choose((True, False)):
        links.append(Link(VLAN, 0, "vlan", False, False, 1400, "eth0", 10, ours=choose((True, False))))
    links.append(link("other0"))
    known = [setting for each in links for setting in _settings(each.name, choose)]
    names = [each.name for each in links]
    off = {each.ifname for each in known if each.key == "disable_ipv6" and each.value}
    addresses: dict[object, Held] = {}
    for _ in range(choose((0, 1, 2, 4, 6))):
        new = held(choose(IPV4 + IPV6), choose(names), choose(PROTOCOLS["address"]))
        if new.interface.version == 6 and new.ifname not in off:
            addresses.setdefault((new.ifname, new.interface.ip), new)
        elif new.interface.version == 4:
            addresses.setdefault(new.key, new)
    ways: dict[object, Way] = {}
    for _ in range(choose((0, 1, 2, 4))):
        version = choose((4, 6))
        text = f"{choose((f'default{version}', *NETWORKS[version]))}>{choose(ROUTERS[version])}"
        new_way = way(text, choose(names), choose((100, 101, 1024)), choose(PROTOCOLS["route"]))
        holds = {each.ifname for each in addresses.values() if each.interface.version == 4}
        if new_way.ifname in (holds if version == 4 else set(names) - off):
            ways.setdefault(new_way.place, new_way)
    return State(tuple(links), tuple(addresses.values()), tuple(ways.values()), tuple(known))


def _link(name: str, choose: Choose) -> Link:
    return link(name, up=choose((True, False)), mtu=choose((1500, 1400)))


def _settings(name: str, choose: Choose) -> tuple[Setting, ...]:
    return settings(
        name,
        promote_secondaries=choose((0, 1)),
        accept_ra=choose((0, 1, 2)),
        autoconf=choose((0, 1)),
        disable_ipv6=choose((0, 0, 1)),
    )
