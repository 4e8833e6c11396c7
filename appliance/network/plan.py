"""From what there is to what there ought to be: the changes between the two, in an order that works.

What is right already is never touched, and of what others made nothing is. An interface keeps an address
while it gets another one; an address goes first only where the new one could not be set beside it. A plan
that was carried out is empty when it is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from appliance.network.change import (
    AddAddress,
    AddRoute,
    Change,
    CreateVlan,
    LinkUp,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    ReplaceRoute,
    Set,
    SetMtu,
)
from appliance.network.state import ADDRESS_BY_RA, OURS, ROUTE_BY_RA, Family, Held, State, Way
from appliance.network.wanted import Wanted


def plan(present: State, wanted: Wanted) -> tuple[Change, ...]:
    """The changes, in the order in which they are to be made."""
    changes: list[Change] = []
    state = present
    for stage in _STAGES:
        for change in stage(state, wanted):
            state = change.after(state)
            changes.append(change)
    return tuple(changes)


def foreign(present: State, wanted: Wanted) -> State:
    """Links that this box does not manage, and addresses and routes that others made: they are left."""
    ports = {port.name for port in wanted.ports}
    return State(
        tuple(link for link in present.links if link.name not in ports and not link.ours),
        tuple(held for held in present.addresses if not _owned_address(held, wanted)),
        tuple(way for way in present.routes if not _owned_route(way, wanted)),
    )


def _created(state: State, wanted: Wanted) -> Iterator[Change]:
    for port in wanted.ports:
        if state.link(port.name) is None and port.parent is not None and port.vlan is not None:
            yield CreateVlan(port.name, port.parent, port.vlan)


def _set(state: State, wanted: Wanted) -> Iterator[Change]:
    for setting in wanted.settings:
        before = state.setting(setting.name)
        if before != setting.value:
            yield Set(setting, before)


def _sized(state: State, wanted: Wanted) -> Iterator[Change]:
    """Parents first: a VLAN cannot have more than its parent."""
    for port in wanted.ports:
        link = state.link(port.name)
        if link is not None and port.mtu is not None and link.mtu != port.mtu:
            change = SetMtu(port.name, port.mtu, link.mtu)
            state = change.after(state)
            yield change


def _up(state: State, wanted: Wanted) -> Iterator[Change]:
    for port in wanted.ports:
        link = state.link(port.name)
        if link is not None and not link.up:
            yield LinkUp(port.name)


def _added_beside(state: State, wanted: Wanted) -> Iterator[Change]:
    """Addresses that nothing in the way keeps from being set."""
    for held in _missing(state, wanted):
        if not any(_in_the_way(other, held) for other in state.addresses):
            yield AddAddress(held)


def _made_way(state: State, wanted: Wanted) -> Iterator[Change]:
    missing = tuple(_missing(state, wanted))
    for other in _unwanted(state, wanted):
        if any(_in_the_way(other, held) for held in missing):
            yield RemoveAddress(other)


def _added(state: State, wanted: Wanted) -> Iterator[Change]:
    for held in _missing(state, wanted):
        yield AddAddress(held)


def _routed(state: State, wanted: Wanted) -> Iterator[Change]:
    """Where a route of somebody else stands, it stays."""
    for way in wanted.routes:
        there = [other for other in state.routes if other.place == way.place]
        ours = [other for other in there if _owned_route(other, wanted)]
        if not there:
            yield AddRoute(way)
        elif len(ours) == len(there) and not any(other.same(way) for other in there):
            yield ReplaceRoute(ours[0], way)


def _unrouted(state: State, wanted: Wanted) -> Iterator[Change]:
    for way in state.routes:
        if _owned_route(way, wanted) and not any(way.same(other) for other in wanted.routes):
            yield RemoveRoute(way)


def _removed(state: State, wanted: Wanted) -> Iterator[Change]:
    for held in _unwanted(state, wanted):
        yield RemoveAddress(held)


def _deleted(state: State, wanted: Wanted) -> Iterator[Change]:
    ports = {port.name for port in wanted.ports}
    for link in state.links:
        if link.ours and link.name not in ports:
            yield RemoveLink(link.name)


_STAGES: tuple[Callable[[State, Wanted], Iterable[Change]], ...] = (
    _created,
    _set,
    _sized,
    _up,
    _added_beside,
    _made_way,
    _added,
    _routed,
    _unrouted,
    _removed,
    _deleted,
    _routed,  # at places that were somebody else's, whose routes went with the last address of an interface
)


def _missing(state: State, wanted: Wanted) -> Iterator[Held]:
    there = {held.key for held in state.addresses}
    foreign_ipv6 = {
        (held.ifname, held.interface.ip)
        for held in state.addresses
        if held.interface.version == 6 and not _owned_address(held, wanted)
    }
    for held in wanted.addresses:
        # The kernel has each IPv6 address of an interface once; somebody else's does as well as ours.
        if held.key not in there and (held.ifname, held.interface.ip) not in foreign_ipv6:
            yield held


def _unwanted(state: State, wanted: Wanted) -> Iterator[Held]:
    right = {held.key for held in wanted.addresses}
    for held in state.addresses:
        if _owned_address(held, wanted) and held.key not in right:
            yield held


def _in_the_way(other: Held, held: Held) -> bool:
    """Whether an address has to go before another can be set: the same one on another interface, where
    both would answer for it, and with IPv6 also on the same one.
    """
    if other.interface.ip != held.interface.ip:
        return False
    return other.ifname != held.ifname or held.interface.version == 6


def _owned_address(held: Held, wanted: Wanted) -> bool:
    """Ours, or from routers on an interface that shall have none of these."""
    by_routers = held.protocol == ADDRESS_BY_RA and _off(held.ifname, "autoconf", wanted)
    return held.protocol == OURS or by_routers


def _owned_route(way: Way, wanted: Wanted) -> bool:
    by_routers = way.protocol == ROUTE_BY_RA and _off(way.ifname, "accept_ra", wanted)
    return way.protocol == OURS or by_routers


def _off(ifname: str, key: str, wanted: Wanted) -> bool:
    name = (ifname, Family.IPV6, key)
    return any(setting.name == name and setting.value == 0 for setting in wanted.settings)
