"""From a name to a file: the local store, then the clusters. The one place where that is decided."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from appliance.cluster import loop
from appliance.cluster.decision import Found, NotFound, Unavailable
from appliance.cluster.fetch import Fetches
from appliance.cluster.names import BadName, Name, read
from appliance.cluster.negative import Negatives
from appliance.cluster.search import search
from appliance.config.model import Cluster, Configuration, IPAddress
from appliance.report.counters import Counters
from appliance.report.record import Trail
from appliance.serve.content import Content, LocalContent, RemoteContent
from appliance.serve.storage import Storage
from appliance.store.folder import StoreUnavailable


class NoSuchFile(Exception):
    """Nobody who was to be asked has the file, and everybody said so."""


class NotKnown(Exception):
    """Nobody can say at the moment. The text says who was silent."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the client's address, and the `Via` of an HTTP request."""

    client: IPAddress
    via: str = ""


class Lookup:
    """Finds files. Waits as long as the lookup's budget, and never changes what it finds."""

    def __init__(
        self, configuration: Configuration, storage: Storage, fetches: Fetches, counters: Counters
    ) -> None:
        self.configuration = configuration
        self.negatives = Negatives(configuration.lookup.negative)
        self.fetches = fetches
        self._storage = storage
        self._counters = counters
        self._clusters = [cluster for cluster in configuration.clusters if cluster.enabled]
        self._sources = loop.sources(configuration.clusters)

    def open(
        self,
        name: Name,
        asker: Asker,
        trail: Trail,
        held: AbstractContextManager[object] | None = None,
    ) -> Content:
        """The file, to be closed by the caller; `NoSuchFile` or `NotKnown`.

        `held` is entered while clusters are being waited for.
        """
        content = self._find(name, asker, trail, held or nullcontext())
        trail.source, trail.address = content.source, content.address
        return content

    def explain(self, raw: bytes, asker: Asker, trail: Trail) -> str:
        """What would be done for a request, without asking any cluster; the end of it in words."""
        try:
            name = read(raw)
        except BadName as fault:
            return f"refused: {fault}"
        self._say(
            trail, f"{name.path}: a {name.kind.value} file" + (f" of {name.device}" if name.device else "")
        )
        local, store_fault = self._local(name, trail)
        if local is not None:
            local.close()
            return f"served from {local.source}"
        if self._goes_round(asker, trail):
            return "unavailable" if store_fault else "not found"
        if self._remembered_missing(name, trail):
            return "not found"
        order = ", ".join(cluster.name for cluster in self._in_use(trail))
        if not order:
            self._say(trail, "no cluster is in use")
            return "unavailable" if store_fault else "not found"
        self._say(trail, f"would be asked at once: {order}; the first in this order that has it serves it")
        return "a search over the clusters"

    def _find(self, name: Name, asker: Asker, trail: Trail, held: AbstractContextManager[object]) -> Content:
        trail.kind, trail.device = name.kind.value, name.device
        local, store_fault = self._local(name, trail)
        if local is not None:
            return local
        if self._goes_round(asker, trail):
            self._counters.looping += 1
        elif self._remembered_missing(name, trail):
            raise NoSuchFile
        else:
            with held:
                remote = self._remote(name, trail, remember=not store_fault)
            if remote is not None:
                return remote
        if store_fault:
            raise NotKnown(store_fault)
        raise NoSuchFile

    def _local(self, name: Name, trail: Trail) -> tuple[Content | None, str]:
        """The file of the local store, and why it could not be told whether there is one."""
        store = self.configuration.local.name
        try:
            opened = self._storage.open(name.path)
        except StoreUnavailable as fault:
            self._say(trail, f"{store}: cannot be read: {fault}")
            return None, f"{store} cannot be read"
        if opened is None:
            self._say(trail, f"{store}: does not have it")
            return None, ""
        spelled = "" if opened[0].name == name.path else f" as {opened[0].name}"
        self._say(trail, f"{store}: has it{spelled}, {opened[0].size} bytes")
        return LocalContent(self._storage, store, opened), ""

    def _goes_round(self, asker: Asker, trail: Trail) -> bool:
        if loop.has_passed(asker.via):
            self._say(trail, "has been through an appliance already: the local store alone answers")
            return True
        if asker.client in self._sources:
            self._say(trail, "comes from a cluster: the local store alone answers")
            return True
        return False

    def _remembered_missing(self, name: Name, trail: Trail) -> bool:
        left = self.negatives.left(name.asked, time.monotonic())
        if left is None:
            return False
        self._say(trail, f"remembered for {left:.0f} s more: no cluster has it")
        return True

    def _remote(self, name: Name, trail: Trail, remember: bool) -> Content | None:
        budget = self.configuration.lookup.budget
        outcome = search(
            self.fetches, self._clusters, name.asked, budget, lambda text: self._say(trail, text)
        )
        match outcome:
            case NotFound():
                if remember:
                    self.negatives.remember(name.asked, time.monotonic())
                return None
            case Unavailable(silent):
                raise NotKnown(f"no answer from {', '.join(silent)}")
            case fetch:
                assert isinstance(fetch.answer, Found)
                return RemoteContent(self.fetches, fetch, fetch.answer)

    def _in_use(self, trail: Trail) -> list[Cluster]:
        """The clusters that can be asked. One that is this box itself knows nothing that we do not."""
        asked = []
        for cluster in self._clusters:
            if self.fetches.clients.in_use(cluster):
                asked.append(cluster)
            else:
                self._say(trail, f"{cluster.name}: out of use: an address of this box itself")
        return asked

    def _say(self, trail: Trail, text: str) -> None:
        trail.add(time.monotonic(), text)
