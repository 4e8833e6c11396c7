"""What is read of the files in tests/vectors/trust, held against what vectors.ini tells of them."""

from __future__ import annotations

import hashlib
from configparser import SectionProxy
from dataclasses import asdict

import pytest

from appliance.report.trust import RecordShown, SignedFileShown
from appliance.trust import signedfile, trustlist
from appliance.trust.envelope import Envelope
from appliance.trust.header import Encryption
from appliance.trust.shown import shown
from appliance.trust.trustlist import Tag
from tests.trust.vectors import CLUSTER, FILES, LISTS, SMALL, TOLD, certificate, data

ELSE = {"token", "compact", "nobody"}
"""Records that are not simply those of a certificate."""


def of(name: str) -> SignedFileShown:
    return shown(name, signedfile.decode(data(name)))


@pytest.mark.parametrize("name", FILES)
def test_header(name: str) -> None:
    told, found = TOLD[name], of(name)
    assert (found.kind, found.version) == (told["kind"], told["version"])
    assert (found.signer_version or "", found.header_bytes) == (
        told["signer_version"],
        int(told["header_bytes"]),
    )
    assert found.signer.subject == found.signer.issuer == told["signer"]
    assert (found.signer.serial, found.algorithm) == (told["serial"], told["algorithm"])
    assert (found.name or "", found.time or "") == (told["name"], told["time"])
    assert (found.size_bytes, found.file) == (len(data(name)), name)
    assert found.signature_bytes == (128 if told["certificate"] == "small" else 256)
    assert ", ".join(found.unknown) == told["unknown"]
    assert signedfile.decode(data(name)).body.startswith(told["body"].encode())


@pytest.mark.parametrize("name", LISTS)
def test_records(name: str) -> None:
    rows, found = rows_of(TOLD[name]), of(name).records
    assert len(found) == len(rows)
    for (role, dns_name, whose, *addresses), record in zip(rows, found, strict=True):
        assert record.role == role
        assert record.dns_name == dns_name.strip("-.")
        assert list(record.addresses) == addresses
        if whose not in ELSE:
            like(record, whose, commas=name == "comma.tlv")


def rows_of(told: SectionProxy) -> list[list[str]]:
    return [line.split() for line in told["records"].splitlines() if line]


def like(record: RecordShown, whose: str, commas: bool) -> None:
    """Whether a record tells what its certificate does."""
    facts = certificate(whose)
    assert record.certificate is not None
    assert record.certificate.subject == facts.subject
    assert (record.fault, record.certificate_hash, record.unknown) == ("", "", ())
    assert record.serial == record.certificate.serial == facts.serial.hex()
    assert record.certificate.sha1 == hashlib.sha1(facts.der).hexdigest()
    assert record.certificate.sha256 == hashlib.sha256(facts.der).hexdigest()
    if not commas:
        assert (record.subject, record.issuer) == (facts.subject, facts.issuer)


def test_the_bytes_of_records() -> None:
    """What the records bear of certificates is what we read of these ourselves."""
    found = trustlist.decode(data("ITLFile.tlv")).records
    for record, whose in zip(found, (CLUSTER, CLUSTER, certificate("curve")), strict=False):
        assert record.value(Tag.PUBLICKEY) == whose.public_key
        assert record.value(Tag.SIGNATURE) == whose.signature
        assert record.value(Tag.CERTIFICATE) == whose.der


def test_records_that_are_odd() -> None:
    token, compact, nobody = of("CTLFile.tlv").records[2:]
    assert token.subject == 'cn="SAST-ADN008580ef        ";ou=IPCBU;o="Cisco Systems'
    assert token.serial == "83e9080000005545af31"
    assert token.fault == f"it has another serial number than the record: {SMALL.serial.hex()}"
    assert compact.certificate is None
    assert compact.certificate_hash == hashlib.sha1(CLUSTER.der).hexdigest()
    assert nobody.unknown == ("tag 77, 12 bytes",)
    assert {nobody.subject, nobody.issuer, nobody.serial, nobody.fault} == {""}


def test_certificates_that_cannot_be_read() -> None:
    record = trustlist.record(CLUSTER, trustlist.Role.SAST)
    whole = data("comma.tlv")
    broken = whole.replace(CLUSTER.der, b"0" * len(CLUSTER.der))
    [found] = shown("x", signedfile.decode(broken)).records
    assert (found.certificate, found.fault) == (None, "no certificate that can be read")
    key = whole.replace(b"\7\1\x0e" + record.value(Tag.PUBLICKEY), b"\7\1\x0e" + bytes(270))
    [found] = shown("x", signedfile.decode(key)).records
    assert found.certificate is not None
    assert found.fault == "it has another key than the record"


def test_encryption() -> None:
    found = signedfile.decode(data("SEP001122334455.cnf.xml.enc.sgn"))
    text = b"<device><fullConfig>true</fullConfig></device>\n"
    assert isinstance(found, Envelope)
    encryption = found.header.encryption
    assert encryption is not None
    assert encryption == Encryption(
        bytes(range(16, 32)), 1, 1024, encryption.wrapped_key, 1, hashlib.sha1(text).digest()
    )
    assert (len(encryption.wrapped_key), len(found.body)) == (128, 48)


def test_doubts() -> None:
    assert {name: asdict(of(name))["doubts"] for name in FILES if of(name).doubts} == {}
