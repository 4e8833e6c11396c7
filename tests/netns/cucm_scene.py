"""Three clusters, their phones, and the proxy between them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from tests.netns.boot import Got, Phone, boots
from tests.netns.cucm import Cucm, put
from tests.netns.cucm_files import Origins, content, own_files
from tests.netns.cucm_proxy import Box
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, WHOLE
from tests.netns.proxy import Cluster, Settings

PLACES = ("a", "b", "c")
LOCAL = "local"
NETWORK = 1  # where phones are unless a test says otherwise

PROBE = 5.0  # s between two looks at an address that was silent
PASSED = 1.0  # s for which a search waits for a silent cluster
SLACK = 1.0  # s, for few cores that others use, too
QUICK = 0.9  # s: below PASSED, so that nobody has been waited for

_macs = itertools.count(0x00270DC00000)


class Scene:
    """Clusters `a`, `b`, `c`, each in a host of its own, asked in this order. Phones of network N have
    addresses of 10.67.N.0/24. A context manager: leaving it ends servers and proxies.
    """

    def __init__(self, lab: Lab, phones: Host, speaks: Mapping[str, frozenset[str]] | None = None) -> None:
        """`speaks`: the protocols of a cluster's server, where it is not both."""
        self.lab = lab
        self.origins = Origins()
        self.phones = phones
        self._boxes: list[Box] = []
        self._addresses: list[str] = []
        self._numbers: dict[int, itertools.count[int]] = {}
        self.clusters: dict[str, Cucm] = {}
        for place in PLACES:
            more = () if speaks is None or place not in speaks else (speaks[place],)
            self.clusters[place] = Cucm(lab.host(f"cm-{place}"), place, *more)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for box in self._boxes:
            box.stop()
        for cucm in self.clusters.values():
            cucm.stop()
        if self._addresses:
            self.phones.remove(*(f"{address}/32" for address in self._addresses))

    def box(
        self,
        settings: Settings | None = None,
        *,
        host: str = "box",
        clusters: Mapping[str, Mapping[str, object]] | None = None,
        protocol: str = "auto",
    ) -> Box:
        """A new proxy; one before it in this host is ended. `clusters`: further keys of each."""
        more = clusters or {}
        rows = [
            Cluster(place, (cucm.host.ipv4,), protocol, more.get(place, {}))
            for place, cucm in self.clusters.items()
        ]
        return self.add(self.lab.host(host), rows, settings)

    def add(self, host: Host, clusters: Sequence[Cluster], settings: Settings | None = None) -> Box:
        """As `box`, with these clusters and no others."""
        for before in self._boxes:
            if before.host is host and before.process.running:
                before.stop()
        self.lab.ip(host.namespace, "route replace 10.67.0.0/16 dev eth0")
        self._boxes.append(Box(host, clusters, settings))
        return self._boxes[-1]

    def phone(self, box: Box, home: str | None, network: int = NETWORK, source: str = "") -> Phone:
        """A new phone; `home` has its files. It has an address of its own, but for `source`."""
        mac = f"{next(_macs):012X}"
        if home is not None:
            self.give(home, *own_files(mac))
        return Phone(box.host.ipv4, mac, source or self.address(network))

    def address(self, network: int = NETWORK) -> str:
        """A new address of a phone."""
        number = next(self._numbers.setdefault(network, itertools.count(1)))
        assert number < 255, "too many phones for a network of 254 addresses"
        address = f"10.67.{network}.{number}"
        self.phones.add(f"{address}/32")
        self._addresses.append(address)
        return address

    def give(self, place: str, *names: str) -> None:
        """Have a cluster have these files."""
        self.origins.note(place, *names)
        self.clusters[place].write(*names)

    def move(self, mac: str, old: str, new: str) -> None:
        """A device is added there, and deleted here."""
        self.give(new, *own_files(mac))
        self.clusters[old].remove(*own_files(mac))

    def have(self, box: Box, place: str, *names: str) -> None:
        """Have a cluster, or the proxy's own store, have these files."""
        if place == LOCAL:
            self.store(box, *names)
        else:
            self.give(place, *names)

    def lack(self, box: Box, place: str, *names: str) -> None:
        """End `have`."""
        if place == LOCAL:
            for name in names:
                (box.store / name).unlink()
        else:
            self.clusters[place].remove(*names)

    def store(self, box: Box, *names: str) -> None:
        """Have the proxy's own store have these files."""
        self.origins.note(LOCAL, *names)
        for name in names:
            put(box.store, name, content(LOCAL, name))

    def boot(self, *phones: Phone) -> list[tuple[Got, ...]]:
        """All of them; those at one address in turn."""
        return boots(self.phones, phones)

    def ask(self, phone: Phone, *names: str) -> tuple[Got, ...]:
        """A phone asks for these files alone."""
        (got,) = boots(self.phones, [replace(phone, names=names)])
        return got

    def told(self, got: Sequence[Got]) -> dict[str, str]:
        """Name to the place whose file came, or to how it ended."""
        return {each.name: self.place(each) for each in got}

    def place(self, got: Got) -> str:
        """As `told`, of one file."""
        return self.origins.of(got.name, got.digest) if got.status == WHOLE else got.status

    def marks(self) -> dict[str, int]:
        """How much each cluster was asked; for `asked`."""
        return {place: cucm.mark() for place, cucm in self.clusters.items()}

    def asked(self, marks: Mapping[str, int], about: str = "") -> dict[str, list[str]]:
        """What each cluster was asked for since then, of the names that contain `about`; only those asked."""
        found = {}
        for place, cucm in self.clusters.items():
            names = [name for name in cucm.names(marks[place]) if about in name]
            if names:
                found[place] = names
        return found


def wanted(phone: Phone, place: str) -> dict[str, str]:
    """What a boot comes to where all files are those of one place; see `own_files`."""
    itl, signed, plain = own_files(phone.mac)
    configuration = signed if phone.signed else plain
    found = {f"CTLSEP{phone.mac}.tlv": NOT_FOUND, itl: place, configuration: place}
    if phone.encrypted:
        found[f"{plain}.enc.sgn"] = NOT_FOUND
    return found | dict.fromkeys(phone.common, place)


def wait(seconds: float) -> None:
    """Let time pass that the design speaks of. Nothing is waited for: for that there is `wait_for`."""
    time.sleep(seconds)


def slowest(got: Sequence[Got]) -> float:
    """The time of the file that took longest, in seconds."""
    return max(each.seconds for each in got)
