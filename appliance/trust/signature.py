"""Whether a signed file is as its signer made it (phones.md 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.trust import certificate as certificates
from appliance.trust import header as headers
from appliance.trust.certificate import Certificate
from appliance.trust.header import HashAlgorithm
from appliance.trust.signedfile import SignedFile


@dataclass(frozen=True, slots=True)
class Verdict:
    """The certificate whose key has signed the file; None where no known one has, and `why`."""

    certificate: Certificate | None
    why: str = ""


def verify(signed: SignedFile, known: Iterable[Certificate]) -> Verdict:
    """Look for the signer among the certificates by its serial number, and check the signature with it.

    Whether the certificate is valid at some time is not looked at.
    """
    header = signed.header
    if header.algorithm not in headers.TAKEN:
        return Verdict(None, f"its hash algorithm {header.algorithm} is none with which phones take a file")
    algorithm = HashAlgorithm(header.algorithm)
    # A serial number is one issuer's own: several certificates can have it.
    candidates = [each for each in known if each.serial == header.signer.serial]
    if not candidates:
        return Verdict(
            None, f"no certificate given has its signer's serial number {header.signer.serial.hex()}"
        )
    digest = headers.digest(header, signed.body, algorithm)
    for each in candidates:
        if certificates.verify(header.signature, digest, each, algorithm):
            return Verdict(each)
    return Verdict(None, "the signature does not fit: the file was changed, or another key has signed it")
