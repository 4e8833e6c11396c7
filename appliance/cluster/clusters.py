"""Everything by which clusters are asked and what they said is remembered: its parts put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from appliance.cache.disk import Disk
from appliance.cache.kept import Kept
from appliance.cache.terms import Terms
from appliance.cluster import loop
from appliance.cluster.body import Room
from appliance.cluster.box import box_id
from appliance.cluster.clients import Clients
from appliance.cluster.comparisons import Comparisons
from appliance.cluster.copies import Copies
from appliance.cluster.fetch import Fetches
from appliance.cluster.homes import Homes
from appliance.cluster.inventories import Inventories
from appliance.cluster.journal import Journal
from appliance.cluster.knowledge import Event, Knowledge
from appliance.cluster.loops import Loops
from appliance.config.changes import Changes
from appliance.config.model import Cluster, Configuration, IPAddress


class Clusters:
    """One box's view of all clusters. `folders` are written to by whoever calls `start`.

    `tell` takes an event and its facts for the log, `fault` an exception that is a mistake of ours.
    """

    def __init__(
        self,
        configuration: Configuration,
        tell: Callable[[str, Mapping[str, str]], None],
        fault: Callable[[Exception], None],
    ) -> None:
        cache, data = configuration.cache, configuration.paths.data
        self._tell = tell
        self._homes_fault = ""
        self.room = Room(cache.memory // 2, cache.size, data / "cache")
        self.folders = (data / "cache", data / "state")
        self._data = data
        self.loops = Loops(configuration, tell, fault)
        self.clients = Clients(
            self.room, "", fault, configuration.lookup.budget, probe_name=self.loops.probe_name
        )
        self.kept = Kept(
            Disk(data / "cache"), cache.size, cache.memory // 4, _terms(configuration), self._cache_fails
        )
        self.fetches = Fetches(self.clients, Copies(self.kept))
        self.homes = Homes()
        self.journal = Journal(data / "state" / "homes", self.homes, self._journal_fails)
        self.inventories = Inventories(configuration, self.fetches, fault)
        self._clusters = {cluster.name: cluster for cluster in configuration.clusters}
        self.knowledge = Knowledge(
            configuration, self.homes, self.inventories.inventory.place, self.kept.stale_age, self._silent
        )
        self.comparisons = Comparisons(
            configuration, self.fetches, self.homes, self.learned, fault, self.unused
        )

    @property
    def homes_fault(self) -> str:
        """Why homes cannot be kept for the next start; empty where they can."""
        return self._homes_fault if self.journal.failing else ""

    def start(self) -> None:
        """Restore what was remembered, and begin what runs in the background; the folders are there."""
        number, fault = box_id(self._data)
        if fault:
            self._tell("box id not kept", {"why": fault})
        self.clients.via = loop.via(number)
        self.journal.start()
        self.kept.start()
        self.comparisons.start()
        self.inventories.start()
        self.loops.start(self.fetches)

    def close(self) -> None:
        """End what runs in the background, and write what is to be remembered."""
        self.loops.close()
        self.inventories.close()
        self.comparisons.close()
        self.clients.stop()
        self.journal.close()

    def configure(self, configuration: Configuration, changes: Changes) -> None:
        """Go by another configuration; what was remembered of clusters that are gone goes."""
        for name in (*changes.removed, *changes.changed):
            self.fetches.drop(name)
        self._clusters = {cluster.name: cluster for cluster in configuration.clusters}
        gone = set(changes.removed)
        self.homes.forget(lambda _, home: home.place in gone)
        self.knowledge.configure(configuration)
        self.clients.budget = configuration.lookup.budget
        self.kept.set_terms(_terms(configuration))
        self.comparisons.configure(configuration)
        self.inventories.configure(configuration)
        self.loops.configure(configuration, (*changes.removed, *changes.changed))

    def unused(self, cluster: Cluster) -> str:
        """Why a cluster is not asked: one whose addresses are all this box itself, or lead back to it, knows
        nothing that we do not.
        """
        return "" if self.clients.in_use(cluster) else self.out_of_use(cluster, cluster.addresses[0])

    def out_of_use(self, cluster: Cluster, address: IPAddress) -> str:
        """Why one of its addresses is not asked; empty where it is."""
        own = self.clients.health(cluster, address).out_of_use
        return own or self.loops.out_of_use(cluster.name, address)

    def learned(self, event: Event) -> None:
        """Tell of something that was learned of a device."""
        facts = {"device": event.device, "home": event.home}
        if event.others:
            facts["others"] = ", ".join(event.others)
        self._tell(event.text, facts)

    def _silent(self, cluster: str) -> bool:
        return cluster in self._clusters and self.clients.silent(self._clusters[cluster]) is not None

    def _journal_fails(self, why: str) -> None:
        self._homes_fault = why
        self._tell("homes are not kept", {"why": why})

    def _cache_fails(self, why: str) -> None:
        self._tell("files are not kept", {"why": why})


def _terms(configuration: Configuration) -> Terms:
    lookup = configuration.lookup
    return Terms(
        {
            cluster.name: lookup.stale if cluster.stale is None else cluster.stale
            for cluster in configuration.clusters
            if cluster.enabled
        },
        lookup.stale_configs,
    )
