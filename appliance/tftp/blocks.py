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
    (RFC 1350 section 6). Pieces are kept as they came, and packets made as they leave.
    """

    def __init__(self, blksize: int) -> None:
        self._blksize = blksize
        self._pieces: deque[tuple[int, int, bytes]] = deque()  # first block, how many, their bytes
        self._rest = b""  # less than a block
        self._released = 0
        self.cut = 0
        """The number of the last block that is there to be sent."""
        self.last: int | None = None

    def feed(self, data: bytes, last: bool = False) -> None:
        """Append bytes of the stream; with `last` it has ended, and what is left is the last block."""
        data = self._rest + data
        blocks, left = divmod(len(data), self._blksize)
        self._rest = b""
        if last:
            blocks += 1
        elif left:
            data, self._rest = data[:-left], data[-left:]
        if blocks:
            self._pieces.append((self.cut + 1, blocks, data))
            self.cut += blocks
        if last:
            self.last = self.cut

    def finish(self) -> None:
        """The stream has ended."""
        self.feed(b"", last=True)

    def packet(self, number: int) -> bytes | None:
        """See `Blocks`."""
        if self._released < number <= self.cut:
            for first, blocks, piece in self._pieces:
                if number < first + blocks:
                    start = (number - first) * self._blksize
                    return data_header(number) + piece[start : start + self._blksize]
        return None

    def release(self, number: int) -> None:
        """See `Blocks`."""
        self._released = max(self._released, min(number, self.cut))
        while self._pieces and sum(self._pieces[0][:2]) <= self._released + 1:
            self._pieces.popleft()
