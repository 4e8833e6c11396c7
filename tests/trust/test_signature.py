"""Who has signed a file, and what is said where nobody did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.trust import envelope, signedfile
from appliance.trust.certificate import Certificate
from appliance.trust.header import HashAlgorithm
from appliance.trust.signature import Verdict, verify
from appliance.trust.tlv import Malformed
from tests.trust.vectors import CLUSTER, CURVE, FILES, SMALL, TIME, TOLD, certificate, data, signing

IMPOSTOR = certificate("impostor")
DOES_NOT_FIT = "the signature does not fit: the file was changed, or another key has signed it"
UNKNOWN = f"no certificate given has its signer's serial number {CLUSTER.serial.hex()}"
AS_CURVE = replace(signing(), signer=CURVE.signer)


@pytest.mark.parametrize("name", FILES)
def test_signed_by_openssl(name: str) -> None:
    signer = certificate(TOLD[name]["certificate"])
    found = signedfile.decode(data(name))
    assert verify(found, [signer]) == Verdict(signer)
    assert verify(found, [CURVE, IMPOSTOR, SMALL, CLUSTER]) == Verdict(signer)


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ([], UNKNOWN),
        ([SMALL, CURVE], UNKNOWN),
        ([IMPOSTOR], DOES_NOT_FIT),
        ([IMPOSTOR, SMALL], DOES_NOT_FIT),
    ],
)
def test_not_signed_by_these(known: list[Certificate], why: str) -> None:
    assert verify(signedfile.decode(data("RingList.xml.sgn")), known) == Verdict(None, why)


@pytest.mark.parametrize("name", ["RingList.xml.sgn", "SEP001122334455.cnf.xml.enc.sgn", "CTLFile.tlv"])
def test_any_other_byte(name: str) -> None:
    """Whatever is changed, be it a length or padding: it is malformed, or it is not signed."""
    whole = data(name)
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        try:
            found = signedfile.decode(bytes(changed))
        except Malformed:
            continue
        assert verify(found, [CLUSTER, SMALL]).certificate is None


@pytest.mark.parametrize("name", FILES)
def test_more_and_less_than_was_signed(name: str) -> None:
    whole = data(name)
    for changed in (whole + b"\n", whole[:-1], whole + whole[-100:]):
        try:
            found = signedfile.decode(changed)
        except Malformed:
            continue
        assert verify(found, [CLUSTER, SMALL]).certificate is None


def test_a_hash_that_phones_do_not_take() -> None:
    made = envelope.build(b"x", "x.sgn", TIME, signing(HashAlgorithm.SHA256))
    why = "its hash algorithm 2 is none with which phones take a file"
    assert verify(made, [CLUSTER]) == Verdict(None, why)


def test_a_certificate_that_cannot_sign() -> None:
    made = envelope.build(b"x", "x.sgn", TIME, AS_CURVE)
    assert verify(made, [CURVE]) == Verdict(None, DOES_NOT_FIT)


def test_the_other_hash() -> None:
    """A signature of one algorithm is none of the other, though the header says so."""
    made = envelope.build(b"x", "x.sgn", TIME, signing(HashAlgorithm.SHA1))
    whole = bytearray(envelope.encode(made))
    at = whole.index(b"\x08\0\1\1") + 3
    whole[at] = HashAlgorithm.SHA512
    assert verify(envelope.decode(bytes(whole)), [CLUSTER]) == Verdict(None, DOES_NOT_FIT)
