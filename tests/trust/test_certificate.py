"""What is read of certificates and keys, and that nothing else than ours is raised for a bad one."""

from __future__ import annotations

import warnings
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust import certificate as certificates
from appliance.trust.certificate import BadCertificate, BadKey, Certificate, decode, read, read_key, verify
from appliance.trust.header import HashAlgorithm, Signer
from tests.trust.vectors import CLUSTER, CURVE, SMALL, certificate, data, key

EAST = "CN=cucm-east-pub;OU=Voice;O=Example;L=Krakow;ST=Malopolska;C=PL"
WEST = "CN=cucm-west-pub;OU=Voice;O=Example;L=Krakow;ST=Malopolska;C=PL"
ISSUED = "CN=Issued here;O=Example"  # and DC, which CUCM leaves out


@pytest.mark.parametrize(
    ("name", "subject", "serial", "kind", "is_rsa", "public_key", "signature"),
    [
        ("cluster", EAST, "83e908000000554545af31a2da457071", "RSA 2048", True, 270, 256),
        ("small", WEST, "70caf64e090751b9df22f49f754fc5bb", "RSA 1024", True, 140, 128),
        ("curve", EAST.replace("pub", "pub-EC"), "2810", "EC secp256r1", False, 65, None),
        ("issued", ISSUED, "01", "RSA 2048", True, 270, 256),
    ],
)
def test_facts(
    name: str, subject: str, serial: str, kind: str, is_rsa: bool, public_key: int, signature: int | None
) -> None:
    found = certificate(name)
    assert (found.subject, found.issuer) == (subject, subject)
    assert found.signer == Signer(subject, subject, bytes.fromhex(serial))
    assert (found.key, found.is_rsa) == (kind, is_rsa)
    assert len(found.public_key) == public_key
    assert signature in (None, len(found.signature))
    assert found.der.endswith(found.signature)
    assert found.not_after - found.not_before == timedelta(days=7300)
    assert found.not_before.tzinfo == UTC
    assert decode(found.der) == found


def test_several_in_one_file() -> None:
    assert read(data("cluster.pem") + b"\ntext between\n" + data("curve.pem")) == [CLUSTER, CURVE]


def test_beside_a_key() -> None:
    assert read(data("cluster.key") + data("cluster.pem")) == [CLUSTER]


PEM = "a PEM file whose certificates cannot all be read"
NONE = "no certificate that can be read"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (b"", NONE),
        (b"0", NONE),
        (b"<device/>", NONE),
        (CLUSTER.der[:-1], NONE),
        (CLUSTER.der + b"\0", NONE),
        (CLUSTER.der.replace(b"\2\3\1\0\1", b"\2\3\1\0\0"), NONE),  # an exponent that is even
        (data("cluster.key"), NONE),
        (b"-----BEGIN CERTIFICATE-----", PEM),
        (b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", PEM),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PEM),
        (data("cluster.pem") + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PEM),
        (data("cluster.pem")[:400], PEM),
    ],
)
def test_no_certificate(given: bytes, fault: str) -> None:
    with pytest.raises(BadCertificate, match=f"^{fault}$"):
        read(given)


@given(st.binary(max_size=200))
def test_any_bytes(given: bytes) -> None:
    for candidate in (given, b"0\x82\4\0" + given, certificates.PEM_START + given):
        with pytest.raises(BadCertificate):
            read(candidate)


CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4)


@given(st.sampled_from([CLUSTER, SMALL, CURVE, certificate("issued")]), CHANGES)
def test_any_changed_byte(base: Certificate, changes: list[tuple[int, int]]) -> None:
    """It is read, and its key verifies nothing; or `BadCertificate`. Nothing is said on the way."""
    der = bytearray(base.der)
    for at, value in changes:
        der[at % len(der)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = decode(bytes(der))
        except BadCertificate:
            return
        assert not verify(bytes(256), bytes(20), found, HashAlgorithm.SHA1)
        assert found.signer.serial


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\3\2\1\2", b"\xa0\3\2\1\x15"),  # a version that X.509 has not
        (b"\x0c\x0dcucm-east-pub", b"\x03\x0dcucm-east-pub"),  # a name that is a string of bits
    ],
)
def test_faults_that_the_library_tells_otherwise(old: bytes, new: bytes) -> None:
    assert old in CLUSTER.der
    with pytest.raises(BadCertificate):
        decode(CLUSTER.der.replace(old, new))


def test_a_serial_number_that_is_negative() -> None:
    """As some old ones are: what is told is the magnitude, and nobody is warned."""
    old = b"\2\x11\0\x83\xe9"
    assert old in CLUSTER.der
    changed = CLUSTER.der.replace(old, b"\2\x11\x80\x83\xe9")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = decode(changed)
    assert int.from_bytes(found.serial, "big") == 2**135 - int.from_bytes(CLUSTER.serial, "big")


def test_a_serial_number_of_zero() -> None:
    """One byte all the same: an element without a value would name nobody."""
    old, new = b"\xa0\3\2\1\2\2\1\1", b"\xa0\3\2\1\2\2\1\0"
    der = certificate("issued").der
    assert old in der
    assert decode(der.replace(old, new)).serial == b"\0"


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_signatures(algorithm: HashAlgorithm) -> None:
    digest = bytes({HashAlgorithm.SHA1: 20, HashAlgorithm.SHA256: 32, HashAlgorithm.SHA512: 64}[algorithm])
    made = key().sign(digest, algorithm)
    assert len(made) * 8 == key().bits == 2048
    assert verify(made, digest, CLUSTER, algorithm)
    assert not verify(made, b"\1" + digest[1:], CLUSTER, algorithm)
    assert not verify(made[:-1], digest, CLUSTER, algorithm)
    assert not verify(made + b"\0", digest, CLUSTER, algorithm)
    assert not verify(b"", digest, CLUSTER, algorithm)
    assert not verify(made, digest, SMALL, algorithm)
    assert not verify(made, digest, certificate("impostor"), algorithm)
    assert not verify(made, digest, CURVE, algorithm)


def test_fingerprints() -> None:
    lengths = {each: len(CLUSTER.fingerprint(each)) for each in HashAlgorithm}
    assert list(lengths.values()) == [20, 32, 64]
    assert CLUSTER.fingerprint(HashAlgorithm.SHA1) != SMALL.fingerprint(HashAlgorithm.SHA1)


OPENS_NOT = "no private key in PEM that opens with this password"


@pytest.mark.parametrize(
    ("pem", "password", "fault"),
    [
        (b"", None, OPENS_NOT),
        (data("cluster.pem"), None, OPENS_NOT),
        (data("cluster.key")[:800], None, OPENS_NOT),
        (data("cluster.key"), b"secret", OPENS_NOT),  # a password, where none is needed
    ],
)
def test_no_key(pem: bytes, password: bytes | None, fault: str) -> None:
    with pytest.raises(BadKey, match=f"^{fault}$"):
        read_key(pem, password)


def test_the_key_of_another_certificate() -> None:
    assert certificates.signing(CLUSTER, key(), HashAlgorithm.SHA1).key_bits == 2048
    with pytest.raises(BadKey, match="the key is not the certificate's"):
        certificates.signing(SMALL, key(), HashAlgorithm.SHA1)


def test_a_key_does_not_show_itself() -> None:
    assert repr(key()).startswith("<appliance.trust.certificate.Key object at ")
