"""One worker as its supervisor sees it: the process that has this number now, and how those before fared."""

from __future__ import annotations

import time
from collections.abc import Callable

from gevent.event import Event

from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.report.status import Worker
from appliance.serve import backoff, channel
from appliance.serve.channel import Channel
from appliance.serve.log import Log
from appliance.serve.lookup import Lookup
from appliance.serve.messages import (
    PIECE,
    Ask,
    Configure,
    Ended,
    GiveUp,
    Leave,
    Line,
    Message,
    Report,
    Spawn,
    Tell,
)
from appliance.serve.questions import Questions

QUIET_MAX = 2  # times that it was asked to tell and has not: its phones go to others meanwhile
SILENT_MAX = 5  # the same: it is ended by force


class Seat:
    """A worker's place. `changed` is called when it begins to answer, or ends."""

    def __init__(
        self,
        number: int,
        lookup: Lookup,
        counters: Counters,
        log: Log,
        ended: Callable[[Record], None],
        changed: Callable[[], None],
    ) -> None:
        """`ended` takes the record of each request."""
        self.number = number
        self.pid: int | None = None
        self.told = Event()
        self.told.set()
        self.due: float | None = None  # when it is to be started again
        self._lookup = lookup
        self._counters = counters
        self._log = log
        self._ended = ended
        self._changed = changed
        self._channel: Channel | None = None
        self._questions: Questions | None = None
        self._report: Report | None = None
        self._asked = 0  # times since its last report
        self._born = 0.0
        self._pause = 0.0
        self._restarts = 0
        self._requests = 0
        self._why = "not started yet"

    @property
    def connected(self) -> bool:
        """Whether it can be told anything."""
        return self._channel is not None

    @property
    def answering(self) -> bool:
        """Whether it serves phones, as far as is known."""
        return self._report is not None and self._asked < QUIET_MAX

    @property
    def silent(self) -> bool:
        """Whether it runs, but has not told anything for too long."""
        return self.connected and self._asked >= SILENT_MAX

    def start(self, nursery: Channel, most: int) -> None:
        """Have a process started; it may ask `most` questions at a time."""
        ours, theirs = channel.pair()
        self._channel = Channel(ours, self._take, self._gone, self._log.fault)
        self._questions = Questions(self._lookup, self._channel, most, self._log.fault)
        self._born = time.monotonic()
        self._asked, self._why = 0, "is being started"
        with theirs:
            nursery.put(Spawn(self.number), [theirs.fileno()])

    def tell(self, message: Message, *descriptors: int) -> None:
        """Tell it something, with descriptors beside that stay the caller's."""
        if self._channel is not None:
            self._channel.put(message, descriptors)

    def ask(self) -> None:
        """Have it tell how it is; `told` is set when it has, or is not there."""
        if self._channel is not None and not self._channel.full:
            self.told.clear()
            self._channel.put(Tell())

    def expect(self) -> None:
        """The same, and take note where it does not: called at even intervals."""
        if self._channel is not None:
            self._asked += 1
        self.ask()

    def configure(self, configuration: bytes) -> None:
        """Have it go by this configuration, a pickle."""
        for offset in range(0, len(configuration), PIECE):
            last = offset + PIECE >= len(configuration)
            self.tell(Configure(last, configuration[offset : offset + PIECE]))

    def died(self, status: int, again: bool) -> None:
        """Its process has ended; it is due `again` after a while, or not any more."""
        if self._channel is not None:
            self._channel.take_rest()
        self._close()
        self.pid = None
        how = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
        lived = time.monotonic() - self._born
        if again:
            self._pause = backoff.pause(self._pause, lived)
            self._restarts += 1
            self.due = time.monotonic() + self._pause
            self._log.event("worker ended", worker=self.number, why=how, again_in_s=self._pause)
        self._why = how
        self._changed()

    def state(self) -> Worker:
        """For status."""
        report = self._report
        why = self._why
        if self.answering:
            why = ""
        elif report is not None:
            why = "does not answer"
        return Worker(
            number=self.number,
            pid=self.pid,
            answering=self.answering,
            transfers=0 if report is None else report.transfers,
            http_connections=0 if report is None else report.connections,
            requests=self._requests,
            restarts=self._restarts,
            why=why,
        )

    def _take(self, message: Message, descriptors: list[int]) -> None:
        channel.close_all(descriptors)
        match message, self._questions:
            case Ask(), Questions() as questions:
                questions.ask(message)
            case GiveUp(), Questions() as questions:
                questions.give_up(message)
            case Leave(), Questions() as questions:
                questions.leave(message)
            case Ended(records=records), _:
                for record in records:
                    self._ended(record)
            case Line(text=text), _:
                self._log.put(text)
            case Report(), _:
                self._reported(message)

    def _reported(self, report: Report) -> None:
        before = self.answering
        self._counters.add(report.counted)
        self._requests += report.counted.requests_tftp + report.counted.requests_http
        self._report, self._asked = report, 0
        self.told.set()
        if not before:
            self._changed()

    def _gone(self, why: str) -> None:
        """It hears nothing more: it has ended, or will be made to."""
        self._why = why or "has ended"
        self._close()
        self._changed()

    def _close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._questions is not None:
            self._questions.close()
        self._channel = self._questions = self._report = None
        self.told.set()
