"""A progress bar on a terminal; nothing where standard error is none."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from appliance.report.text import printable

WIDTH = 30  # characters of the bar
NAME_MAX = 24  # columns of the name, so that all fits
COLUMNS = 79  # of the narrowest terminal
INTERVAL = 0.1  # s between two drawings


class Progress:
    """Draws on one line of standard error, and takes the line away at the end."""

    def __init__(self, what: str) -> None:
        self._what = _cut(printable(what, None))
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._drawn = 0.0
        self._length = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._length:
            print(f"\r{' ' * COLUMNS}\r", end="", file=sys.stderr, flush=True)

    def show(self, count: int, size: int | None) -> None:
        """`count` bytes have come, of `size` where that is known."""
        now = time.monotonic()
        if not self._terminal or now - self._drawn < INTERVAL:
            return
        self._drawn = now
        line = bar(self._what, count, size, now - self._started)
        print(f"\r{line.ljust(self._length)}", end="", file=sys.stderr, flush=True)
        self._length = len(line)


def bar(what: str, count: int, size: int | None, seconds: float) -> str:
    """One line: a bar where the size is known, what has come, and how fast."""
    rate = f"{count / max(seconds, 0.001) / 1e6:.1f} MB/s"
    if not size:
        return f"{what}  {count} bytes  {rate}"
    part = min(1.0, count / size)
    full = int(part * WIDTH)
    return f"{what}  [{'#' * full}{'-' * (WIDTH - full)}] {part:4.0%}  {rate}"


def _cut(name: str) -> str:
    """The name in at most `NAME_MAX` columns. Letters of other scripts are counted as the widest are."""
    room = NAME_MAX
    for at, letter in enumerate(name):
        room -= 1 if letter.isascii() else 2
        if room < 0:
            return f"{name[: at - 1]}…"
    return name
