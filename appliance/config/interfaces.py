"""Values of the interfaces of a configuration, as checks of `configspec.ini` (see `values.py`)."""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
)

from appliance.config.addresses import network
from appliance.config.faults import Refused
from appliance.config.model import Route

IFNAME_MAX = 15  # Linux: IFNAMSIZ is 16 with its NUL
VLAN_MAX = 4094  # IEEE 802.1Q: 0 and 4095 are reserved

_IFNAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)(?:\.([1-9][0-9]{0,3}))?")
_OTHER_MEANING = ("lo", "all", "default")  # the loopback; what Linux calls every and any interface
_PREFIXLEN = re.compile(r"[0-9a-fA-F:.]+/[0-9]{1,3}")  # no masks: 0.0.0.255 reads in two ways
_ROUTE = re.compile(r"(\S+)\s+via\s+(\S+)")


def ifname(text: str) -> str:
    """Return the name of an interface, such as eth0, or of a VLAN on it, such as eth0.10."""
    match = _IFNAME.fullmatch(text)
    if len(text) > IFNAME_MAX or not match or match[1] in _OTHER_MEANING:
        allowed = f"at most {IFNAME_MAX} letters, digits, hyphens, underscores; with .VLAN for a VLAN on it"
        raise Refused((text, f"the name of an interface: {allowed}"))
    if match[2] and int(match[2]) > VLAN_MAX:
        raise Refused((text, f"a VLAN from 1 to {VLAN_MAX}"))
    return text


def ipv4_interface(text: str) -> IPv4Interface:
    """Return an IPv4 address of this box with the length of its prefix."""
    try:
        if not _PREFIXLEN.fullmatch(text):
            raise ValueError(text)
        found = IPv4Interface(text)
    except ValueError:
        raise Refused((text, "an IPv4 address with the length of its prefix, such as 10.1.1.5/24")) from None
    if not _of_one_machine(found.ip) or found.network.prefixlen == 0:
        raise Refused((text, "the address of one machine"))
    if found.network.prefixlen < 31 and found.ip in (
        found.network.network_address,
        found.network.broadcast_address,
    ):
        raise Refused((text, f"an address of a machine in {found.network}, not that of all or of none"))
    return found


def ipv6_interface(text: str) -> IPv6Interface:
    """Return an IPv6 address of this box with the length of its prefix."""
    try:
        if not _PREFIXLEN.fullmatch(text):
            raise ValueError(text)
        found = IPv6Interface(text)
    except ValueError:
        allowed = "an IPv6 address with the length of its prefix, such as 2001:db8:1::5/64"
        raise Refused((text, allowed)) from None
    if not _of_one_machine(found.ip) or found.network.prefixlen == 0:
        raise Refused((text, "the address of one machine"))
    if found.network.prefixlen < 127 and found.ip == found.network.network_address:
        # RFC 4291 section 2.6.1; two routers on a link may have both addresses (RFC 6164).
        raise Refused((text, f"an address of a machine in {found.network}; this one is of its routers"))
    return found


def ipv4_gateway(text: str) -> IPv4Address:
    """Return the IPv4 address of a router."""
    try:
        found = IPv4Address(text)
    except ValueError:
        raise Refused((text, "an IPv4 address alone, such as 10.1.1.1")) from None
    if not _of_one_machine(found):
        raise Refused((text, "the address of one machine"))
    return found


def ipv6_gateway(text: str) -> IPv6Address:
    """Return the IPv6 address of a router. Its interface is known: no zone."""
    try:
        found = IPv6Address(text)
    except ValueError:
        raise Refused((text, "an IPv6 address alone, such as fe80::1")) from None
    if found.scope_id is not None:
        raise Refused((text, "an address without %interface; it is that of the section"))
    if not _of_one_machine(found):
        raise Refused((text, "the address of one machine"))
    return found


def route(text: str) -> Route:
    """Return a network and the router that leads there."""
    match = _ROUTE.fullmatch(text)
    if not match:
        raise Refused((text, "a network and its router, such as 10.0.0.0/8 via 10.1.1.1"))
    to = network(match[1])
    if to.prefixlen == 0:
        raise Refused((text, f"one network; the way to all is gateway{'6' if to.version == 6 else ''}"))
    if to.is_multicast or to.is_loopback:
        raise Refused((text, "a network of machines elsewhere"))
    via = ipv4_gateway(match[2]) if to.version == 4 else ipv6_gateway(match[2])
    return Route(network=to, via=via)


def _of_one_machine(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        return not (
            address.is_multicast or address.is_loopback or address.is_unspecified or address.ipv4_mapped
        )
    # 0.0.0.0/8 is "this network" and 240.0.0.0/4 is kept for the future (RFC 6890).
    return not (address.is_multicast or address.is_loopback or int(address) >> 24 == 0 or address.is_reserved)
