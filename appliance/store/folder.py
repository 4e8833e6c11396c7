"""The local store's door to the disk: regular files beneath one root, found by a phone's spelling.

All calls block, and may come from several threads at once. No link is followed below the root, and
nothing but a regular file is ever opened: a FIFO would hold the caller, a device has no end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from appliance.store.listing import Listings, Stamp

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: should a FIFO take the file's place after it was looked at, its opening returns at once.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

_NOT_FOUND = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EILSEQ, errno.ENXIO}
_DENIED = {errno.EACCES, errno.EPERM}

T = TypeVar("T")


class StoreUnavailable(Exception):
    """The store cannot say whether it has a file. The text is for the administrator."""


class RootMissing(StoreUnavailable):
    """There is no such folder."""


class Unreadable(StoreUnavailable):
    """A file or a folder on its way is there, but may not be read: never "not found"."""


class FileChanged(Exception):
    """The file was changed while it was read: what was read of it does not belong together."""


class File:
    """An open regular file, as it was when it was opened.

    `name` is the real spelling relative to the root, `size` in bytes; `version` is opaque and
    changes when the content does. `start` counts the bytes on disk before its first.
    """

    def __init__(self, name: str, descriptor: int, status: os.stat_result) -> None:
        self.name = name
        self.size = status.st_size
        self.start = 0
        self.version = _version(status)
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._reads = 0
        self._open = True

    def skip(self, count: int) -> None:
        """Go by what follows its first `count` bytes alone."""
        if not 0 <= count <= self.size:
            raise ValueError(f"{count} bytes of a file of {self.size}")
        self.start += count
        self.size -= count

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset`, `length` of them or fewer where the file ends.

        `FileChanged` when the file has become shorter, or, looked at whenever a read reaches the
        end, has changed since it was opened. `StoreUnavailable` when the disk fails.
        """
        if offset < 0 or length < 0:
            raise ValueError("offset and length count from 0")
        # A descriptor's number is given out again once it is closed, so that a close on another
        # thread waits for the reads that run.
        with self._lock:
            if not self._open:
                raise ValueError("the file is closed")
            self._reads += 1
        try:
            return self._read(offset, max(0, min(length, self.size - offset)))
        except OSError as error:
            raise StoreUnavailable(f"{self.name!a}: {_reason(error)}") from error
        finally:
            with self._lock:
                self._reads -= 1
                self._let_go()

    def read_cached(self, offset: int, buffer: memoryview) -> int:
        """Read from `offset` on into the buffer as much as takes no waiting for the disk; its bytes.

        0 where that is nothing, and wherever `read` would raise.
        """
        # Held meanwhile, as the call does not block: a close on another thread waits for it.
        with self._lock:
            if not self._open:
                return 0
            try:
                length = max(0, min(len(buffer), self.size - offset))
                at = self.start + offset
                count = os.preadv(self._descriptor, [buffer[:length]], at, os.RWF_NOWAIT)
                # A file system that knows RWF_NOWAIT is a local one: it has the status in memory, too.
                if offset + count >= self.size and _version(os.fstat(self._descriptor)) != self.version:
                    return 0
                return count
            except OSError:
                return 0  # not in memory, or a file system that cannot tell

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, self.start + offset)
        if len(data) < length:
            raise FileChanged(f"{self.name!a} became shorter while it was read")
        if offset + length >= self.size and _version(os.fstat(self._descriptor)) != self.version:
            raise FileChanged(f"{self.name!a} changed while it was read")
        return data

    def close(self) -> None:
        """Let the file go, as soon as no read runs. Closing twice is fine."""
        with self._lock:
            self._open = False
            self._let_go()

    def _let_go(self) -> None:
        if not self._open and not self._reads and self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __del__(self) -> None:
        # A caller that is ended while another thread opens for it never sees the file.
        self.close()


class Folder:
    """The files beneath `root`.

    The root is held open from the start, so that it stays in reach when privileges are dropped; a
    root that is not there yet, or is replaced, is taken up at the next opening. `clock` tells the
    time of the file system (s since 1970). One that is `optional` holds nothing while it is not there.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time, optional: bool = False) -> None:
        self._path = root
        self._clock = clock
        self._optional = optional
        self._listings = Listings()
        self._lock = threading.Lock()  # guards what is held
        self._held: tuple[int, os.stat_result] | None = None
        self._closed = False
        with contextlib.suppress(OSError):
            self._hold()

    def open(self, name: str) -> File | None:
        """The file of a normalised name ('/' between parts, none in front); None when not found.

        Part by part the exact spelling goes first, then the first in sorted order that differs in
        case only. What is no regular file is not found. `StoreUnavailable` when the root cannot be
        read or the disk fails, `Unreadable` when permission is lacking.
        """
        if not _is_name(name):
            return None
        *folders, last = name.split("/")
        spelled = []
        try:
            folder = self._root()
        except RootMissing:
            if self._optional:
                return None
            raise
        try:
            for part in folders:
                inner = self._match(folder, part, _open_folder)
                if inner is None:
                    return None
                spelling, below = inner
                spelled.append(spelling)
                folder, above = below, folder
                os.close(above)
            found = self._match(folder, last, _open_regular)
            if found is None:
                return None
            spelling, (descriptor, status) = found
            return File("/".join([*spelled, spelling]), descriptor, status)
        except OSError as error:
            if error.errno in _NOT_FOUND:
                return None
            kind = Unreadable if error.errno in _DENIED else StoreUnavailable
            raise kind(f"{name!a} in {str(self._path)!a}: {_reason(error)}") from error
        finally:
            os.close(folder)

    def names(self) -> Mapping[str, str] | None:
        """All names in the root itself, as `Listings.names`; None as well where it cannot be read."""
        try:
            root = self._root()
        except RootMissing:
            return {} if self._optional else None
        except StoreUnavailable:
            return None
        try:
            return self._listings.names(*self._stamped(root), lambda: os.listdir(root))
        except OSError:
            return None
        finally:
            os.close(root)

    def check(self) -> None:
        """`StoreUnavailable` when the root cannot be read."""
        try:
            root = self._root()
        except RootMissing:
            if self._optional:
                return
            raise
        try:
            with os.scandir(root) as entries:
                next(entries, None)
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            os.close(root)

    def close(self) -> None:
        """Let the root go. Files that are open stay so; opening more is `StoreUnavailable`."""
        with self._lock:
            self._closed = True
            if self._held is not None:
                (descriptor, _), self._held = self._held, None
                os.close(descriptor)

    def _root(self) -> int:
        """A descriptor of what the root's path names now; the caller closes it."""
        try:
            wanted = os.stat(self._path)
        except OSError as error:
            if error.errno not in _DENIED:
                raise self._unavailable(error) from error
            wanted = None  # out of reach since privileges were dropped: what is held is good
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"{str(self._path)!a}: the store is closed")
            try:
                held = self._held
                if held is None or (wanted is not None and not os.path.samestat(wanted, held[1])):
                    held = self._hold()
                # No dup: copies share one place in the folder, and two threads may list it.
                return os.open(".", _FOLDER, dir_fd=held[0])
            except OSError as error:
                raise self._unavailable(error) from error

    def _hold(self) -> tuple[int, os.stat_result]:
        # The root itself may be a link: that is the administrator's, and may be switched over.
        descriptor = os.open(self._path, _FOLDER & ~os.O_NOFOLLOW)
        try:
            held = descriptor, os.fstat(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        old, self._held = self._held, held
        if old is not None:
            os.close(old[0])
        return held

    def _match(self, folder: int, part: str, look: Callable[[int, str], T | None]) -> tuple[str, T] | None:
        """The spelling found and what `look` made of it. A name that is there in exactly this
        spelling but is of no use (a link, a FIFO) is not looked for in others.
        """
        try:
            spelling, found = part, look(folder, part)
        except FileNotFoundError:
            real = self._real_name(folder, part)
            if real is None:
                return None
            spelling, found = real, look(folder, real)
        return None if found is None else (spelling, found)

    def _real_name(self, folder: int, part: str) -> str | None:
        return self._listings.find(*self._stamped(folder), part, lambda: os.listdir(folder))

    def _stamped(self, folder: int) -> tuple[Stamp, float]:
        now = self._clock()
        status = os.fstat(folder)
        return Stamp((status.st_dev, status.st_ino), status.st_mtime_ns, status.st_ctime_ns), now

    def _unavailable(self, error: OSError) -> StoreUnavailable:
        kind = RootMissing if error.errno == errno.ENOENT else StoreUnavailable
        return kind(f"{str(self._path)!a}: {_reason(error)}")


def _open_folder(folder: int, part: str) -> int:
    return os.open(part, _FOLDER, dir_fd=folder)


def _open_regular(folder: int, part: str) -> tuple[int, os.stat_result] | None:
    """Descriptor and status; None for what is no regular file, which is not even opened."""
    if not stat.S_ISREG(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
        return None
    descriptor = os.open(part, _FILE, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return descriptor, status


def _is_name(name: str) -> bool:
    """Whether a name can be one of a file beneath the root, whatever the caller made of it."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _version(status: os.stat_result) -> str:
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else "failed"
