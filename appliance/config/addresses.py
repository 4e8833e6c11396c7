"""Addresses and networks of a configuration, as checks of `configspec.ini` (see `values.py`)."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from appliance.config.faults import Refused
from appliance.config.model import IPAddress, IPNetwork
from appliance.config.values import is_host_name

_WITH_PORT = re.compile(r"[0-9.]+:[0-9]*|\[.*")
_HOST_NAME = re.compile(r"(?=[^:]*[A-Za-z])[\w.-]+(?::[0-9]*)?", re.ASCII)
_IFNAME = re.compile(r"[A-Za-z0-9._-]{1,15}")  # Linux: IFNAMSIZ is 16 with its NUL
_NETWORK = re.compile(r"[0-9a-fA-F:.]+(?:/[0-9]{1,3})?")  # no masks: 0.0.0.255 reads in two ways


def listen_address(text: str) -> IPAddress:
    """Return an address to listen on; 0.0.0.0 and :: are all addresses of their family."""
    return _address(text, "port and http_port")


def interface_name(text: str) -> str:
    """Return the name of an interface; whether there is one of that name is another matter."""
    if _IFNAME.fullmatch(text):
        return text
    raise Refused((text, "the name of an interface, such as eth0"))


def cluster_address(text: str) -> IPAddress:
    """Return the address of a server of a cluster."""
    address = _address(text, "http_port and tftp_port")
    if address.is_unspecified:
        raise Refused((text, "the address of one server; this one means every address"))
    return address


def name_server(text: str) -> IPAddress:
    """Return the address of a name server."""
    return _server(text, "an IPv4 or IPv6 address alone, such as 10.1.0.53 or 2001:db8::53")


def time_server(text: str) -> str:
    """Return the address of a time server, as `ipaddress` writes it, or its name."""
    if is_host_name(text):
        return text
    return str(_server(text, "an address, or a host name such as ntp.example.com"))


def _server(text: str, allowed: str) -> IPAddress:
    try:
        address = _machine(text, ip_address(text))
    except ValueError as error:
        raise error if isinstance(error, Refused) else Refused((text, allowed)) from None
    if address.is_unspecified:
        raise Refused((text, allowed))
    return address


def _address(text: str, ports: str) -> IPAddress:
    try:
        address = ip_address(text)
    except ValueError:
        raise Refused((text, _instead(text, ports))) from None
    return _machine(text, address)


def _machine(text: str, address: IPAddress) -> IPAddress:
    """Return an address that one machine can have."""
    if address.is_multicast or str(address) == "255.255.255.255":
        raise Refused((text, "the address of one machine, not multicast or broadcast"))
    if isinstance(address, IPv6Address):
        _verify_ipv6(text, address)
    return address


def _verify_ipv6(text: str, address: IPv6Address) -> None:
    if address.ipv4_mapped is not None:
        raise Refused((text, f"IPv4 written as IPv4: {address.ipv4_mapped}"))
    zone = address.scope_id
    if zone is not None and not (address.is_link_local and _IFNAME.fullmatch(zone)):
        raise Refused((text, "%interface after a link-local address alone, such as fe80::1%eth0"))
    if zone is None and address.is_link_local:
        raise Refused((text, "a link-local address with its interface, such as fe80::1%eth0"))


def _instead(text: str, ports: str) -> str:
    """Return what to write instead of a text that is no address."""
    if _HOST_NAME.fullmatch(text):
        return "an IPv4 or IPv6 address; names are not looked up, for phones need files when DNS is down too"
    if _WITH_PORT.fullmatch(text):
        return f"an address without brackets and port; the ports are set by {ports}"
    return "an IPv4 or IPv6 address alone, such as 10.1.0.10 or 2001:db8::12"


def network(text: str) -> IPNetwork:
    """Return a network; an address alone is a network of one."""
    try:
        if not _NETWORK.fullmatch(text):
            raise ValueError(text)
        found = ip_network(text, strict=False)
    except ValueError:
        raise Refused((text, "a network, such as 10.9.0.0/16 or 2001:db8:9::/48")) from None
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise Refused((text, "an IPv4 network written as IPv4"))
    if "/" in text and ip_address(text.partition("/")[0]) != found.network_address:
        raise Refused((text, f"a network without host bits; this one would be {found}"))
    return found
