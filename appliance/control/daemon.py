"""`appliance control`: its parts put together, its start, its signals and its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.event import Event

from appliance.control import start
from appliance.control.bundles import Bundles
from appliance.control.child import Children
from appliance.control.commit import OWN, Commits
from appliance.control.disk import Disk
from appliance.control.force import Force, Version
from appliance.control.log import Log
from appliance.control.parts import Parts
from appliance.control.peers import Known, Peer, known
from appliance.control.protocol import VerbError
from appliance.control.proxy import Proxy
from appliance.control.server import Server, Table
from appliance.control.verbs import Verbs
from appliance.network.addresses import own_addresses
from appliance.network.configured import Configured
from appliance.report.control import Result
from appliance.services.services import Services

AGAIN = 1.0  # s until what failed by a mistake of ours goes on


class Daemon:
    """Control of one machine, from its making to the end of `run`. The socket is taken at once, so that there
    is one alone; ConfigurationError where neither file nor history can be used, `OSError`.
    """

    def __init__(self, confirmed: Path, human_log: bool) -> None:
        self.log = Log(human_log)
        self._stop = Event()
        self._known = known()
        self._start = start.begin(confirmed)
        self._server = Server(self._start.places.socket, self._table, self.log.fault)
        self._server.bind(*_owner(self._known))
        self._disk = Disk(self._start.places)
        paths = self._start.configuration.paths
        self._network = Configured(paths.run, lambda text: self.log.event("network", text=text))
        self._services = Services(
            paths.run,
            paths.data,
            lambda text: self.log.event("service", text=text),
            self._network.time_servers,
        )
        proxy = Proxy(paths.run, self._start.places.in_force)
        force = Force(self._disk, proxy, self._network, self._services, self.log)
        self._commits = Commits(
            self._version(), self._start.last, self._disk, force, addressed, self.log, self._start.fault
        )
        children = Children()
        bundles = Bundles(paths.data, self._disk, children)
        self._parts = Parts(self._commits, self._disk, force, children, bundles, self.log, time.monotonic())

    def run(self) -> None:
        """Bring the confirmed configuration into force and answer, until SIGTERM. A change that waits then
        stays marked: the next start reverts it.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop.set)
        gevent.signal_handler(signal.SIGHUP, gevent.spawn, self._hang_up)
        starting = gevent.spawn(self._begin)
        self._stop.wait()
        starting.kill()
        self._server.close()
        self._services.stop()
        self._network.stop()
        self.log.event("stopped")
        self.log.close()

    def _begin(self) -> None:
        last, fault = self._start.last, self._start.fault
        if fault:
            self.log.event("the confirmed configuration is not used", why=fault)
        try:
            self._commits.enforce()
        except Exception as error:  # noqa: BLE001  who has made it wait is told by the status
            self.log.fault(error)
        if self._commits.fault:
            self.log.event("not all is in force", why=self._commits.fault)
        if last is not None and last.result is Result.PENDING:
            self._commits.revert_unconfirmed(last)
        for function in (self._commits.watch, self._commits.test):
            gevent.spawn(self._for_ever, function)
        self._server.start()
        self.log.event("started", revision=self._commits.in_force.revision)

    def _for_ever(self, function: Callable[[], None]) -> None:
        """A mistake of ours must not end what reverts."""
        while True:
            try:
                function()
            except Exception as error:  # noqa: BLE001
                self.log.fault(error)
            gevent.sleep(AGAIN)

    def _hang_up(self) -> None:
        try:
            self._commits.reload("SIGHUP")
        except VerbError as error:
            self.log.event("not reloaded", why=error.text)

    def _table(self, peer: Peer) -> Table:
        return Verbs(self._parts, peer, self._known).table()

    def _version(self) -> Version:
        """What is confirmed, with its number in the history."""
        found = Version(0, self._start.text, self._start.configuration)
        for entry in self._disk.history.entries():
            if entry.sha256 == found.sha256:
                return Version(entry.number, found.text, found.configuration)
        try:
            number = self._disk.keep(found.text, OWN, "found at the start")
        except OSError as fault:
            self.log.event("not kept", why=str(fault))
            number = 0
        return Version(number, found.text, found.configuration)


def addressed() -> bool:
    """Whether somebody on another machine could reach this one, by an address that is not of one link."""
    return any(not (each.is_loopback or each.is_link_local) for each in own_addresses())


def _owner(those: Known) -> tuple[int, int]:
    """User and group of the socket; without a group of administrators root alone asks."""
    if os.geteuid() != 0:
        return -1, -1
    return 0, 0 if those.admin is None else those.admin
