"""The folder of kept files: the only code that touches it. Every call may block; none knows gevent.

An entry is written under a passing name, synced to disk by itself, and renamed; so a stop at any
moment leaves the old one, the new one, or none. The folder is not synced: what a power cut may take
back is an entry as a whole. That costs one sync for an entry, and entries are written only where
their content is new (see `kept`), so flash is spared where it counts.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from appliance.cache.entry import HEAD, Entry, Key, NotAnEntry, decode, encode, file_name

_NAME = re.compile(r"[0-9a-f]{40}")
_DRAFT = re.compile(r"[0-9a-f]{40}\.\d+\.new")
# No link is followed, and a pipe that somebody put there holds nobody up.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Look:
    """A file of the folder: its entry, None where it is none, and when that was last confirmed."""

    name: str
    entry: Entry | None
    confirmed: float


class Opened:
    """A kept file, open. It closes when nobody has it any more."""

    def __init__(self, entry: Entry, descriptor: int) -> None:
        self.entry = entry
        self.descriptor = descriptor

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.descriptor)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of the body at `offset`, empty at its end; `OSError`, `NotAnEntry`."""
        length = min(length, self.entry.length - offset)
        if length <= 0:
            return b""
        piece = os.pread(self.descriptor, length, HEAD + offset)
        if len(piece) < length:
            raise NotAnEntry("a part of the file is gone")
        return piece

    def feed(self, update: Callable[[bytes], None], offset: int, length: int) -> None:
        """Give a part of the body to a digest; `OSError`, `NotAnEntry`."""
        update(self.read(offset, length))


class Draft:
    """An entry that is being written, under a name that no other draft has."""

    def __init__(self, folder: Path, key: Key, number: int) -> None:
        self._path = folder / file_name(key)
        self._draft = self._path.with_suffix(f".{number}.new")
        self._digest = hashlib.sha256()
        self._length = 0
        self._descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # When the last call that uses it has returned: one that hangs may outlive those who wait for it.
        if hasattr(self, "_descriptor"):
            close(self._descriptor)

    def write(self, data: bytes) -> None:
        """Append to the body; `OSError`."""
        self._digest.update(data)
        self._put(data, HEAD + self._length)
        self._length += len(data)

    def commit(self, entry: Entry) -> Entry:
        """The body is complete: put it in its place. The entry with length and digest; `OSError`."""
        entry = replace(entry, length=self._length, digest=self._digest.hexdigest())
        self._put(encode(entry), 0)
        os.utime(self._descriptor, (entry.fetched, entry.fetched))
        os.fsync(self._descriptor)
        os.rename(self._draft, self._path)
        return entry

    def abort(self) -> None:
        """It is not wanted, or could not be written. What stays is removed at the next start."""
        try:
            os.unlink(self._draft)
        except OSError:
            pass

    def _put(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view = view[written:]
            offset += written


class Disk:
    """The folder. The time at which an entry was last confirmed is its file's time of change (mtime)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = count()

    def names(self) -> list[str]:
        """The files that may be entries. What was being written at the last stop is removed; `OSError`."""
        with os.scandir(self._folder) as files:
            found = [file.name for file in files]
        self.remove([name for name in found if _DRAFT.fullmatch(name)])
        return [name for name in found if _NAME.fullmatch(name)]

    def look(self, names: list[str]) -> list[Look]:
        """What is in these files, by their heads and sizes alone."""
        return [self._look(name) for name in names]

    def open(self, key: Key) -> Opened:
        """The entry of a key, its body not yet checked; `OSError`, `NotAnEntry`."""
        try:
            descriptor = os.open(self._folder / file_name(key), _OPEN)
        except FileNotFoundError:
            raise NotAnEntry("the file is gone") from None
        try:
            entry, _ = _head(descriptor)
            if entry.key != key:
                raise NotAnEntry("an entry under another's name")
        except BaseException:
            os.close(descriptor)
            raise
        return Opened(entry, descriptor)

    def read(self, key: Key) -> tuple[Entry, bytes]:
        """The entry of a key and its whole body, checked; `OSError`, `NotAnEntry`."""
        opened = self.open(key)
        body = opened.read(0, opened.entry.length)
        if hashlib.sha256(body).hexdigest() != opened.entry.digest:
            raise NotAnEntry("a body that is not the one that was written")
        return opened.entry, body

    def draft(self, key: Key) -> Draft:
        """Begin to write an entry; `OSError`."""
        return Draft(self._folder, key, next(self._drafts))

    def note(self, key: Key, confirmed: float) -> None:
        """Remember when an entry was last confirmed, where it is there; `OSError`."""
        try:
            os.utime(self._folder / file_name(key), (confirmed, confirmed), follow_symlinks=False)
        except FileNotFoundError:
            pass

    def remove(self, names: list[str]) -> None:
        """Remove files, those that are there; `OSError`."""
        for name in names:
            try:
                os.unlink(self._folder / name)
            except FileNotFoundError:
                pass
            except IsADirectoryError:
                pass  # none of ours, and in nobody's way

    def _look(self, name: str) -> Look:
        try:
            descriptor = os.open(self._folder / name, _OPEN)
            try:
                entry, status = _head(descriptor)
            finally:
                os.close(descriptor)
        except (OSError, NotAnEntry):
            return Look(name, None, 0.0)
        if name != file_name(entry.key):
            return Look(name, None, 0.0)
        return Look(name, entry, status.st_mtime)


def _head(descriptor: int) -> tuple[Entry, os.stat_result]:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise NotAnEntry("no file")
    entry = decode(os.pread(descriptor, HEAD, 0))
    if status.st_size != HEAD + entry.length:
        raise NotAnEntry("a body of another length")
    return entry, status
