"""What there ought to be: of the interfaces of the configuration, of leases, and of what there is now.

An interface that is named first is preferred: its routes have the lowest metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from appliance.config.model import Interface, IPAddress, IPNetwork, IPv4Mode, IPv6Mode
from appliance.network.lease import Lease
from appliance.network.state import (
    ADDRESS_BY_RA,
    OURS,
    Family,
    Held,
    IPInterface,
    Setting,
    State,
    Way,
    family,
)

METRIC = 100
"""Of the routes of the first interface; the next has one more. Routers' own routes have 1024."""

_DEFAULT = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}

_IPV4 = {
    # Else the kernel takes a subnet's other addresses away together with its first one.
    "promote_secondaries": 1,
}
_IPV6 = {
    # accept_ra 2: also where something else has switched forwarding on. disable_ipv6 is last, so that the
    # kernel asks for routers with the other settings in force.
    IPv6Mode.AUTO: {"accept_ra": 2, "autoconf": 1, "use_tempaddr": 0, "disable_ipv6": 0},
    IPv6Mode.DHCP: {"accept_ra": 2, "autoconf": 0, "use_tempaddr": 0, "disable_ipv6": 0},
    IPv6Mode.STATIC: {"accept_ra": 0, "autoconf": 0, "use_tempaddr": 0, "disable_ipv6": 0},
    IPv6Mode.OFF: {"disable_ipv6": 1},
}


@dataclass(frozen=True, slots=True)
class Port:
    """A link that ought to be there and up. `mtu` of None is the one that it has."""

    name: str
    mtu: int | None = None
    parent: str | None = None
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that this box manages; what else there is, it leaves alone."""

    ports: tuple[Port, ...] = ()
    settings: tuple[Setting, ...] = ()
    addresses: tuple[Held, ...] = ()
    routes: tuple[Way, ...] = ()


def wanted(
    interfaces: Sequence[Interface],
    leases: Iterable[Lease],
    present: State,
    mtus: Mapping[str, int] | None = None,
) -> Wanted:
    """What ought to be. `mtus`: what interfaces had before this box changed it, for those that name none.

    Interfaces that are not there, and cannot be made, are left out.
    """
    ports = tuple(_ports(interfaces, present, mtus or {}))
    there = {port.name for port in ports}
    known = {setting.family for setting in present.settings}
    here = [(at, interface) for at, interface in enumerate(interfaces) if interface.name in there]
    given = {(lease.ifname, lease.family): lease for lease in leases}
    settings: list[Setting] = []
    addresses: dict[tuple[str, IPInterface], Held] = {}
    routes: dict[tuple[IPNetwork, int], Way] = {}
    for at, interface in here:
        settings += [setting for setting in _settings(interface) if setting.family in known]
        used = tuple(_used(interface, given, known))
        for held in _addresses(interface, used):
            if family(held.interface) in known:
                addresses.setdefault(held.key, held)
        own = [held for held in addresses.values() if held.ifname == interface.name]
        for way in _reached(_routes(interface, used, METRIC + at), own, _others(interface, present)):
            routes.setdefault(way.place, way)
    return Wanted(ports, tuple(settings), tuple(addresses.values()), tuple(routes.values()))


def _ports(interfaces: Sequence[Interface], present: State, mtus: Mapping[str, int]) -> Iterator[Port]:
    """Parents before the VLANs on them; a VLAN's parent has its own section."""
    sizes: dict[str, int] = {}
    for interface in sorted(interfaces, key=lambda each: each.vlan is not None):
        link, parent = present.link(interface.name), interface.parent
        most = sizes.get(parent) if parent else None
        if link is None and most is None:
            continue
        mtu = mtus.get(interface.name) if interface.mtu is None else interface.mtu
        if mtu is not None and most is not None:
            mtu = min(mtu, most)  # the kernel takes no more
        sizes[interface.name] = mtu or (link.mtu if link else most or 0)
        yield Port(interface.name, mtu, parent, interface.vlan)


def _settings(interface: Interface) -> Iterator[Setting]:
    for key, value in _IPV4.items():
        yield Setting(interface.name, Family.IPV4, key, value)
    for key, value in _IPV6[interface.ipv6].items():
        yield Setting(interface.name, Family.IPV6, key, value)


def _used(
    interface: Interface, given: Mapping[tuple[str, Family], Lease], known: set[Family]
) -> Iterator[Lease]:
    """The leases whose addresses the interface takes: not all that were ever given are still asked for."""
    asked = {Family.IPV4: interface.ipv4 == IPv4Mode.DHCP, Family.IPV6: interface.ipv6 == IPv6Mode.DHCP}
    for which, wants in asked.items():
        if wants and which in known and (interface.name, which) in given:
            yield given[interface.name, which]


def _addresses(interface: Interface, leases: Iterable[Lease]) -> Iterator[Held]:
    static: tuple[IPInterface, ...] = (*interface.address, *interface.address6)
    for each in static:
        yield Held(each, interface.name)
    for lease in leases:
        for address in lease.addresses:
            yield Held(address, interface.name)


def _routes(interface: Interface, leases: Iterable[Lease], metric: int) -> Iterator[Way]:
    """Configured ones first: they stand where a lease has another for the same network."""
    off = {4: interface.ipv4 == IPv4Mode.OFF, 6: interface.ipv6 == IPv6Mode.OFF}
    for gateway in (interface.gateway, interface.gateway6):
        if gateway is not None:
            yield Way(_DEFAULT[gateway.version], gateway, interface.name, metric)
    for route in interface.routes:
        if not off[route.network.version]:
            yield Way(route.network, route.via, interface.name, metric)
    for lease in leases:
        for network, via in lease.routes:
            yield Way(network, via, interface.name, metric)


def _others(interface: Interface, present: State) -> list[Held]:
    """Addresses that others, routers among them, gave the interface, and that stay."""
    return [
        held
        for held in present.addresses
        if held.ifname == interface.name
        and held.protocol != OURS
        and (interface.ipv6 != IPv6Mode.OFF or held.interface.version == 4)
        and (held.protocol != ADDRESS_BY_RA or interface.ipv6 == IPv6Mode.AUTO)
    ]


def _reached(routes: Iterable[Way], own: Iterable[Held], others: Iterable[Held]) -> Iterator[Way]:
    """Routes that the kernel takes: those whose next hop is on the link. Those without next hop first."""
    ways = sorted(routes, key=lambda way: way.via is not None)
    networks: list[IPNetwork] = [held.interface.network for held in (*own, *others)]
    networks += [way.network for way in ways if way.via is None]
    held = {each.interface.ip for each in (*own, *others)}
    for way in ways:
        if way.via is None or (way.via not in held and _on_link(way.via, networks)):
            yield way


def _on_link(via: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    if via.version == 6 and via.is_link_local:
        return True
    return any(via.version == network.version and via in network for network in networks)
