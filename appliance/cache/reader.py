"""Kept files being read, off the loop, and only while the disk answers."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from appliance.cache.disk import Disk, Opened
from appliance.cache.entry import HEAD, Entry, Key, NotAnEntry
from appliance.cache.threads import Hangs, Threads

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 2
PATIENCE = 2.0  # s of one call; a search waits for it
PIECE = 1024 * 1024  # bytes


class Unreadable(Exception):
    """A kept file cannot be read. The text says why; `damaged`: nor will it ever be."""

    def __init__(self, why: str, damaged: bool = False) -> None:
        super().__init__(why)
        self.damaged = damaged


class Copy:
    """A kept file, open to be served: `whole` where it is in memory."""

    def __init__(self, entry: Entry, whole: bytes | None, reader: Reader, opened: Opened | None) -> None:
        self.entry = entry
        self.length = entry.length
        self.whole = whole
        self._reader = reader
        self._opened = opened

    @property
    def place(self) -> tuple[int, int] | None:
        """A descriptor of the file that it is read from, and where in it the body begins."""
        return None if self._opened is None else (self._opened.descriptor, HEAD)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`, empty at the end; `Unreadable`."""
        if self._opened is None:
            return (self.whole or b"")[offset : offset + length]
        return self._reader.call(self._opened.read, offset, length)

    def feed(self, update: Callable[[bytes], None], offset: int, length: int) -> None:
        """Give a part of the body to a digest, all of it off the loop; `Unreadable`."""
        if self._opened is not None:
            self._reader.call(self._opened.feed, update, offset, length)


class Reader:
    """Reads entries of one folder. `tell` takes a fault of the disk once."""

    def __init__(self, disk: Disk, tell: Callable[[str], None]) -> None:
        self.threads = Threads(THREADS, PATIENCE, lambda why: tell(f"kept files cannot be read: {why}"))
        self._disk = disk

    def whole(self, key: Key) -> Copy:
        """A small file, read and checked in one go; `Unreadable`."""
        entry, body = self.call(self._disk.read, key)
        return Copy(entry, body, self, None)

    def open(self, key: Key) -> Copy:
        """A file, not yet checked; `Unreadable`."""
        opened = self.call(self._disk.open, key)
        return Copy(opened.entry, None, self, opened)

    def check(self, copy: Copy) -> None:
        """Read all of it, and compare the digest; `Unreadable`."""
        digest = hashlib.sha256()
        for offset in range(0, copy.length, PIECE):
            copy.feed(digest.update, offset, PIECE)
        if digest.hexdigest() != copy.entry.digest:
            raise Unreadable("a body that is not the one that was written", damaged=True)

    def call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call off the loop; `Unreadable`."""
        try:
            return self.threads.call(call, *args, **kwargs)
        except NotAnEntry as fault:
            raise Unreadable(str(fault), damaged=True) from None
        except OSError as fault:
            raise Unreadable(fault.strerror or "refused", damaged=fault.errno == errno.EIO) from None
        except Hangs:
            raise Unreadable("the disk does not answer") from None
