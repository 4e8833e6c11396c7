"""One coarse timer for all transfers: a timer of its own for each would cost as much as its blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent

INTERVAL = 0.1  # s between two looks; a deadline is seen that much late at most


class Waiting(Protocol):
    """Who has a deadline."""

    @property
    def deadline(self) -> float | None:
        """The moment, of `time.monotonic`, at which `due` is to be called."""

    def due(self) -> None:
        """Called in the loop: must not wait."""


class Deadlines:
    """Those who wait. While there is one, all are looked at ten times a second."""

    def __init__(self, fault: Callable[[Exception], None]) -> None:
        self._waiting: dict[Waiting, None] = {}
        self._fault = fault
        self._timer: Any = gevent.get_hub().loop.timer(INTERVAL, INTERVAL)

    def add(self, waiting: Waiting) -> None:
        """Look at its deadline from now on."""
        if not self._waiting:
            self._timer.start(self._look)
        self._waiting[waiting] = None

    def remove(self, waiting: Waiting) -> None:
        """Look no longer."""
        self._waiting.pop(waiting, None)
        if not self._waiting:
            self._timer.stop()

    def _look(self) -> None:
        now = time.monotonic()
        for waiting in [each for each in self._waiting if (each.deadline or now + 1) <= now]:
            try:
                waiting.due()
            except Exception as error:  # noqa: BLE001  one transfer's mistake must not stop the others' timer
                self._fault(error)
