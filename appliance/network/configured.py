"""The interfaces as the configuration wants them, and kept so: leases come and go.

What has to outlive this process stands in the run folder, until the machine starts again: the leases as
dhcpcd told them, the MTU of interfaces before it was changed, and resolv.conf.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.lock import RLock

from appliance.config.atomic import replace_file
from appliance.config.model import Interface, IPv4Mode, IPv6Mode, System
from appliance.network import dhcpcd, resolver, rtnetlink
from appliance.network.change import Change, Refused, Set, SetMtu
from appliance.network.checks import Check, checks, solicit_routers
from appliance.network.lease import Lease
from appliance.network.leases import Client, Leases, now
from appliance.network.plan import plan
from appliance.network.shown import network_shown
from appliance.network.state import Family, State
from appliance.network.wanted import Wanted, wanted
from appliance.report.network import NetworkShown

LOOK = 30.0  # s between two looks whether all is still as it ought to be


class NotApplied(Exception):
    """Some changes were refused; all others are made."""

    def __init__(self, made: Sequence[Change], refused: Sequence[Refused]) -> None:
        super().__init__("; ".join(map(str, refused)))
        self.made = tuple(made)
        self.refused = tuple(refused)


class Configured:
    """Sets up the interfaces of a configuration, and nothing else on the machine.

    `run` is the folder of `[paths] run`; `told` gets lines for a log. Needs
    root for all but `plan`. Not a thing is changed before the first `apply`.
    """

    def __init__(self, run: Path, told: Callable[[str], None] = lambda text: None) -> None:
        self._run = run
        self._told = told
        self._interfaces: tuple[Interface, ...] = ()
        self._system: System | None = None
        self._clients: dict[Client, dhcpcd.Dhcpcd] = {}
        self._leases = Leases(run / "leases", told)
        self._turn = RLock()
        self._rang = Event()
        self._keeper: gevent.Greenlet[..., None] | None = None
        self._complained = ""

    @property
    def leases(self) -> tuple[Lease, ...]:
        """Those that hold now."""
        return self._leases.held()

    def time_servers(self, static: Sequence[str]) -> tuple[str, ...]:
        """Those of the configuration, or else those of the leases that hold now."""
        return resolver.time_servers(static, self.leases)

    def plan(self, interfaces: Sequence[Interface]) -> tuple[Change, ...]:
        """The changes that would make these the interfaces, with the leases that there are; `OSError`."""
        present = rtnetlink.present()
        return plan(present, self._wanted(interfaces, present))

    def show(self, interfaces: Sequence[Interface], system: System) -> NetworkShown:
        """What there is, and what would be changed; `OSError`."""
        present, leases = rtnetlink.present(), self.leases
        changes = plan(present, self._wanted(interfaces, present))
        servers = resolver.name_servers(system.dns, leases)
        return network_shown(interfaces, present, leases, servers, changes, now())

    def set_up(self, interfaces: Sequence[Interface]) -> tuple[Change, ...]:
        """Make these the interfaces, once, with the leases that there are; raises as `apply`."""
        present = rtnetlink.present()
        changes = plan(present, self._wanted(interfaces, present))
        self._remember_mtus(changes)
        refused = rtnetlink.apply(changes)
        self._solicit(changes, present)
        if refused:
            unmade = {each.change for each in refused}
            raise NotApplied([each for each in changes if each not in unmade], refused)
        return changes

    def apply(self, interfaces: Sequence[Interface], system: System | None = None) -> tuple[Change, ...]:
        """Make these the interfaces from now on; the changes that were made.

        `system` gives name servers and the box's name; without it they are left as they were. Leases come
        later, by themselves. `NotApplied` where the kernel refused some of it, `OSError`.
        """
        with self._turn:
            self._interfaces = tuple(interfaces)
            self._system = system or self._system
            try:
                return self._settle()
            finally:
                if self._keeper is None:
                    self._keeper = gevent.spawn(self._keep)

    def checks(self) -> tuple[Check, ...]:
        """The self-tests of the interfaces in force; takes a few seconds where a gateway is silent."""
        return checks(self._interfaces, rtnetlink.present())

    def stop(self) -> None:
        """End what runs. The interfaces stay as they are."""
        if self._keeper is not None:
            self._keeper.kill()
        self._stop(tuple(self._clients))

    def _wanted(self, interfaces: Sequence[Interface], present: State) -> Wanted:
        return wanted(interfaces, self.leases, present, self._mtus())

    def _settle(self) -> tuple[Change, ...]:
        """One round: change what is wrong, and have the clients that are needed."""
        try:
            return self.set_up(self._interfaces)
        finally:
            self._tend(rtnetlink.present())
            if self._interfaces:
                self._name()

    def _keep(self) -> None:
        while True:
            self._rang.wait(self._pause())
            self._rang.clear()
            try:
                with self._turn:
                    changes = self._settle()
            except (NotApplied, OSError) as error:
                self._complain(f"network: {error}")
                continue
            except Exception as error:  # noqa: BLE001  a mistake of ours in one round must not be the last one
                self._complain(f"network: {error!r}")
                continue
            self._complain("")
            for change in changes:
                self._told(f"network: {change}")

    def _complain(self, text: str) -> None:
        """The same fault again and again is told once."""
        if text and text != self._complained:
            self._told(text)
        self._complained = text

    def _pause(self) -> float:
        left = self._leases.left()
        return LOOK if left is None else max(0.1, min(LOOK, left))

    def _tend(self, present: State) -> None:
        """Run the DHCP clients that the interfaces ask for, on those that are there, and no others."""
        asked = _asked(self._interfaces)
        needed = {
            client: dhcpcd.arguments(*client, information=information, lease=self._leases.path(client))
            for client, information in asked.items()
            if present.link(client[0])
        }
        self._stop([each for each, running in self._clients.items() if needed.get(each) != running.argv])
        self._leases.keep(asked)
        for client, argv in needed.items():
            if client not in self._clients:
                self._leases.path(client).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                self._clients[client] = dhcpcd.Dhcpcd(argv, self._rang.set, self._told)

    def _stop(self, clients: Sequence[Client]) -> None:
        """All at once: each may take its time."""
        gevent.joinall([gevent.spawn(self._clients.pop(client).stop) for client in clients])

    def _name(self) -> None:
        if self._system is None:
            return
        servers = resolver.name_servers(self._system.dns, self.leases)
        resolver.write(self._run / "resolv.conf", servers)
        resolver.name(self._system.hostname)

    def _solicit(self, changes: Iterable[Change], present: State) -> None:
        """The kernel asks for routers when IPv6 is switched on, but not when it may listen to them again."""
        for change in changes:
            if isinstance(change, Set) and change.setting.key == "accept_ra" and change.setting.value:
                on = present.setting((change.setting.ifname, Family.IPV6, "disable_ipv6")) == 0
                if on and change.before == 0:
                    try:
                        solicit_routers(change.setting.ifname)
                    except OSError:
                        pass  # no carrier, say; the routers tell by themselves some time

    def _mtus(self) -> dict[str, int]:
        """What interfaces had before this box changed it, by their names."""
        try:
            return {str(name): int(mtu) for name, mtu in json.loads(self._mtu_file.read_bytes()).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _remember_mtus(self, changes: Iterable[Change]) -> None:
        known = self._mtus()
        changed = {change.ifname: change.before for change in changes if isinstance(change, SetMtu)}
        if changed.keys() - known.keys():
            self._run.mkdir(mode=0o755, parents=True, exist_ok=True)
            replace_file(self._mtu_file, json.dumps(changed | known).encode(), 0o644)

    @property
    def _mtu_file(self) -> Path:
        return self._run / "mtu.json"


def _asked(interfaces: Iterable[Interface]) -> dict[Client, bool]:
    """The clients, and whether one asks only for what DHCPv6 tells besides addresses."""
    asked = {(each.name, Family.IPV4): False for each in interfaces if each.ipv4 == IPv4Mode.DHCP}
    for each in interfaces:
        if each.ipv6 in (IPv6Mode.DHCP, IPv6Mode.AUTO):
            asked[each.name, Family.IPV6] = each.ipv6 == IPv6Mode.AUTO
    return asked
