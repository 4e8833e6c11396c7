"""The homes on disk, so that they survive a restart: the one door from `Homes` to the flash.

What has changed is appended every 30 seconds, and synced; a new file takes the place of the old one when
that holds twice what is needed, or could not be appended to. All disk work is done by one native thread
of its own: a disk that hangs holds up nobody, and a disk that fails costs the memory of a restart.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.threadpool import ThreadPool

from appliance.cluster.homes import Entry, Homes
from appliance.cluster.journal_line import LINE_MAX, Contents, contents, encode

EVERY = 30.0  # s between two writes
EVERY_MAX = 3_600.0  # s between two attempts while the disk fails
PATIENCE = 5.0  # s after which the disk is said to hang
CLOSING = 1.0  # s that the last write may take
SLACK = 1_000  # lines that are not needed, and not worth a new file
SIZE_MAX = 256 * 1024 * 1024  # bytes that are read; more than any number of homes takes
PIECE = 100  # lines written at once: a thread that computes for longer holds up the loop as well

T = TypeVar("T")


class Journal:
    """Restores the homes from a file, and writes there what is learned.

    `fault` is told in words when the disk begins to fail, once until it has worked again. `lines` counts
    those of the file, `skipped` those that were torn or foreign when it was read. Times in seconds.
    """

    def __init__(
        self,
        path: Path,
        homes: Homes,
        fault: Callable[[str], None],
        every: float = EVERY,
        patience: float = PATIENCE,
    ) -> None:
        self._path = path
        self._homes = homes
        self._fault = fault
        self._every = every
        self._patience = patience
        self._pause = every
        self._thread = ThreadPool(1)
        self._busy = Semaphore()
        self._tried = Event()
        self._loaded = False
        self._failing = False
        self._torn = False  # the file does not end with a line's end
        self._renew = False  # the file lacks something: only a new one will do
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self.lines = 0
        self.skipped = 0

    @property
    def failing(self) -> bool:
        """Whether what is learned cannot be kept at the moment."""
        return self._failing

    def start(self) -> None:
        """Restore the homes; where the disk takes too long for that, while phones are served."""
        self._greenlet = gevent.spawn(self._run)
        self._tried.wait(timeout=self._patience)

    def close(self) -> None:
        """Write what is pending; within a second, or not at all."""
        if self._greenlet is None:
            return
        last = gevent.spawn(self._step)
        last.join(timeout=CLOSING)
        gevent.killall([last, self._greenlet])

    def _run(self) -> None:
        while True:
            worked = self._step()
            self._tried.set()
            self._pause = self._every if worked else min(2 * self._pause, EVERY_MAX)
            gevent.sleep(self._pause)

    def _step(self) -> bool:
        """Whether the disk has worked."""
        with self._busy:
            return self._save() if self._loaded else self._load()

    def _load(self) -> bool:
        """Nothing is written before the file has been read: it may hold more than is known by now."""
        outcome = self._on_disk(_read, self._path)
        if isinstance(outcome, OSError):
            self._fails(f"cannot be read: {outcome.strerror}")
            return False
        found, self._torn = outcome
        self._homes.restore(found.homes, found.addresses)
        self.lines, self.skipped = found.lines, found.skipped
        self._failing = False
        self._loaded = True
        return True

    def _save(self) -> bool:
        changes = self._homes.changes()
        if self._renew or self.lines + len(changes) > 2 * self._homes.live + SLACK:
            self._renew = True
            outcome = self._on_disk(_replace, self._path, self._homes.entries())
        elif changes:
            outcome = self._on_disk(_append, self._path, changes, self._torn)
        else:
            return True
        if isinstance(outcome, OSError):
            # The changes are not held back, which could be many; a new file will have them.
            self._renew = True
            self._fails(f"cannot be written: {outcome.strerror}")
            return False
        self.lines = outcome if self._renew else self.lines + outcome
        self._torn = self._renew = self._failing = False
        return True

    def _fails(self, what: str) -> None:
        if not self._failing:
            self._fault(f"homes are not kept over a restart: {self._path.name} {what}")
        self._failing = True

    def _on_disk(self, call: Callable[..., T], *arguments: object) -> T | OSError:
        result = self._thread.spawn(_outcome, call, *arguments)
        result.wait(timeout=self._patience)
        if not result.ready():
            self._fails(f"has kept the disk busy for {self._patience:g} s")
        return cast(T | OSError, result.get())


def _outcome(call: Callable[..., T], *arguments: object) -> T | OSError:
    """What the call returns, or the fault it raises: what a thread raises, gevent writes to the log."""
    try:
        return call(*arguments)
    except OSError as error:
        return error


def _read(path: Path) -> tuple[Contents, bool]:
    """The contents, and whether the last line is without an end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return contents([]), False
    with open(descriptor, "rb") as file:
        _check(descriptor)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - SIZE_MAX))
        found = contents(iter(lambda: file.readline(LINE_MAX), b""))
        file.seek(max(0, size - 1))
        return found, file.read(1) not in (b"", b"\n")


def _append(path: Path, entries: Iterable[Entry], torn: bool) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = _write(path, os.O_APPEND, entries, b"\n" if torn else b"")
    _sync_folder(path.parent)
    return count


def _replace(path: Path, entries: Iterable[Entry]) -> int:
    """A new file in the place of the old one: after a power cut there is the one or the other, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    try:
        count = _write(new, os.O_TRUNC, entries)
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return count


def _write(path: Path, how: int, entries: Iterable[Entry], start: bytes = b"") -> int:
    """Writes the lines and syncs the file; tells how many."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | how, 0o600)
    try:
        _check(descriptor)
        count, lines = 0, map(encode, entries)
        while piece := list(islice(lines, PIECE)):
            data = memoryview(start + b"".join(piece))
            start, count = b"", count + len(piece)
            while data:
                data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
        return count
    finally:
        os.close(descriptor)


def _check(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "Not a regular file")


def _sync_folder(folder: Path) -> None:
    """The name of a new file is part of its folder, which has to be synced as well."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
