"""Asking one address of a cluster, in the protocols that are due, and keeping its health."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import gevent

from appliance.cluster import upstream_http, upstream_tftp
from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.body import Room, Stored
from appliance.cluster.breaker import PROBE_EVERY
from appliance.cluster.connections import Connections
from appliance.cluster.health import Health, Upstream
from appliance.cluster.prober import Prober
from appliance.cluster.upstream import (
    Absent,
    Opened,
    Recalled,
    Refused,
    Target,
    Unasked,
    Unchanged,
    Unconnected,
    Unheard,
    Unreachable,
    Waiting,
)
from appliance.config.model import Cluster, IPAddress, Protocol

SILENCE = 1.0
"""s of waiting in vain after which an address counts as not answering."""

Outcome = tuple[Answer, Opened | Stored | None]
"""What an address said, and the file where there is one, to be closed by whoever takes it."""


def random_name(upstream: Upstream) -> str:
    """A name that no cluster has."""
    return f"{secrets.token_hex(8)}.probe"


class Clients:
    """What asking takes: connections, the room for bodies, our mark, and each address's health.

    `fault` takes an exception that is a mistake of ours; `budget` is the time for a search in s.
    `probe_name` gives the name that an address is asked for by a probe.
    """

    def __init__(
        self,
        room: Room,
        via: str,
        fault: Callable[[Exception], None],
        budget: float = 3.0,
        probe_name: Callable[[Upstream], str] = random_name,
    ) -> None:
        self.fault = fault
        self.room = room
        self.connections = Connections()
        self.via = via
        self.budget = budget
        self.probe_name = probe_name
        self.prober = Prober(self.probe, fault)
        self._health: dict[tuple[str, IPAddress], Health] = {}

    def health(self, cluster: Cluster, address: IPAddress) -> Health:
        """The health of one address of a cluster."""
        known = self._health.get((cluster.name, address))
        if known is None or known.protocol is not cluster.protocol:
            known = self._health[cluster.name, address] = Health(cluster.protocol)
        return known

    def in_use(self, cluster: Cluster) -> list[IPAddress]:
        """The addresses of a cluster that may be asked, in order."""
        return [address for address in cluster.addresses if self.health(cluster, address).in_use]

    def silent(self, cluster: Cluster) -> float | None:
        """For how long (s) none of its addresses in use has answered; None where one may be asked."""
        now = time.monotonic()
        silences = [self.health(cluster, address).silent(now) for address in self.in_use(cluster)]
        known = [silence for silence in silences if silence is not None]
        return min(known) if known and len(known) == len(silences) else None

    def drop(self, cluster_name: str) -> None:
        """Forget a cluster that was removed or changed. What it is being asked goes on."""
        self.prober.drop(cluster_name)
        for key in [key for key in self._health if key[0] == cluster_name]:
            del self._health[key]
            self.connections.forget(key[1])

    def stop(self) -> None:
        """Probe no longer, and close the connections that are idle."""
        self.prober.stop()
        self.connections.close()

    def open(
        self, cluster: Cluster, address: IPAddress, protocol: Protocol, name: str, waiting: Waiting
    ) -> Opened:
        """Ask one address in one protocol; see `upstream`."""
        if protocol is Protocol.HTTP:
            target = Target(address, cluster.http_port)
            return upstream_http.open_file(
                self.connections, target, name, self.via, self.room.largest, waiting
            )
        target = Target(address, cluster.tftp_port)
        return upstream_tftp.open_file(target, name, self.room.largest, waiting)

    def upstreams(self, cluster: Cluster) -> list[Upstream]:
        """The addresses of a cluster that may be asked, in order, as they are now."""
        return [Upstream(cluster, each, self.health(cluster, each)) for each in self.in_use(cluster)]

    def probed(self, cluster: Cluster) -> list[Upstream]:
        """Those that probes are sent to: also to one that loops, which shows when it does no longer."""
        every = (Upstream(cluster, each, self.health(cluster, each)) for each in cluster.addresses)
        return [each for each in every if not each.health.out_of_use]

    def ask(
        self, upstream: Upstream, name: str, waiting: Waiting, recalled: Recalled | None = None
    ) -> Outcome:
        """Ask one address in the protocols that are due; at once `Failed` where none is.

        `recalled` is the file as it was when it was last asked for; it is used again if it is still so.
        """
        silent = upstream.health.silent(time.monotonic())
        if silent is not None:
            return Failed(f"{upstream.address}: {_known_silent(silent)}"), None
        faults: list[str] = []
        for protocol in upstream.health.protocols():
            try:
                return self._ask(upstream, protocol, name, waiting, recalled)
            except (Refused, Unreachable) as fault:
                faults.append(str(fault))
        return Failed(f"{upstream.address}: {', '.join(faults)}"), None

    def probe(self, upstream: Upstream, protocol: Protocol) -> str | None:
        """Ask for a file that does not exist: any answer is life. The name, where there was an answer."""
        if upstream.health.out_of_use:
            return None  # since a moment ago
        name = self.probe_name(upstream)
        return name if self.pass_on(upstream, protocol, name) else None

    def pass_on(self, upstream: Upstream, protocol: Protocol, name: str) -> bool:
        """Ask for a probe's name, whatever is known of the address; whether there was an answer."""
        try:
            self._opened(upstream, protocol, name, Waiting(until=time.monotonic())).close()
        except Unreachable:
            return False  # its health has been told
        except (Absent, Refused):
            pass
        return True

    def _ask(
        self, upstream: Upstream, protocol: Protocol, name: str, waiting: Waiting, recalled: Recalled | None
    ) -> Outcome:
        """The answer in one protocol; `Refused` or `Unreachable` where there is none to go by."""
        address, breaker = str(upstream.address), upstream.health.breakers[protocol]
        waiting.allowed = lambda: not breaker.open
        waiting.validator = recalled.validator if recalled is not None else ""
        try:
            opened = self._opened(upstream, protocol, name, waiting)
        except Absent as absent:
            return Missing(address, protocol, absent.via), None
        except Unchanged:
            kept = _again(recalled)
            if kept is None:  # lost on our side
                return self._ask(upstream, protocol, name, waiting, None)
            return Found(kept.size, address, protocol, kept.validator), kept
        via = opened.via
        if recalled is not None and recalled.by_length and recalled.size == opened.size:
            try:
                kept = _again(recalled)
            except BaseException:  # nobody waits for it any more
                opened.close()
                raise
            if kept is not None:
                opened.close()
                return Found(kept.size, address, protocol, kept.validator, via), kept
        return Found(opened.size, address, protocol, opened.validator, via), opened

    def _opened(self, upstream: Upstream, protocol: Protocol, name: str, waiting: Waiting) -> Opened:
        """The file, or what `upstream` raises in its place; either is told to the address's health."""
        health, started = upstream.health, time.monotonic()
        waiting.sent = None
        try:
            opened = self.open(upstream.cluster, upstream.address, protocol, name, waiting)
        except (Absent, Unchanged, Refused):
            health.answered(protocol, waiting.sent or started, time.monotonic())
            raise
        except Unasked:
            raise
        except Unreachable as fault:
            connected = not isinstance(fault, Unconnected)
            health.failed(protocol, str(fault), waiting.sent or started, time.monotonic(), connected)
            if isinstance(fault, Unheard):
                health.unheard(protocol, str(fault), time.monotonic())
            self._look_after(upstream)
            raise
        except gevent.GreenletExit:
            # Nobody waits any more. That is no fault of an address that had hardly been asked, or
            # that says it is busy.
            now = time.monotonic()
            if waiting.since is not None and now - waiting.since >= SILENCE:
                health.failed(protocol, f"no answer in {now - waiting.since:.1f} s", waiting.since, now)
                self._look_after(upstream)
            raise
        health.answered(protocol, waiting.sent or started, time.monotonic())
        return opened

    def _look_after(self, upstream: Upstream) -> None:
        known = self._health.get((upstream.cluster.name, upstream.address))
        if upstream.health.troubled and known is upstream.health:
            self.prober.watch(upstream)


def _known_silent(seconds: float) -> str:
    return f"known not to answer for {seconds:.0f} s; asked again every {PROBE_EVERY:g} s"


def _again(recalled: Recalled | None) -> Stored | None:
    """The kept file, which is still the cluster's."""
    opened = recalled.open() if recalled is not None else None
    if recalled is not None and opened is not None:
        recalled.renew()
    return opened
