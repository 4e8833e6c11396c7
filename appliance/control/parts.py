"""What the verbs of all connections work on, and how it is now."""

from __future__ import annotations

import time
from dataclasses import dataclass

import appliance
from appliance.control.bundles import Bundles
from appliance.control.child import Children
from appliance.control.commit import Commits
from appliance.control.disk import Disk
from appliance.control.force import Force
from appliance.control.log import Log
from appliance.control.start import FAULT_MAX
from appliance.report.control import ControlStatus
from appliance.report.record import stamp
from appliance.report.text import printable


@dataclass(frozen=True, slots=True)
class Parts:
    """Those of one daemon; `started` is by the clock that nobody sets."""

    commits: Commits
    disk: Disk
    force: Force
    children: Children
    bundles: Bundles
    log: Log
    started: float


def status(parts: Parts) -> ControlStatus:
    """The configuration's life as it is now."""
    commits = parts.commits
    fault = "; ".join(filter(None, (commits.unusable, commits.fault)))
    return ControlStatus(
        version=appliance.__version__,
        time=stamp(time.time()),
        uptime_s=round(time.monotonic() - parts.started, 1),
        confirmed=str(parts.disk.places.confirmed),
        in_force=str(parts.disk.places.in_force),
        revision=commits.in_force.revision,
        phase=commits.state.phase.value,
        fault=printable(fault, FAULT_MAX),
        pending=commits.waiting(),
        last=commits.last,
        services=parts.force.services.shown(),
    )
