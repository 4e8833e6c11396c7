"""The small files that are being sent, cut into the blocks that phones take: once for all of them."""

from __future__ import annotations

from appliance.cache.shelf import Shelf
from appliance.tftp.cut import Cut
from appliance.tftp.options import BLKSIZE


class Cuts:
    """Bounded in bytes; what is dropped goes on for the transfers that have it.

    The key is the bytes themselves: whatever a name or a time says of a file, another content is
    another file.
    """

    def __init__(self, size_max: int) -> None:
        self._cuts: Shelf[bytes, Cut] = Shelf(size_max)

    def of(self, data: bytes) -> Cut:
        """The packets of a file."""
        cut = self._cuts.get(data)
        if cut is None:
            cut = Cut(data, BLKSIZE)
            self._cuts.put(data, cut, len(data) + cut.footprint)
        return cut
