"""The shape of `appliance status`: what `--json` prints. Times are seconds unless the name says more."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.report.counters import Counters


@dataclass(frozen=True, slots=True)
class Listener:
    """One address and port, and why nothing is heard there where that is so."""

    transport: str
    address: str
    port: int
    listening: bool
    why: str


@dataclass(frozen=True, slots=True)
class AddressHealth:
    """One address of a cluster. `answering` is None before the first request."""

    address: str
    answering: bool | None
    latency_ms: float | None
    answers: int
    failures: int
    last_failure: str
    out_of_use: str


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """One remote cluster."""

    name: str
    description: str
    enabled: bool
    protocol: str
    addresses: tuple[AddressHealth, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """The local store; `fault` says why it cannot be read, empty where it can."""

    name: str
    root: str
    fault: str


@dataclass(frozen=True, slots=True)
class Held:
    """What the proxy holds at the moment."""

    transfers: int
    transfers_max: int
    http_connections: int
    fetches: int
    negative_entries: int
    memory_bytes: int
    memory_max_bytes: int
    disk_bytes: int
    disk_max_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """The proxy as it is now."""

    version: str
    time: str
    uptime_s: float
    configuration: str
    listeners: tuple[Listener, ...]
    store: Store
    clusters: tuple[ClusterHealth, ...]
    held: Held
    counters: Counters
