"""Every place asked for a file, past all that is remembered: for `find` and `move`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import gevent

from appliance.cluster import loop
from appliance.cluster.answer import Found, Missing
from appliance.cluster.body import Broken
from appliance.cluster.device import STRIPPED
from appliance.cluster.fetch import Fetch, Fetches
from appliance.cluster.homes import Home
from appliance.cluster.move import plan
from appliance.cluster.names import Name, read
from appliance.cluster.search import describe
from appliance.cluster.situation import State
from appliance.config.model import Cluster
from appliance.report.findings import Finding, Findings, Moved
from appliance.report.text import printable
from appliance.serve.acceptance import Acceptance, judge
from appliance.serve.lookup import Lookup
from appliance.serve.storage import Opened, Storage, Unfit
from appliance.store.folder import StoreUnavailable
from appliance.trust.trustlist import SIZE_MAX

STATES = {True: State.YES, False: State.NO, None: State.SILENT}


class Survey:
    """Asks for the administrator: shares nothing with what phones ask, and changes nothing by asking."""

    def __init__(self, lookup: Lookup, storage: Storage) -> None:
        self._lookup = lookup
        self._storage = storage
        self._fetches: Fetches = lookup.fetches

    def find(self, name: Name) -> Findings:
        """What each place says of one name, the local store first."""
        home = None
        if name.device is not None:
            home = self._lookup.knowledge.homes.of(name.device, time.time())
        places = (self._in_store(name), *self._in_clusters([name])[0])
        return Findings(
            name=printable(name.path),
            kind=name.kind.value,
            device=name.device,
            home=None if home is None else home.place,
            places=places,
        )

    def move(self, device: str, name: Name, to: str) -> Moved:
        """Make `to` the home where it has the device's configuration; what is left to do at any rate."""
        forms = [read(form.encode()) for form in name.configurations]
        wall = time.time()
        before = self._lookup.knowledge.homes.of(device, wall)
        asked = self._in_clusters(forms)
        told = [(self._in_store(form), *answers) for form, answers in zip(forms, asked, strict=True)]
        places = tuple(_best(answers) for answers in zip(*told, strict=True))
        states = {each.place: STATES[each.has_it] for each in places}
        move = plan(device, to, [each.place for each in places], states)
        if move.ready:
            others = tuple(place for place, said in states.items() if said is State.YES and place != to)
            home = Home(to, wall, wall, duplicates=others, by_hand=True)
            # Within one boot all files come from one home: one that boots now ends its boot first.
            confirmed = self._lookup.knowledge.homes.confirmed(device, time.monotonic())
            if before is not None and before.place != to and confirmed:
                home = replace(before, following=to, by_hand=True)
            self._lookup.knowledge.homes.learn(device, home)
        acceptance = self._acceptance(device, _old(before, to, states), to)
        left = (*map(printable, move.left), *_unaccepted(acceptance, to))
        return Moved(
            device=device,
            to=to,
            home_before=None if before is None else before.place,
            places=places,
            signer=acceptance.signer,
            signer_accepted=acceptance.accepted,
            done=move.ready and not left,
            left=left,
        )

    def _acceptance(self, device: str, old: str | None, to: str) -> Acceptance:
        """Whether the phone takes what its new cluster signs, where both clusters say enough."""
        clusters = {each.name: each for each in self._lookup.configuration.clusters if each.enabled}
        if old not in clusters or to not in clusters or not device.startswith("SEP"):
            return Acceptance()
        wanted = [(to, f"{device}.cnf.xml.sgn"), (old, f"CTL{device}.tlv"), (old, f"ITL{device}.tlv")]
        budget = self._lookup.configuration.lookup.budget
        asked = [self._fetches.start(clusters[place], name) for place, name in wanted]
        try:
            gevent.wait([fetch.answered for fetch in asked], timeout=budget)
            signed, *lists = [_bytes(fetch, budget) for fetch in asked]
            return judge(signed, lists)
        finally:
            for fetch in asked:
                self._fetches.leave(fetch)

    def _in_clusters(self, names: list[Name]) -> list[tuple[Finding, ...]]:
        """For each name what each cluster says, in configured order; all are asked at once."""
        clusters = [each for each in self._lookup.configuration.clusters if each.enabled]
        budget = self._lookup.configuration.lookup.budget
        asked = [[(each, self._fetches.start(each, name.asked)) for each in clusters] for name in names]
        everything = [fetch for row in asked for _, fetch in row]
        try:
            gevent.wait([fetch.answered for fetch in everything], timeout=budget)
            return [tuple(self._found(cluster, fetch, budget) for cluster, fetch in row) for row in asked]
        finally:
            for fetch in everything:
                self._fetches.leave(fetch)

    def _in_store(self, name: Name) -> Finding:
        started = time.monotonic()
        store = self._lookup.configuration.local.name
        try:
            looked = self._storage.open(name.path)
        except StoreUnavailable as fault:
            return Finding(store, None, None, None, _ms(started), printable(str(fault)))
        if not isinstance(looked, Opened):
            why = printable(f": {looked.why}") if isinstance(looked, Unfit) else ""
            return Finding(store, False, None, None, _ms(started), f"does not have it{why}")
        looked.file.close()
        how = f", {STRIPPED}" if looked.stripped else ""
        text = f"has it as {printable(looked.file.name)}{how}"
        return Finding(store, True, looked.file.size, None, _ms(started), text)

    def _found(self, cluster: Cluster, fetch: Fetch, budget: float) -> Finding:
        took = None if fetch.took is None else round(fetch.took * 1000, 1)
        if fetch.answer is None:
            return Finding(cluster.name, None, None, None, took, f"no answer within {budget:g} s")
        text = printable(describe(fetch.answer))
        match fetch.answer:
            case Found():
                size = fetch.answer.size
                if size is None:
                    size = _measure(fetch, budget)
                proxy = _proxy(fetch.answer)
                return Finding(cluster.name, True, size, fetch.answer.address, took, text, proxy)
            case Missing(address):
                return Finding(cluster.name, False, None, address, took, text, _proxy(fetch.answer))
        return Finding(cluster.name, None, None, None, took, text)


def _best(answers: tuple[Finding, ...]) -> Finding:
    """Of what one place said of several names: that it has one, else that it did not say."""
    return min(answers, key=lambda each: (each.has_it is not True, each.has_it is not None))


def _old(before: Home | None, to: str, states: Mapping[str, State]) -> str | None:
    """Whose trust lists the phone has: those of its home, else of another place that has the phone."""
    if before is not None and before.place != to:
        return before.place
    return next((place for place, said in states.items() if said is State.YES and place != to), None)


def _unaccepted(acceptance: Acceptance, to: str) -> list[str]:
    if acceptance.accepted is not False:
        return []
    return [
        f"the phone's trust lists do not name {acceptance.signer}, who signs for {to}: have its present "
        "cluster's TVS vouch for it (Phone-SAST-trust), or erase the lists on the phone"
    ]


def _bytes(fetch: Fetch, budget: float) -> bytes | None:
    """All of a file, as far as it can be a trust list or has a signer; empty where there is none, None where
    that is not known.
    """
    match fetch.answer:
        case Missing():
            return b""
        case Found():
            return fetch.body.read(0, SIZE_MAX + 1) if _measure(fetch, budget) is not None else None
    return None


def _proxy(answer: Found | Missing) -> str | None:
    """The last appliance that an answer came through, which is the one that was asked."""
    return next(reversed(loop.boxes(answer.via)), None)


def _measure(fetch: Fetch, budget: float) -> int | None:
    """The size of a file whose cluster does not tell it."""
    try:
        with gevent.Timeout(budget):
            fetch.body.wait_whole()
    except (Broken, gevent.Timeout):
        return None
    return fetch.body.length


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
