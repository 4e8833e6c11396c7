"""Values kept in memory, bounded in bytes: pure, with the least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """Key to value. What does not fit by itself is not kept."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.size = 0  # bytes

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, None where there is none."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        self._kept.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep a value that takes `size` bytes, in the place of the one that is there."""
        self.drop(key)
        if size > self._size_max:
            return
        self._kept[key] = value, size
        self.size += size
        while self.size > self._size_max:
            _, (_, gone) = self._kept.popitem(last=False)
            self.size -= gone

    def drop(self, key: K) -> None:
        """Keep it no longer."""
        entry = self._kept.pop(key, None)
        if entry is not None:
            self.size -= entry[1]
