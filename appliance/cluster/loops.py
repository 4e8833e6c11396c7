"""Circles of boxes looked for: probes sent and passed on, and own addresses known at any moment."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gevent
from gevent.event import Event
from gevent.pool import Pool

from appliance.cluster import loop
from appliance.cluster.fetch import Fetches
from appliance.cluster.probe import SETTLE, Arrival, Probes
from appliance.config.model import Cluster, Configuration, IPAddress

AT_ONCE = 8  # clusters that are probed at the same time
FORWARDS_MAX = 64  # probes of others that are passed on at the same time

Tell = Callable[[str, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often (s) a cluster is probed, one that loops, so that it is soon in use again when the circle is
    cut, and one that did not answer, which may have been started later than we. A probe that is to come back
    does so within `settle` s. Who asks for another box's probe waits at most `hold` s: longer, and we look as
    if we did not answer.
    """

    every: float = 600.0
    looping: float = 30.0
    unanswered: float = 5.0
    settle: float = SETTLE
    hold: float = 1.0


class Loops:
    """What is known of circles.

    `tell` takes an event and its facts, for the log, `fault` an exception that is a mistake of ours.
    """

    def __init__(
        self,
        configuration: Configuration,
        tell: Tell,
        fault: Callable[[Exception], None],
        pace: Pace = Pace(),
    ) -> None:
        self._pace = pace
        self._own: frozenset[IPAddress] = frozenset()
        self._probes = Probes(pace.settle)
        self._tell = tell
        self._fault = fault
        self._again = Event()
        self._due: dict[str, float] = {}  # cluster to the time of its next probe
        self._forwarding = Pool(FORWARDS_MAX)
        self._running: list[gevent.Greenlet[..., None]] = []
        self._configuration = configuration
        self._clusters = [cluster for cluster in configuration.clusters if cluster.enabled]

    def start(self, fetches: Fetches) -> None:
        """Begin."""
        self._fetches = fetches
        self._running = [gevent.spawn(self._probe_on)]
        self._know_own()

    def close(self) -> None:
        """End."""
        gevent.killall(self._running)
        self._forwarding.kill()

    def configure(self, configuration: Configuration, gone: tuple[str, ...]) -> None:
        """Probe these clusters from now on, at once; forget what is known of those that are `gone`."""
        for name in gone:
            self._probes.drop(name)
        self._configuration = configuration
        self._clusters = [cluster for cluster in configuration.clusters if cluster.enabled]
        self._due.clear()
        self._know_own()
        self._again.set()

    def own(self, addresses: frozenset[IPAddress]) -> None:
        """These are the addresses of this machine now."""
        self._own = addresses
        self._know_own()

    def probe_name(self, cluster: Cluster) -> str:
        """A new name that a cluster is asked for."""
        looped = self._probes.looping(cluster.name) is not None
        name = self._probes.issue(cluster.name, secrets.token_hex(16), time.monotonic())
        if looped and self._probes.looping(cluster.name) is None:
            self._tell("cluster loops no more", {"cluster": cluster.name})
        return name

    def arrived(self, path: str, over: str, client: IPAddress | None = None) -> Arrival:
        """A probe has arrived `over` a transport; `forward` passes on what is to be passed on.

        One that comes from an address of this box itself was sent to another of its addresses: that one goes
        out of use, and the rest of its cluster stays.
        """
        if client in self._own and not client.is_loopback:
            return Arrival.SEEN
        arrival, looping = self._probes.arrived(path, over, time.monotonic())
        if looping is not None:
            self._tell("cluster loops", {"cluster": looping, "over": over})
            self._probe_in(self._pace.looping, looping)
        return arrival

    def forward(self, asked: str, budget: float) -> None:
        """Ask every cluster for another box's probe, for `budget` s, and wait for the answers, a while."""
        if not self._forwarding.full():
            self._forwarding.spawn(self._forward, asked, budget).join(timeout=self._pace.hold)

    def out_of_use(self, cluster: str) -> str:
        """Why a cluster is not asked; empty where it does not loop."""
        looping = self._probes.looping(cluster)
        if looping is None:
            return ""
        ago = time.monotonic() - looping.since
        return f"leads back to this box: a probe came back over {looping.over.upper()} {ago:.0f} s ago"

    def _forward(self, asked: str, budget: float) -> None:
        """Also where nobody is known to answer: who asks may have been started a moment ago."""
        clients = self._fetches.clients
        asking = [
            gevent.spawn(clients.pass_on, upstream, protocol, asked)
            for cluster in self._clusters
            for upstream in clients.upstreams(cluster)
            for protocol in (upstream.health.protocols() or tuple(upstream.health.breakers))[:1]
        ]
        try:
            gevent.joinall(asking, timeout=budget)
        finally:
            gevent.killall(asking, block=False)

    def _probe_on(self) -> None:
        pool = Pool(AT_ONCE)
        while True:
            self._again.clear()
            now = time.monotonic()
            due = [cluster for cluster in self._clusters if self._due.get(cluster.name, 0.0) <= now]
            for cluster in due:
                self._due[cluster.name] = now + self._pace.every
            for cluster in due:
                pool.spawn(self._probe, cluster)  # waits where too many run
            soonest = min(
                (self._due.get(cluster.name, 0.0) for cluster in self._clusters),
                default=now + self._pace.every,
            )
            self._again.wait(timeout=max(0.0, soonest - time.monotonic()))

    def _probe(self, cluster: Cluster) -> None:
        """Ask each address of a cluster, as one alone of its servers may be a proxy; in one protocol, as that
        does not matter to whom the server asks then.
        """
        if cluster not in self._clusters:
            return  # gone, or asked elsewhere, while it waited for its turn
        try:
            answered = False
            for upstream in self._fetches.clients.upstreams(cluster):
                for protocol in upstream.health.protocols()[:1]:
                    name = self._fetches.clients.probe(upstream, protocol)
                    if name is not None:
                        self._probes.answered(name)
                        answered = True
            if self._probes.looping(cluster.name) is not None:
                self._probe_in(self._pace.looping, cluster.name)
            elif not answered:
                self._probe_in(self._pace.unanswered, cluster.name)
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one probe
            self._fault(error)

    def _probe_in(self, seconds: float, cluster: str) -> None:
        self._due[cluster] = time.monotonic() + seconds
        self._again.set()

    def _know_own(self) -> None:
        """A cluster's address that is this box itself would ask itself; it may be another's tomorrow."""
        if not self._running:
            return
        refused = loop.out_of_use(self._configuration, self._own)
        for cluster in self._clusters:
            for address in cluster.addresses:
                health = self._fetches.clients.health(cluster, address)
                why = refused.get((cluster.name, address), "")
                if why != health.out_of_use:
                    health.out_of_use = why
                    event = "address out of use" if why else "address in use again"
                    facts = {"cluster": cluster.name, "address": str(address)}
                    self._tell(event, {**facts, "why": why} if why else facts)
