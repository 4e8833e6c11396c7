"""Native threads for what takes its time: the loop goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

Value = TypeVar("Value")


class Threads:
    """`count` of them."""

    def __init__(self, count: int = 1) -> None:
        self._pool = ThreadPool(count)

    def wait(self, function: Callable[..., Value], *arguments: object) -> Value:
        """The value of a function that is called on a thread; raises what it raises."""
        value, error = self._pool.apply(_outcome, (function, arguments))
        if error is not None:
            raise error
        result: Value = value
        return result


def _outcome(function: Callable[..., Any], arguments: Sequence[object]) -> tuple[Any, Exception | None]:
    """The value or the error: an error that leaves a thread is printed by gevent, expected or not."""
    try:
        return function(*arguments), None
    except Exception as error:  # noqa: BLE001  whatever it is: it is raised where somebody waits
        return None, error
