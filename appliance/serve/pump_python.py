"""The pump in Python, for a place without a compiler: the same as `_pump.c`, and what that is tested by."""

from __future__ import annotations

import errno
import math
import select
import socket
import struct
from typing import Any

from appliance.serve.told import DATAGRAM, DONE, GONE, HUNGRY, NOTHING, Told
from appliance.tftp.blocks import BlockBuffer
from appliance.tftp.packet import ACK_START, BLOCK_MASK, HEADER

EVENTS = 256  # lanes that are looked at in one run
DRAIN_MAX = 64  # datagrams
HEARD_MAX = 2048  # bytes: an ACK, or an ERROR with its text
UDP_SEGMENT = 103  # Linux; the segments of one call have one size but for the last
SEGMENTS_MAX = 64
SEGMENTED_MAX = 65_000  # bytes of one call: below 64 KiB with all headers

# What a kernel or a device says that cannot cut a buffer into datagrams.
UNABLE = {errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT}


class Pump:
    """Watches all lanes."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.lanes: dict[int, Lane] = {}

    def fileno(self) -> int:
        """Readable while `run` has anything to do."""
        return self.epoll.fileno()

    def close(self) -> None:
        """Watch no more."""
        self.epoll.close()

    def run(self, now: float) -> list[Told]:
        """Take what has come, a datagram of each lane; what is to be told, with the lane's owner."""
        told = []
        for fd, _ in self.epoll.poll(0, EVENTS):
            lane = self.lanes.get(fd)
            heard = lane.hear(now) if lane is not None else None
            if heard is not None and heard[1] != NOTHING:
                told.append(heard)
        return told

    def due(self, now: float) -> list[Any]:
        """The owners of lanes whose peer has not answered in time."""
        return [each.owner for each in self.lanes.values() if each.owner is not None and each.due <= now]


class Lane:
    """One socket. It is lent to an owner, connected to the peer by then; see `_pump.pyi`."""

    def __init__(self, pump: Pump, fd: int) -> None:
        self.owner: Any = None
        self.base = self.top = 0
        self.sent = 0.0
        self.due = math.inf
        self._pump = pump
        self._wire = socket.socket(fileno=fd)
        self._window = 1
        self._blksize = 1
        self._low = 0
        self._interval = 0.0
        self._armed = self._told = self._unsegmented = False
        self._awaited = b""
        self._blocks = BlockBuffer(1)
        pump.epoll.register(fd, select.EPOLLIN)
        pump.lanes[fd] = self

    def __del__(self) -> None:
        self._wire.detach()  # the descriptor is another's

    @property
    def last(self) -> int | None:
        """See `tftp.blocks.Blocks`."""
        return self._blocks.last

    @property
    def hungry(self) -> bool:
        """Whether more of the file is wanted."""
        return self.last is None and self._blocks.cut - self.top <= self._low

    def lend(self, owner: Any, blksize: int, window: int, low: int, interval: float) -> None:
        """Begin a transfer."""
        if self.owner is not None or blksize < 1 or window < 1:
            raise ValueError("blksize, window, or a lane that is lent already")
        self.owner, self._window, self._low, self._interval = owner, window, low, interval
        self.base = self.top = 0
        self.sent, self.due = 0.0, math.inf
        self._armed = self._told = False
        self._blksize = blksize
        self._blocks = BlockBuffer(blksize)

    def end(self) -> None:
        """The transfer has ended."""
        self.owner = None
        self._armed = False
        self.due = math.inf
        self._blocks = BlockBuffer(1)

    def close(self) -> None:
        """Before the socket is closed."""
        fd = self._wire.fileno()
        if self._pump.lanes.get(fd) is self:
            del self._pump.lanes[fd]
            self._pump.epoll.unregister(fd)
        self.end()

    def feed(self, piece: bytes, last: bool) -> None:
        """Append whole blocks of the file, and at its end what is left."""
        if self.last is not None or (not last and len(piece) % self._blksize):
            raise ValueError("a piece behind the last, or one that is no whole blocks")
        self._told = False
        self._blocks.feed(piece, last)

    def arm(self, base: int, top: int, due: float) -> None:
        """Go on by itself from this state."""
        if not 0 <= base <= top <= self._blocks.cut:
            raise ValueError("blocks that are not here")
        self.base, self.top, self.due = base, top, due
        self._await()

    def wait(self, due: float) -> None:
        """Tell of every datagram until armed."""
        self._armed = False
        self.due = due

    def fill(self, now: float) -> bool:
        """Send on as far as the window goes; False where the peer's port is closed."""
        if not self._armed:
            return True
        until = min(self.base + self._window, self._blocks.cut)
        if until <= self.top:
            if self.top == self.base:
                self.due = math.inf  # it is our own source that is late, not the peer
            return True
        packets = [self._blocks.packet(number) for number in range(self.top + 1, until + 1)]
        if not self._put([packet for packet in packets if packet is not None]):
            return False
        self.top, self.sent, self.due = until, now, now + self._interval
        self._await()
        return True

    def send(self, packets: list[bytes]) -> bool:
        """Send to the peer; False where its port is closed."""
        for packet in packets:
            try:
                self._wire.send(packet)
            except ConnectionRefusedError:
                return False
            except OSError:
                pass  # a full buffer, a firewall: as if lost on the way
        return True

    def hear(self, now: float) -> Told | None:
        """Take one datagram; None where there is none."""
        try:
            datagram = self._wire.recv(HEARD_MAX)
        except BlockingIOError:
            return None
        except ConnectionRefusedError:
            return self.owner, NOTHING if self.owner is None else GONE, None
        except OSError:
            return self.owner, NOTHING, None
        if self.owner is None:
            return None, NOTHING, None  # for the transfer before
        if not self._armed or self.top == self.base or datagram != self._awaited:
            return self.owner, DATAGRAM, datagram
        return self.owner, self._acknowledged(now), None

    def _acknowledged(self, now: float) -> int:
        self.base = self.top
        if self.base == self.last:
            self.due = math.inf
            return DONE
        if not self.fill(now):
            return GONE
        self._blocks.release(self.base)
        if self.hungry and not self._told:
            self._told = True
            return HUNGRY
        return NOTHING

    def drain(self) -> bool:
        """Drop what has come; False where there may be more of it."""
        for _ in range(DRAIN_MAX):
            try:
                self._wire.recv(HEARD_MAX)
            except BlockingIOError:
                return True
            except OSError:
                pass
        return False

    def packet(self, number: int) -> bytes | None:
        """See `tftp.blocks.Blocks`."""
        return self._blocks.packet(number)

    def release(self, number: int) -> None:
        """See `tftp.blocks.Blocks`."""
        self._blocks.release(number)

    def _await(self) -> None:
        self._armed = True
        self._awaited = ACK_START + (self.top & BLOCK_MASK).to_bytes(2, "big")

    def _put(self, packets: list[bytes]) -> bool:
        """A window in few calls: the kernel cuts one buffer into datagrams (UDP_SEGMENT)."""
        size = self._blksize + HEADER
        count = min(SEGMENTS_MAX, SEGMENTED_MAX // size)
        if len(packets) == 1 or count < 2 or self._unsegmented:
            return self.send(packets)
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("@H", size))]
        for start in range(0, len(packets), count):
            part = packets[start : start + count]
            try:
                self._wire.sendmsg(part, control if len(part) > 1 else [])
            except ConnectionRefusedError:
                return False
            except OSError as fault:
                if fault.errno in UNABLE:
                    self._unsegmented = True  # this device, or this kernel, does not: one by one from now on
                    return self.send(packets[start:])
        return True
