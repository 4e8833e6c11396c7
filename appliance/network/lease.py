"""What a DHCP server gave, read from what dhcpcd told its hook: RFC 2131, 2132, 3442 (routes), 8415 (IPv6).

The hook writes dhcpcd's environment, a `NAME=value` a line (dhcpcd-run-hooks(8)), and the seconds since
boot. The values come from strangers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    ip_address,
    ip_network,
)
from typing import TypeVar

from appliance.config.model import IPAddress, IPNetwork
from appliance.network.state import Family, IPInterface
from appliance.report.text import printable

MOST = 16
"""Addresses, routes or servers of one kind that are taken from one lease."""

INFINITE = 0xFFFFFFFF  # RFC 2131 3.3

_ALL = {Family.IPV4: ip_network("0.0.0.0/0"), Family.IPV6: ip_network("::/0")}

_GIVEN = {"BOUND", "RENEW", "REBIND", "REBOOT", "TIMEOUT", "INFORM"}
_TAKEN = {"EXPIRE", "NAK"}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lease:
    """What one server gave one interface in one family. `until` is in seconds since boot; None: for ever.

    A route without `via` is on the link. A lease may have no address: what a server told of DNS and NTP.
    """

    ifname: str
    family: Family
    addresses: tuple[IPInterface, ...] = ()
    routes: tuple[tuple[IPNetwork, IPAddress | None], ...] = ()
    dns: tuple[IPAddress, ...] = ()
    ntp: tuple[IPAddress, ...] = ()
    until: float | None = None

    def valid(self, now: float) -> bool:
        """Whether it holds at this moment (s since boot)."""
        return self.until is None or now < self.until


class LeaseError(ValueError):
    """What was told makes no lease."""


def next_lease(text: str, ifname: str, which: Family, before: Lease | None) -> Lease | None:
    """The lease after the hook was called; None: there is none any more. `LeaseError`.

    Without a carrier dhcpcd gives its lease up, and asks for the same one when the carrier is back. The
    address is kept until then, so that a cable that was pulled for a moment ends no transfer.
    """
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    reason = told.get("reason", "").removesuffix("6")
    if reason in _TAKEN:
        return before if told.get("ifcarrier") == "down" else None
    if reason not in _GIVEN:
        return before
    lease = _ipv6(told, ifname) if which == Family.IPV6 else _ipv4(told, ifname)
    if reason == "TIMEOUT" and before is not None and before.addresses == lease.addresses:
        return replace(lease, until=before.until)  # nobody has answered: the time runs on
    return lease


def _ipv4(told: Mapping[str, str], ifname: str) -> Lease:
    address = told.get("new_ip_address")
    addresses: tuple[IPInterface, ...] = ()
    if address is not None:
        length = told.get("new_subnet_cidr", "32")
        addresses = (_of_a_machine(_value(IPv4Interface, f"{address}/{length}")),)
    if "new_classless_static_routes" in told:
        routes = tuple(_classless(told["new_classless_static_routes"]))  # RFC 3442: then `routers` is void
    else:
        routes = tuple((_ALL[Family.IPV4], via) for via in _addresses(told.get("new_routers", ""), 4)[:1])
    return Lease(
        ifname,
        Family.IPV4,
        addresses,
        routes[:MOST],
        _addresses(told.get("new_domain_name_servers", ""), 4),
        _addresses(told.get("new_ntp_servers", ""), 4),
        _until(told, [told["new_dhcp_lease_time"]] if "new_dhcp_lease_time" in told else []),
    )


def _classless(text: str) -> Iterator[tuple[IPNetwork, IPAddress | None]]:
    words = text.split()
    for network, via in zip(words[::2], words[1::2], strict=False):
        address = _value(ip_address, via)
        yield _value(IPv4Network, network), None if address.is_unspecified else address


def _ipv6(told: Mapping[str, str], ifname: str) -> Lease:
    """The routes of IPv6 are told by routers, not by DHCP."""
    names = [f"new_dhcp6_ia_na{i}_ia_addr{j}" for i in range(1, 3) for j in range(1, MOST)]
    names = [name for name in names if name in told]
    servers = f"{told.get('new_dhcp6_ntp_server_addr', '')} {told.get('new_dhcp6_sntp_servers', '')}"
    return Lease(
        ifname,
        Family.IPV6,
        tuple(_of_a_machine(_value(IPv6Interface, f"{told[name]}/128")) for name in names),
        (),
        _addresses(told.get("new_dhcp6_name_servers", ""), 6),
        _addresses(servers, 6),
        _until(told, [told[f"{name}_vltime"] for name in names if f"{name}_vltime" in told]),
    )


def _of_a_machine(given: IPInterface) -> IPInterface:
    ip = given.ip
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast or (ip.version == 4 and ip.is_reserved):
        raise LeaseError(f"{ip} in a lease: not the address of a machine")
    if given.network.prefixlen == 0:
        raise LeaseError(f"{given} in a lease: all machines there are on one link")
    return given


def _until(told: Mapping[str, str], times: list[str]) -> float | None:
    seconds = [_value(int, each) for each in times]
    now = _value(float, told.get("uptime", ""))
    if not 0 <= now < INFINITE or any(each < 0 for each in seconds):
        raise LeaseError("a time that cannot be")
    if not seconds or min(seconds) >= INFINITE:
        return None
    return now + min(seconds)


def _addresses(text: str, version: int) -> tuple[IPAddress, ...]:
    """Those that are addresses of this family; others are of no use, and no reason to refuse a lease."""
    found = []
    for word in text.split():
        try:
            address = ip_address(word)
        except ValueError:
            continue
        if address.version == version and address not in found:
            found.append(address)
    return tuple(found[:MOST])


def _value(kind: Callable[[str], _T], text: str) -> _T:
    try:
        return kind(text)
    except ValueError:
        raise LeaseError(f'"{printable(text, 80)}" in a lease') from None
