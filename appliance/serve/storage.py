"""The local store on native threads: a slow or hanging disk never holds up the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from appliance.cache.shelf import Shelf
from appliance.cluster.names import envelope
from appliance.config.model import Configuration
from appliance.serve.stripping import NoEnvelope, content_start
from appliance.store.folder import File, FileChanged, StoreUnavailable
from appliance.store.store import Store

THREADS = 8
FRESH = 0.1
"""s for which the disk is not asked again for the same small file, or the same missing one: when a
site's power returns, thousands of phones ask for a few files within seconds."""
AHEAD = FRESH / 2
"""s before the end of that in which one who asks has it looked at again: under load it never ends, and
nobody waits for the disk."""
TURN_MAX = 16  # askers of one native call: it costs as much as ten files, but they wait for each other
HEAD_MAX = 64 * 1024
"""bytes: a file up to this size is read whole, and closed, in the one call that opens it."""

ENTRY = 400  # bytes that an entry takes beside the file's own, near enough

T = TypeVar("T")


class Opened(NamedTuple):
    """A file and, where it is small, its bytes. `stripped`: it was taken out of its signed form."""

    file: File
    head: bytes
    stripped: bool = False

    @property
    def path(self) -> str:
        """What to ask the store for to get it again."""
        return self.file.name[: -len(".sgn")] if self.stripped else self.file.name


@dataclass(frozen=True, slots=True)
class Unfit:
    """There is no `X`, and nothing that could be taken out of what is called `X.sgn`."""

    why: str


Looked = Opened | Unfit | None
"""What the store has of a name; None for nothing."""


@dataclass(slots=True)
class _Kept:
    looked: Looked
    until: float
    renewing: bool = False


Answer = list[Looked] | StoreUnavailable | FileChanged
_Opened = tuple[list[Answer], Mapping[str, str] | None]
"""The answers of one turn, and all names of the folder where these can be relied on."""


@dataclass(slots=True)
class _Turn:
    """What greenlets ask in one turn of the loop. `answers` has one for each, in their order."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    answers: AsyncResult[list[Answer]] = field(default_factory=AsyncResult)


def local_store(configuration: Configuration) -> Store:
    """The administrator's files, and what was made of them."""
    return Store(configuration.local.root, configuration.paths.data / "made")


class Storage:
    """The store, asked from greenlets. `patience` (s) bounds each call, `memory` (bytes) what is kept.

    A file that it lacks is taken out of its signed form, where it has that.
    """

    def __init__(self, store: Store, patience: float, memory: int) -> None:
        self._store = store
        self._patience = patience
        self._threads = ThreadPool(THREADS)
        self._kept: Shelf[str, _Kept] = Shelf(memory)
        self._turn: _Turn | None = None
        self._names: Mapping[str, str] | None = None  # that are in no folder of the store's
        self._names_until = 0.0
        self._renewing = False  # these

    def open(self, path: str) -> Looked:
        """What there is of this name; `StoreUnavailable`.

        A small file, closed already, is shared by all who ask within `FRESH`.
        """
        return self.look((path,))[0]

    def look(self, paths: tuple[str, ...]) -> list[Looked]:
        """What `open` gives for each of several paths, with one call to the disk; `StoreUnavailable`."""
        found = {path: looked for path in paths for known, looked in [self.kept(path)] if known}
        asked = tuple(path for path in paths if path not in found)
        if asked:
            found.update(zip(asked, self._asked(asked), strict=True))
        return [found[path] for path in paths]

    def kept(self, path: str) -> tuple[bool, Looked]:
        """Whether it is known without the disk what `open` would give, and that."""
        now = time.monotonic()
        kept = self._kept.get(path)
        if kept is not None and now < kept.until:
            if now >= kept.until - AHEAD and not kept.renewing:
                kept.renewing = True
                gevent.spawn(self._renew, (path,))
            return True, kept.looked
        # Most phones ask for what is not here: one look at the folders answers all of them for a while.
        names = self._names
        if names is None or now >= self._names_until or "/" in path:
            return False, None
        if now >= self._names_until - AHEAD and not self._renewing:
            self._renewing = True
            gevent.spawn(self._renew, ())
        folded = path.casefold()
        return folded not in names and f"{folded}.sgn" not in names, None

    def read(self, file: File, offset: int, length: int) -> bytes:
        """See `File.read`."""
        return self._call(file.read, offset, length)

    def check(self) -> None:
        """`StoreUnavailable` where the store cannot be read at all."""
        self._call(self._store.check)

    def _asked(self, paths: tuple[str, ...]) -> list[Looked]:
        """What the disk says of the paths, kept where it is small."""
        answers = self._joined(paths)
        for path, looked in zip(paths, answers, strict=True):
            if _is_small(looked):
                size = len(looked.head) if isinstance(looked, Opened) else 0
                self._kept.put(path, _Kept(looked, time.monotonic() + FRESH), len(path) + size + ENTRY)
        return answers

    def _renew(self, paths: tuple[str, ...]) -> None:
        """In a greenlet: look at these again before they are too old, and at the names."""
        try:
            _close([looked for looked in self._asked(paths) if not _is_small(looked)])
        except (StoreUnavailable, FileChanged):
            pass  # who asks when they are too old hears of it
        finally:
            if not paths:
                self._renewing = False

    def _joined(self, paths: tuple[str, ...]) -> list[Looked]:
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
            answers, self._names = self._call(_open_turn, self._store, turn.asked, late=_close_turn)
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


def _open(store: Store, path: str) -> Looked:
    file, stripped = store.open(path), False
    if file is None and (signed := envelope(path)) is not None:
        file, stripped = store.open(signed), True
    if file is None:
        return None
    try:
        if stripped:
            file.skip(content_start(file.read))
        if file.size > HEAD_MAX:
            return Opened(file, b"", stripped)
        head = file.read(0, file.size)
        file.close()
    except NoEnvelope as fault:
        file.close()
        return Unfit(str(fault))
    except BaseException:
        file.close()
        raise
    return Opened(file, head, stripped)


def _open_turn(store: Store, asked: list[tuple[str, ...]]) -> _Opened:
    answers: list[Answer] = []
    for paths in asked:
        try:
            answers.append(_open_all(store, paths))
        except (StoreUnavailable, FileChanged) as fault:
            answers.append(fault)
    return answers, store.names()


def _close_turn(opened: _Opened) -> None:
    for answer in opened[0]:
        if not isinstance(answer, Exception):
            _close(answer)


def _open_all(store: Store, paths: tuple[str, ...]) -> list[Looked]:
    found: list[Looked] = []
    try:
        for path in paths:
            found.append(_open(store, path))
    except BaseException:
        _close(found)
        raise
    return found


def _is_small(looked: Looked) -> bool:
    """Whether all that there is of it is in memory."""
    return not isinstance(looked, Opened) or looked.file.size == len(looked.head)


def _close(found: list[Looked]) -> None:
    for looked in found:
        if isinstance(looked, Opened):
            looked.file.close()
