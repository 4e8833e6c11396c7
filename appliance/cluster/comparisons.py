"""Homes compared in the background: those that are due when their phone boots, and slowly all others."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

import gevent
from gevent.event import Event as Signal

from appliance.cluster.comparison import compare
from appliance.cluster.fetch import Fetch, Fetches
from appliance.cluster.homes import Home, Homes
from appliance.cluster.knowledge import Event
from appliance.cluster.names import read
from appliance.cluster.situation import Reply, State, configuration, due, in_play
from appliance.cluster.verdict import Ask
from appliance.config.model import Cluster, Configuration

WAITING_MAX = 1_000  # devices; those beyond are met by the slow round
PAUSE = 0.02  # s between two comparisons that are due
ROUND = 1.0  # s between two of the slow round
LOOKS = 1_000  # homes that are looked at for one that is due


class Comparisons:
    """One greenlet, one device at a time."""

    def __init__(
        self,
        configuration: Configuration,
        fetches: Fetches,
        homes: Homes,
        tell: Callable[[Event], None],
        fault: Callable[[Exception], None],
        unused: Callable[[Cluster], str],
        pace: float = ROUND,
    ) -> None:
        """`unused` tells why a cluster is not asked; `pace`: s between two comparisons of the slow round."""
        self._unused = unused
        self._pace = pace
        self._fetches = fetches
        self._homes = homes
        self._tell = tell
        self._fault = fault
        self._wanted: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._some = Signal()
        self._round: deque[str] = deque()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration from the next comparison on."""
        self._clusters = {cluster.name: cluster for cluster in configuration.clusters if cluster.enabled}
        self._budget = configuration.lookup.budget
        self._expiry = configuration.lookup.expiry

    def start(self) -> None:
        """Begin."""
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """End."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def boots(self, device: str, home: Home, forms: tuple[str, ...], wall: float) -> None:
        """A device boots; its configuration is asked for as `forms`. Compare its home where that is due."""
        if home.expired(wall, self._expiry) and len(self._wanted) < WAITING_MAX:
            self._wanted[device] = forms
            self._some.set()

    def _run(self) -> None:
        while True:
            try:
                if self._wanted:
                    self._compare(*self._wanted.popitem(last=False))
                    gevent.sleep(PAUSE)
                    continue
                self._some.clear()
                if not self._some.wait(timeout=self._pace):
                    self._next_of_round()
            except Exception as error:  # noqa: BLE001  a mistake of ours must not end all comparisons
                self._fault(error)
                gevent.sleep(self._pace)

    def _next_of_round(self) -> None:
        """One more device of all that are remembered; a new round when there is none left."""
        wall = time.time()
        if not self._round:
            self._round.extend(self._homes.devices())
        for _ in range(min(LOOKS, len(self._round))):
            device = self._round.popleft()
            home = self._homes.of(device, wall)
            # Other devices spell their names in ways that only they know.
            if home is None or not home.expired(wall, self._expiry) or not device.startswith("SEP"):
                continue
            self._compare(device, read(f"{device}.cnf.xml".encode()).configurations)
            return

    def _compare(self, device: str, forms: tuple[str, ...]) -> None:
        home = self._homes.of(device, time.time())
        if home is None or home.place not in self._clusters:
            return
        clusters = [each for each in self._clusters.values() if not self._unused(each)]
        order = [cluster.name for cluster in clusters]
        states = self._ask(clusters, forms)
        wall = time.time()
        current = self._homes.of(device, wall)
        if current is None or current.place != home.place:
            return  # a request has found out meanwhile
        after = compare(current, order, states, wall)
        if after is None:
            self._homes.forget(lambda name, _: name == device)
            self._tell(Event("device is nowhere any more", device, home.place))
            return
        self._homes.learn(device, after)
        if after.following is not None and after.following != current.following:
            text = "device has moved: from its next boot on"
            self._tell(Event(text, device, after.following, (home.place,)))
        elif after.duplicates and after.duplicates != current.duplicates:
            self._tell(Event("device in several clusters", device, after.place, after.duplicates))

    def _ask(self, clusters: list[Cluster], forms: tuple[str, ...]) -> dict[str, State]:
        """Whether each cluster has the configuration, in any of its forms."""
        asked: dict[Ask, Fetch] = {}
        started = time.monotonic()
        try:
            while True:
                elapsed = time.monotonic() - started
                replies = {
                    ask: Reply(fetch.answer, elapsed)
                    for ask, fetch in asked.items()
                    if fetch.answer is not None
                }
                asking = in_play(replies, [cluster.name for cluster in clusters], forms)
                for cluster in clusters:
                    for ask in due(replies, cluster.name, asking):
                        if ask not in asked:
                            asked[ask] = self._fetches.join(cluster, ask.asked)
                pending = [fetch.answered for ask, fetch in asked.items() if ask not in replies]
                if not pending or elapsed >= self._budget:
                    return {each.name: configuration(replies, each.name, asking) for each in clusters}
                gevent.wait(pending, timeout=self._budget - elapsed, count=1)
        finally:
            for fetch in asked.values():
                self._fetches.leave(fetch)
