"""The configuration as frozen values. `load` makes them from a file; nothing else does.

Units: seconds for times, bytes for sizes. What each key means to an administrator stands
beside it in `configspec.ini`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

ADDRESSES_MAX = 3
"""Addresses of one cluster, at most (overview: "up to 3 TFTP IP addresses")."""


class Protocol(StrEnum):
    """How a cluster is asked for files. `AUTO` is HTTP first and TFTP when that fails."""

    AUTO = "auto"
    HTTP = "http"
    TFTP = "tftp"


class CommonFiles(StrEnum):
    """Who has the common files of a client whose home is a cluster."""

    HOME = "home"
    HOME_LOCAL = "home, local"
    LOCAL = "local"


class Policy(StrEnum):
    """Whose default files a client gets that nobody knows. `CLUSTER` is one cluster for all."""

    NONE = "none"
    NETWORK = "network"
    LOCAL = "local"
    CLUSTER = "cluster"


class Unavailable(StrEnum):
    """What a phone is told when nobody can say whether its file exists."""

    ERROR = "error"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Paths:
    """`data` outlives a restart; `run` holds the sockets of the running daemons."""

    data: Path
    run: Path


@dataclass(frozen=True, slots=True)
class Tftp:
    """The listeners for phones. A port of 0 switches that listener off."""

    listen: tuple[IPAddress, ...]
    port: int
    http_port: int
    allow: tuple[IPNetwork, ...]
    blksize_max: int
    windowsize_max: int
    mtu_clamp: bool
    timeout: float
    retries: int
    dscp: int
    workers: int
    transfers_max: int
    transfers_per_client_max: int


@dataclass(frozen=True, slots=True)
class Local:
    """The store of files that this box itself holds."""

    name: str
    root: Path
    common_files: CommonFiles


@dataclass(frozen=True, slots=True)
class Cluster:
    """A remote cluster. `addresses` stand in the order of preference, one to three of them.

    `stale` of None is that of `Lookup`; `secure` is mixed mode.
    """

    name: str
    addresses: tuple[IPAddress, ...]
    protocol: Protocol
    http_port: int
    tftp_port: int
    enabled: bool
    nat: bool
    description: str
    secure: bool = False
    stale: float | None = None
    inventory: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """How long a search may take, and how long what it found holds.

    `expiry` is the time between comparisons of a home, `negative` that for which "nobody has it" is
    remembered, `stale` that for which the files of a silent cluster serve, with `stale_configs` device
    files as well.
    """

    budget: float
    expiry: float
    negative: float
    stale: float
    stale_configs: bool
    unavailable: Unavailable


@dataclass(frozen=True, slots=True)
class Autoregistration:
    """`cluster` is set where the policy is `CLUSTER`, and there alone."""

    policy: Policy
    cluster: str | None


@dataclass(frozen=True, slots=True)
class Cache:
    """Bounds for the bodies on their way through the box: on disk, and in memory."""

    size: int
    memory: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """One whole configuration. `clusters` keeps the order of the file: the order of asking.

    `networks` are pairs of a network and the name of a cluster or of the local store, the smallest
    networks first (see `networks.py`).
    """

    version: int
    paths: Paths
    tftp: Tftp
    local: Local
    clusters: tuple[Cluster, ...]
    lookup: Lookup
    networks: tuple[tuple[IPNetwork, str], ...]
    autoregistration: Autoregistration
    cache: Cache
