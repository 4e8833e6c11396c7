"""Entries being written and removed: off the loop, one after the other, so that each finds what the
one before it left.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import gevent
from gevent.lock import BoundedSemaphore

from appliance.cache.disk import Disk, Draft, Look
from appliance.cache.entry import Entry, Key, file_name
from appliance.cache.threads import Hangs, Threads

PATIENCE = 30.0  # s of one call: a sync of much on slow flash; only the bodies that wait for it are held
REST = 60.0  # s without writing after a fault
WAITING_MAX = 8 * 1024 * 1024  # bytes of bodies that wait to be written; a single one may be larger
PIECE = 1024 * 1024  # bytes
BATCH = 200  # files in one call


class NotWritten(Exception):
    """The disk failed, which has been told."""


class Whole(Protocol):
    """A body that has come to its end."""

    @property
    def length(self) -> int:
        """Bytes."""

    @property
    def whole(self) -> bytes | None:
        """All of it, where it is in memory."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`."""


class Writer:
    """Changes one folder. `tell` takes a fault of the disk once."""

    def __init__(self, disk: Disk, tell: Callable[[str], None]) -> None:
        self.threads = Threads(1, PATIENCE, lambda why: tell(f"no files are kept: {why}"))
        self._disk = disk
        self._one = BoundedSemaphore(1)
        self._waiting = 0  # bytes
        self._leaving: dict[str, None] = {}  # files to be removed
        self._removing = False

    def takes(self, length: int) -> bool:
        """Whether a body of `length` bytes may come now."""
        failed = self.threads.failed
        rests = failed is not None and time.monotonic() - failed < REST
        return not rests and (not self._waiting or self._waiting + length <= WAITING_MAX)

    @contextmanager
    def turn(self, body: Whole) -> Iterator[None]:
        """The time in which a body is being written; waits until the others are; `NotWritten`."""
        self._waiting += body.length
        try:
            with self._one:
                yield
        except (OSError, Hangs) as fault:
            raise NotWritten from fault
        finally:
            self._waiting -= body.length

    def digest(self, body: Whole) -> str:
        """The digest of a body; in its turn."""
        digest = hashlib.sha256()
        for piece in _pieces(body):
            self.threads.call(digest.update, piece)
        return digest.hexdigest()

    def write(self, entry: Entry, body: Whole) -> Entry:
        """Write an entry, in its turn; the same with length and digest."""
        draft = self.threads.call(self._disk.draft, entry.key)
        try:
            for piece in _pieces(body):
                self.threads.call(draft.write, piece)
            written = self.threads.call(draft.commit, entry)
        except BaseException:
            gevent.spawn(self._abort, draft)
            raise
        self._leaving.pop(file_name(entry.key), None)
        return written

    def note(self, key: Key, confirmed: float) -> None:
        """Remember on disk when an entry was last confirmed, at leisure."""
        gevent.spawn(self._note, key, confirmed)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, at leisure but surely."""
        self._leaving |= dict.fromkeys(names)
        if self._leaving and not self._removing:
            self._removing = True
            gevent.spawn(self._remove)

    def looks(self) -> Iterator[Look]:
        """What the folder holds; `NotWritten`."""
        try:
            names = self.threads.call(self._disk.names)
            for start in range(0, len(names), BATCH):
                yield from self.threads.call(self._disk.look, names[start : start + BATCH])
        except (OSError, Hangs) as fault:
            raise NotWritten from fault

    def _remove(self) -> None:
        while self._leaving:
            with self._one:
                names = list(self._leaving)[:BATCH]
                try:
                    self.threads.call(self._disk.remove, names)
                except (OSError, Hangs):
                    names = []
                for name in names:
                    self._leaving.pop(name, None)
            if not names:
                gevent.sleep(REST)
        self._removing = False

    def _note(self, key: Key, confirmed: float) -> None:
        try:
            self.threads.call(self._disk.note, key, confirmed)
        except (OSError, Hangs):
            pass  # has been told

    def _abort(self, draft: Draft) -> None:
        try:
            self.threads.call(draft.abort)
        except Hangs:
            pass  # removed at the next start


def _pieces(body: Whole) -> Iterator[bytes]:
    if body.whole is not None:
        yield body.whole
        return
    offset = 0
    while piece := body.read(offset, PIECE):
        offset += len(piece)
        yield piece
