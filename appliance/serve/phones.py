"""The phones' side of a proxy: its listeners, and what runs for phones."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

from appliance.config.model import Configuration
from appliance.report.counters import Counters
from appliance.report.record import Record
from appliance.serve.http import Connections, HttpListener
from appliance.serve.log import Log
from appliance.serve.lookup import Opener
from appliance.serve.surroundings import Surroundings
from appliance.serve.tftp import TftpListener, Transfers
from appliance.serve.tids import Tids

DRAIN = 30.0  # s for running transfers to end

Listening = Sequence[tuple[str, socket.socket]]
"""Transport and socket of each listener."""


class Phones:
    """Serves phones from `listen` to `drain`."""

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
        tids = Tids(configuration.tftp.dscp, log.fault)
        self._around = Surroundings(configuration, lookup, tids, counters, ended, log.fault)
        self.transfers = Transfers(self._around)
        self.connections = Connections(self._around)
        self._listeners: list[TftpListener | HttpListener] = []

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration from the next request on."""
        self._around.configure(configuration)

    def listen(self, listening: Listening) -> None:
        """Take requests from these sockets."""
        for transport, wire in listening:
            if transport == "tftp":
                self._listeners.append(TftpListener(wire, self.transfers, self._counters, self._log))
            else:
                self._listeners.append(HttpListener(wire, self.connections, self._log))

    def drain(self, hurry: Event) -> None:
        """Take no more requests, let run what runs until `hurry`, and end the rest."""
        for listener in self._listeners:
            listener.close()
        ending = gevent.spawn(gevent.joinall, [*self.transfers.ending(), *self.connections.ending()])
        ending.link(lambda _: hurry.set())
        hurry.wait(timeout=DRAIN)
        self.transfers.stop()
        self.connections.stop()
