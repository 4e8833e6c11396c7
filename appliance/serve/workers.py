"""The workers of one proxy, supervised: started, started again, asked whether they live, and ended.

They share the ports; the kernel gives each client's requests to one of them. None of them is ever waited
for without a bound.
"""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from appliance.config.model import Configuration
from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.report.status import Worker
from appliance.serve.channel import Channel, close_all
from appliance.serve.listening import Door, Here
from appliance.serve.log import Log
from appliance.serve.lookup import Lookup
from appliance.serve.messages import Born, Died, Drain, Kill, Listen, Message, Shut, Stop
from appliance.serve.phones import DRAIN
from appliance.serve.ports import Port
from appliance.serve.seat import Seat
from appliance.serve.worker import FLUSH, share

EVERY = 2.0  # s between two times that each is asked to tell how it is
PATIENCE = 0.5  # s that `status` waits for all of them to tell


class Workers:
    """All of them. `lost` is called when none runs and none can be started any more."""

    def __init__(
        self,
        nursery: socket.socket,
        configuration: Configuration,
        lookup: Lookup,
        counters: Counters,
        log: Log,
        ended: Callable[[Record], None],
        lost: Callable[[], None],
    ) -> None:
        """`nursery` is the channel of `nursery.start`; `ended` takes the record of each request."""
        self._configuration = configuration
        self._log = log
        self._lost = lost
        self._nursery = Channel(nursery, self._born_or_died, self._nursery_gone, log.fault)
        self._barren = False  # no worker can be started any more
        self._ports: dict[int, Port] = {}
        self._here = Here(frozenset(), None)
        self._ending = False
        self._wake = Event()
        self._none = Event()
        self._watching: gevent.Greenlet[..., None] | None = None
        self.seats = [
            Seat(number, lookup, counters, log, ended, self._changed)
            for number in range(configuration.tftp.workers)
        ]

    def open(self, number: int, door: Door, dscp: int) -> None:
        """Take a port for all of them, which has this number; `OSError`."""
        port = self._ports[number] = Port(door, dscp, len(self.seats))
        if any(seat.connected for seat in self.seats):
            self._steer()
        for seat in self.seats:
            self._hand(seat, number, port)

    def shut(self, number: int) -> None:
        """Have them take nothing more from this port."""
        self._ports.pop(number).close()
        for seat in self.seats:
            seat.tell(Shut(number))

    def settle(self, here: Here) -> None:
        """Have them go by these addresses."""
        if here != self._here:
            self._here = here
            self.configure(self._configuration)

    def start(self) -> None:
        """Start all of them, and watch over them from now on."""
        for seat in self.seats:
            self._start(seat)
        self._watching = gevent.spawn(self._watch)

    def configure(self, configuration: Configuration) -> None:
        """Have all of them go by another configuration."""
        self._configuration = configuration
        for seat in self.seats:
            seat.configure(self._pickled())

    def states(self) -> tuple[Worker, ...]:
        """For status: as they are now, or as they last told."""
        for seat in self.seats:
            seat.ask()
        gevent.wait([seat.told for seat in self.seats], timeout=PATIENCE)
        return tuple(seat.state() for seat in self.seats)

    def drain(self, hurry: Event) -> None:
        """Have them take nothing new, let run what runs until `hurry`, and end the rest."""
        self._ending = True
        for port in self._ports.values():
            port.close()
        for seat in self.seats:
            seat.due = None
            seat.tell(Drain())
        self._look_who_is_left()
        gevent.wait([hurry, self._none], timeout=DRAIN, count=1)
        for seat in self.seats:
            seat.tell(Stop())
        self._none.wait(timeout=2 * FLUSH)
        if self._watching is not None:
            self._watching.kill()
        self._nursery.close()  # which ends those that are left

    def _start(self, seat: Seat) -> None:
        """Start it; at another time where there are no descriptors."""
        # As many as it can have requests, and a question that is given up may still be on its way.
        most = 4 * share(self._configuration).tftp.transfers_max
        try:
            seat.start(self._nursery, most)
        except OSError as error:
            seat.due = time.monotonic() + EVERY
            self._log.event("worker not started", worker=seat.number, why=error.strerror or "")
            return
        seat.configure(self._pickled())
        for number, port in self._ports.items():
            self._hand(seat, number, port)

    def _hand(self, seat: Seat, number: int, port: Port) -> None:
        seat.tell(Listen(number, port.transport), port.wires[seat.number].fileno())

    def _pickled(self) -> bytes:
        return pickle.dumps((share(self._configuration), self._here))

    def _watch(self) -> None:
        """Ask each now and then, end those that hang, start those that are due."""
        asked = time.monotonic()
        while True:
            now = time.monotonic()
            due = [seat.due for seat in self.seats if seat.due is not None]
            self._wake.clear()
            self._wake.wait(timeout=max(0.0, min([asked + EVERY, *due]) - now))
            now = time.monotonic()
            try:
                if now - asked >= EVERY:
                    asked = now
                    self._ask_all()
                for seat in self.seats:
                    if seat.due is not None and seat.due <= now:
                        seat.due = None
                        self._start(seat)
            except Exception as error:  # noqa: BLE001  a mistake of ours must not end the watching
                self._log.fault(error)

    def _ask_all(self) -> None:
        before = self._answering()
        for seat in self.seats:
            seat.expect()
            if seat.silent:
                self._log.event("worker hangs", worker=seat.number)
                self._nursery.put(Kill(seat.number))
        if self._answering() != before:
            self._steer()

    def _answering(self) -> list[int]:
        return [seat.number for seat in self.seats if seat.answering]

    def _born_or_died(self, message: Message, descriptors: list[int]) -> None:
        close_all(descriptors)
        match message:
            case Born(number=number, pid=pid):
                self.seats[number].pid = pid
            case Died(number=number, status=status):
                self.seats[number].died(status, not self._ending)
                self._wake.set()

    def _nursery_gone(self, why: str) -> None:
        self._barren = True
        if not self._ending:
            self._log.event("no worker can be started any more", why="the process that starts them has ended")
        self._changed()

    def _changed(self) -> None:
        """A worker has begun to answer, or ended."""
        for seat in self.seats:
            if seat.connected:
                continue
            if self._barren:
                seat.pid = seat.due = None  # of its end nobody will tell
            elif seat.pid is not None:
                self._nursery.put(Kill(seat.number))  # it hears nothing any more
        if not self._ending:
            self._steer()
        self._look_who_is_left()

    def _steer(self) -> None:
        for port in self._ports.values():
            try:
                port.steer(self._answering())
            except OSError as error:
                self._log.event("workers cannot be chosen", why=error.strerror or "")

    def _look_who_is_left(self) -> None:
        if any(seat.connected or seat.pid is not None for seat in self.seats):
            return
        if self._ending:
            self._none.set()
        elif self._barren:
            self._lost()
