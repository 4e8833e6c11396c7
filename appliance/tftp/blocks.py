"""A stream of bytes cut into DATA packets, of which only the unacknowledged ones are kept."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from appliance.tftp.packet import data_header


class Blocks(Protocol):
    """Where a sender takes its DATA packets from. Blocks count from 1 and without bound."""

    @property
    def last(self) -> int | None:
        """The number of the last block, once it is known."""

    def packet(self, number: int) -> bytes | None:
        """The DATA packet of an unreleased block, None where its bytes have not come yet."""

    def release(self, number: int) -> None:
        """The blocks up to this one are acknowledged and will not be asked for again."""


class BlockBuffer:
    """Blocks of a stream that is fed piece by piece and ends with a block shorter than `blksize`.

    A stream whose length is a multiple of `blksize`, or nothing, ends with an empty block
    (RFC 1350 section 6).
    """

    def __init__(self, blksize: int) -> None:
        self._blksize = blksize
        self._packets: deque[bytes] = deque()
        self._first = 1  # the block that stands first in _packets
        self._rest = b""  # less than a block
        self.last: int | None = None

    @property
    def cut(self) -> int:
        """The number of the last block that is there to be sent."""
        return self._first + len(self._packets) - 1

    def feed(self, data: bytes) -> None:
        """Append bytes of the stream."""
        data = self._rest + data
        whole = len(data) - len(data) % self._blksize
        for start in range(0, whole, self._blksize):
            self._append(data[start : start + self._blksize])
        self._rest = data[whole:]

    def finish(self) -> None:
        """The stream has ended: what is left is the last block."""
        self._append(self._rest)
        self._rest = b""
        self.last = self.cut

    def packet(self, number: int) -> bytes | None:
        """See `Blocks`."""
        index = number - self._first
        return self._packets[index] if 0 <= index < len(self._packets) else None

    def release(self, number: int) -> None:
        """See `Blocks`."""
        while self._first <= number and self._packets:
            self._packets.popleft()
            self._first += 1

    def _append(self, payload: bytes) -> None:
        self._packets.append(data_header(self.cut + 1) + payload)
