"""Which files are kept, bounded in bytes and in number: pure, with the least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from appliance.cache.entry import Entry, Key

COUNT_MAX = 20_000
"""Entries, so that many small files cannot take all memory: about 1 KiB each."""


@dataclass(slots=True)
class Place:
    """An entry and what changes of it. Times are s of the wall clock."""

    entry: Entry
    confirmed: float
    """When the cluster last said that the file is still so."""
    noted: float
    """The same as the disk has it."""
    checked: bool
    """Whether its body was whole when it was last looked at."""


class Index:
    """Key to place. `limit` (bytes on disk) may be lowered and raised."""

    def __init__(self, limit: int, count_max: int = COUNT_MAX) -> None:
        self.limit = limit
        self.size = 0  # bytes on disk
        self._count_max = count_max
        self._places: OrderedDict[Key, Place] = OrderedDict()

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: Key) -> Place | None:
        """The place, without counting as use."""
        return self._places.get(key)

    def use(self, key: Key) -> Place | None:
        """The place, which becomes the last one to go."""
        place = self._places.get(key)
        if place is not None:
            self._places.move_to_end(key)
        return place

    def room(self, footprint: int) -> list[Entry] | None:
        """What had to go, and is gone, so that `footprint` more bytes fit; None where they never do."""
        if footprint > self.limit or self._count_max < 1:
            return None
        return self._shrink(self.limit - footprint, self._count_max - 1)

    def put(self, entry: Entry, confirmed: float) -> list[Entry]:
        """Take one that was just written, in the place of the one that is there; what had to go for it."""
        self.drop(entry.key)
        self._places[entry.key] = Place(entry, confirmed, confirmed, checked=True)
        self.size += entry.footprint
        return self._shrink(self.limit, self._count_max)

    def put_last(self, entry: Entry, confirmed: float) -> bool:
        """Take one that was found as the first one to go, where it takes nobody's place; whether it did."""
        fits = self.size + entry.footprint <= self.limit and len(self) < self._count_max
        if entry.key in self._places or not fits:
            return False
        self._places[entry.key] = Place(entry, confirmed, confirmed, checked=False)
        self._places.move_to_end(entry.key, last=False)
        self.size += entry.footprint
        return True

    def drop(self, key: Key) -> Entry | None:
        """Keep it no longer; what was there."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        self.size -= place.entry.footprint
        return place.entry

    def drop_all(self, concerned: Callable[[Entry], bool]) -> list[Entry]:
        """Keep those no longer; which they were."""
        gone = [place.entry for place in self._places.values() if concerned(place.entry)]
        for entry in gone:
            self.drop(entry.key)
        return gone

    def set_limit(self, limit: int) -> list[Entry]:
        """Another limit; what had to go."""
        self.limit = max(0, limit)
        return self._shrink(self.limit, self._count_max)

    def _shrink(self, size: int, count: int) -> list[Entry]:
        gone = []
        while self._places and (self.size > size or len(self._places) > count):
            _, place = self._places.popitem(last=False)
            self.size -= place.entry.footprint
            gone.append(place.entry)
        return gone
