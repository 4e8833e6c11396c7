"""A whole file cut into DATA packets, once for all transfers that send it in this blksize."""

from __future__ import annotations

from appliance.tftp.packet import data_header


class Cut:
    """The blocks of bytes that are all there; see `blocks.Blocks`. Never changes, so it can be shared."""

    def __init__(self, data: bytes, blksize: int) -> None:
        # A length that is a multiple of blksize, or nothing, ends with an empty block.
        self.last = len(data) // blksize + 1
        self._packets = [
            data_header(number) + data[(number - 1) * blksize : number * blksize]
            for number in range(1, self.last + 1)
        ]

    @property
    def footprint(self) -> int:
        """Bytes that it takes in memory, near enough."""
        return sum(len(packet) for packet in self._packets) + 64 * self.last

    def packet(self, number: int) -> bytes | None:
        """See `Blocks`."""
        return self._packets[number - 1]

    def release(self, number: int) -> None:
        """See `Blocks`: all blocks stay."""
