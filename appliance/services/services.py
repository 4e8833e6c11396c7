"""The services of a configuration, and kept so: time zone, clock and SSH.

None of them keeps anything else from coming into force. What cannot be had is told in the log, once for each
reason, and in the status; it is tried again at each look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import gevent
from gevent.event import Event

from appliance.config.model import Ssh, System
from appliance.report.services import ServiceShown
from appliance.report.text import printable
from appliance.services import chrony, zone
from appliance.services.chronyd import Chronyd
from appliance.services.hostkeys import NoKey
from appliance.services.sshd import Sshd
from appliance.services.sshd_config import PORT, is_open
from appliance.services.zone import NoZone

LOOK = 10.0  # s between two looks: at the time of day, which somebody may set, and at what leases tell

ZONE, CLOCK, SSH = "time zone", "clock", "ssh"


class Services:
    """Those of one machine. `run` and `data` are the folders of [paths]; `told` gets lines for a log;
    `time_servers` are those for a list of the configuration, such as what leases name where that is empty.

    Without `steers` the clock of the machine is left alone. `port` is that of SSH.
    """

    def __init__(
        self,
        run: Path,
        data: Path,
        told: Callable[[str], None],
        time_servers: Callable[[Sequence[str]], Sequence[str]] = tuple,
        *,
        steers: bool = True,
        port: int = PORT,
    ) -> None:
        self._localtime = run / "localtime"
        self._told = told
        self._time_servers = time_servers
        self._chronyd = Chronyd(chrony.places(run, data), told, steers=steers)
        self._sshd = Sshd(run / "ssh", data / "system" / "ssh", self._localtime, told, port=port)
        self._system: System | None = None
        self._ssh: Ssh | None = None
        self._tracking: chrony.Tracking | None = None
        self._faults: dict[str, str] = {}
        self._rang = Event()
        self._keeper: gevent.Greenlet[..., None] | None = None

    def apply(self, system: System, ssh: Ssh) -> None:
        """Make this the configuration from now on. It is back at once, and raises nothing."""
        self._system, self._ssh = system, ssh
        self._rang.set()
        if self._keeper is None:
            self._keeper = gevent.spawn(self._keep)

    def shown(self) -> tuple[ServiceShown, ...]:
        """All services as they are now; none before the first `apply`."""
        if self._system is None or self._ssh is None:
            return ()
        return (
            self._shown_zone(self._system),
            self._shown_clock(self._system),
            self._shown_ssh(self._ssh),
        )

    def stop(self) -> None:
        """End what runs, but for the sessions of SSH."""
        if self._keeper is not None:
            self._keeper.kill()
        self._sshd.leave()
        self._chronyd.stop()

    def _keep(self) -> None:
        while True:
            self._rang.wait(self._pause())
            self._rang.clear()
            self._try(ZONE, self._settle_zone)
            self._try(SSH, self._settle_ssh)
            self._try(CLOCK, self._settle_clock)

    def _pause(self) -> float:
        until = self._ssh.until if self._ssh is not None else None
        left = (until - datetime.now(UTC)).total_seconds() if until is not None else LOOK
        return min(LOOK, left) if left > 0 else LOOK

    def _try(self, name: str, settle: Callable[[], None]) -> None:
        try:
            settle()
            fault = ""
        except (NoZone, NoKey) as error:
            fault = str(error)
        except OSError as error:
            fault = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        except Exception as error:  # noqa: BLE001  a mistake of ours in one service must not end the others
            fault = repr(error)
        if fault and fault != self._faults.get(name):
            self._told(f"{name}: {fault}")
        self._faults[name] = fault

    def _settle_zone(self) -> None:
        assert self._system is not None
        zone.write(self._localtime, self._system.timezone)

    def _settle_ssh(self) -> None:
        assert self._ssh is not None
        if is_open(self._ssh, datetime.now(UTC)):
            self._sshd.settle(self._ssh)
        else:
            self._sshd.stop()

    def _settle_clock(self) -> None:
        assert self._system is not None
        self._chronyd.settle(self._time_servers(self._system.ntp))
        self._tracking = self._chronyd.tracking()

    def _shown_zone(self, system: System) -> ServiceShown:
        fault = self._faults.get(ZONE, "")
        text = f"{system.timezone}: {fault}" if fault else system.timezone
        return _service(ZONE, True, not fault, text)

    def _shown_clock(self, system: System) -> ServiceShown:
        if not chrony.usable(self._time_servers(system.ntp)):
            return _service(CLOCK, False, True, "no time server is known")
        fault = self._faults.get(CLOCK, "")
        if fault or not self._chronyd.running:
            return _service(CLOCK, True, False, fault or self._chronyd.why or "not started yet")
        found = self._tracking
        if found is None:
            return _service(CLOCK, True, False, "no time server has answered yet")
        text = f"follows {found.server} (stratum {found.stratum}), {found.ahead_ms:+g} ms"
        return _service(CLOCK, True, True, text)

    def _shown_ssh(self, ssh: Ssh) -> ServiceShown:
        if not is_open(ssh, datetime.now(UTC)):
            text = f"off since {ssh.until:%Y-%m-%dT%H:%M:%SZ}" if ssh.enabled and ssh.until else "off"
            return _service(SSH, False, not self._sshd.running, text)
        fault = self._faults.get(SSH, "")
        if fault or not self._sshd.running:
            return _service(SSH, True, False, fault or self._sshd.why or "not started yet")
        text = "on" if ssh.until is None else f"on until {ssh.until:%Y-%m-%dT%H:%M:%SZ}"
        return _service(SSH, True, True, text)


def _service(name: str, wanted: bool, ok: bool, text: str) -> ServiceShown:
    return ServiceShown(name, wanted, ok, printable(text))
