"""A cache in a folder, with a clock that the test sets, and a disk that does what it says."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gevent

from appliance.cache.disk import Disk, Draft, Look, Opened
from appliance.cache.entry import Entry, Key
from appliance.cache.kept import Kept
from appliance.cache.terms import Terms

HOUR = 3600.0
STALE = Terms({"east": 24 * HOUR, "west": 24 * HOUR}, stale_configs=True)


@dataclass
class Bytes:
    """A body: in memory, or as if it were on disk."""

    data: bytes
    inside: bool = True

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def whole(self) -> bytes | None:
        """All of it, where it is in memory."""
        return self.data if self.inside else None

    def read(self, offset: int, length: int) -> bytes:
        """A part."""
        return self.data[offset : offset + length]


class Doing(Disk):
    """A disk that fails with `fault`, or hangs until `go_on` is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fault: int | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.drafts = 0
        self.reads = 0

    def _does(self) -> None:
        assert self.go_on.wait(15)
        if self.fault is not None:
            raise OSError(self.fault, os.strerror(self.fault))

    def names(self) -> list[str]:
        """See `Disk`."""
        self._does()
        return super().names()

    def look(self, names: list[str]) -> list[Look]:
        """See `Disk`."""
        self._does()
        return super().look(names)

    def read(self, key: Key) -> tuple[Entry, bytes]:
        """See `Disk`."""
        self.reads += 1
        self._does()
        return super().read(key)

    def open(self, key: Key) -> Opened:
        """See `Disk`."""
        self._does()
        return super().open(key)

    def draft(self, key: Key) -> Draft:
        """See `Disk`."""
        self.drafts += 1
        self._does()
        return super().draft(key)

    def remove(self, names: list[str]) -> None:
        """See `Disk`."""
        self._does()
        super().remove(names)


class Cache:
    """What the proxy has; `again` is a restart."""

    def __init__(self, folder: Path, size: int = 1_000_000, memory: int = 100_000) -> None:
        self.folder = folder
        self.now = 1_700_000_000.0
        self.told: list[str] = []
        self._sizes = size, memory
        self.again()

    def again(self, terms: Terms = STALE) -> None:
        """Start with what the folder holds."""
        self.begin(terms)
        self.kept.loaded.wait()

    def begin(self, terms: Terms = STALE) -> None:
        """The same without waiting for it."""
        self.disk = Doing(self.folder)
        self.kept = Kept(self.disk, *self._sizes, terms, self.told.append, lambda: self.now)
        self.kept.start()

    def store(
        self,
        data: bytes,
        name: str = "x",
        kind: str = "common",
        validator: str = "",
        cluster: str = "east",
        inside: bool = True,
    ) -> bool:
        """Keep a file."""
        return self.kept.store((cluster, name), kind, validator, "10.1.0.10", Bytes(data, inside))

    def get(self, name: str = "x", kind: str = "common", cluster: str = "east") -> bytes | None:
        """What is kept of a file."""
        known = self.kept.lookup(cluster, name, kind)
        copy = None if known is None else self.kept.open(known.entry)
        if copy is None:
            return None
        data = b""
        while piece := copy.read(len(data), 70_000):
            data += piece
        assert len(data) == copy.length
        return data

    def fresh(self, name: str = "x", kind: str = "common") -> bool | None:
        """Whether it may be served without asking; None where it is not known."""
        known = self.kept.lookup("east", name, kind)
        return None if known is None else known.fresh

    def files(self) -> int:
        """How many files there are."""
        return len(os.listdir(self.folder))


def until(condition: Callable[[], bool]) -> None:
    """Let the others run until `condition` holds; the test's own time limit ends it."""
    while not condition():
        gevent.sleep(0.002)


NO_SPACE, BAD_SECTOR, READ_ONLY, NO_DESCRIPTORS = errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE
