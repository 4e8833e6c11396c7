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
from appliance.cluster.health import Upstream
from appliance.cluster.probe import SETTLE, Arrival, Endpoint, Probes
from appliance.config.model import Cluster, Configuration, IPAddress

AT_ONCE = 8  # addresses that are probed at the same time
FORWARDS_MAX = 64  # probes of others that are passed on at the same time

Tell = Callable[[str, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often (s) an address is probed, one that loops, so that it is soon in use again when the circle is
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
        self._due: dict[Endpoint, float] = {}  # the time of its next probe
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
        for cluster in self._clusters:
            if cluster.name in gone:
                for address in cluster.addresses:
                    self._probes.drop((cluster.name, address))
        self._configuration = configuration
        self._clusters = [cluster for cluster in configuration.clusters if cluster.enabled]
        self._due.clear()
        self._know_own()
        self._again.set()

    def own(self, addresses: frozenset[IPAddress]) -> None:
        """These are the addresses of this machine now."""
        self._own = addresses
        self._know_own()

    def probe_name(self, upstream: Upstream) -> str:
        """A new name that an address is asked for."""
        endpoint = upstream.cluster.name, upstream.address
        looped = self._probes.looping(endpoint) is not None
        name = self._probes.issue(endpoint, secrets.token_hex(16), time.monotonic())
        if looped and self._probes.looping(endpoint) is None:
            self._know_looping()
            self._tell("address loops no more", _facts(endpoint))
        return name

    def arrived(self, path: str, over: str, client: IPAddress | None = None, via: str = "") -> Arrival:
        """A probe has arrived `over` a transport, from a client with this `Via`; `forward` passes on what is
        to be passed on. The address that one of ours was sent to goes out of use, and the rest of its cluster
        stays: each of them has probes of its own.
        """
        direct = self._sent_it(client, via)
        arrival, looping = self._probes.arrived(path, over, time.monotonic(), direct)
        if looping is not None:
            self._know_looping()
            self._tell("address loops", {**_facts(looping), "over": over})
            self._probe_in(self._pace.looping, looping)
        return arrival

    def forward(self, asked: str, budget: float) -> None:
        """Ask every cluster for another box's probe, for `budget` s, and wait for the answers, a while."""
        if not self._forwarding.full():
            self._forwarding.spawn(self._forward, asked, budget).join(timeout=self._pace.hold)

    def out_of_use(self, cluster: str, address: IPAddress) -> str:
        """Why an address is not asked; empty where it does not loop."""
        looping = self._probes.looping((cluster, address))
        if looping is None:
            return ""
        what = loop.OWN if looping.direct else "leads back to this box"
        ago = time.monotonic() - looping.since
        return f"{what}: a probe came back over {looping.over.upper()} {ago:.0f} s ago"

    def _forward(self, asked: str, budget: float) -> None:
        """Also where nobody is known to answer: who asks may have been started a moment ago."""
        clients = self._fetches.clients
        asking = [
            gevent.spawn(clients.pass_on, upstream, protocol, asked)
            for cluster in self._clusters
            for upstream in clients.probed(cluster)
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
            every = [(cluster, address) for cluster in self._clusters for address in cluster.addresses]
            due = [each for each in every if self._next(*each) <= now]
            for cluster, address in due:
                self._due[cluster.name, address] = now + self._pace.every
            for cluster, address in due:
                pool.spawn(self._probe, cluster, address)  # waits where too many run
            soonest = min((self._next(*each) for each in every), default=now + self._pace.every)
            self._again.wait(timeout=max(0.0, soonest - time.monotonic()))

    def _next(self, cluster: Cluster, address: IPAddress) -> float:
        """When it is probed next."""
        return self._due.get((cluster.name, address), 0.0)

    def _probe(self, cluster: Cluster, address: IPAddress) -> None:
        """Ask an address, in one protocol, as that does not matter to whom the server asks then."""
        if cluster not in self._clusters:
            return  # gone, or asked elsewhere, while it waited for its turn
        clients, endpoint = self._fetches.clients, (cluster.name, address)
        try:
            upstream, name = Upstream(cluster, address, clients.health(cluster, address)), None
            for protocol in upstream.health.protocols()[:1]:
                name = clients.probe(upstream, protocol)
            if name is not None:
                self._probes.answered(name)
            if self._probes.looping(endpoint) is not None:
                self._probe_in(self._pace.looping, endpoint)
            elif name is None:
                self._probe_in(self._pace.unanswered, endpoint)
        except Exception as error:  # noqa: BLE001  a mistake of ours costs one probe
            self._fault(error)

    def _probe_in(self, seconds: float, endpoint: Endpoint) -> None:
        self._due[endpoint] = time.monotonic() + seconds
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
                    if why:  # what comes back of it shows nothing of whose it is afterwards
                        self._probes.drop((cluster.name, address))
                    event = "address out of use" if why else "address in use again"
                    facts = _facts((cluster.name, address))
                    self._tell(event, {**facts, "why": why} if why else facts)
        self._know_looping()

    def _know_looping(self) -> None:
        for cluster in self._clusters:
            for address in cluster.addresses:
                looping = self._probes.looping((cluster.name, address))
                self._fetches.clients.health(cluster, address).loops = looping is not None

    def _sent_it(self, client: IPAddress | None, via: str) -> bool:
        """Whether it is this box that asks, with nobody between but address translation. TFTP has no mark."""
        marks = loop.boxes(via)
        if marks:
            return marks == loop.boxes(self._fetches.clients.via)
        return client in self._own and not client.is_loopback


def _facts(endpoint: Endpoint) -> dict[str, str]:
    cluster, address = endpoint
    return {"cluster": cluster, "address": str(address)}
