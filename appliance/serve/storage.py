"""The local store on native threads: a slow or hanging disk never holds up the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from appliance.cache.shelf import Shelf
from appliance.store.folder import File, FileChanged, Folder, StoreUnavailable

THREADS = 8
FRESH = 0.1
"""s for which the disk is not asked again for the same small file, or the same missing one: when a
site's power returns, thousands of phones ask for a few files within seconds."""
TURN_MAX = 16  # askers of one native call: it costs as much as ten files, but they wait for each other
HEAD_MAX = 64 * 1024
"""bytes: a file up to this size is read whole, and closed, in the one call that opens it."""

ENTRY = 400  # bytes that an entry takes beside the file's own, near enough

T = TypeVar("T")
Opened = tuple[File, bytes]


@dataclass(frozen=True, slots=True)
class _Kept:
    opened: Opened | None
    until: float


Answer = list[Opened | None] | StoreUnavailable | FileChanged
_Opened = tuple[list[Answer], Mapping[str, str] | None]
"""The answers of one turn, and all names of the folder where these can be relied on."""


@dataclass(slots=True)
class _Turn:
    """What greenlets ask in one turn of the loop. `answers` has one for each, in their order."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    answers: AsyncResult[list[Answer]] = field(default_factory=AsyncResult)


class Storage:
    """The folder, asked from greenlets. `patience` (s) bounds each call, `memory` (bytes) what is kept."""

    def __init__(self, folder: Folder, patience: float, memory: int) -> None:
        self._folder = folder
        self._patience = patience
        self._threads = ThreadPool(THREADS)
        self._kept: Shelf[str, _Kept] = Shelf(memory)
        self._turn: _Turn | None = None
        self._names: Mapping[str, str] | None = None  # of the folder itself
        self._names_until = 0.0

    def open(self, path: str) -> Opened | None:
        """The file and, where it is small, its bytes; None where there is none; `StoreUnavailable`.

        A small file, closed already, is shared by all who ask within `FRESH`.
        """
        return self.look((path,))[0]

    def look(self, paths: tuple[str, ...]) -> list[Opened | None]:
        """What `open` gives for each of several paths, with one call to the disk; `StoreUnavailable`."""
        found = {path: opened for path in paths for known, opened in [self.kept(path)] if known}
        asked = tuple(path for path in paths if path not in found)
        if asked:
            for path, opened in zip(asked, self._joined(asked), strict=True):
                found[path] = opened
                if opened is None or opened[0].size == len(opened[1]):
                    size = len(path) + (len(opened[1]) if opened else 0) + ENTRY
                    self._kept.put(path, _Kept(opened, time.monotonic() + FRESH), size)
        return [found[path] for path in paths]

    def kept(self, path: str) -> tuple[bool, Opened | None]:
        """Whether it is known without the disk what `open` would give, and that."""
        now = time.monotonic()
        kept = self._kept.get(path)
        if kept is not None and now < kept.until:
            return True, kept.opened
        # Most phones ask for what is not here: one look at the folder answers all of them for a while.
        known = self._names is not None and now < self._names_until and "/" not in path
        return known and path.casefold() not in (self._names or ()), None

    def read(self, file: File, offset: int, length: int) -> bytes:
        """See `File.read`."""
        return self._call(file.read, offset, length)

    def check(self) -> None:
        """`StoreUnavailable` where the store cannot be read at all."""
        self._call(self._folder.check)

    def _joined(self, paths: tuple[str, ...]) -> list[Opened | None]:
        """The paths, opened by one native call with all that others ask in this turn of the loop."""
        turn = self._turn
        if turn is None:
            turn = self._turn = _Turn()
            gevent.spawn(self._ask, turn)
        place = len(turn.asked)
        turn.asked.append(paths)
        if len(turn.asked) == TURN_MAX:
            self._turn = None
        answers = turn.answers.get()
        assert answers is not None
        answer = answers[place]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, turn: _Turn) -> None:
        if self._turn is turn:
            self._turn = None
        try:
            answers, self._names = self._call(_open_turn, self._folder, turn.asked, late=_close_turn)
            self._names_until = time.monotonic() + FRESH
            turn.answers.set(answers)
        except Exception as fault:  # noqa: BLE001  whatever it is, it is theirs who wait
            turn.answers.set_exception(fault)

    def _call(self, call: Callable[..., T], *arguments: Any, late: Callable[[T], None] | None = None) -> T:
        result: AsyncResult[T | StoreUnavailable | FileChanged] | None = None
        timer = gevent.Timeout.start_new(self._patience)
        try:
            # Waits for a thread where all are busy, and then for the disk: both count.
            result = self._threads.spawn(_outcome, call, *arguments)
            outcome = result.get()
            if isinstance(outcome, (StoreUnavailable, FileChanged)):
                raise outcome
            return cast(T, outcome)
        except BaseException as error:
            if late is not None and result is not None and not result.ready():
                # Nobody will take what the thread may still come back with.
                result.rawlink(
                    lambda done: None if isinstance(done.value, Exception | None) else late(done.value)
                )
            if error is timer:
                raise StoreUnavailable(f"the disk has not answered within {self._patience:g} s") from None
            raise
        finally:
            timer.close()


def _outcome(call: Callable[..., T], *arguments: Any) -> T | StoreUnavailable | FileChanged:
    """What the call returns, or the fault it raises: what a thread raises, gevent writes to the log."""
    try:
        return call(*arguments)
    except (StoreUnavailable, FileChanged) as fault:
        return fault


def _open(folder: Folder, path: str) -> Opened | None:
    file = folder.open(path)
    if file is None:
        return None
    try:
        if file.size > HEAD_MAX:
            return file, b""
        head = file.read(0, file.size)
        file.close()
    except BaseException:
        file.close()
        raise
    return file, head


def _open_turn(folder: Folder, asked: list[tuple[str, ...]]) -> _Opened:
    answers: list[Answer] = []
    for paths in asked:
        try:
            answers.append(_open_all(folder, paths))
        except (StoreUnavailable, FileChanged) as fault:
            answers.append(fault)
    return answers, folder.names()


def _close_turn(opened: _Opened) -> None:
    for answer in opened[0]:
        if not isinstance(answer, Exception):
            _close(answer)


def _open_all(folder: Folder, paths: tuple[str, ...]) -> list[Opened | None]:
    found: list[Opened | None] = []
    try:
        for path in paths:
            found.append(_open(folder, path))
    except BaseException:
        _close(found)
        raise
    return found


def _close(found: list[Opened | None]) -> None:
    for opened in found:
        if opened is not None:
            opened[0].close()
