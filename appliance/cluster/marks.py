"""Names that something was said of a short while ago. Pure."""

from __future__ import annotations

from collections import OrderedDict


class Marks:
    """Each mark holds for `ttl` seconds; the oldest go when there are more than `most`."""

    def __init__(self, ttl: float, most: int) -> None:
        self._ttl = ttl
        self._most = most
        self._at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._at)

    def add(self, name: str, now: float) -> None:
        """It is said of this name, now."""
        self._at[name] = now
        self._at.move_to_end(name)
        while len(self._at) > self._most or not self.holds(next(iter(self._at)), now):
            self._at.popitem(last=False)

    def drop(self, name: str) -> None:
        """It is said no longer."""
        self._at.pop(name, None)

    def holds(self, name: str, now: float) -> bool:
        """Whether it was said within the time."""
        at = self._at.get(name)
        return at is not None and 0 <= now - at < self._ttl
