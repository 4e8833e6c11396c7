"""What the proxy's Unix socket answers: the verbs of `appliance status`, `find`, `explain` and `forget`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

import gevent

import appliance
from appliance.cluster.body import Broken
from appliance.cluster.decision import Found, Missing
from appliance.cluster.fetch import Fetch
from appliance.cluster.names import BadName, Fault, Name, read
from appliance.cluster.search import describe
from appliance.config.model import Cluster, IPAddress
from appliance.control.protocol import VerbError, Whose
from appliance.control.server import Verb
from appliance.report.findings import Explanation, Finding, Findings, Forgotten
from appliance.report.record import KEPT, Record, Trail, stamp
from appliance.report.status import AddressHealth, ClusterHealth, Held, Status, Store
from appliance.report.text import printable
from appliance.serve.lookup import Asker
from appliance.serve.proxy import Proxy
from appliance.store.folder import StoreUnavailable

T = TypeVar("T")


class Verbs:
    """The verbs, over one proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def table(self) -> Mapping[str, Verb]:
        """Verb to what answers it."""
        return {
            "status": self.status,
            "explain": self.explain,
            "records": self.records,
            "find": self.find,
            "forget": self.forget,
        }

    def status(self, args: dict[str, Any]) -> Status:
        """The proxy as it is now. No arguments."""
        proxy = self._proxy
        _arguments(args)
        return Status(
            version=appliance.__version__,
            time=stamp(time.time()),
            uptime_s=round(time.monotonic() - proxy.started, 1),
            configuration=str(proxy.origin),
            listeners=tuple(proxy.listeners),
            store=self._store(),
            clusters=tuple(self._cluster(cluster) for cluster in proxy.configuration.clusters),
            held=Held(
                transfers=len(proxy.transfers),
                transfers_max=proxy.configuration.tftp.transfers_max,
                http_connections=len(proxy.connections),
                fetches=len(proxy.fetches),
                negative_entries=len(proxy.lookup.negatives),
                memory_bytes=proxy.room.memory_used,
                memory_max_bytes=proxy.room.memory,
                disk_bytes=proxy.room.disk_used,
                disk_max_bytes=proxy.room.disk,
            ),
            counters=proxy.counters,
        )

    def explain(self, args: dict[str, Any]) -> Explanation:
        """What would be done for a request of `name` by `client` (0.0.0.0 where that does not matter)."""
        name, client = _arguments(args, name=str, client=str)
        raw = _raw(name)
        trail = Trail(client or "anybody", "none", raw, time.time(), time.monotonic())
        asker = Asker(_address(client) if client else ip_address("0.0.0.0"))
        allow = self._proxy.configuration.tftp.allow
        if client and allow and not any(asker.client in network for network in allow):
            trail.add(time.monotonic(), f"{client} is not of an allowed network ([tftp] allow)")
            return Explanation(printable(name), client, trail.steps, "refused")
        result = self._proxy.lookup.explain(raw, asker, trail)
        return Explanation(printable(name), client, trail.steps, result)

    def records(self, args: dict[str, Any]) -> Iterator[Record]:
        """The `last` requests, of `client` and of the name or device `name` where these are not empty."""
        last, name, client = _arguments(args, last=int, name=str, client=str)
        if not 1 <= last <= KEPT:
            raise VerbError(Whose.PEER, f"between 1 and {KEPT} requests can be told of", "last")
        who = str(_address(client)) if client else None
        return self._proxy.records.last(last, who, name or None)

    def find(self, args: dict[str, Any]) -> Findings:
        """Who has the file `name`: the store and every cluster are asked, past all that is remembered.

        A device's name stands for its configuration.
        """
        (text,) = _arguments(args, name=str)
        name = _name(text)
        if name.device is None and "." not in text:
            name = _name(f"{text}.cnf.xml")
        clusters = [cluster for cluster in self._proxy.configuration.clusters if cluster.enabled]
        budget = self._proxy.configuration.lookup.budget
        asked = [(cluster, self._proxy.fetches.start(cluster, name.asked)) for cluster in clusters]
        try:
            gevent.wait([fetch.answered for _, fetch in asked], timeout=budget)
            found = [self._found(cluster, fetch, budget) for cluster, fetch in asked]
        finally:
            for _, fetch in asked:
                self._proxy.fetches.leave(fetch)
        return Findings(printable(name.path), name.kind.value, name.device, (self._in_store(name), *found))

    def forget(self, args: dict[str, Any]) -> Forgotten:
        """Drop what is remembered of a name or device, or everything where `name` is empty."""
        (text,) = _arguments(args, name=str)

        def concerned(asked: str) -> bool:
            if not text:
                return True
            name = _name(asked)
            return text.lower() in (name.path.lower(), asked.lower(), (name.device or "").lower())

        return Forgotten(
            negative_entries=self._proxy.lookup.negatives.forget(concerned),
            fetches=self._proxy.fetches.forget(concerned),
        )

    def _store(self) -> Store:
        local = self._proxy.configuration.local
        try:
            self._proxy.storage.check()
        except StoreUnavailable as fault:
            return Store(local.name, str(local.root), printable(str(fault)))
        return Store(local.name, str(local.root), "")

    def _cluster(self, cluster: Cluster) -> ClusterHealth:
        addresses = []
        for address in cluster.addresses:
            health = self._proxy.clients.health(cluster, address)
            addresses.append(
                AddressHealth(
                    address=str(address),
                    answering=health.answering,
                    latency_ms=health.latency_ms,
                    answers=health.answers,
                    failures=health.failures,
                    last_failure=health.why,
                    out_of_use=health.out_of_use,
                )
            )
        text, protocol = printable(cluster.description), cluster.protocol.value
        return ClusterHealth(cluster.name, text, cluster.enabled, protocol, tuple(addresses))

    def _in_store(self, name: Name) -> Finding:
        started = time.monotonic()
        store = self._proxy.configuration.local.name
        try:
            opened = self._proxy.storage.open(name.path)
        except StoreUnavailable as fault:
            return Finding(store, None, None, None, _ms(started), printable(str(fault)))
        if opened is None:
            return Finding(store, False, None, None, _ms(started), "does not have it")
        opened[0].close()
        return Finding(
            store, True, opened[0].size, None, _ms(started), f"has it as {printable(opened[0].name)}"
        )

    def _found(self, cluster: Cluster, fetch: Fetch, budget: float) -> Finding:
        took = None if fetch.took is None else round(fetch.took * 1000, 1)
        if fetch.answer is None:
            return Finding(cluster.name, None, None, None, took, f"no answer within {budget:g} s")
        text = printable(describe(fetch.answer))
        match fetch.answer:
            case Found(size, address, _):
                if size is None:
                    size = self._measure(fetch, budget)
                return Finding(cluster.name, True, size, address, took, text)
            case Missing(address, _):
                return Finding(cluster.name, False, None, address, took, text)
        return Finding(cluster.name, None, None, None, took, text)

    def _measure(self, fetch: Fetch, budget: float) -> int | None:
        """The size of a file whose cluster does not tell it."""
        try:
            with gevent.Timeout(budget):
                fetch.body.wait_whole()
        except (Broken, gevent.Timeout):
            return None
        return fetch.body.length


def _arguments(args: dict[str, Any], **wanted: type) -> list[Any]:
    """The arguments in the order of `wanted`, an empty value for one that is absent."""
    if unknown := sorted(set(args) - set(wanted)):
        raise VerbError(Whose.PEER, f"unknown argument: {printable(unknown[0])}", "args")
    for key, kind in wanted.items():
        if key in args and type(args[key]) is not kind:
            raise VerbError(Whose.PEER, f"must be a {kind.__name__}", key)
    return [args.get(key, kind()) for key, kind in wanted.items()]


def _address(text: str) -> IPAddress:
    try:
        return ip_address(text)
    except ValueError:
        raise VerbError(Whose.PEER, f"{printable(text)} is no IPv4 or IPv6 address", "client") from None


def _name(text: str) -> Name:
    try:
        return read(_raw(text))
    except BadName as fault:
        raise VerbError(Whose.PEER, str(fault), "name") from None


def _raw(text: str) -> bytes:
    """The bytes of a name; those that are no UTF-8 come as Python's surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise VerbError(Whose.PEER, Fault.NOT_PRINTABLE.value, "name") from None


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
