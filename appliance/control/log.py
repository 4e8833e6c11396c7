"""The log of control: lines to standard error, written by a native thread. Who does not read them holds
nothing up.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections import deque

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from appliance.report.record import stamp
from appliance.report.text import printable

LINES_MAX = 1000
"""lines that wait for a reader that stalls; the oldest are lost first"""


class Log:
    """JSON lines, or short text where `human` is set. All text is escaped."""

    def __init__(self, human: bool) -> None:
        self._human = human
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._some = Event()
        self._closing = False
        self._thread = ThreadPool(1)
        self._writer = gevent.spawn(self._write)

    def event(self, event: str, **facts: str | int | float) -> None:
        """Something that an administrator may want to know."""
        shown = {key: printable(value) if isinstance(value, str) else value for key, value in facts.items()}
        now = stamp(time.time())
        if self._human:
            self._lines.append(f"{now} {event} " + " ".join(f"{key}={value}" for key, value in shown.items()))
        else:
            self._lines.append(json.dumps({"event": event, "time": now, **shown}))
        self._some.set()

    def fault(self, error: BaseException) -> None:
        """A mistake of ours, and where it happened."""
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self.event("fault", error=repr(error), at=" ".join(frames[-6:]))

    def close(self) -> None:
        """Write what is left, for a second at most."""
        self._closing = True
        self._some.set()
        self._writer.join(timeout=1.0)

    def _write(self) -> None:
        while not self._closing or self._lines:
            self._some.wait()
            self._some.clear()
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._thread.apply(_to_stderr, ("".join(f"{line}\n" for line in lines),))


def _to_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads any more
