"""The changes that there are, each with a line for people and with what it makes of a state.

`after` knows what the kernel does besides: an interface without its last IPv4 address loses its IPv4
routes, one whose IPv6 is switched off its IPv6 addresses and routes, and a link that goes takes all along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from appliance.network.state import Family, Held, Link, Setting, State, Way, family


@dataclass(frozen=True, slots=True)
class CreateVlan:
    """A VLAN interface on another (IEEE 802.1Q)."""

    ifname: str
    parent: str
    vlan: int

    def __str__(self) -> str:
        return f"create {self.ifname}: VLAN {self.vlan} on {self.parent}"

    def after(self, state: State) -> State:
        """Not up yet, with the MTU of its parent."""
        parent = state.link(self.parent)
        mtu = parent.mtu if parent else 0
        made = Link(self.ifname, 0, "vlan", False, False, mtu, self.parent, self.vlan, ours=True)
        return replace(state, links=(*state.links, made))


@dataclass(frozen=True, slots=True)
class RemoveLink:
    """An interface that this box created goes."""

    ifname: str

    def __str__(self) -> str:
        return f"remove {self.ifname}"

    def after(self, state: State) -> State:
        """All that was on it is gone."""
        return State(
            tuple(each for each in state.links if each.name != self.ifname),
            tuple(each for each in state.addresses if each.ifname != self.ifname),
            tuple(each for each in state.routes if each.ifname != self.ifname),
            tuple(each for each in state.settings if each.ifname != self.ifname),
        )


@dataclass(frozen=True, slots=True)
class Set:
    """A setting of an interface; `before` is None where it was not known."""

    setting: Setting
    before: int | None = None

    def __str__(self) -> str:
        what = f"{self.setting.family}.{self.setting.key} of {self.setting.ifname}"
        before = "" if self.before is None else f" (was {self.before})"
        return f"set {what} = {self.setting.value}{before}"

    def after(self, state: State) -> State:
        """Without IPv6 there are no addresses and routes of it."""
        others = tuple(each for each in state.settings if each.name != self.setting.name)
        changed = replace(state, settings=(*others, self.setting))
        if self.setting.key == "disable_ipv6" and self.setting.value:
            return _without(changed, self.setting.ifname, Family.IPV6)
        return changed


@dataclass(frozen=True, slots=True)
class SetMtu:
    """The largest packet (bytes) of an interface."""

    ifname: str
    mtu: int
    before: int

    def __str__(self) -> str:
        return f"set mtu of {self.ifname} = {self.mtu} (was {self.before})"

    def after(self, state: State) -> State:
        """A VLAN has never more than its parent."""
        return replace(
            state,
            links=tuple(
                replace(link, mtu=self.mtu)
                if link.name == self.ifname
                or (link.vlan is not None and link.parent == self.ifname and link.mtu > self.mtu)
                else link
                for link in state.links
            ),
        )


@dataclass(frozen=True, slots=True)
class LinkUp:
    """An interface is switched on."""

    ifname: str

    def __str__(self) -> str:
        return f"switch on {self.ifname}"

    def after(self, state: State) -> State:
        """Whether it has a carrier is not known."""
        links = tuple(replace(link, up=True) if link.name == self.ifname else link for link in state.links)
        return replace(state, links=links)


@dataclass(frozen=True, slots=True)
class AddAddress:
    """An interface gets an address."""

    held: Held

    def __str__(self) -> str:
        return f"add {self.held.interface} to {self.held.ifname}"

    def after(self, state: State) -> State:
        """One more."""
        return replace(state, addresses=(*state.addresses, self.held))


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """An interface loses an address."""

    held: Held

    def __str__(self) -> str:
        return f"remove {self.held.interface} from {self.held.ifname}"

    def after(self, state: State) -> State:
        """With the last IPv4 address the kernel drops the IPv4 routes."""
        ifname, version = self.held.ifname, self.held.interface.version
        left = tuple(each for each in state.addresses if each.key != self.held.key)
        changed = replace(state, addresses=left)
        if version == 4 and not any(each.ifname == ifname and each.interface.version == 4 for each in left):
            return _without(changed, ifname, Family.IPV4)
        return changed


@dataclass(frozen=True, slots=True)
class AddRoute:
    """A route, where none stands at its place."""

    way: Way

    def __str__(self) -> str:
        return f"add route {_words(self.way)}"

    def after(self, state: State) -> State:
        """One more."""
        return replace(state, routes=(*state.routes, self.way))


@dataclass(frozen=True, slots=True)
class ReplaceRoute:
    """One of our routes becomes another at the same place, without a moment between the two."""

    before: Way
    way: Way

    def __str__(self) -> str:
        return f"change route {_words(self.before)} to {_words(self.way)}"

    def after(self, state: State) -> State:
        """The new in the place of the old."""
        return replace(state, routes=(*(each for each in state.routes if each != self.before), self.way))


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """A route goes."""

    way: Way

    def __str__(self) -> str:
        return f"remove route {_words(self.way)}"

    def after(self, state: State) -> State:
        """One less."""
        return replace(state, routes=tuple(each for each in state.routes if each != self.way))


Change = (
    CreateVlan
    | RemoveLink
    | Set
    | SetMtu
    | LinkUp
    | AddAddress
    | RemoveAddress
    | AddRoute
    | ReplaceRoute
    | RemoveRoute
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that the kernel did not make, and why."""

    change: Change
    why: str

    def __str__(self) -> str:
        return f"{self.change}: {self.why}"


def _without(state: State, ifname: str, which: Family) -> State:
    """No address and no route of a family on an interface."""
    return replace(
        state,
        addresses=tuple(
            each for each in state.addresses if each.ifname != ifname or family(each.interface) != which
        ),
        routes=tuple(each for each in state.routes if each.ifname != ifname or family(each.network) != which),
    )


def _words(way: Way) -> str:
    network = "default" if way.network.prefixlen == 0 else str(way.network)
    via = f" via {way.via}" if way.via else ""
    return f"{network}{via} dev {way.ifname} metric {way.metric}"
