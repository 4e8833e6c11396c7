"""The addresses of this machine, as they are now: the door to netifaces."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import netifaces

from appliance.config.model import IPAddress


def own_interfaces() -> frozenset[str]:
    """The names of all interfaces."""
    return frozenset(netifaces.interfaces())


def own_addresses() -> frozenset[IPAddress]:
    """Every IPv4 and IPv6 address of every interface; link-local ones carry their zone."""
    return frozenset(address for ifname in netifaces.interfaces() for address in _addresses(ifname))


def _addresses(ifname: str) -> Iterator[IPAddress]:
    try:
        families = netifaces.ifaddresses(ifname)
    except ValueError:
        return  # it has gone since it was listed
    for family in (netifaces.AF_INET, netifaces.AF_INET6):
        for entry in families.get(family, ()):
            if "addr" in entry:
                yield ip_address(entry["addr"])
