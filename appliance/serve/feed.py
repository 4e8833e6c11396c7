"""Brings the bytes of a file to a lane, in whole blocks and a little ahead of the peer."""

from __future__ import annotations

from appliance.serve.content import Content
from appliance.serve.pump import Lane
from appliance.tftp.netascii import Encoder
from appliance.tftp.options import Accepted
from appliance.tftp.packet import Mode

FIRST = 8  # blocks that are read for a peer that has acknowledged nothing yet
PIECE = 64 * 1024  # bytes that are read at a time for one that takes block by block
PIECE_OF_WINDOWS = 128 * 1024  # the same for one that takes windows
SCRATCH = PIECE_OF_WINDOWS  # bytes of the buffer that `take_cached` wants


class Feed:
    """One file on its way to one lane. `fed` counts its bytes, as on the wire."""

    __slots__ = ("_accepted", "_content", "_encoder", "_lane", "_offset", "_piece", "_rest", "fed")

    def __init__(self, content: Content, lane: Lane, accepted: Accepted, mode: Mode) -> None:
        self.fed = 0
        self._content = content
        self._lane: Lane | None = lane
        self._accepted = accepted
        self._encoder = Encoder() if mode is Mode.NETASCII else None
        self._offset = 0  # bytes of the file that were read
        self._rest = b""  # of what was fed, less than a block
        # Whole blocks, so that nothing of them has to be moved.
        most = PIECE if accepted.windowsize == 1 else PIECE_OF_WINDOWS
        self._piece = most // accepted.blksize * accepted.blksize

    @property
    def low(self) -> int:
        """The number of unsent blocks at which more is to be read."""
        return max(self._accepted.windowsize, self._piece // 2 // self._accepted.blksize)

    def stop(self) -> None:
        """The lane is another's from now on, whoever may still wait in `read`."""
        self._lane = None

    def all_at_once(self) -> bool:
        """Feed all of it, where it is in memory."""
        whole = self._content.whole()
        if whole is None:
            return False
        self._feed(self._encoder.feed(whole) if self._encoder else whole, last=True)
        return True

    def wanted(self, confirmed: bool) -> bool:
        """Whether there is more to be read now; little for an address that may be forged."""
        if self._lane is None or not self._lane.hungry:
            return False
        return confirmed or self.fed < FIRST * self._accepted.blksize

    def take_cached(self, confirmed: bool, buffer: memoryview) -> bool:
        """Feed the next piece, where that takes no waiting; `buffer` is free again afterwards.

        Not the last one: `read` sees whether the file is whole.
        """
        size = self._content.size
        if size is None or self._encoder is not None:
            return False
        piece = self._content.cached(self._offset, buffer[: self._length(confirmed)])
        if piece is None or self._offset + len(piece) >= size:
            return False
        blocks = len(piece) - len(piece) % self._accepted.blksize
        if not blocks:
            return False
        self._offset += blocks
        self._feed(bytes(piece[:blocks]), last=False)
        return True

    def read(self, confirmed: bool) -> None:
        """Feed the next piece, waiting for it; `Broken`."""
        piece = self._content.read(self._offset, self._length(confirmed))
        self._offset += len(piece)
        self._feed(self._encoder.feed(piece) if self._encoder else piece, last=not piece)

    def _length(self, confirmed: bool) -> int:
        return self._piece if confirmed else min(self._piece, FIRST * self._accepted.blksize)

    def _feed(self, data: bytes, last: bool) -> None:
        if self._lane is None:
            return
        self.fed += len(data)
        if self._rest or not last:
            data = self._rest + data
            whole = len(data) if last else len(data) - len(data) % self._accepted.blksize
            data, self._rest = data[:whole], data[whole:]
        self._lane.feed(data, last)
