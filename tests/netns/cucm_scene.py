"""Three clusters, their phones, and the proxy between them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from tests.netns.boot import Got, Phone, boots
from tests.netns.cucm import Cucm, put
from tests.netns.cucm_files import Origins, content, own_files
from tests.netns.cucm_proxy import Box
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, WHOLE
from tests.netns.process import wait_for
from tests.netns.proxy import Cluster, Settings
from tests.netns.waits import waited_for

PLACES = ("a", "b", "c")
LOCAL = "local"
NETWORK = 1  # where phones are unless a test says otherwise

PROBE = 5.0  # s between two looks at an address that was silent
PASSED = 1.0  # s for which a search waits for a silent cluster
LONG = 15.0  # s, a budget that no machine is too busy for
PATIENT = 30.0  # s of silence that phones bear where the budget is long

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
        self._booted = ""  # when phones were last told to ask, as records have it
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
        module: str = "appliance",
    ) -> Box:
        """A new proxy; one before it in this host is ended. `clusters`: further keys of each."""
        more = clusters or {}
        rows = [
            Cluster(place, (cucm.host.ipv4,), protocol, more.get(place, {}))
            for place, cucm in self.clusters.items()
        ]
        return self.add(self.lab.host(host), rows, settings, module)

    def add(
        self,
        host: Host,
        clusters: Sequence[Cluster],
        settings: Settings | None = None,
        module: str = "appliance",
    ) -> Box:
        """As `box`, with these clusters and no others."""
        for before in self._boxes:
            if before.host is host and before.process.running:
                before.stop()
        self.lab.ip(host.namespace, "route replace 10.67.0.0/16 dev eth0")
        self._boxes.append(Box(host, clusters, settings, module))
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
        self._booted = _now()
        return boots(self.phones, phones)

    def ask(self, phone: Phone, *names: str) -> tuple[Got, ...]:
        """A phone asks for these files alone."""
        (got,) = self.boot(replace(phone, names=names))
        return got

    def records(self, phone: Phone, got: Sequence[Got]) -> list[dict[str, Any]]:
        """What the phone's box says of the requests of its last boot, which has come to `got`."""
        (box,) = [each for each in self._boxes if each.host.ipv4 == phone.server and each.process.running]
        count = sum(2 if phone.http and each.over == "tftp" else 1 for each in got)

        def last() -> list[dict[str, Any]]:
            found = box.records(phone.source, count + 1)
            return [record for record in found if record["time"] >= self._booted]

        wait_for(lambda: len(last()) >= count, f"all requests of {phone.source} have ended")
        return last()

    def waited(self, phone: Phone, got: Sequence[Got]) -> list[str]:
        """The clusters that the phone has waited for in vain in its last boot, request by request; a word
        of the box, as the time that a phone has seen pass is that of a busy machine as well.
        """
        return [place for record in self.records(phone, got) for place in waited_for(record)]

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


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
