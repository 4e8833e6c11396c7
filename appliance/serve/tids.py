"""Sockets for transfers: their ports are the TIDs of this side (RFC 1350 section 4).

They are bound once and lent to one transfer after the other. While lent, a socket is connected to
the peer: that costs no address on each packet, the kernel keeps strangers out, and it tells when
the peer's port is closed. A stranger gets the kernel's "port unreachable" instead of ERROR 5; the
transfer goes on either way. What arrives is handled in the loop's own callback, as to wake a
greenlet for every block would take as long as all the rest.
"""

from __future__ import annotations

import errno
import random
import socket
import struct
from collections.abc import Callable
from typing import Any

import gevent

from appliance.config.model import IPAddress
from appliance.network.sockaddr import SocketAddress
from appliance.serve import datagrams

FREE_MAX = 512  # sockets of one address that wait for the next transfer
UDP_SEGMENT = 103  # Linux; the segments of one call have one size but for the last
SEGMENTS_MAX = 64
SEGMENTED_MAX = 65_000  # bytes of one call: below 64 KiB with all headers

# What a kernel or a device says that cannot cut a buffer into datagrams.
UNABLE = {errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT}

Heard = Callable[[bytes | None], None]
"""Takes a datagram of the peer, or None when its port is closed. Runs in the loop: must not wait."""


class Tid:
    """One socket. `heard` is set while it is lent."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self.heard: Heard | None = None
        self.peer: SocketAddress = None
        self._segments = True
        self._watcher: Any = gevent.get_hub().loop.io(wire.fileno(), 1)
        self._watcher.start(self._readable)

    def send(self, packets: list[bytes]) -> None:
        """Send to the peer. What the network does not take is as if lost on the way."""
        try:
            if len(packets) == 1:
                self.wire.send(packets[0])
            elif packets:
                self._send_window(packets)
        except ConnectionRefusedError:
            self._tell(None)
        except OSError:
            pass  # a full buffer, a firewall: the timer sends it again

    def settle(self) -> bool:
        """Take what has arrived and was not looked at yet; False where there may be more of it."""
        return any(not self._readable() for _ in range(datagrams.WINDOW_MAX))

    def close(self) -> None:
        """Give the port back to the kernel."""
        self._watcher.stop()
        self._watcher.close()
        self.wire.close()

    def _readable(self) -> bool:
        try:
            datagram = self.wire.recv(datagrams.DATAGRAM_MAX)
        except BlockingIOError:
            return False
        except ConnectionRefusedError:
            self._tell(None)
            return True
        except OSError:
            return True
        self._tell(datagram)
        return True

    def _tell(self, datagram: bytes | None) -> None:
        if self.heard is not None:
            self.heard(datagram)

    def _send_window(self, packets: list[bytes]) -> None:
        """A window in few calls: the kernel cuts one buffer into datagrams (UDP_SEGMENT)."""
        size = len(packets[0])
        count = min(SEGMENTS_MAX, SEGMENTED_MAX // size)
        if count > 1 and self._segments:
            control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("@H", size))]
            try:
                for start in range(0, len(packets), count):
                    part = packets[start : start + count]
                    self.wire.sendmsg(part, control if len(part) > 1 else [])
                return
            except OSError as fault:
                if fault.errno not in UNABLE:
                    raise
                self._segments = False  # this device, or this kernel, does not: one by one from now on
        for packet in packets:
            self.wire.send(packet)


class Tids:
    """The sockets of this box, by the address that they are bound to."""

    def __init__(self, dscp: int) -> None:
        self._dscp = dscp
        self._free: dict[tuple[IPAddress, int], list[Tid]] = {}

    def take(self, local: IPAddress, ifindex: int, peer: SocketAddress) -> Tid:
        """A socket on a random port, connected to the peer, but not the one it had last; `OSError`."""
        free = self._free.setdefault(_place(local, ifindex), [])
        tid = None
        if free:
            index = int(random.random() * len(free))
            if free[index].peer == peer:
                index -= 1  # with one alone this is the same: then a new one is opened
            if free[index].peer != peer:
                free[index], free[-1] = free[-1], free[index]
                tid = free.pop()
        if tid is None:
            tid = Tid(datagrams.open_tid(local, ifindex, self._dscp))
        try:
            tid.wire.connect(peer)
        except OSError:
            tid.close()
            raise
        tid.peer = peer
        if not tid.settle():  # what came for the transfer before
            tid.close()  # it still does, and must not be taken for this peer's
            return self.take(local, ifindex, peer)
        return tid

    def give(self, tid: Tid, local: IPAddress, ifindex: int) -> None:
        """The transfer has ended."""
        tid.heard = None
        free = self._free.setdefault(_place(local, ifindex), [])
        if len(free) < FREE_MAX:
            free.append(tid)
        else:
            tid.close()


def _place(local: IPAddress, ifindex: int) -> tuple[IPAddress, int]:
    return local, ifindex if local.is_link_local else 0
