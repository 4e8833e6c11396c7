"""The proxy: its parts put together, started, and drained."""

from __future__ import annotations

import gc
import math
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import gevent
from gevent.event import Event

from appliance.cluster.clusters import Clusters
from appliance.config import load
from appliance.config.changes import changes, in_force
from appliance.config.faults import ConfigurationError
from appliance.config.model import Configuration
from appliance.control.server import Server
from appliance.network import rtnetlink
from appliance.network.monitor import Monitor
from appliance.network.state import State
from appliance.report.counters import Counters
from appliance.report.findings import Reloaded
from appliance.report.record import Record, Records
from appliance.report.status import Worker
from appliance.report.text import printable
from appliance.serve import privileges
from appliance.serve.listeners import Listeners
from appliance.serve.listening import own_addresses
from appliance.serve.log import Log
from appliance.serve.lookup import Lookup
from appliance.serve.phones import DRAIN, Phones
from appliance.serve.storage import Storage, local_store
from appliance.serve.worker import share
from appliance.serve.workers import Workers
from appliance.store.folder import StoreUnavailable


class NotStarted(Exception):
    """The proxy cannot serve anybody. The text says why."""


class Proxy:
    """One running proxy."""

    def __init__(
        self,
        configuration: Configuration,
        origin: Path,
        human_log: bool,
        nursery: socket.socket | None = None,
    ) -> None:
        """`nursery` is the channel of `nursery.start`, where workers are to serve phones."""
        wanted, workers = configuration.tftp.transfers_max, configuration.tftp.workers
        self._transfers_wanted = wanted
        transfers = min(wanted, workers * privileges.raise_descriptors(math.ceil(wanted / workers)))
        if transfers < 1:
            raise NotStarted("the limit of open files is too low to serve anybody (ulimit -n)")
        configuration = replace(configuration, tftp=replace(configuration.tftp, transfers_max=transfers))
        self.configuration = configuration
        self.origin = origin
        self.started = time.monotonic()
        self.counters = Counters()
        self.records = Records()
        self.log = Log(self.counters, human_log)
        self.log.send_to(configuration.system)
        if transfers < wanted:
            self.log.event("fewer transfers", transfers_max=transfers, why="the limit of open files")
        memory = (configuration if nursery is None else share(configuration)).cache.memory
        self.storage = Storage(local_store(configuration), configuration.lookup.budget, memory // 4)
        self.clusters = Clusters(configuration, self._tell, self.log.fault)
        self.lookup = Lookup(configuration, self.storage, self.clusters, self.counters)
        self.phones = Phones(configuration, self.lookup, self.counters, self._ended, self.log)
        self.workers: Workers | None = None
        if nursery is not None:
            shared = (self.lookup, self.counters, self.log, self._ended, self._lost)
            self.workers = Workers(nursery, configuration, *shared)
        self._monitor = Monitor(rtnetlink.present, self._surrounded, self.log.fault)
        self.listeners = Listeners(self.workers or self.phones, configuration.tftp, self.log)
        self.failed = False  # it ends, and not because it was asked to
        self._stop = Event()
        self._hurry = Event()

    def open(self) -> None:
        """Take ports and folders while there are the rights to; `NotStarted` where no port is to be had, be
        it when an address comes.
        """
        # This loads all that later looks need, too: it may not be readable any more then.
        self._surrounded(self._monitor.look())
        if self.listeners.hopeless:
            raise NotStarted(f"no port could be opened: {self.listeners.hopeless}")
        for folder in self.clusters.folders:
            folder.mkdir(parents=True, exist_ok=True)
        local = self.configuration.local.root
        if local == self.configuration.paths.data / "tftp":
            local.mkdir(exist_ok=True)  # where nobody has chosen another folder, there is one
        try:
            self.storage.check()
        except StoreUnavailable as fault:
            self.log.event("store cannot be read", why=str(fault))

    def give_up_root(self, server: Server) -> None:
        """Open the Unix socket and become the proxy's own user, where we are root."""
        if os.geteuid() != 0:
            server.bind(-1, -1)
            return
        own = privileges.user()
        for folder in self.clusters.folders:
            os.chown(folder, own.pw_uid, own.pw_gid)
        server.bind(own.pw_uid, own.pw_gid)
        privileges.load_ahead()
        gevent.get_hub().resolver  # noqa: B018
        gevent.get_hub().threadpool.apply(int)
        privileges.drop(own, ports=True)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then let running transfers end. A second signal ends them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._asked_to_stop)
        gevent.signal_handler(signal.SIGHUP, self._asked_to_reload)
        self.clusters.start()  # first of all: a phone must find its home as it was before
        (self.workers or self.phones).start()
        self._monitor.start()
        heard = ", ".join(
            f"{each.transport} {each.address} {each.port}" for each in self.listeners.rows if each.listening
        )
        self.log.event("started", configuration=str(self.origin), listening=heard, user=privileges.name())
        # What is there now stays: the collector need not look at it again, nor look so often at what
        # a storm of requests makes and drops.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 2)
        self._stop.wait()
        self._drain()
        self.log.event("stopped")
        self.log.close()

    def _asked_to_stop(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    def told(self) -> tuple[Worker, ...]:
        """How the workers are, once they have told all that has ended and was counted; or after a while."""
        return () if self.workers is None else self.workers.states()

    def held(self, workers: Sequence[Worker]) -> tuple[int, int]:
        """Transfers and HTTP connections at the moment, those of these workers among them."""
        return (
            len(self.phones.transfers) + sum(each.transfers for each in workers),
            len(self.phones.connections) + sum(each.http_connections for each in workers),
        )

    def reload(self) -> Reloaded:
        """Go by the configuration's file as it is now, where it has no fault; running transfers go on."""
        try:
            wanted = load.read(self.origin)
        except ConfigurationError as error:
            faults = tuple(printable(str(fault)) for fault in error.faults)
            self.log.event("not reloaded", why="; ".join(faults))
            return Reloaded(False, str(self.origin), (), (), (), (), faults)
        if clash := self._clash(wanted):
            self.log.event("not reloaded", why=clash)
            return Reloaded(False, str(self.origin), (), (), (), (), (clash,))
        # What the limit of open files has taken away at the start is no change of the file.
        tftp = replace(self.configuration.tftp, transfers_max=self._transfers_wanted)
        change = changes(replace(self.configuration, tftp=tftp), wanted)
        # What counts from the next start on is left as it is.
        self.configuration = in_force(self.configuration, wanted)
        self.clusters.configure(self.configuration, change)
        self.lookup.configure(self.configuration)
        self.phones.configure(self.configuration)
        if self.workers is not None:
            self.workers.configure(self.configuration)
        self.listeners.configure(self.configuration.tftp)
        self.log.send_to(self.configuration.system)
        self.log.event("reloaded", configuration=str(self.origin), restart_needed=", ".join(change.restart))
        return Reloaded(
            True,
            str(self.origin),
            change.removed,
            change.changed,
            change.added,
            change.restart,
            (),
        )

    def _clash(self, wanted: Configuration) -> str:
        """Why a faultless configuration cannot be in force before the next start; empty where it can."""
        store = self.configuration.local.name
        for cluster in wanted.clusters:
            if cluster.name.lower() == store.lower():
                return f"[clusters] {cluster.name}: the local store has this name until the next start"
        return ""

    def _asked_to_reload(self) -> None:
        gevent.spawn(self.reload)

    def _drain(self) -> None:
        transfers, connections = self.held(self.told())
        self.log.event("draining", transfers=transfers, connections=connections, at_most_s=DRAIN)
        self._monitor.close()
        self.listeners.close()
        (self.workers or self.phones).drain(self._hurry)
        self.clusters.close()

    def _lost(self) -> None:
        """Nobody serves phones any more: who started this process starts it again."""
        self.failed = True
        self._stop.set()

    def _surrounded(self, state: State) -> None:
        """These are the links and addresses now."""
        self.clusters.loops.own(own_addresses(state))
        self.listeners.look(state)

    def _tell(self, event: str, facts: Mapping[str, str]) -> None:
        self.log.event(event, **facts)

    def _ended(self, record: Record) -> None:
        self.counters.ended(record.result)
        self.counters.bytes_sent += record.bytes
        self.counters.retransmits += record.retransmits
        self.records.add(record)
        self.log.request(record)
