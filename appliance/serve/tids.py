"""Sockets for transfers: their ports are the TIDs of this side (RFC 1350 section 4).

They are bound once and lent to one transfer after the other. While lent, a socket is connected to
the peer: that costs no address on each packet, the kernel keeps strangers out, and it tells when
the peer's port is closed. A stranger gets the kernel's "port unreachable" instead of ERROR 5; the
transfer goes on either way. The usual ACK is answered by the pump, in the loop's own callback.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from appliance.network.sockaddr import SocketAddress
from appliance.serve import datagrams
from appliance.serve.feed import SCRATCH
from appliance.serve.pump import Lane, Pump

FREE_MAX = 512  # sockets of one address that wait for the next transfer
INTERVAL = 0.1  # s between two looks at deadlines: one is seen that much late at most


class Owner(Protocol):
    """Who has a socket. Both are called in the loop, must not wait, and never raise."""

    def told(self, kind: int, datagram: bytes | None) -> None:
        """What `told` names has happened."""

    def overdue(self) -> None:
        """The peer has not answered in time."""


class Tid:
    """One socket and its lane."""

    __slots__ = ("free", "lane", "peer", "wire")

    def __init__(self, wire: socket.socket, pump: Pump, free: Free) -> None:
        """`free` is where it waits for the next transfer."""
        self.free = free
        self.wire = wire
        self.lane = Lane(pump, wire.fileno())
        self.peer: SocketAddress = None

    def close(self) -> None:
        """Give the port back to the kernel."""
        self.lane.close()
        self.wire.close()


class Free(list[Tid]):
    """Sockets of one address that wait for the next transfer, at most so many."""

    most = FREE_MAX


class Tids:
    """The sockets of this box, by the address that they are bound to."""

    def __init__(self, dscp: int, fault: Callable[[Exception], None]) -> None:
        """`fault` takes what is a mistake of ours."""
        self._dscp = dscp
        self._fault = fault
        self._free: dict[bytes, Free] = {}
        self.scratch = memoryview(bytearray(SCRATCH))
        """What is read from a file in the loop lies here, until it is copied at once."""
        self._lent = 0
        self._looking = False
        self._pump = Pump()
        loop = gevent.get_hub().loop
        self._watcher: Any = loop.io(self._pump.fileno(), 1)
        self._watcher.start(self._readable)
        # One coarse timer for all: one for each would cost as much as its blocks.
        self._timer: Any = loop.timer(INTERVAL, INTERVAL)

    def take(self, local: bytes, ifindex: int, peer: SocketAddress) -> Tid:
        """A socket on a random port, connected to the peer, but not the one it had last; `OSError`."""
        place = local if len(local) == 4 else _place(local, ifindex)
        free = self._free.get(place)
        if free is None:
            free = self._free[place] = Free()
        tid = None
        if free:
            index = int(random.random() * len(free))
            if free[index].peer == peer:
                index -= 1  # with one alone this is the same: then a new one is opened
            if free[index].peer != peer:
                free[index], free[-1] = free[-1], free[index]
                tid = free.pop()
        if tid is None:
            wire = datagrams.open_tid(datagrams.address_of(local), ifindex, self._dscp)
            tid = Tid(wire, self._pump, free)
        try:
            tid.wire.connect(peer)
        except OSError:
            tid.close()
            raise
        tid.peer = peer
        if not tid.lane.drain():  # what came for the transfer before
            tid.close()  # it still does, and must not be taken for this peer's
            return self.take(local, ifindex, peer)
        if not self._looking:
            self._looking = True
            self._timer.start(self._look)
        self._lent += 1
        return tid

    def give(self, tid: Tid) -> None:
        """The transfer has ended."""
        self._lent -= 1
        tid.lane.end()
        if len(tid.free) < tid.free.most:
            tid.free.append(tid)
        else:
            tid.close()

    def keep(self, has: Callable[[bytes], bool]) -> None:
        """Close the sockets of places that are there no more; those that are lent when they come back.

        A place is an address, packed, with the number of its link after it where it is a link-local one.
        """
        for place in [each for each in self._free if not has(each)]:
            free = self._free.pop(place)
            free.most = 0
            for tid in free:
                tid.close()
            free.clear()

    def _readable(self) -> None:
        try:
            for owner, kind, datagram in self._pump.run(time.monotonic()):
                owner.told(kind, datagram)
        except Exception as error:  # noqa: BLE001  out of memory, at most: the loop must go on
            self._fault(error)

    def _look(self) -> None:
        if not self._lent:
            self._looking = False
            self._timer.stop()
        for owner in self._pump.due(time.monotonic()):
            owner.overdue()


def _place(local: bytes, ifindex: int) -> bytes:
    """Where a socket is bound: a link-local address (fe80::/10) means nothing without its link."""
    if local[0] == 0xFE and local[1] & 0xC0 == 0x80:
        return local + ifindex.to_bytes(4, "big")
    return local
