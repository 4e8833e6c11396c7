"""An address and a port in the form that sockets take. Numbers only: nothing is ever resolved."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Any

from appliance.config.model import IPAddress

SocketAddress = Any
"""(host, port), or (host, port, flow, scope): what Python's sockets take and give."""


def family(address: IPAddress) -> socket.AddressFamily:
    """The socket family of an address."""
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET


def client_address(peer: SocketAddress) -> IPAddress:
    """The address of a peer; a link-local one with its zone, as a socket tells it apart."""
    if len(peer) == 4 and peer[3]:
        return ip_address(f"{peer[0]}%{socket.if_indextoname(peer[3])}")
    return _address(peer[0])


@lru_cache(maxsize=16_384)  # a phone asks for many files, and to read an address takes a while
def _address(host: str) -> IPAddress:
    return ip_address(host)


def sockaddr(address: IPAddress, port: int, ifindex: int = 0) -> SocketAddress:
    """`ifindex` is the interface of a link-local address that names no zone itself; `OSError` where
    it names one that is not there.
    """
    if isinstance(address, IPv4Address):
        return str(address), port
    if address.scope_id is not None:
        ifindex = socket.if_nametoindex(address.scope_id)
    return str(address).partition("%")[0], port, 0, ifindex if address.is_link_local else 0
