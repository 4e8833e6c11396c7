"""What there is on this machine: links, addresses, routes of the main table, and settings of interfaces.

What this box set itself is told by a number that the kernel keeps with it: the protocol of an address
(`IFA_PROTO`, Linux 5.18) and of a route (`rtm_protocol`), and the group of a link.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Interface, IPv6Interface

from appliance.config.model import IPAddress, IPNetwork

IPInterface = IPv4Interface | IPv6Interface
"""An address with the length of its prefix."""

OURS = 73
"""Protocol of our addresses and routes, group of our links; free in /etc/iproute2/rt_protos."""

ADDRESS_BY_RA = 2  # IFAPROT_KERNEL_RA: SLAAC (RFC 4862)
ROUTE_BY_RA = 9  # RTPROT_RA


class Family(StrEnum):
    """The two families, by the names of their folders below /proc/sys/net."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


def family(value: IPAddress | IPNetwork | IPInterface) -> Family:
    """The family of an address or network."""
    return Family.IPV6 if value.version == 6 else Family.IPV4


@dataclass(frozen=True, slots=True)
class Link:
    """An interface of the kernel. `kind` is empty for hardware; `carrier` is that of a link that is up.

    `parent` is the interface that it stands on (of a VLAN, a macvlan) where that is in this namespace.
    """

    name: str
    index: int
    kind: str
    up: bool
    carrier: bool
    mtu: int
    parent: str | None = None
    vlan: int | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """An address that an interface holds. `dynamic`: it ends by itself (SLAAC); `tentative`: nobody can
    use it yet (RFC 4862 5.4).
    """

    interface: IPInterface
    ifname: str
    protocol: int = OURS
    tentative: bool = False
    dynamic: bool = False

    @property
    def key(self) -> tuple[str, IPInterface]:
        """What makes it one and the same address."""
        return self.ifname, self.interface


@dataclass(frozen=True, slots=True)
class Way:
    """A route; without `via` the network is on the link itself. The lowest metric is preferred."""

    network: IPNetwork
    via: IPAddress | None
    ifname: str
    metric: int
    protocol: int = OURS

    @property
    def place(self) -> tuple[IPNetwork, int]:
        """Where it stands in the table; the kernel has one route for each."""
        return self.network, self.metric

    def same(self, other: Way) -> bool:
        """Whether packets go the same way, whoever made the two."""
        return (self.place, self.via, self.ifname) == (other.place, other.via, other.ifname)


@dataclass(frozen=True, slots=True)
class Setting:
    """A number below /proc/sys/net/FAMILY/conf/IFNAME."""

    ifname: str
    family: Family
    key: str
    value: int

    @property
    def name(self) -> tuple[str, Family, str]:
        """What is set."""
        return self.ifname, self.family, self.key


@dataclass(frozen=True, slots=True)
class State:
    """All of it at one moment. Order means nothing."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Held, ...] = ()
    routes: tuple[Way, ...] = ()
    settings: tuple[Setting, ...] = ()

    def link(self, name: str) -> Link | None:
        """The link of this name."""
        return next((link for link in self.links if link.name == name), None)

    def setting(self, name: tuple[str, Family, str]) -> int | None:
        """The value of a setting; None where it is not known."""
        return next((each.value for each in self.settings if each.name == name), None)
