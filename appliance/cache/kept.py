"""The cache: files of clusters kept on disk, the small ones among them in memory too.

Nothing here is needed to serve: a disk that fails, fills up or hangs is told of once, and files are
asked of their clusters as if none were kept. A file is written when it is whole, by nobody whom a
phone waits for, and only where its content is new; else its age starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.event import Event

from appliance.cache import terms
from appliance.cache.disk import Disk, Look
from appliance.cache.entry import Entry, Key, file_name, fits
from appliance.cache.index import Index, Place
from appliance.cache.reader import Copy, Reader, Unreadable
from appliance.cache.shelf import Shelf
from appliance.cache.terms import Terms
from appliance.cache.writer import REST, NotWritten, Whole, Writer

SMALL = 1024 * 1024
"""Bytes up to which a body is read whole, and kept in memory."""
CHECK_PATIENCE = 1.5
"""s that one who asks waits while a larger one is checked, at its first use after a restart."""
NOTED = 3600.0
"""s by which the disk may take an entry for older than it is, after a restart."""


@dataclass(frozen=True, slots=True)
class Known:
    """A kept file. `age` in s since its cluster confirmed it; `fresh`: the cluster need not be asked;
    `by_length`: it is still the file where the cluster announces the same length.
    """

    entry: Entry
    age: float
    fresh: bool
    by_length: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """For status. The counts are since the start."""

    entries: int
    disk_bytes: int
    memory_bytes: int
    served: int
    written: int
    unchanged: int
    damaged: int
    loading: bool
    fault: str


class Kept:
    """All that is kept. `size` and `memory` in bytes; `tell` takes a fault of the disk, in words."""

    def __init__(
        self,
        disk: Disk,
        size: int,
        memory: int,
        conditions: Terms,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.loaded = Event()
        self._size = size
        self._terms = conditions
        self._clock = clock
        self._index = Index(size)
        self._memory: Shelf[Key, tuple[str, bytes]] = Shelf(memory)  # digest and body
        self._reader = Reader(disk, tell)
        self._writer = Writer(disk, tell)
        self._storing: dict[Key, Entry | None] = {}  # None: no longer wanted
        self._checks: dict[Key, gevent.Greenlet[..., None]] = {}  # those that run
        self._dropped: list[Callable[[Entry], bool]] = []  # while the folder is being looked at
        self._served = self._written = self._unchanged = self._damaged = 0

    def start(self) -> None:
        """Look at what the folder holds, beside all else; until then nothing is known nor stored."""
        gevent.spawn(self._load)

    def lookup(self, cluster: str, name: str, kind: str) -> Known | None:
        """What is kept under a name, by a look at memory alone."""
        place = self._index.use((cluster, name))
        if place is None:
            return None
        if place.entry.kind != kind:  # another version of this program saw it otherwise
            self._drop_one(place.entry)
            return None
        now = self._clock()
        return Known(
            place.entry,
            terms.age(place.confirmed, now),
            terms.fresh(kind, place.confirmed, now),
            terms.by_length(place.entry),
        )

    def stale_age(self, cluster: str, name: str) -> float | None:
        """s since the cluster confirmed a file that may be served while it does not answer; else None."""
        place = self._index.find((cluster, name))
        now = self._clock()
        if place is None or not terms.stale_allowed(place.entry, place.confirmed, now, self._terms):
            return None
        return terms.age(place.confirmed, now)

    def open(self, entry: Entry) -> Copy | None:
        """A file that is known, whole and checked; None where it cannot be had in time."""
        try:
            copy = self._open(entry)
        except Unreadable as fault:
            self._lost(entry, fault)
            return None
        self._served += 1
        return copy

    def at_hand(self, entry: Entry) -> Copy | None:
        """The same for one that is in memory; None where it is not."""
        copy = self._inside(entry)
        self._served += copy is not None
        return copy

    def confirm(self, entry: Entry) -> None:
        """The cluster said that it is still so: its age starts anew."""
        place = self._index.find(entry.key)
        if place is None or place.entry is not entry:
            return
        place.confirmed = self._clock()
        if abs(place.confirmed - place.noted) >= NOTED:
            place.noted = place.confirmed
            self._writer.note(entry.key, place.confirmed)

    def may_keep(self, cluster: str, kind: str) -> bool:
        """Whether `store` may keep any file of this kind, by a look at memory alone."""
        return terms.may_keep(cluster, kind, self._terms)

    def store(self, key: Key, kind: str, validator: str, address: str, body: Whole) -> bool:
        """Keep a whole file; whether it is kept now. Waits for the disk: nobody should wait for this.

        `body` must stay until then; what its reading raises is passed on. The rest as in `Entry`.
        """
        entry = Entry(*key, kind, body.length, "", validator, address, self._clock())
        if not self._takes(entry):
            return False
        self._storing[entry.key] = entry
        try:
            with self._writer.turn(body):
                return self._store(entry, body)
        except NotWritten:
            return False
        finally:
            del self._storing[entry.key]

    def forget(self, concerned: Callable[[str], bool]) -> int:
        """Keep the concerned names no longer; how many there were."""
        return self._drop(lambda entry: concerned(entry.name))

    def drop(self, cluster: str, name: str) -> None:
        """Keep a file no longer: it is not what it was taken for."""
        self._drop(lambda entry: entry.key == (cluster, name))

    def drop_cluster(self, cluster: str) -> int:
        """Keep nothing of a cluster; how many there were."""
        return self._drop(lambda entry: entry.cluster == cluster)

    def set_terms(self, conditions: Terms) -> None:
        """Other terms: what may not be kept by them goes."""
        self._terms = conditions
        self._drop(lambda entry: not terms.worth_keeping(entry, conditions))

    def give_way(self, taken: int) -> None:
        """Bodies on their way take `taken` bytes of the size just now: what is kept has the rest."""
        self._gone(self._index.set_limit(self._size - taken))

    def usage(self) -> Usage:
        """The numbers of this moment."""
        return Usage(
            entries=len(self._index),
            disk_bytes=self._index.size,
            memory_bytes=self._memory.size,
            served=self._served,
            written=self._written,
            unchanged=self._unchanged,
            damaged=self._damaged,
            loading=not self.loaded.is_set(),
            fault=self._writer.threads.fault or self._reader.threads.fault,
        )

    def _load(self) -> None:
        while True:
            try:
                looks = list(self._writer.looks())
                break
            except NotWritten:
                gevent.sleep(REST)
        looks.sort(key=lambda look: look.confirmed, reverse=True)
        for count, look in enumerate(looks):
            self._damaged += look.entry is None
            if not self._take(look):
                self._writer.remove([look.name])
            if count % 100 == 99:
                gevent.sleep(0)  # the loop is for those who ask
        self._dropped.clear()
        self.loaded.set()

    def _take(self, look: Look) -> bool:
        entry = look.entry
        return (
            entry is not None
            and terms.worth_keeping(entry, self._terms)
            and not any(concerned(entry) for concerned in self._dropped)
            and self._index.put_last(entry, look.confirmed)
        )

    def _inside(self, entry: Entry) -> Copy | None:
        inside = self._memory.get(entry.key)
        if inside is None or inside[0] != entry.digest:
            return None
        return Copy(entry, inside[1], self._reader, None)

    def _open(self, entry: Entry) -> Copy:
        inside = self._inside(entry)
        if inside is not None:
            return inside
        if entry.length <= SMALL:
            copy = self._reader.whole(entry.key)
            if (place := self._index.find(entry.key)) is not None and place.entry == copy.entry:
                self._remember(place, copy.whole)
            return copy
        copy = self._reader.open(entry.key)
        place = self._index.find(entry.key)
        if place is None or place.entry != copy.entry:
            raise Unreadable("the file has just been replaced")
        if not place.checked:
            self._await_check(place, copy)
        return copy

    def _await_check(self, place: Place, copy: Copy) -> None:
        key = place.entry.key
        check = self._checks.get(key)
        if check is None:
            check = self._checks[key] = gevent.spawn(self._check, place, copy)
        check.join(CHECK_PATIENCE)
        if not place.checked:  # it goes on: who comes later has it easier
            raise Unreadable("the file is not known to be whole")

    def _check(self, place: Place, copy: Copy) -> None:
        try:
            self._reader.check(copy)
            place.checked = True
        except Unreadable as fault:
            self._lost(place.entry, fault)
        finally:
            del self._checks[place.entry.key]

    def _lost(self, entry: Entry, fault: Unreadable) -> None:
        if fault.damaged and self._drop_one(entry):
            self._damaged += 1

    def _takes(self, entry: Entry) -> bool:
        return (
            self.loaded.is_set()
            and entry.key not in self._storing
            and terms.worth_keeping(entry, self._terms)
            and fits(entry)
            and entry.footprint <= self._index.limit
            and self._writer.takes(entry.length)
        )

    def _store(self, entry: Entry, body: Whole) -> bool:
        known = self._index.find(entry.key)
        if known and known.entry.alike(entry) and self._writer.digest(body) == known.entry.digest:
            if self._storing[entry.key] is None:  # forgotten meanwhile
                return False
            self._unchanged += 1
            self.confirm(known.entry)
            self._remember(known, body.whole)
            return True
        room = self._index.room(entry.footprint)
        if room is None or self._storing[entry.key] is None:
            return False
        self._gone(room)
        written = self._writer.write(entry, body)
        if self._storing[entry.key] is None:  # forgotten meanwhile
            self._gone([written])
            return False
        self._written += 1
        self._gone(self._index.put(written, entry.fetched))
        place = self._index.find(entry.key)
        if place is None:
            return False
        self._remember(place, body.whole)
        return True

    def _remember(self, place: Place, body: bytes | None) -> None:
        if body is not None:
            entry = place.entry
            self._memory.put(entry.key, (entry.digest, body), len(body) + len(entry.name))

    def _drop(self, concerned: Callable[[Entry], bool]) -> int:
        if not self.loaded.is_set():
            self._dropped.append(concerned)
        for key, entry in self._storing.items():
            if entry is not None and concerned(entry):
                self._storing[key] = None
        gone = self._index.drop_all(concerned)
        self._gone(gone)
        return len(gone)

    def _drop_one(self, entry: Entry) -> bool:
        place = self._index.find(entry.key)
        if place is None or place.entry is not entry:
            return False
        self._index.drop(entry.key)
        self._gone([entry])
        return True

    def _gone(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._memory.drop(entry.key)
        self._writer.remove(file_name(entry.key) for entry in entries)
