"""The door to rtnetlink(7), by pyroute2, and to the settings of interfaces below /proc/sys/net.

pyroute2 is asyncio inside: two calls at once in one thread end in an error. So each call here has an
IPRoute of its own, in a native thread of gevent's pool, and one caller at a time; the loop goes on meanwhile.
All is about the network namespace in which the process runs.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, TypeVar, cast

import gevent
from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.network.change import (
    AddAddress,
    AddRoute,
    Change,
    CreateVlan,
    LinkUp,
    Refused,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    ReplaceRoute,
    Set,
    SetMtu,
)
from appliance.network.state import OURS, Family, Held, Link, Setting, State, Way

SETTINGS = {
    Family.IPV4: ("promote_secondaries",),
    Family.IPV6: ("accept_ra", "autoconf", "use_tempaddr", "disable_ipv6"),
}
"""Those that are read of each interface."""

_SYSCTL = Path("/proc/sys/net")
_MAIN = 254  # RT_TABLE_MAIN
_UNICAST = 1  # RTN_UNICAST
_ON_LINK = 253  # RT_SCOPE_LINK
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_TENTATIVE, _PERMANENT = 0x40, 0x80  # IFA_F_…
_CLONED = 0x200  # RTM_F_CLONED: a cache entry of IPv6
_GONE = {errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL}

_one = threading.Lock()
_T = TypeVar("_T")


def present() -> State:
    """All that there is. `OSError` where the kernel does not tell."""
    return _natively(lambda: _alone(_state))


def apply(changes: Iterable[Change]) -> tuple[Refused, ...]:
    """Make these changes, one after the other; those that were refused. One that is refused stops none."""
    several = tuple(changes)
    return _natively(lambda: _alone(lambda wire: tuple(_made(wire, several))))


def _natively(work: Callable[[], _T]) -> _T:
    """`work` off the loop of the main thread, which goes on meanwhile; at once in a native thread."""

    def caught() -> tuple[_T | None, Exception | None]:
        try:
            return work(), None
        except Exception as error:  # noqa: BLE001  what a native thread raises, gevent prints
            return None, error

    if threading.current_thread() is not threading.main_thread():
        return work()
    done, error = gevent.get_hub().threadpool.apply(caught)
    if error is not None:
        raise error
    return cast(_T, done)


def _alone(work: Callable[[Any], _T]) -> _T:
    """`work` with an IPRoute of its own; `OSError`."""
    try:
        with _one, IPRoute() as wire:
            return work(wire)
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from None


def _state(wire: Any) -> State:
    links = tuple(_links(list(wire.get_links())))
    names = {link.index: link.name for link in links}
    return State(
        links,
        tuple(_addresses(wire.get_addr(), names)),
        tuple(_routes(wire.get_routes(table=_MAIN), names)),
        tuple(_settings(links)),
    )


def _links(messages: list[Any]) -> Iterator[Link]:
    names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in messages}
    for message in messages:
        info = message.get_attr("IFLA_LINKINFO")
        kind = (info.get_attr("IFLA_INFO_KIND") or "") if info else ""
        data = info.get_attr("IFLA_INFO_DATA") if kind == "vlan" else None
        flags = message["flags"]
        # Of a veth the peer may be in another namespace, where its index means another link.
        below = None if message.get_attr("IFLA_LINK_NETNSID") is not None else message.get_attr("IFLA_LINK")
        yield Link(
            name=names[message["index"]],
            index=message["index"],
            kind=kind,
            up=bool(flags & _IFF_UP),
            carrier=bool(flags & _IFF_LOWER_UP),
            mtu=message.get_attr("IFLA_MTU") or 0,
            parent=names.get(below),
            vlan=data.get_attr("IFLA_VLAN_ID") if data else None,
            ours=message.get_attr("IFLA_GROUP") == OURS,
        )


def _addresses(messages: Iterable[Any], names: dict[int, str]) -> Iterator[Held]:
    for message in messages:
        # Of a point-to-point link IFA_ADDRESS is the peer's, IFA_LOCAL ours; IPv6 has IFA_ADDRESS alone else.
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if address is None or message["index"] not in names:
            continue
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        yield Held(
            ip_interface(f"{address}/{message['prefixlen']}"),
            names[message["index"]],
            message.get_attr("IFA_PROTO") or 0,
            tentative=bool(flags & _TENTATIVE),
            dynamic=not flags & _PERMANENT,
        )


def _routes(messages: Iterable[Any], names: dict[int, str]) -> Iterator[Way]:
    """Unicast routes of the main table; one for each hop where there are several."""
    for message in messages:
        if message["type"] != _UNICAST or message["flags"] & _CLONED or message["family"] not in (2, 10):
            continue
        to = message.get_attr("RTA_DST") or ("::" if message["family"] == 10 else "0.0.0.0")
        network = ip_network(f"{to}/{message['dst_len']}")
        for hop in message.get_attr("RTA_MULTIPATH") or [message]:
            index = hop.get_attr("RTA_OIF") or (hop.get("oif") if hop is not message else None)
            via = hop.get_attr("RTA_GATEWAY")
            if index in names:
                metric = message.get_attr("RTA_PRIORITY") or 0
                next_hop = ip_address(via) if via else None
                yield Way(network, next_hop, names[index], metric, message["proto"])


def _settings(links: Iterable[Link]) -> Iterator[Setting]:
    for link in links:
        for family, keys in SETTINGS.items():
            for key in keys:
                try:
                    yield Setting(link.name, family, key, int(_path(link.name, family, key).read_text()))
                except (OSError, ValueError):
                    pass  # no IPv6 in this kernel, or the link has gone


def _path(ifname: str, family: Family, key: str) -> Path:
    return _SYSCTL / family / "conf" / ifname / key


def _made(wire: Any, changes: Iterable[Change]) -> Iterator[Refused]:
    for change in changes:
        try:
            _make(wire, change)
        except NetlinkError as error:
            number = error.code
        except OSError as error:
            number = error.errno or errno.EIO
        else:
            continue
        removes = isinstance(change, RemoveAddress | RemoveRoute | RemoveLink)
        if not (removes and number in _GONE):  # by itself, since the plan was made
            yield Refused(change, os.strerror(number))


def _make(wire: Any, change: Change) -> None:
    match change:
        case CreateVlan(ifname, parent, vlan):
            below = _index(wire, parent)
            wire.link("add", ifname=ifname, kind="vlan", link=below, vlan_id=vlan)
            wire.link("set", index=_index(wire, ifname), group=OURS)
        case RemoveLink(ifname):
            wire.link("del", index=_index(wire, ifname))
        case Set(setting):
            _path(*setting.name).write_text(f"{setting.value}\n")
        case SetMtu(ifname, mtu):
            wire.link("set", index=_index(wire, ifname), mtu=mtu)
        case LinkUp(ifname):
            wire.link("set", index=_index(wire, ifname), state="up")
        case AddAddress(held):
            wire.addr("add", **_address(wire, held), proto=OURS)
        case RemoveAddress(held):
            wire.addr("del", **_address(wire, held))
        case AddRoute(way):
            wire.route("add", **_route(wire, way))
        case ReplaceRoute(_, way):
            wire.route("replace", **_route(wire, way))
        case RemoveRoute(way):
            wire.route("del", **_route(wire, way))


def _index(wire: Any, ifname: str) -> int:
    found = wire.link_lookup(ifname=ifname)
    if not found:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return int(found[0])


def _address(wire: Any, held: Held) -> dict[str, Any]:
    return {
        "index": _index(wire, held.ifname),
        "address": str(held.interface.ip),
        "prefixlen": held.interface.network.prefixlen,
    }


def _route(wire: Any, way: Way) -> dict[str, Any]:
    version = way.network.version
    words: dict[str, Any] = {
        "family": socket.AF_INET6 if version == 6 else socket.AF_INET,
        "dst": str(way.network),
        "oif": _index(wire, way.ifname),
        "priority": way.metric,
        "proto": way.protocol,
        "table": _MAIN,
    }
    if way.via is not None:
        return words | {"gateway": str(way.via)}
    return words | ({"scope": _ON_LINK} if version == 4 else {})
