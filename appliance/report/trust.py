"""The shapes of `appliance trust`: what `--json` prints. Serial numbers and hashes are hexadecimal."""

from __future__ import annotations

from dataclasses import dataclass


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
