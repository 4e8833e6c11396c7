"""The log: lines to standard error through a bounded queue and a native thread.

A full pipe or a stalled terminal costs lines, which are counted, never a phone's answer.
"""

from __future__ import annotations

import json
import json.encoder
import sys
import time
import traceback
from collections import deque

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from appliance.config.model import System
from appliance.report.counters import Counters
from appliance.report.record import Record, stamp
from appliance.report.text import printable
from appliance.serve.syslog import Syslog

QUEUE_MAX = 10_000  # lines
BATCH = 500  # lines of one call
PAUSE = 0.05  # s in which lines gather: a native call for each would cost more than all else

quoted = json.encoder.encode_basestring_ascii
"""A text as JSON writes it."""


class Log:
    """Writes JSON lines, or short text where `human` is set. All text is escaped."""

    def __init__(self, counters: Counters, human: bool) -> None:
        self._counters = counters
        self._human = human
        self._closing = False
        self._waking = False
        self._lines: deque[str] = deque()
        self._syslog = Syslog(counters, self.event)
        self._some = Event()
        self._thread = ThreadPool(1)
        self._writer = gevent.spawn(self._write)

    def send_to(self, system: System) -> None:
        """Send each line to the syslog server as well, where the configuration names one."""
        self._syslog.configure(system.syslog, system.hostname)

    def request(self, record: Record) -> None:
        """One request has ended."""
        self.put(_sentence(record) if self._human else json_line(record))

    def event(self, event: str, **facts: str | int | float) -> None:
        """Something else that an administrator may want to know."""
        shown = {key: printable(value) if isinstance(value, str) else value for key, value in facts.items()}
        now = stamp(time.time())
        if self._human:
            self.put(f"{now} {event} " + " ".join(f"{key}={value}" for key, value in shown.items()))
        else:
            self.put(json.dumps({"event": event, "time": now, **shown}))

    def fault(self, error: BaseException) -> None:
        """A mistake of ours: where it happened, and nothing of the stranger's bytes unescaped."""
        self._counters.faults += 1
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self.event("fault", error=repr(error), at=" ".join(frames[-6:]))

    def close(self) -> None:
        """Write what is left, for a second at most, and send it for another."""
        self._syslog.close()
        self._closing = True
        self._some.set()
        self._writer.join(timeout=1.0)

    def put(self, line: str) -> None:
        """One line, escaped already. Where too many wait, it is counted and dropped."""
        self._syslog.put(line)
        if len(self._lines) >= QUEUE_MAX:
            self._counters.records_dropped += 1
            return
        self._lines.append(line)
        if not self._waking:
            self._waking = True
            self._some.set()

    def _write(self) -> None:
        while not self._closing:
            self._some.wait()
            gevent.sleep(PAUSE)
            self._some.clear()
            self._waking = False
            while self._lines:
                batch = [self._lines.popleft() for _ in range(min(BATCH, len(self._lines)))]
                self._thread.apply(_to_stderr, ("\n".join(batch) + "\n",))


def _to_stderr(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads any more


def json_line(record: Record) -> str:
    """A JSON object, as `json.dumps` writes it; by hand, as that takes longer than to serve the file."""
    steps = ", ".join([f'{{"at_ms": {step.at_ms}, "text": {quoted(step.text)}}}' for step in record.steps])
    return (
        f'{{"event": "request", "time": {quoted(record.time)}, "client": {quoted(record.client)}, '
        f'"transport": {quoted(record.transport)}, "name": {quoted(record.name)}, '
        f'"kind": {_or_null(record.kind)}, "device": {_or_null(record.device)}, "steps": [{steps}], '
        f'"source": {_or_null(record.source)}, "address": {_or_null(record.address)}, '
        f'"stale_s": {"null" if record.stale_s is None else record.stale_s}, '
        f'"bytes": {record.bytes}, "duration_ms": {record.duration_ms}, '
        f'"retransmits": {record.retransmits}, '
        f'"options": {json.dumps(record.options) if record.options else "{}"}, '
        f'"result": {quoted(record.result)}, "detail": {quoted(record.detail)}}}'
    )


def _or_null(text: str | None) -> str:
    return "null" if text is None else quoted(text)


def _sentence(record: Record) -> str:
    stale = "" if record.stale_s is None else f", a copy {record.stale_s} s old"
    source = f" from {record.source}{stale}" if record.source else ""
    detail = f" ({record.detail})" if record.detail else ""
    return (
        f"{record.time} {record.client} {record.transport} {record.name}: {record.result}{source}{detail}, "
        f"{record.bytes} bytes, {record.duration_ms:.0f} ms"
    )
