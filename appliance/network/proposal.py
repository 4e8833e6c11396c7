"""An interface that has its addresses from others, as the static one that would keep them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from appliance.config.model import Interface, IPAddress, IPv4Mode, IPv6Mode
from appliance.network.lease import Lease
from appliance.network.state import ADDRESS_BY_RA, State


@dataclass(frozen=True, slots=True)
class Proposal:
    """The interface, and the name servers for [system]. A family that has no address stays as it is."""

    interface: Interface
    dns: tuple[IPAddress, ...]


def as_static(interface: Interface, leases: Iterable[Lease], present: State) -> Proposal:
    """Address, gateway and name servers are carried over."""
    given = tuple(lease for lease in leases if lease.ifname == interface.name)
    dns = tuple(dict.fromkeys(server for lease in given for server in lease.dns))
    return Proposal(_ipv6(_ipv4(interface, given), given, present), dns)


def _ipv4(interface: Interface, leases: Iterable[Lease]) -> Interface:
    held = tuple(each for lease in leases for each in lease.addresses if isinstance(each, IPv4Interface))
    if interface.ipv4 != IPv4Mode.DHCP or not held:
        return interface
    defaults = [via for lease in leases for to, via in lease.routes if to.prefixlen == 0 and via is not None]
    gateways = [via for via in defaults if isinstance(via, IPv4Address)]
    return replace(interface, ipv4=IPv4Mode.STATIC, address=held, gateway=gateways[0] if gateways else None)


def _ipv6(interface: Interface, leases: Iterable[Lease], present: State) -> Interface:
    """DHCPv6 tells neither the length of the prefix nor a gateway: both are the routers'."""
    on = [way for way in present.routes if way.ifname == interface.name and way.network.version == 6]
    held: tuple[IPv6Interface, ...] = ()
    if interface.ipv6 == IPv6Mode.AUTO:
        held = tuple(
            each.interface
            for each in present.addresses
            if each.ifname == interface.name
            and each.protocol == ADDRESS_BY_RA
            and isinstance(each.interface, IPv6Interface)
        )
    elif interface.ipv6 == IPv6Mode.DHCP:
        lengths = {way.network: way.network.prefixlen for way in on if way.via is None}
        held = tuple(
            IPv6Interface((each.ip, max([n for to, n in lengths.items() if each.ip in to], default=64)))
            for lease in leases
            for each in lease.addresses
            if isinstance(each, IPv6Interface)
        )
    if not held:
        return interface
    gateways = [way.via for way in sorted(on, key=lambda way: way.metric) if way.network.prefixlen == 0]
    routers = [via for via in gateways if isinstance(via, IPv6Address)]
    return replace(interface, ipv6=IPv6Mode.STATIC, address6=held, gateway6=routers[0] if routers else None)
