"""The bytes of a file on their way through the box: one who writes, many who read along.

A body stays in memory while there is room, else in a file without a name on disk; disk is touched
on native threads only, so that a slow one never holds up the loop.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import gevent
from gevent.event import Event

P = ParamSpec("P")
T = TypeVar("T")

MEMORY_MAX = 1024 * 1024  # bytes of one body in memory


class Broken(Exception):
    """The file ended before its end. The text says why, for the record."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A whole file whose bytes are read from where they are kept: `whole` where that is memory, else
    by `read(offset, length)`, which raises `Broken`. `size` in bytes, `validator` as in `answer.Found`,
    `place` as in `Body`.
    """

    size: int
    validator: str
    whole: bytes | None
    read: Callable[[int, int], bytes]
    place: tuple[int, int] | None = None

    def close(self) -> None:
        """Let go: what it reads from is closed with the last who has it."""


class Room:
    """The bytes that all bodies together may take: `[cache] memory` and `[cache] size`.

    `spare` gives up a body that is only kept for those who may still come; False where there is none.
    `taken` is told how much of the disk is taken whenever that changes: copies that are kept give way.
    """

    def __init__(self, memory: int, disk: int, folder: Path) -> None:
        self.memory = memory
        self.disk = disk
        self.folder = folder
        self.memory_used = 0
        self.disk_used = 0
        self.spare: Callable[[], bool] = lambda: False
        self.taken: Callable[[int], None] = lambda disk_used: None

    @property
    def largest(self) -> int:
        """Bytes of the largest body for which there can be room."""
        return max(self.disk, min(self.memory, MEMORY_MAX))

    def take_memory(self, count: int) -> bool:
        """Whether there was room in memory, now taken."""
        while self.memory_used + count > self.memory:
            if not self.spare():
                return False
        self.memory_used += count
        return True

    def take_disk(self, count: int) -> bool:
        """Whether there was room on disk, now taken."""
        while self.disk_used + count > self.disk:
            if not self.spare():
                return False
        self.disk_used += count
        self.taken(self.disk_used)
        return True

    def free_disk(self, count: int) -> None:
        """Room on disk that is not needed any more."""
        self.disk_used -= count
        self.taken(self.disk_used)


class Body:
    """One file's bytes, complete or still growing."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._memory: bytearray | bytes = bytearray()
        self._file: _File | None = None
        self._stored: Stored | None = None
        self._disk = 0  # bytes of the room on disk that are ours, be they written yet or not
        self._more: Event | None = None  # these two are made for the first who waits
        self._failed: Event | None = None
        self.length = 0  # bytes so far
        self.ended = False
        self.fault: str | None = None

    def write(self, data: bytes) -> None:
        """Append; `Broken` when there is room neither in memory nor on disk."""
        if self._file is None:
            if self.length + len(data) <= MEMORY_MAX and self._room.take_memory(len(data)):
                self._memory += data
                self._grown(len(data))
                return
            self._file = self._spill()
            self._room.memory_used -= len(self._memory)
            self._memory = bytearray()
        self._take_disk(len(data))
        _on_disk(_write_all, self._file, data, self.length)
        self._grown(len(data))

    def adopt(self, stored: Stored) -> None:
        """Take a whole file as it is kept, in place of any `write`; takes no room."""
        self._stored = stored
        self._grown(stored.size)

    def hand(self, descriptor: int, start: int, length: int) -> None:
        """The bytes are in a file that another writes: from `start` on, `length` of them so far, all that
        there were before among them. The descriptor is the body's from now on.
        """
        self._file = _File(descriptor, start)
        self._room.memory_used -= len(self._memory)
        self._memory = bytearray()
        self._grown(length - self.length)

    def grow(self, length: int) -> None:
        """So many bytes are in that file now."""
        self._grown(length - self.length)

    @property
    def whole(self) -> bytes | None:
        """All bytes, where the file has come to its end and is in memory."""
        if self._stored is not None:
            return self._stored.whole if self.ended and self.fault is None else None
        if self.fault is not None or self._file is not None or not isinstance(self._memory, bytes):
            return None
        return self._memory

    def finish(self) -> None:
        """All bytes are there; many readers share them from now on."""
        self._memory = bytes(self._memory)
        self.ended = True
        self._wake()

    def fail(self, why: str) -> None:
        """No more bytes will come, and those that did are not the whole file.

        After `finish` as well, where it turns out later: who still reads does not come to the end.
        """
        self.fault = why
        if self._failed is not None:
            self._failed.set()
        self.finish()

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`, waiting for the first; empty at the end; `Broken`."""
        if not self.grows_beyond(offset):
            return b""
        if self._stored is not None:
            return self._stored.read(offset, min(length, self.length - offset))
        if self._file is None:
            if isinstance(self._memory, bytes):
                return self._memory[offset : offset + length]  # the very same bytes where it is all of them
            return bytes(memoryview(self._memory)[offset : offset + length])
        return _on_disk(_read_all, self._file, min(length, self.length - offset), offset)

    def cached(self, offset: int, buffer: memoryview) -> memoryview | None:
        """Bytes at `offset`, up to the buffer's size, that take no waiting; None where `read` is needed.

        They may be in the buffer or elsewhere, and are good until the loop goes on. The last byte is
        among them only where the file has come to its end.
        """
        whole = self.whole
        if whole is not None:
            return memoryview(whole)[offset : offset + len(buffer)] or None
        length = self.length if self.ended and self.fault is None else self.length - 1
        if self._file is None or offset >= length:
            return None
        try:
            at = self._file.start + offset
            count = os.preadv(self._file.descriptor, [buffer[: length - offset]], at, os.RWF_NOWAIT)
        except OSError:
            return None  # not in memory, or a file system that cannot tell
        return buffer[:count] or None

    @property
    def place(self) -> tuple[int, int] | None:
        """A descriptor of the file in which the bytes so far are, and where in it they begin; None where
        they are in memory.
        """
        if self._stored is not None:
            return self._stored.place
        return None if self._file is None else (self._file.descriptor, self._file.start)

    def grows_beyond(self, offset: int) -> bool:
        """Whether there are more bytes than `offset`, waiting for them or for the end; `Broken`."""
        while offset >= self.length:
            if self.fault is not None:
                raise Broken(self.fault)
            if self.ended:
                return False
            self._wait()
        return True

    def wait_failed(self) -> None:
        """Wait until it turns out that the bytes are not the whole file, if ever; `Broken`."""
        if self.fault is None:
            if self._failed is None:
                self._failed = Event()
            self._failed.wait()
        raise Broken(self.fault or "")

    def wait_whole(self) -> None:
        """Wait for the end; `Broken`."""
        while not self.ended:
            self._wait()
        if self.fault is not None:
            raise Broken(self.fault)

    def close(self) -> None:
        """Give the room back. Nobody reads any more."""
        self._file = self._stored = None
        self._room.free_disk(self._disk)
        self._disk = 0
        self._room.memory_used -= len(self._memory)
        self._memory = bytearray()

    def _take_disk(self, count: int) -> None:
        if not self._room.take_disk(count):
            raise Broken("no room for the file in [cache] size")
        self._disk += count

    def _grown(self, count: int) -> None:
        self.length += count
        self._wake()

    def _wait(self) -> None:
        """Wait for more bytes or the end."""
        if self._more is None:
            self._more = Event()
        self._more.wait()

    def _wake(self) -> None:
        more, self._more = self._more, None
        if more is not None:
            more.set()

    def _spill(self) -> _File:
        """What is in memory, copied to disk; readers go on in memory meanwhile."""
        self._take_disk(self.length)
        file = _on_disk(_nameless, self._room.folder)
        _on_disk(_write_all, file, bytes(self._memory), 0)
        return file


class _File:
    """A file in which a body begins at `start`. It closes when the last native call that uses it has
    returned: a greenlet that waits for one can be killed, and its descriptor must not be another's by then.
    """

    def __init__(self, descriptor: int, start: int = 0) -> None:
        self.descriptor = descriptor
        self.start = start

    def __del__(self) -> None:
        os.close(self.descriptor)


def _nameless(folder: Path) -> _File:
    """A new file without a name."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        return _File(os.dup(file.fileno()))


def _on_disk(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    outcome: T | OSError = gevent.get_hub().threadpool.apply(_outcome, (call, *args), kwargs)
    if isinstance(outcome, OSError):
        raise Broken(f"the cache cannot be used: {outcome.strerror}")
    return outcome


def _outcome(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | OSError:
    """What the call returns, or the fault it raises: what a thread raises, gevent writes to the log."""
    try:
        return call(*args, **kwargs)
    except OSError as error:
        return error


def _write_all(file: _File, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file.descriptor, view, offset)
        view = view[written:]
        offset += written


def _read_all(file: _File, length: int, offset: int) -> bytes:
    piece = os.pread(file.descriptor, length, file.start + offset)
    if len(piece) < length:
        raise OSError(0, "a part of the file is gone")
    return piece
