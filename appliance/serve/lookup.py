"""From a name to a file: gathers what is known, follows the decision, and remembers how it ended."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol

import gevent

from appliance.cluster import loop
from appliance.cluster.answer import Failed, Found, Missing
from appliance.cluster.body import Broken
from appliance.cluster.clusters import Clusters
from appliance.cluster.decision import decide, foresee, foresee_signed
from appliance.cluster.device import STRIPPED, unfit
from appliance.cluster.knowledge import Event
from appliance.cluster.names import BadName, Name, read
from appliance.cluster.probe import Arrival
from appliance.cluster.search import Ready, Search
from appliance.cluster.situation import Local, Situation
from appliance.cluster.verdict import Decision, NotFound, Take, Unavailable, Wait
from appliance.config.model import Configuration, IPAddress
from appliance.config.model import Protocol as Spoken
from appliance.report.counters import Counters
from appliance.report.record import Trail
from appliance.serve.content import Content, LocalContent, RemoteContent
from appliance.serve.storage import Looked, Opened, Storage, Unfit
from appliance.serve.stripping import NoEnvelope, content_start
from appliance.store.folder import StoreUnavailable

ORDER_HOLDS = 0.05
"""s for which it is not looked again which clusters are in use: they seldom change, and phones ask often."""


class NoSuchFile(Exception):
    """Nobody who was to be asked has the file, and everybody said so."""


class NotKnown(Exception):
    """Nobody can say at the moment. The text says who was silent."""


@dataclass(slots=True)  # as for Situation
class Asker:
    """Who asks: the client's address, and the `Via` of an HTTP request."""

    client: IPAddress
    via: str = ""


class Opener(Protocol):
    """Who finds the file of a request: a `Lookup`, or one that asks the process which has it."""

    @property
    def via(self) -> str:
        """The mark of this box, see `loop.via`; empty where it has none yet."""

    def open(
        self,
        name: Name,
        asker: Asker,
        trail: Trail,
        held: AbstractContextManager[object] | None = None,
    ) -> Content:
        """See `Lookup`."""

    def at_once(self, name: Name, asker: Asker, trail: Trail) -> Content | None:
        """See `Lookup`."""


class Lookup:
    """Finds files. Waits as long as the lookup's budget, and never changes what it finds."""

    def __init__(
        self,
        configuration: Configuration,
        storage: Storage,
        clusters: Clusters,
        counters: Counters,
    ) -> None:
        self.knowledge = clusters.knowledge
        self.fetches = clusters.fetches
        self.unused = clusters.unused
        self._loops = clusters.loops
        self._comparisons = clusters.comparisons
        self._tell = clusters.learned
        self._storage = storage
        self._counters = counters
        self.configure(configuration)

    @property
    def via(self) -> str:
        """See `Opener`."""
        return self.fetches.clients.via

    def configure(self, configuration: Configuration) -> None:
        """Go by another configuration from the next request on."""
        self.configuration = configuration
        self._clusters = {cluster.name: cluster for cluster in configuration.clusters if cluster.enabled}
        self._sources = loop.sources(configuration.clusters)
        self._order: tuple[str, ...] = ()
        self._unused: frozenset[str] = frozenset()
        self._nothing = Local(configuration.local.name)  # what the store says of most names
        self._ordered = 0.0  # when that was looked up

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
        trail.kind, trail.device = name.kind.value, name.device
        if name.probe:
            self._probed(name, asker, trail, held or nullcontext())
        local, opened = self._local(name)
        content: Content | None = None
        try:
            situation = self._situation(name, asker, trail, local)
            content = self._find(situation, trail, held or nullcontext(), opened)
        finally:
            if opened is not None and not isinstance(content, LocalContent):
                opened.file.close()
        trail.source, trail.address = content.source, content.address
        return content

    def explain(self, raw: bytes, asker: Asker, trail: Trail) -> str:
        """What would be done for a request, without asking any cluster; the end of it in words."""
        try:
            name = read(raw)
        except BadName as fault:
            return f"refused: {fault}"
        device = f" of {name.device}" if name.device else ""
        self._say(trail, f"{name.path}: a {name.kind.value} file{device}")
        local, opened = self._local(name)
        if opened is not None:
            opened.file.close()
        situation = self._situation(name, asker, trail, local)
        self._say_unused(trail)
        if local.fault:
            self._say(trail, f"{local.name} cannot be read: {local.fault}")
        decision = decide(situation, {}, 0)
        for reason in decision.reasons:
            self._say(trail, reason)
        if not isinstance(decision.verdict, Wait):
            return _ending(decision)
        for cluster in dict.fromkeys(ask.cluster for ask in decision.asks):
            wanted = ", ".join(ask.asked for ask in decision.asks if ask.cluster == cluster)
            self._say(trail, f"{cluster} would be asked for {wanted}")
        for said, words in ((Found, "has"), (Missing, "does not have"), (Failed, "gives no answer to")):
            self._say(trail, f"if each {words} what it is asked: {_ending(foresee(situation, said))}")
        signed = foresee_signed(situation)
        over_tftp = any(self._clusters[ask.cluster].protocol is not Spoken.HTTP for ask in decision.asks)
        if over_tftp and isinstance(signed.verdict, Take) and signed.verdict.stripped:
            self._say(trail, f"if each speaks TFTP only, and has {name.envelope} alone: {_ending(signed)}")
        return "the clusters' answers decide"

    def at_once(self, name: Name, asker: Asker, trail: Trail) -> Content | None:
        """The file where that takes no waiting; `NoSuchFile` where it is known to be missing.

        None where somebody has to be asked: then nothing has happened yet.
        """
        if name.probe:
            return None
        found: list[Looked] = []
        for path in name.paths:
            known, looked = self._storage.kept(path)
            if not known:
                return None
            found.append(looked)
        local, opened = self._said(name, found)
        situation = self._situation(name, asker, trail, local)
        first = decide(situation, {}, 0)
        ready = Ready(self.fetches, self._clusters, situation) if first.asks else None
        decision = first if ready is None else ready.run(first)
        if decision is None or isinstance(decision.verdict, Unavailable):
            return None
        if isinstance(decision.verdict, Take) and decision.verdict.stripped:
            return None  # its head has to be read, and that may be on disk
        trail.kind, trail.device = name.kind.value, name.device
        content = self._end(situation, decision, trail, opened, ready)
        trail.source, trail.address = content.source, content.address
        return content

    def _find(
        self,
        situation: Situation,
        trail: Trail,
        held: AbstractContextManager[object],
        opened: Opened | None,
    ) -> Content:
        if situation.local.fault:
            self._say(trail, f"{situation.local.name} cannot be read: {situation.local.fault}")
        decision = decide(situation, {}, 0)
        if not decision.asks:
            return self._end(situation, decision, trail, opened, None)
        self._say_unused(trail)
        search = Search(self.fetches, self._clusters, situation, lambda text: self._say(trail, text))
        try:
            with held:
                decision = self._run(search, situation, trail, decision)
            return self._end(situation, decision, trail, opened, search)
        finally:
            self._leave(search, situation, decision)

    def _run(self, search: Search, situation: Situation, trail: Trail, first: Decision) -> Decision:
        try:
            return search.run(first)
        except BaseException:  # the phone asks for something else by now, or has gone
            self.knowledge.given_up(situation, trail.client, time.time(), time.monotonic())
            raise

    def _end(
        self,
        situation: Situation,
        decision: Decision,
        trail: Trail,
        opened: Opened | None,
        search: Search | Ready | None,
    ) -> Content:
        """Remember what the decision tells, and do what it says."""
        if situation.alone and not isinstance(decision.verdict, Take):
            self._counters.looping += 1
        wall, now = time.time(), time.monotonic()
        event = self.knowledge.ended(situation, trail.client, decision, wall, now)
        if event is not None:
            self._tell(event)
        name, home = situation.name, situation.home
        if name.device is not None and home is not None and not situation.confirmed:
            self._comparisons.boots(name.device, home, name.configurations, wall)
        if not isinstance(search, Search):
            for reason in decision.reasons:
                trail.add(now, reason)
        match decision.verdict:
            case Take(place, None) if place == situation.local.name:
                assert opened is not None
                if opened.file.name != name.path:
                    self._say(trail, f"served as {opened.file.name}")
                return LocalContent(self._storage, place, opened)
            case Take(place, None):
                assert search is not None
                fetch = search.taken(decision.verdict)
                assert isinstance(fetch.answer, Found)
                content = RemoteContent(self.fetches, fetch, fetch.answer)
                return self._inside(content, name, trail) if decision.verdict.stripped else content
            case Take(place, age):
                assert age is not None
                return self._stale(place, age, name, trail)
            case NotFound():
                raise NoSuchFile
            case Unavailable(silent, why):
                raise NotKnown(why or f"no answer to go by from {', '.join(silent)}")
            case Wait():
                raise AssertionError("a search ends with a decision")

    def _inside(self, content: RemoteContent, name: Name, trail: Trail) -> Content:
        """What is in the signed file of a cluster, whose head is waited for. Takes over the content."""
        budget, ready = self.configuration.lookup.budget, False
        try:
            with gevent.Timeout(budget, NotKnown(f"{content.source} has not sent its head in {budget:g} s")):
                content.skip(content_start(content.read))
            ready = True
            return content
        except NoEnvelope as fault:
            self._say(trail, unfit(content.source, name, str(fault)))
            raise NoSuchFile from None
        except Broken as fault:
            raise NotKnown(f"{content.source}: {fault}") from None
        finally:
            if not ready:
                content.close()

    def _stale(self, place: str, age: float, name: Name, trail: Trail) -> Content:
        cluster = self._clusters.get(place)  # gone, where the configuration was read again meanwhile
        fetch = None if cluster is None else self.fetches.stale(cluster, name.asked)
        if fetch is None or not isinstance(fetch.answer, Found):
            raise NotKnown(f"{place} is silent, and its copy cannot be read")
        self._say(trail, f"{place} is silent: its copy of {age:.0f} s ago is served")
        trail.stale_s = round(age)
        self._counters.stale += 1
        return RemoteContent(self.fetches, fetch, fetch.answer)

    def _leave(self, search: Search, situation: Situation, decision: Decision) -> None:
        """Let go of what was asked; but who else has a device's configuration is waited for."""
        device, learned = situation.name.device, decision.learned
        if device is None or learned is None or not learned.searched or search.complete:
            search.close()
        else:
            gevent.spawn(self._complete, search, device, learned.place)

    def _complete(self, search: Search, device: str, place: str | None) -> None:
        with search:
            holders = search.holders(self.configuration.lookup.budget)
        others = tuple(name for name in holders if name != place)
        home = self.knowledge.homes.of(device, time.time())
        if home is not None and home.place == place and others and home.duplicates != others:
            self.knowledge.homes.learn(device, replace(home, duplicates=others))
            self._tell(Event("device in several clusters", device, home.place, others))

    def _probed(
        self, name: Name, asker: Asker, trail: Trail, held: AbstractContextManager[object]
    ) -> NoReturn:
        """A name that a box has made up to see whether it comes round: passed on once, never found."""
        arrival = self._loops.arrived(name.path, trail.transport, asker.client, asker.via)
        self._say(trail, f"a probe for loops: {arrival.value}")
        if arrival is Arrival.FORWARD:
            with held:
                self._loops.forward(name.asked, self.configuration.lookup.budget)
        raise NoSuchFile

    def _local(self, name: Name) -> tuple[Local, Opened | None]:
        """What the store says of the file, and of the configuration of its device."""
        try:
            found = self._storage.look(name.paths)
        except StoreUnavailable as fault:
            return Local(self.configuration.local.name, fault=str(fault)), None
        local, served = self._said(name, found)
        for other in found:
            if isinstance(other, Opened) and other is not served:
                other.file.close()
        return local, served

    def _said(self, name: Name, found: list[Looked]) -> tuple[Local, Opened | None]:
        """What there is of the paths of a name, in words of the decision; and what is to be served if it
        is the store's.
        """
        if found == [None]:
            return self._nothing, None
        file, *forms = found
        own = forms.pop() if name.own_list else None
        if name.is_configuration:
            forms = found
        local = Local(
            self.configuration.local.name,
            isinstance(file, Opened),
            bool(forms) and any(isinstance(form, Opened) for form in forms),
            "",
            isinstance(file, Opened) and file.stripped,
            file.why if isinstance(file, Unfit) else "",
            isinstance(own, Opened),
        )
        if isinstance(file, Opened):
            return local, file
        return local, own if isinstance(own, Opened) else None

    def _situation(self, name: Name, asker: Asker, trail: Trail, local: Local) -> Situation:
        alone = ""
        if asker.via and loop.has_passed(asker.via):
            alone = "it has been through an appliance already"
        elif self._sources and asker.client in self._sources:
            alone = "it comes from a cluster"
        now = time.monotonic()
        if now >= self._ordered + ORDER_HOLDS:
            self._ordered = now
            self._unused = frozenset(each for each, cluster in self._clusters.items() if self.unused(cluster))
            self._order = tuple(each for each in self._clusters if each not in self._unused)
        return self.knowledge.situation(
            name, asker.client, trail.client, local, self._order, self._unused, alone, time.time(), now
        )

    def _say_unused(self, trail: Trail) -> None:
        for name, cluster in self._clusters.items():
            why = self.unused(cluster)
            if why:
                self._say(trail, f"{name}: out of use: {why}")

    def _say(self, trail: Trail, text: str) -> None:
        trail.add(time.monotonic(), text)


def _ending(decision: Decision) -> str:
    match decision.verdict:
        case Take(place, None, stripped):
            return f"served from {place}{f', {STRIPPED}' if stripped else ''}"
        case Take(place, age):
            return f"the copy of {place} is served, {age:.0f} s old"
        case NotFound():
            return "not found"
        case Unavailable(silent, why):
            return f"unavailable: {why}" if why else f"unavailable: no answer from {', '.join(silent)}"
        case Wait():
            return "a search over the clusters"
