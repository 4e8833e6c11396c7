"""The phones' side of a proxy: its listeners, and what runs for phones."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent
from gevent.event import Event

from appliance.config.model import Configuration
from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.serve.http import Connections, HttpListener
from appliance.serve.listening import TFTP, Door, Here
from appliance.serve.log import Log
from appliance.serve.lookup import Opener
from appliance.serve.ports import open_alone
from appliance.serve.surroundings import Surroundings
from appliance.serve.tftp import TftpListener, Transfers
from appliance.serve.tids import Tids

DRAIN = 30.0  # s for running transfers to end


class Phones:
    """Serves phones from `start` to `drain`."""

    def __init__(
        self,
        configuration: Configuration,
        lookup: Opener,
        counters: Counters,
        ended: Callable[[Record], None],
        log: Log,
    ) -> None:
        """`ended` takes the record of each request."""
        self._counters = counters
        self._log = log
        self._tids = Tids(configuration.tftp.dscp, log.fault)
        self._around = Surroundings(configuration, lookup, self._tids, counters, ended, log.fault)
        self.transfers = Transfers(self._around)
        self.connections = Connections(self._around)
        self._started = False
        self._wires: dict[int, tuple[str, socket.socket]] = {}
        self._listeners: dict[int, TftpListener | HttpListener] = {}

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration from the next request on."""
        self._around.configure(configuration)

    def settle(self, here: Here) -> None:
        """Go by these addresses: sockets of others are given up, running transfers are left alone."""
        self._around.filter = here.filter
        self._tids.keep(here.has)
        for listener in self._listeners.values():
            self._prepare(listener)

    def start(self) -> None:
        """Take requests from now on."""
        self._started = True
        for number in self._wires:
            self._begin(number)

    def open(self, number: int, door: Door, dscp: int) -> None:
        """Open a listener, which has this number; `OSError`."""
        self.listen(number, door.transport, open_alone(door, dscp))

    def listen(self, number: int, transport: str, wire: socket.socket) -> None:
        """Take requests from this socket; which is ours from now on."""
        self._wires[number] = transport, wire
        if self._started:
            self._begin(number)

    def shut(self, number: int) -> None:
        """Take no more requests from the listener of this number, and close it."""
        _, wire = self._wires.pop(number)
        if self._started:
            self._listeners.pop(number).close()
        wire.close()

    def _begin(self, number: int) -> None:
        transport, wire = self._wires[number]
        listener: TftpListener | HttpListener
        if transport == TFTP:
            listener = TftpListener(wire, self.transfers, self._counters, self._log)
        else:
            listener = HttpListener(wire, self.connections, self._log)
            self._prepare(listener)
        self._listeners[number] = listener

    def _prepare(self, listener: TftpListener | HttpListener) -> None:
        if isinstance(listener, HttpListener):
            listener.note_link(self._around.filter is not None)

    def drain(self, hurry: Event) -> None:
        """Take no more requests, let run what runs until `hurry`, and end the rest."""
        for listener in self._listeners.values():
            listener.close()
        ending = gevent.spawn(gevent.joinall, [*self.transfers.ending(), *self.connections.ending()])
        ending.link(lambda _: hurry.set())
        hurry.wait(timeout=DRAIN)
        self.transfers.stop()
        self.connections.stop()
