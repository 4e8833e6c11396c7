"""What brings a configuration into force: the file in force, the proxy that reads it, interfaces and
services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.config.model import Configuration, Interface, Ssh, System
from appliance.control import client
from appliance.control.disk import Disk
from appliance.control.log import Log
from appliance.control.proxy import ABSENT, Proxy, ProxyRefused, health
from appliance.control.selftests import Finding, Findings, by_name
from appliance.network.checks import Check
from appliance.network.configured import NotApplied
from appliance.report.network import NetworkChanges, NetworkShown
from appliance.report.services import ServiceShown
from appliance.report.text import printable

LINES_MAX = 100
"""changes that are told"""


class Network(Protocol):
    """The interfaces of this machine. Its calls wait without holding up the loop."""

    def show(self, interfaces: Sequence[Interface], system: System, /) -> NetworkShown:
        """What there is, and what would be changed."""

    def plan(self, interfaces: Sequence[Interface], /) -> Sequence[object]:
        """The changes that would make these the interfaces, each with its line for people."""

    def apply(self, interfaces: Sequence[Interface], system: System | None = None, /) -> Sequence[object]:
        """Make these the interfaces, and this the box; the changes that were made."""

    def checks(self) -> Sequence[Check]:
        """Self-tests of links and gateways."""

    def stop(self) -> None:
        """End what runs; the interfaces stay as they are."""


class Services(Protocol):
    """The services of this machine. None of them can keep a configuration from coming into force."""

    def apply(self, system: System, ssh: Ssh, /) -> None:
        """Have them go by this, soon; raises nothing."""

    def shown(self) -> tuple[ServiceShown, ...]:
        """Each as it is now."""

    def stop(self) -> None:
        """End what runs."""


@dataclass(frozen=True, slots=True)
class Version:
    """A configuration with its number in the history."""

    revision: int
    text: bytes
    configuration: Configuration

    @property
    def sha256(self) -> str:
        """The hash of its text, in hex."""
        return hashlib.sha256(self.text).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """The changes to interfaces, and why the proxy does not go by it yet, empty where it does."""

    network: tuple[str, ...]
    proxy: str


class Force:
    """Brings versions into force, on one machine."""

    def __init__(self, disk: Disk, proxy: Proxy, network: Network, services: Services, log: Log) -> None:
        self.network = network
        self.services = services
        self._disk = disk
        self._proxy = proxy
        self._log = log

    def ready(self) -> None:
        """`ProxyRefused` where a proxy runs that would not follow."""
        self._proxy.look()

    def apply(self, version: Version) -> Applied:
        """Bring a version into force; `OSError`, `ProxyRefused`, or what else the machine refuses it with."""
        self._disk.put_in_force(version.text)
        told = ""
        try:
            self._proxy.reload()
        except client.Absent:
            told = ABSENT
        made = self._set_up(version)
        self._serve(version)
        return Applied(made, told)

    def restore(self, version: Version) -> tuple[str, str]:
        """Bring a version into force as far as can be: what must be tried again, and what could not be done
        but is not in our hands; both empty when all is done.
        """
        again, beyond = [], ""
        try:
            self._disk.put_in_force(version.text)
        except OSError as fault:
            again.append(f"the file in force cannot be written: {fault.strerror}")
        try:
            self._proxy.reload()
        except client.Absent:
            pass  # it reads the file when it starts
        except ProxyRefused as fault:
            beyond = str(fault)
        try:
            self._set_up(version)
        except NotApplied as fault:  # the kernel does not take them; they are tried again by themselves
            beyond = "; ".join(filter(None, (beyond, f"the interfaces: {fault}")))
        except Exception as fault:  # noqa: BLE001  whatever the kernel or a library says: the rest is undone
            self._log.fault(fault)
            again.append(f"the interfaces cannot be set up: {fault}")
        self._serve(version)
        return printable("; ".join(again)), printable(beyond)

    def set_up(self, configuration: Configuration) -> NetworkChanges:
        """Have the interfaces alone go by a configuration; `OSError`."""
        try:
            made = self.network.apply(configuration.interfaces, configuration.system)
        except NotApplied as error:
            return NetworkChanges(lines(error.made), lines(error.refused))
        return NetworkChanges(lines(made))

    def tests(self) -> Findings:
        """The self-tests: links and gateways, the proxy, the clusters by what the proxy knows of them."""
        found = [Finding(each.name, each.ok, each.why) for each in self.network.checks()]
        try:
            status = self._proxy.look()
        except ProxyRefused as fault:
            return by_name([*found, Finding("proxy", False, str(fault))])
        if status is None:
            return by_name([*found, Finding("proxy", False, "none runs")])
        clusters = (Finding(*each) for each in health(status))
        return by_name([*found, Finding("proxy", True, ""), *clusters])

    def _set_up(self, version: Version) -> tuple[str, ...]:
        configuration = version.configuration
        return lines(self.network.apply(configuration.interfaces, configuration.system))

    def _serve(self, version: Version) -> None:
        self.services.apply(version.configuration.system, version.configuration.ssh)


def lines(changes: Sequence[object]) -> tuple[str, ...]:
    """Changes as lines for people, as many as a line of the socket takes."""
    shown = tuple(printable(str(change)) for change in changes[:LINES_MAX])
    return shown if len(changes) <= LINES_MAX else (*shown, f"{len(changes) - LINES_MAX} more")
