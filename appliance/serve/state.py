"""The proxy as it is now: what `appliance status` tells."""

from __future__ import annotations

import time

import appliance
from appliance.cluster.breaker import Breaker
from appliance.config.model import Cluster, Protocol
from appliance.report.record import stamp
from appliance.report.status import (
    AddressHealth,
    ClusterHealth,
    Copies,
    Devices,
    Duplicate,
    Held,
    ProtocolHealth,
    Status,
    Store,
    Worker,
)
from appliance.report.text import printable
from appliance.serve.proxy import Proxy
from appliance.store.folder import StoreUnavailable

DUPLICATES_MAX = 20  # devices that are told by name


def status(proxy: Proxy) -> Status:
    """Everything at once; the store is looked at, no cluster is asked."""
    workers = proxy.told()
    return Status(
        version=appliance.__version__,
        time=stamp(time.time()),
        uptime_s=round(time.monotonic() - proxy.started, 1),
        configuration=str(proxy.origin),
        listeners=proxy.listeners.rows,
        workers=workers,
        store=_store(proxy),
        clusters=tuple(_cluster(proxy, cluster) for cluster in proxy.configuration.clusters),
        devices=_devices(proxy),
        copies=_copies(proxy),
        held=_held(proxy, workers),
        counters=proxy.counters,
    )


def _store(proxy: Proxy) -> Store:
    local = proxy.configuration.local
    try:
        proxy.storage.check()
    except StoreUnavailable as fault:
        return Store(local.name, str(local.root), printable(str(fault)))
    return Store(local.name, str(local.root), "")


def _cluster(proxy: Proxy, cluster: Cluster) -> ClusterHealth:
    now = time.monotonic()
    addresses = []
    for address in cluster.addresses:
        health = proxy.clusters.clients.health(cluster, address)
        addresses.append(
            AddressHealth(
                address=str(address),
                answering=health.answering,
                latency_ms=health.latency_ms,
                answers=health.answers,
                failures=health.failures,
                last_failure=printable(health.why),
                out_of_use=proxy.clusters.out_of_use(cluster, address),
                protocols=tuple(_protocol(each, breaker, now) for each, breaker in health.breakers.items()),
            )
        )
    inventory = proxy.clusters.inventories.inventory
    return ClusterHealth(
        name=cluster.name,
        description=printable(cluster.description),
        enabled=cluster.enabled,
        protocol=cluster.protocol.value,
        out_of_use=proxy.lookup.unused(cluster) if cluster.enabled else "",
        inventory_devices=inventory.count(cluster.name) if cluster.inventory else None,
        addresses=tuple(addresses),
    )


def _protocol(protocol: Protocol, breaker: Breaker, now: float) -> ProtocolHealth:
    since = None if breaker.since is None else round(now - breaker.since, 1)
    return ProtocolHealth(
        protocol.value, breaker.state.value, since, breaker.latency_ms, printable(breaker.why)
    )


def _devices(proxy: Proxy) -> Devices:
    homes = proxy.clusters.homes
    doubled = homes.doubled()
    wall = time.time()
    told = []
    for device in doubled[:DUPLICATES_MAX]:
        home = homes.of(device, wall)
        if home is not None:
            told.append(Duplicate(printable(device), home.place, home.duplicates))
    return Devices(len(homes), len(doubled), tuple(told), printable(proxy.clusters.homes_fault))


def _copies(proxy: Proxy) -> Copies:
    usage = proxy.clusters.kept.usage()
    return Copies(
        entries=usage.entries,
        disk_bytes=usage.disk_bytes,
        memory_bytes=usage.memory_bytes,
        served=usage.served,
        written=usage.written,
        damaged=usage.damaged,
        fault=printable(usage.fault),
    )


def _held(proxy: Proxy, workers: tuple[Worker, ...]) -> Held:
    transfers, connections = proxy.held(workers)
    return Held(
        transfers=transfers,
        transfers_max=proxy.configuration.tftp.transfers_max,
        http_connections=connections,
        fetches=len(proxy.clusters.fetches),
        negative_entries=len(proxy.lookup.knowledge.negatives),
        memory_bytes=proxy.clusters.room.memory_used,
        memory_max_bytes=proxy.clusters.room.memory,
        disk_bytes=proxy.clusters.room.disk_used,
        disk_max_bytes=proxy.clusters.room.disk,
    )
