"""Which real name a spelling means: listings of folders, kept while the folder is unchanged. No I/O.

Most names that a proxy is asked for are not in its own store, so the common case here is a miss in a
folder of many thousand files: one look into a dictionary.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FOLDERS_MAX = 64  # listings kept
NAMES_MAX = 500_000  # names in all listings together, and in one
RACY = 2.0  # seconds; the coarsest clock of a file system that we care for (FAT)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A folder as fstat saw it before it was listed. ctime stands beside mtime because tools that
    copy a tree (rsync, tar) set mtime back after they have changed the folder.
    """

    folder: tuple[int, int]  # device, inode
    mtime_ns: int
    ctime_ns: int

    def settled(self, now: float) -> bool:
        """Whether every change from `now` on must show in the times.

        A second change within the same tick of the file system's clock does not. Times far in the
        future (a box that starts without a clock) are no tick of now, and count as settled.
        """
        return all(abs(now - time_ns / 1e9) > RACY for time_ns in (self.mtime_ns, self.ctime_ns))


@dataclass(frozen=True, slots=True)
class _Listing:
    stamp: Stamp
    number: int
    settled: bool
    whole: bool
    names: Mapping[str, str]  # casefolded -> real; empty where these are not `whole`


class Listings:
    """Listings of folders, the least recently used out first. Safe for several threads.

    One folder is listed at a time: the threads that wait share what comes, so that a folder that
    changes all the time costs one thread's work at most.
    """

    def __init__(self, folders_max: int = FOLDERS_MAX, names_max: int = NAMES_MAX) -> None:
        self._folders_max = folders_max
        self._names_max = names_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], _Listing] = OrderedDict()
        self._names = 0
        self._begun = 0

    def find(self, stamp: Stamp, now: float, name: str, read: Callable[[], list[str]]) -> str | None:
        """The real name in the folder of `stamp` that folds like `name`; None when there is none.

        `now` is the time (s, the clock of the file system) at which `stamp` was taken or a little
        earlier. `read` lists the folder; what it raises passes through.
        """
        seen = self._begun  # before the lock: a listing with a higher number was begun after this call
        with self._lock:
            kept = self._kept.get(stamp.folder)
            if kept is None or not (kept.number > seen or (kept.settled and kept.stamp == stamp)):
                kept = self._take(stamp, now, read)
            self._kept.move_to_end(stamp.folder)
            return kept.names.get(name.casefold())

    def names(self, stamp: Stamp, now: float, read: Callable[[], list[str]]) -> Mapping[str, str] | None:
        """All names of a folder, as real names by what they fold to, which never change afterwards.

        None where no name that is not among them is certainly missing: the folder has just been changed,
        or has too many. The rest as in `find`.
        """
        with self._lock:
            kept = self._kept.get(stamp.folder)
            if kept is None or not (kept.settled and kept.stamp == stamp):
                kept = self._take(stamp, now, read)
            self._kept.move_to_end(stamp.folder)
            return kept.names if kept.settled and kept.whole else None

    def _take(self, stamp: Stamp, now: float, read: Callable[[], list[str]]) -> _Listing:
        old = self._kept.pop(stamp.folder, None)
        if old is not None:
            self._names -= len(old.names)
        self._begun += 1
        names = read()
        # A folder too large to be kept is matched by exact spelling alone: remembering that keeps a
        # miss from listing it again and again.
        whole = len(names) <= self._names_max
        folded = _fold(names) if whole else {}
        listing = _Listing(stamp, self._begun, stamp.settled(now), whole, folded)
        self._kept[stamp.folder] = listing
        self._names += len(folded)
        while len(self._kept) > self._folders_max or self._names > self._names_max:
            _, oldest = self._kept.popitem(last=False)
            self._names -= len(oldest.names)
        return listing


def _fold(names: list[str]) -> dict[str, str]:
    """Casefolded name -> name; of two that fold alike the first in sorted order."""
    folded = {name.casefold(): name for name in names}
    if len(folded) < len(names):
        folded = {name.casefold(): name for name in sorted(names, reverse=True)}
    return folded
