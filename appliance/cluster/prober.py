"""Looks whether addresses that do not answer are back: the only requests that are sent to them."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from gevent.pool import Pool

from appliance.cluster.health import Upstream
from appliance.config.model import IPAddress, Protocol

LOOK = 0.25  # s between two looks at what is due
PROBES_MAX = 16  # at one time

Probe = Callable[[Upstream, Protocol], object]
"""Asks an address in one protocol, and tells its health what came of it."""


class Prober:
    """One greenlet, which runs while there is an address that does not answer.

    `fault` takes an exception that is a mistake of ours.
    """

    def __init__(self, probe: Probe, fault: Callable[[Exception], None]) -> None:
        self._probe = probe
        self._fault = fault
        self._watched: dict[tuple[str, IPAddress], Upstream] = {}
        self._probes: dict[tuple[str, IPAddress, Protocol], gevent.Greenlet[..., None]] = {}
        self._pool = Pool(PROBES_MAX)
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, upstream: Upstream) -> None:
        """Probe an address until it answers in all its protocols."""
        self._watched[upstream.cluster.name, upstream.address] = upstream
        if self._greenlet is None and not self._stopped:
            self._greenlet = gevent.spawn(self._run)

    def drop(self, cluster_name: str) -> None:
        """Probe the addresses of a cluster no longer."""
        for place in [place for place in self._watched if place[0] == cluster_name]:
            del self._watched[place]
        for key, probe in list(self._probes.items()):
            if key[0] == cluster_name:
                probe.kill(block=False)

    def stop(self) -> None:
        """Probe nothing any more."""
        self._stopped = True
        self._watched.clear()
        self._pool.kill(block=False)
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        while self._watched:
            for place, upstream in list(self._watched.items()):
                for protocol in upstream.health.due(time.monotonic()):
                    self._pool.wait_available()  # each in turn: the first would always be due again
                    if self._watched.get(place) is upstream and upstream.health.breakers[protocol].open:
                        self._start(upstream, protocol)
                if self._watched.get(place) is upstream and not upstream.health.troubled:
                    del self._watched[place]
            gevent.sleep(LOOK)
        self._greenlet = None

    def _start(self, upstream: Upstream, protocol: Protocol) -> None:
        key = upstream.cluster.name, upstream.address, protocol
        if key in self._probes:
            return  # it stays due
        upstream.health.breakers[protocol].probed(time.monotonic())
        self._probes[key] = probe = self._pool.spawn(self._ask, upstream, protocol)
        probe.rawlink(lambda _: self._probes.pop(key))

    def _ask(self, upstream: Upstream, protocol: Protocol) -> None:
        try:
            self._probe(upstream, protocol)
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one probe
            self._fault(error)
