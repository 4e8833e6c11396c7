"""The shapes of `appliance network`: what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddressShown:
    """An address with the length of its prefix. `origin`: configuration, dhcp, router, kernel or foreign."""

    address: str
    origin: str
    tentative: bool


@dataclass(frozen=True, slots=True)
class RouteShown:
    """A route; without `via` the network is on the link. `origin` as of an address."""

    network: str
    via: str | None
    interface: str
    metric: int
    origin: str


@dataclass(frozen=True, slots=True)
class LeaseShown:
    """What a DHCP server gave in one family; `left_s` of None: for ever."""

    family: str
    addresses: tuple[str, ...]
    dns: tuple[str, ...]
    ntp: tuple[str, ...]
    left_s: float | None


@dataclass(frozen=True, slots=True)
class StaticShown:
    """The settings that would keep what an interface has now: of its section, and `dns` of [system]."""

    address: tuple[str, ...]
    gateway: str | None
    address6: tuple[str, ...]
    gateway6: str | None
    dns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InterfaceShown:
    """An interface; `managed` where the configuration names it, `there` where the machine has it."""

    name: str
    managed: bool
    there: bool
    kind: str
    up: bool
    carrier: bool
    mtu_bytes: int
    addresses: tuple[AddressShown, ...]
    leases: tuple[LeaseShown, ...]
    as_static: StaticShown | None


@dataclass(frozen=True, slots=True)
class NetworkShown:
    """Interfaces and routes as they are, and the changes to what they ought to be."""

    interfaces: tuple[InterfaceShown, ...]
    routes: tuple[RouteShown, ...]
    name_servers: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkChanges:
    """Changes that would be made, or were; `refused` are those that the kernel did not make."""

    changes: tuple[str, ...]
    refused: tuple[str, ...] = ()
