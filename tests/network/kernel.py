"""A kernel that takes changes only where the real one would: what cannot be done fails the test."""

from __future__ import annotations

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
from appliance.network.state import Family, State, Way


def carry_out(state: State, changes: tuple[Change, ...]) -> State:
    """The state after these changes; AssertionError at the first that a kernel refuses."""
    for change in changes:
        refused = _refused(state, change)
        assert not refused, f"{change}: {refused}"
        state = change.after(state)
    return state


def _refused(state: State, change: Change) -> str:
    match change:
        case CreateVlan(ifname, parent, _):
            return "" if state.link(parent) and not state.link(ifname) else "no parent, or there already"
        case RemoveLink(ifname) | LinkUp(ifname):
            return "" if state.link(ifname) else "no such link"
        case SetMtu(ifname, mtu):
            link = state.link(ifname)
            below = state.link(link.parent) if link and link.parent else None
            return "" if link and (below is None or mtu <= below.mtu) else "larger than the parent's"
        case Set(setting):
            return "" if state.link(setting.ifname) else "no such link"
        case AddAddress(held):
            return _refused_address(state, change)
        case RemoveAddress(held):
            return "" if held in state.addresses else "not there"
        case AddRoute(way):
            if any(other.place == way.place for other in state.routes):
                return "there is one already"
            return _refused_route(state, way)
        case ReplaceRoute(before, way):
            return "not there" if before not in state.routes else _refused_route(state, way)
        case RemoveRoute(way):
            return "" if way in state.routes else "not there"


def _refused_address(state: State, change: AddAddress) -> str:
    held = change.held
    if state.link(held.ifname) is None:
        return "no such link"
    on = [other.interface for other in state.addresses if other.ifname == held.ifname]
    if held.interface in on:
        return "there already"
    if held.interface.version == 4:
        return ""
    if state.setting((held.ifname, Family.IPV6, "disable_ipv6")):
        return "IPv6 is off"
    return "there with another prefix" if held.interface.ip in [other.ip for other in on] else ""


def _refused_route(state: State, way: Way) -> str:
    link = state.link(way.ifname)
    if link is None or not link.up:
        return "the link is down"
    if way.network.version == 6 and state.setting((way.ifname, Family.IPV6, "disable_ipv6")):
        return "IPv6 is off"
    if way.via is None or (way.via.version == 6 and way.via.is_link_local):
        return ""
    networks = [held.interface.network for held in state.addresses if held.ifname == way.ifname]
    networks += [other.network for other in state.routes if other.ifname == way.ifname and other.via is None]
    return "" if any(way.via in network for network in networks) else "the next hop is not on the link"
