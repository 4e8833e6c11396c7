"""The network as `appliance network` shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from appliance.config.model import Interface, IPAddress
from appliance.network.change import Change
from appliance.network.lease import Lease
from appliance.network.proposal import as_static
from appliance.network.state import ADDRESS_BY_RA, OURS, ROUTE_BY_RA, Held, Link, State, Way
from appliance.report.network import (
    AddressShown,
    InterfaceShown,
    LeaseShown,
    NetworkShown,
    RouteShown,
    StaticShown,
)

_KERNEL_ADDRESS = (1, 3)  # IFAPROT_KERNEL_LO, IFAPROT_KERNEL_LL
_KERNEL_ROUTE = 2  # RTPROT_KERNEL


def network_shown(
    interfaces: Sequence[Interface],
    present: State,
    leases: Sequence[Lease],
    name_servers: Iterable[IPAddress],
    changes: Iterable[Change],
    now: float,
) -> NetworkShown:
    """`now` is in seconds since boot. Interfaces of the configuration first, in its order."""
    managed = {interface.name: interface for interface in interfaces}
    others = [link.name for link in present.links if link.name not in managed]
    return NetworkShown(
        tuple(_interface(name, managed.get(name), present, leases, now) for name in (*managed, *others)),
        tuple(_route(way, leases) for way in present.routes),
        tuple(str(server) for server in name_servers),
        tuple(str(change) for change in changes),
    )


def _interface(
    name: str, managed: Interface | None, present: State, leases: Sequence[Lease], now: float
) -> InterfaceShown:
    link = present.link(name)
    absent = Link(name, 0, "", False, False, 0)
    shown = link or absent
    own = [lease for lease in leases if lease.ifname == name]
    return InterfaceShown(
        name,
        managed is not None,
        link is not None,
        shown.kind,
        shown.up,
        shown.carrier,
        shown.mtu,
        tuple(_address(held, leases) for held in present.addresses if held.ifname == name),
        tuple(_lease(lease, now) for lease in own),
        None if managed is None else _static(managed, own, present),
    )


def _address(held: Held, leases: Iterable[Lease]) -> AddressShown:
    given = any(lease.ifname == held.ifname and held.interface in lease.addresses for lease in leases)
    if held.protocol == OURS:
        origin = "dhcp" if given else "configuration"
    elif held.protocol == ADDRESS_BY_RA:
        origin = "router"
    else:
        origin = "kernel" if held.protocol in _KERNEL_ADDRESS else "foreign"
    return AddressShown(str(held.interface), origin, held.tentative)


def _route(way: Way, leases: Iterable[Lease]) -> RouteShown:
    given = any(lease.ifname == way.ifname and (way.network, way.via) in lease.routes for lease in leases)
    if way.protocol == OURS:
        origin = "dhcp" if given else "configuration"
    elif way.protocol == ROUTE_BY_RA:
        origin = "router"
    else:
        origin = "kernel" if way.protocol == _KERNEL_ROUTE else "foreign"
    via = None if way.via is None else str(way.via)
    return RouteShown(str(way.network), via, way.ifname, way.metric, origin)


def _lease(lease: Lease, now: float) -> LeaseShown:
    return LeaseShown(
        str(lease.family),
        tuple(map(str, lease.addresses)),
        tuple(map(str, lease.dns)),
        tuple(map(str, lease.ntp)),
        None if lease.until is None else round(max(0.0, lease.until - now), 1),
    )


def _static(interface: Interface, leases: Iterable[Lease], present: State) -> StaticShown | None:
    """None where the interface would stay as it is."""
    proposed = as_static(interface, leases, present)
    if proposed.interface == interface:
        return None
    made = proposed.interface
    return StaticShown(
        tuple(map(str, made.address)),
        None if made.gateway is None else str(made.gateway),
        tuple(map(str, made.address6)),
        None if made.gateway6 is None else str(made.gateway6),
        tuple(map(str, proposed.dns)),
    )
