"""Requests and their short answers in Python, for a place without a compiler: see `_arrivals.c`."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any

BATCH = 64  # datagrams taken in one call
REQUEST_MAX = 1025  # bytes: one more than a request may have
CONTROL_MAX = 256  # bytes of control messages

# Linux numbers that Python 3.11 does not name.
IP_PKTINFO = 8
SO_RXQ_OVFL = 40

Arrived = tuple[bytes, Any, bytes, int, bool]
Answer = tuple[bytes, Any, bytes, int]


def receive(fd: int) -> tuple[list[Arrived | None], int]:
    """What has come: datagram, peer, address asked (packed), ifindex, and whether that address alone
    was asked; None for one without its control message. Besides, how many the kernel has dropped
    since the socket was opened, 0 where it does not say. `OSError`.
    """
    arrivals: list[Arrived | None] = []
    overflows = 0
    wire = socket.socket(fileno=fd)
    try:
        while len(arrivals) < BATCH:
            datagram, control, _, peer = wire.recvmsg(REQUEST_MAX, CONTROL_MAX)
            arrivals.append(_arrival(datagram, control, peer))
            for level, kind, data in control:
                if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                    overflows = struct.unpack("@I", data[:4])[0]
    except BlockingIOError:
        pass
    except OSError:
        if not arrivals:
            raise
    finally:
        wire.detach()
    return arrivals, overflows


def reply(fd: int, answers: list[Answer]) -> None:
    """Send each (datagram, peer, local, ifindex) from the address that was asked."""
    if fd < 0:
        return  # the listener is closed
    wire = socket.socket(fileno=fd)
    try:
        for datagram, peer, local, ifindex in answers:
            try:
                wire.sendmsg([datagram], [_leave_from(local, ifindex)], 0, peer)
            except OSError:
                pass  # as if lost on the way: the client asks again
    finally:
        wire.detach()


def _arrival(datagram: bytes, control: list[tuple[int, int, bytes]], peer: Any) -> Arrived | None:
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            ifindex, chosen, header = struct.unpack("@I4s4s", data[:12])
            # The kernel names an address of ours as the one to answer from; for broadcast and
            # multicast that is not the address which was asked.
            unicast = chosen == header and not ipaddress.IPv4Address(header).is_multicast
            return datagram, peer, header, ifindex, unicast
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            header, ifindex = struct.unpack("@16sI", data[:20])
            return datagram, peer, header, ifindex, header[0] != 0xFF
    return None


def _leave_from(local: bytes, ifindex: int) -> tuple[int, int, bytes]:
    if len(local) == 4:
        return socket.IPPROTO_IP, IP_PKTINFO, struct.pack("@I4s4s", 0, local, b"\0\0\0\0")
    # The way back is the routing table's matter, but for addresses that mean nothing without a link.
    link_local = ipaddress.IPv6Address(local).is_link_local
    info = struct.pack("@16sI", local, ifindex if link_local else 0)
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info
