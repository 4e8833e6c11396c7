"""Native threads for a disk that may fail or hang: who calls waits for a bounded time only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import gevent
from gevent.threadpool import ThreadPool

from appliance.cache.entry import NotAnEntry

P = ParamSpec("P")
T = TypeVar("T")

TOLD_AGAIN = 60.0
"""s after which a fault that had gone and came back is told again."""


class Hangs(Exception):
    """The disk does not answer."""


class Threads:
    """`tell` takes a fault once, when it begins; `fault` is its text until a call works again.

    A call that has not returned after `patience` s hangs: no other is begun before it has.
    """

    def __init__(self, number: int, patience: float, tell: Callable[[str], None]) -> None:
        self.fault = ""
        self.failed: float | None = None
        """When (s, monotonic) a call failed last; None where none has failed since the last that worked."""
        self._patience = patience
        self._tell = tell
        self._told: float | None = None
        self._pool = ThreadPool(number)
        self._running: dict[object, float] = {}  # since when

    @property
    def hangs(self) -> bool:
        """Whether a call hangs."""
        oldest = min(self._running.values(), default=None)
        return oldest is not None and time.monotonic() - oldest >= self._patience

    def call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returns or raises, of `OSError` and `NotAnEntry`; `Hangs`."""
        if self.hangs:
            raise Hangs
        timer = gevent.Timeout.start_new(self._patience)
        try:
            result = self._pool.spawn(_outcome, call, args, kwargs)
            self._running[result] = time.monotonic()
            result.rawlink(self._returned)
            outcome = result.get()
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            self._failed(f"the disk has not answered within {self._patience:g} s")
            raise Hangs from None
        finally:
            timer.close()
        if isinstance(outcome, OSError):
            self._failed(outcome.strerror or type(outcome).__name__)
        elif not isinstance(outcome, Exception):
            self.fault, self.failed = "", None
        if isinstance(outcome, (OSError, NotAnEntry)):
            raise outcome
        return cast(T, outcome)

    def _returned(self, result: object) -> None:
        del self._running[result]

    def _failed(self, why: str) -> None:
        now = time.monotonic()
        self.failed = now
        if not self.fault and (self._told is None or now - self._told >= TOLD_AGAIN):
            self._told = now
            self._tell(why)
        self.fault = why


def _outcome(call: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> T | Exception:
    """What the call returns, or the fault it raises: what a thread raises, gevent writes to the log."""
    try:
        return call(*args, **kwargs)
    except (OSError, NotAnEntry) as fault:
        return fault
