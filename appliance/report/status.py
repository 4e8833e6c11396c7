"""The shape of `appliance status`: what `--json` prints. Times are seconds unless the name says more."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.report.counters import Counters


@dataclass(frozen=True, slots=True)
class Listener:
    """One address and port, and the interfaces on which it hears. `why` says why it is absent; for an address
    that stands for all, also on which interfaces nothing is heard, and why.
    """

    transport: str
    address: str
    port: int
    listening: bool
    interfaces: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class ProtocolHealth:
    """One protocol of an address. `state` is `never asked`, `closed` (asked as needed) or `open` (known not
    to answer, and only probed); `state_s` is for how long.
    """

    protocol: str
    state: str
    state_s: float | None
    latency_ms: float | None
    last_failure: str


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
    protocols: tuple[ProtocolHealth, ...]


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """One remote cluster. `out_of_use` says why it is not asked, empty where it is; `inventory_devices` is
    None where its inventory is not read.
    """

    name: str
    description: str
    enabled: bool
    protocol: str
    out_of_use: str
    inventory_devices: int | None
    addresses: tuple[AddressHealth, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """The local store; `fault` says why it cannot be read, empty where it can."""

    name: str
    root: str
    fault: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A device whose configuration several places have; `home` is the one that serves it."""

    device: str
    home: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Devices:
    """What is remembered of devices: how many have a home, how many of these stand in several places,
    and the first of them. `fault` says why homes cannot be kept for the next start, empty where they can.
    """

    homes: int
    duplicates_count: int
    duplicates: tuple[Duplicate, ...]
    fault: str


@dataclass(frozen=True, slots=True)
class Copies:
    """Files of clusters that are kept on disk. Counts since the start; `fault` as in `Devices`."""

    entries: int
    disk_bytes: int
    memory_bytes: int
    served: int
    written: int
    damaged: int
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
class Worker:
    """One of several processes that serve phones. `pid` is None while it does not run, and `why` says why it
    does not answer. `requests` and `restarts` are counted since the start, all that had its number together.
    """

    number: int
    pid: int | None
    answering: bool
    transfers: int
    http_connections: int
    requests: int
    restarts: int
    why: str


@dataclass(frozen=True, slots=True)
class Status:
    """The proxy as it is now. `workers` is empty where one process does everything."""

    version: str
    time: str
    uptime_s: float
    configuration: str
    listeners: tuple[Listener, ...]
    workers: tuple[Worker, ...]
    store: Store
    clusters: tuple[ClusterHealth, ...]
    devices: Devices
    copies: Copies
    held: Held
    counters: Counters
