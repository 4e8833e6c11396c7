"""The files that are being sent, cut into packets: once for all who get them in the same blksize."""

from __future__ import annotations

from collections.abc import Hashable

from appliance.cache.shelf import Shelf
from appliance.serve.content import Whole
from appliance.tftp.cut import Cut


class Cuts:
    """Bounded in bytes; what is dropped goes on for the transfers that have it."""

    def __init__(self, size_max: int) -> None:
        self._cuts: Shelf[tuple[Hashable, int], Cut] = Shelf(size_max)

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._cuts.size

    def of(self, whole: Whole, blksize: int) -> Cut:
        """The packets of a file."""
        version, data = whole
        cut = self._cuts.get((version, blksize))
        if cut is None:
            cut = Cut(data, blksize)
            self._cuts.put((version, blksize), cut, cut.footprint)
        return cut
