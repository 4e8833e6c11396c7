"""The configuration as frozen values. `load` makes them from a file; nothing else does.

Units: seconds for times, bytes for sizes. What each key means to an administrator stands
beside it in `configspec.ini`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

ADDRESSES_MAX = 3
"""Addresses of one cluster, at most (overview: "up to 3 TFTP IP addresses")."""

_VLAN = re.compile(r"([^.]+)\.([1-9][0-9]{0,3})")


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


class IPv4Mode(StrEnum):
    """Where the IPv4 addresses of an interface come from."""

    DHCP = "dhcp"
    STATIC = "static"
    OFF = "off"


class IPv6Mode(StrEnum):
    """Where the IPv6 addresses of an interface come from. `AUTO` is SLAAC (RFC 4862)."""

    AUTO = "auto"
    DHCP = "dhcp"
    STATIC = "static"
    OFF = "off"


class Unavailable(StrEnum):
    """What a phone is told when nobody can say whether its file exists."""

    ERROR = "error"
    SILENCE = "silence"


class TrustMode(StrEnum):
    """Which trust lists the phones of the local store are given, and what is in them."""

    NONSECURE = "nonsecure"
    MIXED = "mixed"
    ROLLBACK = "rollback"


class SignatureHash(StrEnum):
    """The hash with which files of the local store are signed."""

    SHA1 = "sha1"
    SHA512 = "sha512"


@dataclass(frozen=True, slots=True)
class System:
    """The box itself. `ntp` are addresses and host names; `syslog` is a URL, or "" for nowhere;
    `serial_speed` is in bits per second.
    """

    hostname: str
    timezone: str
    dns: tuple[IPAddress, ...]
    ntp: tuple[str, ...]
    syslog: str
    serial_speed: int


@dataclass(frozen=True, slots=True)
class Route:
    """A network that is reached by a router on the link."""

    network: IPNetwork
    via: IPAddress


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface that the box sets up. Addresses and gateways are those of the static modes: with other
    modes they are empty and None. `mtu` is in bytes; None leaves it as it is.
    """

    name: str
    ipv4: IPv4Mode
    address: tuple[IPv4Interface, ...]
    gateway: IPv4Address | None
    ipv6: IPv6Mode
    address6: tuple[IPv6Interface, ...]
    gateway6: IPv6Address | None
    mtu: int | None
    routes: tuple[Route, ...]

    @property
    def parent(self) -> str | None:
        """The interface below a VLAN; None where this is no VLAN."""
        match = _VLAN.fullmatch(self.name)
        return match[1] if match else None

    @property
    def vlan(self) -> int | None:
        """The VLAN's id (IEEE 802.1Q); None where this is no VLAN."""
        match = _VLAN.fullmatch(self.name)
        return int(match[2]) if match else None


@dataclass(frozen=True, slots=True)
class Paths:
    """`data` outlives a restart; `run` holds the sockets of the running daemons."""

    data: Path
    run: Path


@dataclass(frozen=True, slots=True)
class Tftp:
    """The listeners for phones, on these interfaces alone where any are named. A port of 0 switches that
    listener off.
    """

    listen: tuple[IPAddress, ...]
    interfaces: tuple[str, ...]
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
class Trust:
    """Trust lists and signatures that this box makes."""

    mode: TrustMode
    hash: SignatureHash


@dataclass(frozen=True, slots=True)
class Ssh:
    """Who can log in over SSH. Empty `allow` is everybody; `until` is in UTC, None is without end."""

    enabled: bool
    allow: tuple[IPNetwork, ...]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """One whole configuration. `clusters` keeps the order of the file: the order of asking.

    `interfaces` are the sections of [network], in the order of the file; none at all is a box whose network
    somebody else sets up.

    `networks` are pairs of a network and the name of a cluster or of the local store, the smallest
    networks first (see `networks.py`).
    """

    version: int
    system: System
    paths: Paths
    interfaces: tuple[Interface, ...]
    tftp: Tftp
    local: Local
    clusters: tuple[Cluster, ...]
    lookup: Lookup
    networks: tuple[tuple[IPNetwork, str], ...]
    autoregistration: Autoregistration
    cache: Cache
    ssh: Ssh
    trust: Trust
