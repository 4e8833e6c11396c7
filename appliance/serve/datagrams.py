"""UDP sockets of the TFTP server, and the address that was asked.

A wildcard socket hears every address of the machine. The kernel tells with each datagram which one
it came to (IP_PKTINFO, IPV6_PKTINFO), and the answer leaves from there: a phone takes no answer
from another address than it asked, least of all from a box behind a virtual one.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from appliance.config.model import IPAddress
from appliance.network.sockaddr import SocketAddress, client_address, family, sockaddr

# Linux numbers that Python 3.11 does not name.
IP_PKTINFO = 8
SO_RXQ_OVFL = 40
SO_RCVBUFFORCE = 33
SIOCGIFMTU = 0x8921
IP_PKTOPTIONS = 9
IPV6_2292PKTOPTIONS = 6
_INFO = (struct.Struct("@i4s4s"), struct.Struct("@16si"))  # in_pktinfo, in6_pktinfo

RECEIVE_BUFFER = 8 * 1024 * 1024  # bytes: a site's phones all ask within a second


class Arrival(NamedTuple):
    """A datagram, who sent it, and where it came in.

    `local` is the address that was asked, packed; `ifindex` numbers the interface. `unicast`: that
    address alone was asked.
    """

    datagram: bytes
    peer: SocketAddress
    local: bytes
    ifindex: int
    unicast: bool

    @property
    def client(self) -> IPAddress:
        """The peer's address; a link-local one carries its zone. `OSError` where that is gone."""
        return client_address(self.peer)

    @property
    def who(self) -> str:
        """The same as text."""
        return self.peer[0] if len(self.peer) == 2 else str(self.client)


@lru_cache(maxsize=1024)  # a box has few addresses, and is asked often
def address_of(local: bytes) -> IPAddress:
    """The address that was asked."""
    return ip_address(local)


def listen(address: IPAddress, port: int, dscp: int, shared: bool = False) -> socket.socket:
    """A socket that hears requests and never waits; `shared` with others that are. `OSError`."""
    wire = _socket(address)
    try:
        if shared:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        mark(wire, address.version, dscp)
        note_link(wire, True)
        wire.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        _make_room(wire)
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


def note_link(wire: socket.socket, wanted: bool) -> None:
    """Have the kernel tell to which address datagrams or connections come, and by which link; `OSError`."""
    if wire.family == socket.AF_INET6:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, wanted)
    else:
        wire.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, wanted)


def came_to(connection: socket.socket) -> tuple[bytes, int]:
    """The address, packed, that a connection was made to, and the number of the link by which.

    `OSError`; `ValueError` where `note_link` had not been called.
    """
    six = connection.family == socket.AF_INET6
    options = (socket.IPPROTO_IPV6, IPV6_2292PKTOPTIONS) if six else (socket.IPPROTO_IP, IP_PKTOPTIONS)
    control = connection.getsockopt(*options, 256)
    if len(control) < socket.CMSG_SPACE(_INFO[six].size):
        raise ValueError("the kernel does not tell")
    fields = _INFO[six].unpack_from(control, socket.CMSG_LEN(0))
    return (fields[0], fields[1]) if six else (fields[2], fields[0])


def mark(wire: socket.socket, version: int, dscp: int) -> None:
    """Have everything that leaves this socket carry the code point."""
    if version == 6:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    else:
        wire.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


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


def _make_room(wire: socket.socket) -> None:
    try:
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:  # not root: as much as the administrator allows everybody
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
