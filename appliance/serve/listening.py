"""Which listeners there ought to be, for what is configured and the addresses there are; why some are not."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from appliance.config.model import IPAddress, Tftp
from appliance.network.state import Family, Held, State

TFTP, HTTP = "tftp", "http"
LOOPBACK = 1  # the number of the loopback link, in every namespace
ELSEWHERE = "not by an interface of [tftp] interfaces"
"""Why a request was dropped that did not pass a `Filter`."""


@dataclass(frozen=True, slots=True)
class Door:
    """A listener that is configured."""

    transport: str
    address: IPAddress
    port: int


@dataclass(frozen=True, slots=True)
class Stand:
    """How a door stands. `to_open`: there ought to be a socket, which hears on these interfaces; `why` says
    why there ought not, or why it does not hear on each. A link-local address means the link `ifindex`.
    """

    to_open: bool
    interfaces: tuple[str, ...]
    why: str
    ifindex: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """With `[tftp] interfaces`: to which addresses requests may come (packed), and by which links.

    What this box asks itself comes by its loopback, whatever the address.
    """

    addresses: frozenset[bytes]
    ifindexes: frozenset[int]

    def passes(self, local: bytes, ifindex: int) -> bool:
        """Whether a request that came to this address, by this link, is to be taken."""
        if ifindex not in self.ifindexes and ifindex != LOOPBACK:
            return False
        return local in self.addresses or (LOOPBACK in self.ifindexes and len(local) == 4 and local[0] == 127)


@dataclass(frozen=True, slots=True)
class Here:
    """What sockets of transfers and requests go by.

    `places` are the addresses there are, packed, link-local ones with the number of their link after them.
    """

    places: frozenset[bytes]
    filter: Filter | None

    def has(self, place: bytes) -> bool:
        """Whether sockets bound there can be of use."""
        return place in self.places or (len(place) == 4 and place[0] == 127)


def doors(settings: Tftp) -> tuple[Door, ...]:
    """The listeners that are configured, in the order of their addresses."""
    ports = [(TFTP, settings.port), (HTTP, settings.http_port)]
    return tuple(
        Door(transport, address, port) for address in settings.listen for transport, port in ports if port
    )


def stand(address: IPAddress, chosen: tuple[str, ...], state: State) -> Stand:
    """How doors of this address stand, with these `[tftp] interfaces`."""
    if address.is_unspecified:
        return _everywhere(address.version, chosen, state)
    held = _holders(address, state)
    if not held:
        return Stand(False, (), _absent(address, state))
    chosen_ones = [each for each in held if not chosen or each.ifname in chosen]
    if not chosen_ones:
        return Stand(False, (), f"{address} is on {held[0].ifname}, which [tftp] interfaces does not name")
    good = [each for each in chosen_ones if _usable(each, state)]
    if not good:
        return Stand(False, (), _unusable(chosen_ones[0], state))
    link = state.link(good[0].ifname)
    ifindex = link.index if link is not None and address.is_link_local and address.version == 6 else 0
    return Stand(True, tuple(dict.fromkeys(each.ifname for each in good)), "", ifindex)


def here(chosen: tuple[str, ...], state: State) -> Here:
    """What sockets go by, with these `[tftp] interfaces`."""
    indexes = {link.name: link.index for link in state.links}
    places = frozenset(_place(each, indexes.get(each.ifname, 0)) for each in state.addresses)
    if not chosen:
        return Here(places, None)
    addresses = frozenset(each.interface.ip.packed for each in state.addresses if each.ifname in chosen)
    return Here(places, Filter(addresses, frozenset(indexes[name] for name in chosen if name in indexes)))


def own_addresses(state: State) -> frozenset[IPAddress]:
    """The addresses of this box; link-local ones carry their zone."""
    return frozenset(
        ip_address(f"{each.interface.ip}%{each.ifname}") if _link_local(each) else each.interface.ip
        for each in state.addresses
    )


def _everywhere(version: int, chosen: tuple[str, ...], state: State) -> Stand:
    """A wildcard's socket is always there; it hears where there are addresses of its family."""
    heard = dict.fromkeys(
        each.ifname
        for each in state.addresses
        if each.interface.version == version
        and _usable(each, state)
        and (not chosen or each.ifname in chosen)
    )
    links = [link for link in state.links if link.index != LOOPBACK]
    expected = chosen or [link.name for link in [each for each in links if each.up] or links]
    why = "; ".join(_deaf(name, version, state) for name in expected if name not in heard)
    if not heard and not why:
        why = f"this box has no IPv{version} address"
    return Stand(True, tuple(heard), why)


def _deaf(ifname: str, version: int, state: State) -> str:
    """Why nothing of a family is heard on an interface."""
    link = state.link(ifname)
    if link is None:
        return f"there is no {ifname}"
    if version == 6 and _off(ifname, state):
        return f"IPv6 is off on {ifname}"
    if not link.up:
        return f"{ifname} is down"
    for each in state.addresses:
        if each.ifname == ifname and each.interface.version == version:
            return _unusable(each, state)
    return f"{ifname} has no IPv{version} address"


def _absent(address: IPAddress, state: State) -> str:
    """Why an address is not there."""
    zone = _zone(address)
    if zone is not None:
        link = state.link(zone)
        if link is None or not link.up or _off(zone, state):
            return _deaf(zone, 6, state)
    why = f"{address} is not an address of this box"
    off = [link.name for link in state.links if link.index != LOOPBACK and _off(link.name, state)]
    if address.version == 6 and zone is None and off:
        return f"{why}; IPv6 is off on {', '.join(off)}"
    return why


def _holders(address: IPAddress, state: State) -> list[Held]:
    zone = _zone(address)
    return [each for each in state.addresses if _holds(each, address) and zone in (None, each.ifname)]


def _holds(held: Held, address: IPAddress) -> bool:
    interface = held.interface
    if interface.version == 4 and address.version == 4 and address.is_loopback:
        return address in interface.network  # Linux takes all of the loopback's network for its own
    return interface.ip.packed == address.packed


def _usable(held: Held, state: State) -> bool:
    link = state.link(held.ifname)
    return not held.tentative and link is not None and link.up


def _unusable(held: Held, state: State) -> str:
    """Why an address that is there cannot be listened on."""
    link = state.link(held.ifname)
    if link is None or not link.up:
        return f"{held.ifname} is down"
    if not link.carrier:
        return f"{held.ifname} has no carrier"  # and nobody could be asked whether the address is his
    return f"{held.interface.ip} on {held.ifname} is tentative: not known yet to be nobody else's"


def _off(ifname: str, state: State) -> bool:
    return bool(state.setting((ifname, Family.IPV6, "disable_ipv6")))


def _zone(address: IPAddress) -> str | None:
    return address.scope_id if address.version == 6 else None


def _link_local(held: Held) -> bool:
    return held.interface.version == 6 and held.interface.is_link_local


def _place(held: Held, ifindex: int) -> bytes:
    packed = held.interface.ip.packed
    return packed + ifindex.to_bytes(4, "big") if _link_local(held) else packed
