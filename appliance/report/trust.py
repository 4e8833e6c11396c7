"""The shapes of `appliance trust`: what `--json` prints. Serial numbers and hashes are hexadecimal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters. `FAULT`: phones reject files, or soon will."""

    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class TrustFinding:
    """What was found about something, and what to do, which may be empty."""

    level: Level
    about: str
    text: str
    cure: str


@dataclass(frozen=True, slots=True)
class SignerShown:
    """Whose signature a file bears, as the file itself tells it."""

    subject: str
    issuer: str
    serial: str


@dataclass(frozen=True, slots=True)
class CertificateShown:
    """A certificate. The two hashes are over all of it; CUCM shows the SHA-1."""

    subject: str
    issuer: str
    serial: str
    key: str
    not_before: str
    not_after: str
    sha1: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RecordShown:
    """A record of a trust list. `fault` says what is wrong with its certificate, and is empty where nothing
    is or there is none; `unknown` are elements that no table names.
    """

    role: str
    dns_name: str
    subject: str
    issuer: str
    serial: str
    addresses: tuple[str, ...]
    certificate: CertificateShown | None
    certificate_hash: str
    fault: str
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedFileShown:
    """A trust list, a signed or an encrypted file. `name` and `time` are those that its signer wrote;
    `doubts` say what would keep phones from taking it.
    """

    file: str
    kind: str
    size_bytes: int
    header_bytes: int
    version: str
    signer_version: str | None
    signer: SignerShown
    algorithm: str
    signature_bytes: int
    name: str | None
    time: str | None
    records: tuple[RecordShown, ...]
    unknown: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether one of the certificates given has signed a file, which one, and why none has."""

    file: str
    valid: bool
    signer: SignerShown
    certificate: CertificateShown | None
    why: str
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate of this box and what it is for; None where it was not made yet."""

    purpose: str
    certificate: CertificateShown | None


@dataclass(frozen=True, slots=True)
class OwnCertificates:
    """All of them; `changed` names the purposes whose certificate is new since the call."""

    certificates: tuple[OwnCertificate, ...]
    changed: tuple[str, ...]
    findings: tuple[TrustFinding, ...]


@dataclass(frozen=True, slots=True)
class Requested:
    """A request for a certificate, and where it was written."""

    purpose: str
    subject: str
    output: str


@dataclass(frozen=True, slots=True)
class StoreShown:
    """A trust store and what is in it."""

    store: str
    certificates: tuple[CertificateShown, ...]


@dataclass(frozen=True, slots=True)
class StoresShown:
    """The trust stores."""

    stores: tuple[StoreShown, ...]
    findings: tuple[TrustFinding, ...]


@dataclass(frozen=True, slots=True)
class OfferedShown:
    """A certificate that came from outside. `fate` says what becomes of it, `stores` those into which it goes
    or went; `label` is its role or name there.
    """

    certificate: CertificateShown
    label: str
    fate: str
    stores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeShown:
    """A server with the files of a cluster, as the cluster's list names it."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was given. `written`: it is in the stores now, as far as `stores` of each says."""

    source: str
    kind: str
    written: bool
    certificates: tuple[OfferedShown, ...]
    nodes: tuple[NodeShown, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What is in a store no more."""

    store: str
    certificate: CertificateShown


@dataclass(frozen=True, slots=True)
class Exported:
    """Certificates, and where they were written; `steps` say how a call manager is given them."""

    output: str
    format: str
    certificates: tuple[CertificateShown, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consolidated:
    """A bundle made of many."""

    output: str
    certificates: tuple[OfferedShown, ...]


@dataclass(frozen=True, slots=True)
class LeftOutShown:
    """A file that was not signed, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ListMade:
    """A trust list of this box; `changed`: it is new."""

    name: str
    size_bytes: int
    changed: bool
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed of the local store. All names are those of the files in it."""

    signed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[LeftOutShown, ...]
    lists: tuple[ListMade, ...]


@dataclass(frozen=True, slots=True)
class ClusterTrust:
    """What a cluster's lists mean for this box. `mode` is nonsecure, mixed, rollback, none (no list at all)
    or unknown; `accepts`: its phones take files that this box has signed, None where only the cluster's
    TVS could say.
    """

    cluster: str
    mode: str
    signer: str | None
    accepts: bool | None
    itl_bytes: int | None
    ctl_bytes: int | None
    findings: tuple[TrustFinding, ...]


@dataclass(frozen=True, slots=True)
class TrustChecked:
    """What was found about this box and about each cluster."""

    own: tuple[TrustFinding, ...]
    clusters: tuple[ClusterTrust, ...]
