"""The cache as fetches see it: the file of a cluster that was fetched before, and its bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from appliance.cache.kept import Kept, Known
from appliance.cache.reader import Copy, Unreadable
from appliance.cluster.answer import Found
from appliance.cluster.body import Body, Broken, Stored
from appliance.cluster.names import BadName, read


class KnownFile:
    """A kept file, by what is in memory; see `upstream.Recalled`."""

    def __init__(self, kept: Kept, known: Known) -> None:
        entry = known.entry
        self.size, self.validator, self.address = entry.length, entry.validator, entry.address
        self.age, self.fresh, self.by_length = known.age, known.fresh, known.by_length
        self._kept = kept
        self._entry = entry

    def open(self) -> Stored | None:
        """See `upstream.Recalled`."""
        return _stored(self._kept.open(self._entry))

    def at_hand(self) -> Stored | None:
        """See `upstream.Recalled`."""
        return _stored(self._kept.at_hand(self._entry))

    def renew(self) -> None:
        """See `upstream.Recalled`."""
        self._kept.confirm(self._entry)


class Copies:
    """See `fetch.Kept`."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def recall(self, cluster: str, name: str) -> KnownFile | None:
        """See `fetch.Kept`."""
        kind = _kind(name)
        known = None if kind is None else self._kept.lookup(cluster, name, kind)
        return None if known is None else KnownFile(self._kept, known)

    def stale_age(self, cluster: str, name: str) -> float | None:
        """See `fetch.Kept`."""
        return self._kept.stale_age(cluster, name)

    def may_keep(self, cluster: str, name: str) -> bool:
        """See `fetch.Kept`."""
        kind = _kind(name)
        return kind is not None and self._kept.may_keep(cluster, kind)

    def keep(self, cluster: str, name: str, found: Found, body: Body) -> None:
        """See `fetch.Kept`."""
        kind = _kind(name)
        if kind is None:
            return
        try:
            self._kept.store((cluster, name), kind, found.validator, found.address, body)
        except Broken:
            pass  # the body cannot be read: who reads it for a phone hears of that

    def lose(self, cluster: str, name: str) -> None:
        """See `fetch.Kept`."""
        self._kept.drop(cluster, name)

    def forget(self, concerned: Callable[[str], bool]) -> int:
        """See `fetch.Kept`."""
        return self._kept.forget(concerned)

    def drop_cluster(self, cluster: str) -> int:
        """See `fetch.Kept`."""
        return self._kept.drop_cluster(cluster)

    def give_way(self, taken: int) -> None:
        """See `fetch.Kept`."""
        self._kept.give_way(taken)


def _stored(copy: Copy | None) -> Stored | None:
    if copy is None:
        return None
    return Stored(copy.length, copy.entry.validator, copy.whole, partial(_read, copy), copy.place)


def _kind(name: str) -> str | None:
    try:
        return read(name.encode()).kind.value
    except BadName:
        return None  # nobody asks for it


def _read(copy: Copy, offset: int, length: int) -> bytes:
    try:
        return copy.read(offset, length)
    except Unreadable as fault:
        raise Broken(f"the kept file cannot be read: {fault}") from None
