"""Rules between the settings of interfaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Interface, IPv6Interface

from appliance.config.faults import SEPARATOR, Fault
from appliance.config.model import Interface, IPAddress, IPNetwork, IPv4Mode, IPv6Mode

MTU_IPV6 = 1280
"""Bytes that IPv6 needs of every link (RFC 8200 section 5)."""


def verify_interfaces(interfaces: Sequence[Interface]) -> Iterator[Fault]:
    """Yield each breach of a rule, without its line."""
    named = {interface.name: interface for interface in interfaces}
    for interface in interfaces:
        for family in (4, 6):
            yield from _family(interface, family)
        yield from _routes(interface)
        yield from _link(interface, named)
    yield from _between(interfaces)


def _family(interface: Interface, family: int) -> Iterator[Fault]:
    """Addresses and gateway of one family stand with its static mode, and fit each other."""
    mode, held, gateway = _settings(interface, family)
    suffix = "6" if family == 6 else ""
    if mode != "static":
        allowed = f"nothing with ipv{family} = {mode}; it stands with ipv{family} = static"
        if held:
            yield _fault(interface, f"address{suffix}", _text(held), allowed)
        if gateway is not None:
            yield _fault(interface, f"gateway{suffix}", str(gateway), allowed)
        return
    if not held:
        yield _fault(interface, f"address{suffix}", "", f"1 or more addresses with ipv{family} = static")
    elif gateway is not None and (reason := _unreachable(gateway, held)):
        yield _fault(interface, f"gateway{suffix}", str(gateway), reason)


def _routes(interface: Interface) -> Iterator[Fault]:
    seen: set[IPNetwork] = set()
    for route in interface.routes:
        found = f"{route.network} via {route.via}"
        mode, held, _ = _settings(interface, route.network.version)
        if route.network in seen:
            yield _fault(interface, "routes", found, "each network once")
        elif mode == "off":
            yield _fault(interface, "routes", found, f"no such route with ipv{route.network.version} = off")
        elif held and (reason := _unreachable(route.via, held)):
            yield _fault(interface, "routes", found, reason)
        seen.add(route.network)


def _unreachable(router: IPAddress, held: Sequence[IPv4Interface | IPv6Interface]) -> str:
    """Why a router cannot be reached from static addresses; "" where it can."""
    if any(router == each.ip for each in held):
        return "the address of a router, not of this interface"
    around = [each.network for each in held if router in each.network]
    if not around:
        link_local = router.version == 6 and router.is_link_local
        return "" if link_local else f"an address in {_text([each.network for each in held])}"
    for network in around:
        if router.version == 4 and network.prefixlen < 31 and router in (network[0], network[-1]):
            return f"an address of a machine in {network}, not that of all or of none"
    return ""


def _link(interface: Interface, named: Mapping[str, Interface]) -> Iterator[Fault]:
    if interface.mtu is not None and interface.mtu < MTU_IPV6 and interface.ipv6 is not IPv6Mode.OFF:
        yield _fault(interface, "mtu", str(interface.mtu), f"{MTU_IPV6} or more, or ipv6 = off")
    if interface.parent is None:
        return
    below = named.get(interface.parent)
    if below is None:
        allowed = f"a VLAN of an interface that has its own section; [[{interface.parent}]] is missing"
        yield _fault(interface, "", interface.name, allowed)
    elif interface.mtu is not None and below.mtu is not None and interface.mtu > below.mtu:
        yield _fault(interface, "mtu", str(interface.mtu), f"at most that of {below.name}, {below.mtu}")


def _between(interfaces: Sequence[Interface]) -> Iterator[Fault]:
    """No two interfaces are in the same network, lead to the same network, or to all others."""
    gateways: dict[int, Interface] = {}
    networks: dict[IPNetwork, Interface] = {}
    routes: dict[IPNetwork, Interface] = {}
    for interface in interfaces:
        for key, held in (("address", interface.address), ("address6", interface.address6)):
            yield from _held(interface, key, held, networks)
        for route in interface.routes:
            other = routes.setdefault(route.network, interface)
            if other is not interface:
                allowed = f"a network to which no other interface leads; {other.name} leads to this one"
                yield _fault(interface, "routes", f"{route.network} via {route.via}", allowed)
        for gateway in (interface.gateway, interface.gateway6):
            if gateway is not None and gateways.setdefault(gateway.version, interface) is not interface:
                allowed = f"nothing; {gateways[gateway.version].name} has the gateway of this family"
                yield _fault(
                    interface, f"gateway{'6' if gateway.version == 6 else ''}", str(gateway), allowed
                )


def _held(
    interface: Interface,
    key: str,
    held: Sequence[IPv4Interface | IPv6Interface],
    networks: dict[IPNetwork, Interface],
) -> Iterator[Fault]:
    """The addresses of one family of an interface. `networks` are those before it, and are added to."""
    ips = [each.ip for each in held]
    for ip in dict.fromkeys(ips):
        if ips.count(ip) > 1:
            yield _fault(interface, key, str(ip), "each address once")
    for each in held:
        if each.ip.is_link_local and each.version == 6:
            continue  # fe80::/64 is on every link
        other = networks.setdefault(each.network, interface)
        if other is not interface:
            allowed = f"an address in a network of its own; {other.name} is in {each.network}"
            yield _fault(interface, key, str(each), allowed)


def _settings(
    interface: Interface, family: int
) -> tuple[IPv4Mode | IPv6Mode, Sequence[IPv4Interface | IPv6Interface], IPAddress | None]:
    if family == 4:
        return interface.ipv4, interface.address, interface.gateway
    return interface.ipv6, interface.address6, interface.gateway6


def _text(several: Sequence[object]) -> str:
    return ", ".join(map(str, several))


def _fault(interface: Interface, key: str, found: str, allowed: str) -> Fault:
    return Fault(SEPARATOR.join(("network", interface.name)), key, found, allowed)
