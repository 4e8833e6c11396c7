"""UDP sockets of the TFTP server, and the address that was asked.

A wildcard socket hears every address of the machine. The kernel tells with each datagram which one
it came to (IP_PKTINFO, IPV6_PKTINFO), and the answer leaves from there: a phone takes no answer
from another address than it asked, least of all from a box behind a virtual one.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from appliance.config.model import IPAddress
from appliance.network.sockaddr import SocketAddress, client_address, family, sockaddr

# Linux numbers that Python 3.11 does not name.
IP_PKTINFO = 8
SIOCGIFMTU = 0x8921

DATAGRAM_MAX = 65536
WINDOW_MAX = 64  # datagrams that may wait at the socket of one transfer
RECEIVE_BUFFER = 4 * 1024 * 1024  # bytes: a site's phones all ask within a second
CONTROL_MAX = 256  # bytes of control messages


class Arrival(NamedTuple):
    """A datagram, who sent it, and where it came in. `ifindex` numbers the interface."""

    datagram: bytes
    peer: SocketAddress
    local: IPAddress
    ifindex: int
    unicast: bool

    @property
    def client(self) -> IPAddress:
        """The peer's address; a link-local one carries its zone. `OSError` where that is gone."""
        return client_address(self.peer)


def listen(address: IPAddress, port: int, dscp: int) -> socket.socket:
    """A socket that hears requests and never waits; `OSError`."""
    wire = _socket(address)
    try:
        mark(wire, address.version, dscp)
        if address.version == 6:
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            wire.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        wire.bind(sockaddr(address, port))
    except OSError:
        wire.close()
        raise
    return wire


def open_tid(local: IPAddress, ifindex: int, dscp: int) -> socket.socket:
    """A socket for transfers, on a random port of the address that was asked; `OSError`."""
    wire = _socket(local)
    try:
        mark(wire, local.version, dscp)
        wire.bind(sockaddr(local, 0, ifindex))
    except OSError:
        wire.close()
        raise
    return wire


def mark(wire: socket.socket, version: int, dscp: int) -> None:
    """Have everything that leaves this socket carry the code point."""
    if version == 6:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        wire.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


def receive(wire: socket.socket) -> Arrival | None:
    """The next datagram of a listening socket; None for one without its control message."""
    datagram, control, _, peer = wire.recvmsg(DATAGRAM_MAX, CONTROL_MAX)
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            ifindex, chosen, header = struct.unpack("@I4s4s", data[:12])
            # The kernel names an address of ours as the one to answer from; for broadcast and
            # multicast that is not the address which was asked.
            local = IPv4Address(header)
            return Arrival(datagram, peer, local, ifindex, chosen == header and not local.is_multicast)
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            header, ifindex = struct.unpack("@16sI", data[:20])
            local6 = IPv6Address(header)
            return Arrival(datagram, peer, local6, ifindex, not local6.is_multicast)
    return None


def reply(wire: socket.socket, arrival: Arrival, datagram: bytes) -> None:
    """Answer from the listening socket, from the address that was asked; `OSError`."""
    if arrival.local.version == 6:
        # The way back is the routing table's matter, but for addresses that mean nothing without a link.
        ifindex = arrival.ifindex if arrival.local.is_link_local else 0
        info = struct.pack("@16sI", arrival.local.packed, ifindex)
        control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
    else:
        info = struct.pack("@I4s4s", 0, arrival.local.packed, b"\0\0\0\0")
        control = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
    wire.sendmsg([datagram], control, 0, arrival.peer)


def mtu(wire: socket.socket, ifindex: int) -> int:
    """The MTU in bytes of the interface with this number; `OSError`."""
    ifname = socket.if_indextoname(ifindex)
    answer = fcntl.ioctl(wire.fileno(), SIOCGIFMTU, struct.pack("@16si12x", ifname.encode(), 0))
    return int(struct.unpack("@16si12x", answer)[1])


def _socket(address: IPAddress) -> socket.socket:
    wire = socket.socket(family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    if address.version == 6:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return wire
