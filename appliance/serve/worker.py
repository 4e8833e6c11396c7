"""A worker: the phones' side of the proxy, in a process of its own. Everything else it asks for.

It ends when the process that supervises it says so, or is gone. Signals are that process's matter.
"""

from __future__ import annotations

import gc
import pickle
import socket
from collections import deque
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event

from appliance.config.model import Configuration
from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.serve.channel import Channel
from appliance.serve.framing import batches
from appliance.serve.listening import Here
from appliance.serve.log import Log
from appliance.serve.messages import (
    Answer,
    Configure,
    Drain,
    Line,
    Listen,
    Message,
    Report,
    Shut,
    Stop,
    Tell,
    Waits,
)
from appliance.serve.phones import Phones
from appliance.serve.remote import RemoteLookup
from appliance.serve.storage import Storage
from appliance.store.store import Store

GATHER = 0.05  # s in which records gather: a message for each would cost more than it tells
RECORDS_MAX = 10_000  # records that wait; further ones are counted as dropped
FLUSH = 1.0  # s for the last records to go out
POLL = 0.01  # s


def share(configuration: Configuration) -> Configuration:
    """What one worker goes by: its part of what all may have together.

    What one client may have needs no parting: all its requests come to the same worker (see `steering`).
    """
    tftp, workers = configuration.tftp, configuration.tftp.workers
    transfers = max(1, tftp.transfers_max // workers)
    memory = configuration.cache.memory // (workers + 1)  # the supervising process has a part as well
    return replace(
        configuration,
        tftp=replace(tftp, transfers_max=transfers),
        cache=replace(configuration.cache, memory=memory),
    )


class Worker:
    """One worker, from its first configuration to its end."""

    def __init__(self, wire: socket.socket, store: Store, human_log: bool) -> None:
        """`wire` is this end of the channel."""
        self._store = store
        self._counters = Counters()
        self._channel = Channel(wire, self._take, self._orphaned, self._fault)
        self._log = _Lines(self._counters, human_log, self._channel)
        self._lookup: RemoteLookup | None = None
        self._phones: Phones | None = None
        self._parts: list[bytes] = []  # of the next configuration
        self._records: deque[Record] = deque()
        self._gathering: Any = gevent.get_hub().loop.timer(GATHER)
        self._stop = Event()
        self._hurry = Event()

    def run(self) -> None:
        """Serve until told to end, or left alone."""
        self._stop.wait()
        if self._phones is not None:
            self._phones.drain(self._hurry)
        self._report()
        for _ in range(round(FLUSH / POLL)):
            if self._channel.idle:
                break
            gevent.sleep(POLL)
        self._channel.close()

    def _take(self, message: Message, descriptors: list[int]) -> None:
        match message:
            case Configure(last=last, part=part):
                self._parts.append(part)
                if last:
                    pickled, self._parts = b"".join(self._parts), []
                    self._configure(*pickle.loads(pickled))  # of the process that has started this one
            case Listen(number=number, transport=transport):
                self._listen(number, transport, *descriptors)
            case Shut(number=number) if self._phones is not None:
                self._phones.shut(number)
            case Tell():
                self._report()
            case Drain():
                self._stop.set()
            case Stop():
                self._hurry.set()
                self._stop.set()
            case Answer() if self._lookup is not None:
                self._lookup.answered(message)
            case Waits() if self._lookup is not None:
                self._lookup.waits(message)
            case _ if self._lookup is not None:
                self._lookup.bodies.take(message, descriptors)

    def _listen(self, number: int, transport: str, descriptor: int) -> None:
        wire = socket.socket(fileno=descriptor)
        wire.setblocking(False)
        if self._phones is None or self._stop.is_set():
            wire.close()
        else:
            self._phones.listen(number, transport, wire)

    def _configure(self, configuration: Configuration, here: Here) -> None:
        if self._lookup is not None and self._phones is not None:
            self._lookup.configure(configuration)
            self._phones.configure(configuration)
            self._phones.settle(here)
            return
        storage = Storage(self._store, configuration.lookup.budget, configuration.cache.memory // 4)
        self._lookup = RemoteLookup(configuration, storage, self._channel)
        self._phones = Phones(configuration, self._lookup, self._counters, self._ended, self._log)
        self._phones.settle(here)
        self._phones.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        self._report()

    def _ended(self, record: Record) -> None:
        if len(self._records) >= RECORDS_MAX:
            self._counters.records_dropped += 1
            return
        self._records.append(record)
        if len(self._records) == 1:
            self._gathering.start(self._gathered)

    def _gathered(self) -> None:
        if self._channel.idle:
            self._report()
        else:
            self._gathering.start(self._gathered)  # the other process takes nothing just now

    def _report(self) -> None:
        """Tell what has ended and was counted since the last time, and what there is now."""
        records, self._records = list(self._records), deque()
        for batch in batches(records):
            self._channel.put(batch)
        transfers = connections = 0
        if self._phones is not None:
            transfers, connections = len(self._phones.transfers), len(self._phones.connections)
        self._channel.put(Report(transfers, connections, self._counters.take()))

    def _orphaned(self, why: str) -> None:
        self._hurry.set()
        self._stop.set()

    def _fault(self, error: Exception) -> None:
        self._log.fault(error)


class _Lines(Log):
    """A log whose lines another process writes."""

    def __init__(self, counters: Counters, human: bool, channel: Channel) -> None:
        super().__init__(counters, human)
        self._channel = channel

    def put(self, line: str) -> None:
        """See `Log`."""
        if self._channel.full:
            self._counters.records_dropped += 1
        else:
            self._channel.put(Line(line))
