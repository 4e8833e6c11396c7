"""What each command prints with `--json`, as a dataclass."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.commands.machine import Misfit
from appliance.config.faults import Fault
from appliance.report.findings import Explanation, Findings, Forgotten, Moved
from appliance.report.network import NetworkChanges, NetworkShown
from appliance.report.record import Record
from appliance.report.status import Status
from appliance.report.trust import (
    Consolidated,
    Exported,
    Imported,
    OwnCertificates,
    Removed,
    Requested,
    Signed,
    SignedFileShown,
    StoresShown,
    TrustChecked,
    Verified,
)


@dataclass
class Requests:
    """`explain --last`."""

    requests: tuple[Record, ...]


@dataclass
class Checked:
    """`config check`."""

    file: str
    valid: bool
    faults: tuple[Fault, ...]
    warnings: tuple[Misfit, ...]


@dataclass
class Got:
    """`get` over HTTP."""

    url: str
    output: str
    bytes: int
    sha256: str
    duration_ms: float
    size_bytes: int | None


@dataclass
class GotByTftp(Got):
    """`get` over TFTP."""

    options: dict[str, str]
    retransmits: int
    duplicates: int


SHAPES: dict[str, type] = {
    "status": Status,
    "find": Findings,
    "explain": Explanation,
    "explain-last": Requests,
    "forget": Forgotten,
    "move": Moved,
    "get-http": Got,
    "get-tftp": GotByTftp,
    "config-check": Checked,
    "config-check-warnings": Checked,
    "network-show": NetworkShown,
    "network-plan": NetworkChanges,
    "trust-show": SignedFileShown,
    "trust-verify": Verified,
    "trust-cert": OwnCertificates,
    "trust-cert-request": Requested,
    "trust-list": StoresShown,
    "trust-import": Imported,
    "trust-remove": Removed,
    "trust-export": Exported,
    "trust-consolidate": Consolidated,
    "trust-sign": Signed,
    "trust-check": TrustChecked,
}
