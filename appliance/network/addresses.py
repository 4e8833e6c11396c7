"""The addresses of this machine, as they are now: the door to netifaces."""

from __future__ import annotations

from ipaddress import ip_address

import netifaces

from appliance.config.model import IPAddress


def own_addresses() -> frozenset[IPAddress]:
    """Every IPv4 and IPv6 address of every interface; link-local ones carry their zone."""
    return frozenset(
        ip_address(entry["addr"])
        for ifname in netifaces.interfaces()
        for family, entries in netifaces.ifaddresses(ifname).items()
        if family in (netifaces.AF_INET, netifaces.AF_INET6)
        for entry in entries
        if "addr" in entry
    )
