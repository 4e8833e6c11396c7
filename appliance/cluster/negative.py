"""The names that no cluster has, remembered for a short while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

ENTRIES_MAX = 10_000


class Negatives:
    """Name as asked to the time at which its entry ends; the oldest go when there are too many."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def remember(self, asked: str, now: float) -> None:
        """Every cluster that was to be asked has said that it does not have this file."""
        if self._ttl <= 0:
            return
        self._until.pop(asked, None)
        self._until[asked] = now + self._ttl
        while len(self._until) > ENTRIES_MAX:
            self._until.popitem(last=False)

    def left(self, asked: str, now: float) -> float | None:
        """Seconds for which the entry still holds, None where there is none."""
        until = self._until.get(asked)
        if until is None:
            return None
        if until <= now:
            del self._until[asked]
            return None
        return until - now

    def forget(self, concerned: Callable[[str], bool]) -> int:
        """Drop the entries of the concerned names; tells how many went."""
        gone = [asked for asked in self._until if concerned(asked)]
        for asked in gone:
            del self._until[asked]
        return len(gone)
