"""The openssl command and this code, each on what the other made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.trust import certificate as certificates
from appliance.trust import envelope, signedfile, trustlist
from appliance.trust.certificate import BadKey
from appliance.trust.header import HashAlgorithm
from appliance.trust.signature import verify
from appliance.trust.trustlist import Role, record
from tests.trust.openssl import openssl, without_signature
from tests.trust.vectors import CLUSTER, CURVE, FOLDER, SMALL, TIME, data, needs_openssl, signing

pytestmark = needs_openssl

NAMES = {HashAlgorithm.SHA1: "-sha1", HashAlgorithm.SHA512: "-sha512"}


MADE: dict[str, Callable[[HashAlgorithm], signedfile.SignedFile]] = {
    "signed": lambda algorithm: envelope.build(b"<x/>", "x.xml.sgn", TIME, signing(algorithm)),
    "list": lambda algorithm: trustlist.build(
        [record(CLUSTER, Role.SAST), record(CURVE, Role.TFTP)], "ITLFile.tlv", TIME, signing(algorithm)
    ),
}


@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("kind", MADE)
def test_openssl_verifies(kind: str, algorithm: HashAlgorithm, tmp_path: Path) -> None:
    signed, signature = without_signature(signedfile.encode(MADE[kind](algorithm)))
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "public").write_bytes(openssl("x509", "-in", FOLDER / "cluster.pem", "-noout", "-pubkey"))
    arguments = ("-verify", tmp_path / "public", "-signature", tmp_path / "signature")
    assert openssl("dgst", NAMES[algorithm], *arguments, given=signed) == b"Verified OK\n"


@pytest.mark.parametrize("algorithm", NAMES)
def test_openssl_signs(algorithm: HashAlgorithm) -> None:
    """Another file than the vectors, with the signature of the moment."""
    made = envelope.encode(envelope.build(b"new", "new.sgn", TIME, signing(algorithm)))
    signed, signature = without_signature(made)
    theirs = openssl("dgst", NAMES[algorithm], "-sign", FOLDER / "cluster.key", given=signed)
    assert theirs == signature
    assert verify(envelope.decode(made.replace(signature, theirs)), [CLUSTER]).certificate == CLUSTER


@pytest.mark.parametrize("name", ["cluster", "small", "curve", "issued"])
def test_certificates(name: str) -> None:
    path = FOLDER / f"{name}.pem"
    [found] = certificates.read(data(f"{name}.pem"))
    serial = openssl("x509", "-in", path, "-noout", "-serial").decode().strip().partition("=")[2]
    assert found.serial.hex() == serial.lower()
    for algorithm, option in ((HashAlgorithm.SHA1, "-sha1"), (HashAlgorithm.SHA256, "-sha256")):
        told = openssl("x509", "-in", path, "-noout", "-fingerprint", option).decode()
        assert found.fingerprint(algorithm).hex(":").upper() == told.strip().partition("=")[2]
    assert openssl("x509", "-in", path, "-outform", "DER") == found.der


def test_the_public_key_of_a_record() -> None:
    """RSAPublicKey of PKCS #1 (phones.md 3.2), and for a curve the point at the end of its SPKI."""
    public = openssl("x509", "-in", FOLDER / "cluster.pem", "-noout", "-pubkey")
    assert (
        openssl("rsa", "-pubin", "-RSAPublicKey_out", "-outform", "DER", given=public) == CLUSTER.public_key
    )
    public = openssl("x509", "-in", FOLDER / "curve.pem", "-noout", "-pubkey")
    assert openssl("pkey", "-pubin", "-outform", "DER", given=public)[-65:] == CURVE.public_key


def test_a_key_with_a_password() -> None:
    pem = openssl("pkey", "-in", FOLDER / "cluster.key", "-aes128", "-passout", "pass:secret")
    assert certificates.read_key(pem, b"secret").public_key == CLUSTER.public_key
    for wrong in (None, b"", b"Secret"):
        with pytest.raises(BadKey, match="no private key in PEM that opens with this password"):
            certificates.read_key(pem, wrong)


@pytest.mark.parametrize("algorithm", ["EC", "ED25519"])
def test_keys_that_cannot_sign_for_phones(algorithm: str) -> None:
    curve = ("-pkeyopt", "ec_paramgen_curve:P-256") if algorithm == "EC" else ()
    with pytest.raises(BadKey, match="not an RSA key"):
        certificates.read_key(openssl("genpkey", "-algorithm", algorithm, *curve))


def test_a_certificate_that_no_phone_knows(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(openssl("genpkey", "-algorithm", "ED25519"))
    pem = openssl("req", "-x509", "-key", key, "-subj", "/CN=x", "-days", "30")
    with pytest.raises(certificates.BadCertificate, match="neither RSA nor EC"):
        certificates.read(pem)


def test_decrypting(tmp_path: Path) -> None:
    """The text is what the header says of it, once padding is taken away."""
    found = envelope.decode(data("SEP001122334455.cnf.xml.enc.sgn"))
    encryption = found.header.encryption
    assert encryption is not None
    key = bytes(range(16)).hex()
    arguments = ("-d", "-aes-128-cbc", "-nopad", "-K", key, "-iv", encryption.iv.hex())
    text = openssl("enc", *arguments, given=found.body)
    assert text[-encryption.pad_length :] == b"\x0d" * encryption.pad_length
    (tmp_path / "text").write_bytes(text[: -encryption.pad_length])
    told = openssl("dgst", "-sha1", "-r", tmp_path / "text").split()[0].decode()
    assert told == encryption.digest.hex()
    assert encryption.key_bits == len(encryption.wrapped_key) * 8 == int(SMALL.key.partition(" ")[2])
