"""A signed file, its verdict and its certificates in the shapes of `report.trust`."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.report.record import stamp
from appliance.report.trust import (
    CertificateShown,
    RecordShown,
    SignedFileShown,
    SignerShown,
    Verified,
)
from appliance.trust import certificate as certificates
from appliance.trust import header as headers
from appliance.trust import signedfile, tlv, trustlist
from appliance.trust.certificate import BadCertificate, Certificate
from appliance.trust.header import HashAlgorithm, Signer
from appliance.trust.signature import Verdict
from appliance.trust.signedfile import SignedFile
from appliance.trust.trustlist import Record, Role, Tag, TrustList

ROLES: dict[int, str] = {
    Role.SAST: "SAST",
    Role.CCM: "CCM",
    Role.CCM_TFTP: "CCM+TFTP",
    Role.TFTP: "TFTP",
    Role.CAPF: "CAPF",
    Role.APP_SERVER: "APP-SERVER",
    Role.TVS: "TVS",
}
ALGORITHMS: dict[int, str] = {
    HashAlgorithm.SHA1: "SHA-1",
    HashAlgorithm.SHA256: "SHA-256",
    HashAlgorithm.SHA512: "SHA-512",
}


def shown(file: str, signed: SignedFile) -> SignedFileShown:
    """All that is in a file; `file` is its path."""
    header = signed.header
    return SignedFileShown(
        file=file,
        kind=_kind(signed),
        size_bytes=header.size + len(signed.body),
        header_bytes=header.size,
        version=_version(header.version),
        signer_version=None if header.signer_version is None else _version(header.signer_version),
        signer=_signer(header.signer),
        algorithm=_numbered(ALGORITHMS, header.algorithm),
        signature_bytes=len(header.signature),
        name=header.file_name,
        time=None if header.timestamp is None else stamp(header.timestamp),
        records=tuple(map(_record, signed.records)) if isinstance(signed, TrustList) else (),
        unknown=_unknown(header.elements, headers.KINDS),
        doubts=tuple(signedfile.doubts(signed)),
    )


def verified(file: str, signed: SignedFile, verdict: Verdict) -> Verified:
    """What was found of its signature."""
    return Verified(
        file=file,
        valid=verdict.certificate is not None,
        signer=_signer(signed.header.signer),
        certificate=None if verdict.certificate is None else certificate_shown(verdict.certificate),
        why=verdict.why,
        doubts=tuple(signedfile.doubts(signed)),
    )


def certificate_shown(certificate: Certificate) -> CertificateShown:
    """A certificate."""
    return CertificateShown(
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=certificate.serial.hex(),
        key=certificate.key,
        not_before=stamp(certificate.not_before.timestamp()),
        not_after=stamp(certificate.not_after.timestamp()),
        sha1=certificate.fingerprint(HashAlgorithm.SHA1).hex(),
        sha256=certificate.fingerprint(HashAlgorithm.SHA256).hex(),
    )


def _kind(signed: SignedFile) -> str:
    if isinstance(signed, TrustList):
        return "trust list"
    return "signed file" if signed.header.encryption is None else "encrypted file"


def _record(record: Record) -> RecordShown:
    certificate, fault = None, ""
    if der := record.value(Tag.CERTIFICATE):
        try:
            found = certificates.decode(der)
            certificate, fault = certificate_shown(found), _unlike(found, record)
        except BadCertificate as error:
            fault = str(error)
    return RecordShown(
        role=_numbered(ROLES, record.role),
        dns_name=record.text(Tag.DNSNAME),
        subject=record.text(Tag.SUBJECTNAME),
        issuer=record.text(Tag.ISSUERNAME),
        serial=record.value(Tag.SERIALNUMBER).hex(),
        addresses=tuple(map(str, record.addresses)),
        certificate=certificate,
        certificate_hash=record.value(Tag.CERTIFICATEHASH).hex(),
        fault=fault,
        unknown=_unknown(record.elements, trustlist.KINDS),
    )


def _unlike(certificate: Certificate, record: Record) -> str:
    """What of its certificate a record tells otherwise: a phone may look at the one or at the other."""
    if certificate.serial != record.value(Tag.SERIALNUMBER):
        return f"it has another serial number than the record: {certificate.serial.hex()}"
    if certificate.public_key != record.value(Tag.PUBLICKEY):
        return "it has another key than the record"
    return ""


def _signer(signer: Signer) -> SignerShown:
    return SignerShown(subject=signer.subject, issuer=signer.issuer, serial=signer.serial.hex())


def _version(version: headers.Version) -> str:
    return f"{version[0]}.{version[1]}"


def _numbered(names: dict[int, str], number: int) -> str:
    return names.get(number, str(number))


def _unknown(elements: Iterable[tlv.Element], kinds: tlv.Kinds) -> tuple[str, ...]:
    found = (each for each in tlv.flat(elements) if each.tag not in kinds)
    return tuple(f"tag {each.tag}, {len(each.value)} bytes" for each in found)
