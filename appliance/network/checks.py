"""Self-tests of the network: each interface has a carrier, and each gateway answers ARP or ND.

Asked is the gateway itself, with a packet of ours, so that nothing the kernel remembers counts as an answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import gevent
from gevent import socket

from appliance.config.model import Interface, IPAddress
from appliance.network.solicit import (
    ALL_ROUTERS,
    ARP,
    arp_reply,
    arp_request,
    neighbour_advertised,
    neighbour_solicitation,
    router_solicitation,
    solicited_node,
)
from appliance.network.state import State

PATIENCE = 3.0  # s for a gateway
REPEAT = 0.5  # s between two questions

_NOBODY = IPv4Address("0.0.0.0")


class _Silent(Exception):
    """A gateway has not answered in time."""


@dataclass(frozen=True, slots=True)
class Check:
    """One self-test; `why` tells people what was found."""

    name: str
    ok: bool
    why: str


def carriers(interfaces: Iterable[Interface], present: State) -> Iterator[Check]:
    """One for each interface of the configuration."""
    for interface in interfaces:
        link = present.link(interface.name)
        if link is None:
            why = "no such interface"
        elif not link.up:
            why = "switched off"
        else:
            why = "carrier" if link.carrier else "no carrier: is the cable plugged in?"
        yield Check(f"{interface.name} carrier", link is not None and link.up and link.carrier, why)


def gateways(interfaces: Sequence[Interface], present: State) -> tuple[tuple[str, IPAddress], ...]:
    """Interface and address of each: those of the configuration, of leases, and of routers."""
    found = [
        (interface.name, via)
        for interface in interfaces
        for via in (interface.gateway, interface.gateway6)
        if via is not None
    ]
    names = {interface.name for interface in interfaces}
    found += [
        (way.ifname, way.via)
        for way in present.routes
        if way.ifname in names and way.network.prefixlen == 0 and way.via is not None
    ]
    return tuple(dict.fromkeys(found))


def checks(interfaces: Sequence[Interface], present: State) -> tuple[Check, ...]:
    """All of them; takes `PATIENCE` at most. Needs CAP_NET_RAW."""
    asked = [gevent.spawn(_gateway, *each, present) for each in gateways(interfaces, present)]
    try:
        gevent.joinall(asked)
        return (*carriers(interfaces, present), *(each.get() for each in asked))
    finally:
        gevent.killall(asked)


def solicit_routers(ifname: str) -> None:
    """Have routers tell at once what they would tell some time; `OSError`."""
    with _icmpv6(ifname) as wire:
        wire.sendto(
            router_solicitation(_mac(ifname)), (str(ALL_ROUTERS), 0, 0, socket.if_nametoindex(ifname))
        )


def _gateway(ifname: str, via: IPAddress, present: State) -> Check:
    name = f"{ifname} gateway {via}"
    words = "ARP" if via.version == 4 else "neighbour discovery"
    try:
        with gevent.Timeout.start_new(PATIENCE, _Silent):
            if isinstance(via, IPv4Address):
                _arp(ifname, _sender(ifname, via, present), via)
            else:
                _discover(ifname, via)
            return Check(name, True, f"answers {words}")
    except _Silent:
        return Check(name, False, f"does not answer {words}")
    except OSError as error:
        return Check(name, False, error.strerror or str(error))


def _sender(ifname: str, target: IPv4Address, present: State) -> IPv4Address:
    """Our address in the gateway's network; some answer no other."""
    for held in present.addresses:
        address = held.interface.ip
        if held.ifname == ifname and isinstance(address, IPv4Address) and target in held.interface.network:
            return address
    return _NOBODY


def _arp(ifname: str, sender: IPv4Address, target: IPv4Address) -> None:
    """Back when it has answered."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ARP)) as wire:
        wire.bind((ifname, ARP))
        question = arp_request(wire.getsockname()[4], sender, target)
        asking = gevent.spawn(_repeat, wire, question, (ifname, ARP, 0, 0, b"\xff" * 6))
        try:
            while arp_reply(wire.recv(256)) != target:
                pass
        finally:
            asking.kill()


def _discover(ifname: str, target: IPv6Address) -> None:
    """Back when it has answered."""
    with _icmpv6(ifname) as wire:
        to = (str(solicited_node(target)), 0, 0, socket.if_nametoindex(ifname))
        asking = gevent.spawn(_repeat, wire, neighbour_solicitation(_mac(ifname), target), to)
        try:
            while neighbour_advertised(wire.recv(1500)) != target:
                pass
        finally:
            asking.kill()


def _repeat(wire: socket.socket, question: bytes, to: tuple[Any, ...]) -> None:
    while True:
        with contextlib.suppress(OSError):  # no address that can be used yet, or no carrier: once more
            wire.sendto(question, to)
        gevent.sleep(REPEAT)


def _icmpv6(ifname: str) -> socket.socket:
    wire = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    try:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ifname.encode() + b"\0")
        # RFC 4861 7.1.1: 255, so that it cannot have come from another network.
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    except BaseException:
        wire.close()
        raise
    return wire


def _mac(ifname: str) -> bytes:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as wire:
        wire.bind((ifname, 0))
        return bytes(wire.getsockname()[4])
