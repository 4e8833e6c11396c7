"""Asking whether an address on the link is there: ARP (RFC 826) and Neighbour Discovery (RFC 4861)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

ARP = 0x0806  # EtherType
MAC_BYTES = 6
ROUTER_SOLICITATION, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 133, 135, 136  # RFC 4861 4
ALL_ROUTERS = IPv6Address("ff02::2")

_HEAD = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4, _REQUEST, _REPLY = 1, 0x0800, 1, 2
_SOURCE_MAC = 1  # RFC 4861 4.6.1
_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))


def arp_request(mac: bytes, sender: IPv4Address, target: IPv4Address) -> bytes:
    """Who has `target`. A `sender` of 0.0.0.0 claims no address (RFC 5227 2.1.1)."""
    asked = bytes(MAC_BYTES)
    return _HEAD.pack(_ETHERNET, _IPV4, MAC_BYTES, 4, _REQUEST, mac, sender.packed, asked, target.packed)


def arp_reply(packet: bytes) -> IPv4Address | None:
    """Whose address a reply tells; None for anything else."""
    if len(packet) < _HEAD.size:
        return None
    hardware, protocol, mac_bytes, bytes_, operation, _, sender, _, _ = _HEAD.unpack_from(packet)
    if (hardware, protocol, mac_bytes, bytes_, operation) != (_ETHERNET, _IPV4, MAC_BYTES, 4, _REPLY):
        return None
    return IPv4Address(sender)


def solicited_node(target: IPv6Address) -> IPv6Address:
    """The multicast address on which `target` is asked for (RFC 4291 2.7.1)."""
    return IPv6Address(_SOLICITED_NODE | int(target) & 0xFFFFFF)


def neighbour_solicitation(mac: bytes, target: IPv6Address) -> bytes:
    """ICMPv6 without its checksum, which the kernel puts in."""
    head = struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0)
    return head + target.packed + struct.pack("!BB6s", _SOURCE_MAC, 1, mac)


def neighbour_advertised(packet: bytes) -> IPv6Address | None:
    """Whose address an ICMPv6 packet tells; None for anything else."""
    if len(packet) < 24 or packet[0] != NEIGHBOUR_ADVERTISEMENT or packet[1] != 0:
        return None
    return IPv6Address(packet[8:24])


def router_solicitation(mac: bytes) -> bytes:
    """Which routers are there; ICMPv6 without its checksum."""
    head = struct.pack("!BBHI", ROUTER_SOLICITATION, 0, 0, 0)
    return head + struct.pack("!BB6s", _SOURCE_MAC, 1, mac)
