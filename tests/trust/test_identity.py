"""This box's own keys: what is made, asked for and installed; openssl reads it all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from appliance.trust import certificate as certificates
from appliance.trust.certificate import BadCertificate, BadKey, Certificate, issued_by
from appliance.trust.header import HashAlgorithm
from appliance.trust.identity import (
    VALID,
    BadSubject,
    Identity,
    Purpose,
    Subject,
    Unfit,
    decode,
    encode,
    install,
    make,
    published,
    request,
)
from tests.trust.openssl import openssl
from tests.trust.vectors import CLUSTER, CURVE, data, needs_openssl

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SUBJECT = Subject("box-signing", "Voice", "Example", "Krakow", "Malopolska", "PL")
NAME = "CN=box-signing;OU=Voice;O=Example;L=Krakow;ST=Malopolska;C=PL"


@cache
def identity(purpose: Purpose) -> Identity:
    return make(purpose, SUBJECT, "box.example.com", NOW)


@pytest.mark.parametrize("purpose", Purpose)
def test_made(purpose: Purpose) -> None:
    found = identity(purpose).certificate
    assert (found.subject, found.issuer) == (NAME, NAME)
    assert found.key == ("EC secp256r1" if purpose is Purpose.HTTPS else "RSA 2048")
    assert (found.not_before, found.not_after) == (NOW, NOW + VALID)
    assert 14 <= len(found.serial) <= 16
    assert issued_by(found, found)
    assert decode(encode(identity(purpose))) == identity(purpose)


def test_no_two_have_the_same_serial_number() -> None:
    assert len({identity(purpose).certificate.serial for purpose in Purpose}) == len(Purpose)


def test_it_signs_files() -> None:
    own = identity(Purpose.SIGNING)
    signing = certificates.signing(own.certificate, certificates.read_key(own.key), HashAlgorithm.SHA1)
    assert (signing.key_bits, signing.signer) == (2048, own.certificate.signer)


def test_a_name_without_what_may_be_left_out() -> None:
    made = make(Purpose.HTTPS, Subject("box"), "box", NOW)
    assert made.certificate.subject == "CN=box;OU=Voice;O=Phone appliance"


@pytest.mark.parametrize(
    "bad", ["", "a,b", "a;b", "a=b", "a+b", "a\\b", 'a"b', "a\nb", "\u00fc", "x" * 65, " a"]
)
@pytest.mark.parametrize("part", ["common_name", "unit", "organization"])
def test_names_that_can_be_read_in_two_ways(part: str, bad: str) -> None:
    with pytest.raises(BadSubject, match=r"^(CN|OU|O): allowed are 1 to 64 letters"):
        Subject(**{"common_name": "box", part: bad})


@pytest.mark.parametrize("bad", ["pl", "P", "POL", "P1"])
def test_countries(bad: str) -> None:
    with pytest.raises(BadSubject, match=r"^C: allowed are two capital letters$"):
        Subject("box", country=bad)


def test_the_key_does_not_show_itself() -> None:
    assert "PRIVATE" not in repr(identity(Purpose.SIGNING))
    assert b"PRIVATE" not in published(identity(Purpose.SIGNING))


@pytest.mark.parametrize(
    ("pem", "fault"),
    [
        (b"", BadCertificate),
        (data("cluster.pem"), BadKey),
        (data("cluster.key"), BadCertificate),
        (data("cluster.key") + data("small.pem"), BadKey),
        (data("cluster.key")[:500] + data("cluster.pem"), BadCertificate),
    ],
)
def test_no_identity(pem: bytes, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        decode(pem)


@needs_openssl
@pytest.mark.parametrize("purpose", Purpose)
def test_openssl_reads_it(purpose: Purpose) -> None:
    pem = published(identity(purpose))
    text = openssl("x509", "-noout", "-text", "-nameopt", "RFC2253", given=pem).decode()
    assert "Subject: C=PL,ST=Malopolska,L=Krakow,O=Example,OU=Voice,CN=box-signing" in text
    assert "CA:TRUE, pathlen:0" in text
    assert "DNS:box.example.com" in text
    assert "TLS Web Server Authentication" in text
    public = openssl("pkey", "-pubout", given=identity(purpose).key)
    assert public == openssl("x509", "-noout", "-pubkey", given=pem)


class Authority:
    """A certificate authority of openssl's: a root, and one below it that signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("root", "middle"):
            openssl(
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                folder / f"{name}.key",
            )
        root = ("-key", folder / "root.key", "-subj", "/CN=Root", "-days", "3650")
        openssl("req", "-x509", *root, "-out", folder / "root.pem")
        openssl(
            "req", "-new", "-key", folder / "middle.key", "-subj", "/CN=Middle", "-out", folder / "middle.csr"
        )
        self._sign("middle", "root", "basicConstraints=critical,CA:true")

    def _sign(self, name: str, by: str, extensions: str) -> None:
        (self.folder / "extensions").write_text(extensions)
        files = {
            option: self.folder / file for option, file in (("-in", f"{name}.csr"), ("-out", f"{name}.pem"))
        }
        issuer = ("-CA", self.folder / f"{by}.pem", "-CAkey", self.folder / f"{by}.key", "-CAcreateserial")
        options = ("-days", "3000", "-sha256", "-extfile", self.folder / "extensions")
        openssl("x509", "-req", *(each for pair in files.items() for each in pair), *issuer, *options)

    def sign(self, csr: bytes) -> None:
        (self.folder / "box.csr").write_bytes(csr)
        self._sign("box", "middle", "keyUsage=digitalSignature")

    def chain(self, *names: str) -> list[Certificate]:
        return [
            each for name in names for each in certificates.read((self.folder / f"{name}.pem").read_bytes())
        ]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.sign(request(identity(Purpose.STANDBY), "box.example.com"))
    return made


def today() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@needs_openssl
def test_a_request(authority: Authority) -> None:
    text = openssl("req", "-noout", "-text", "-verify", "-in", authority.folder / "box.csr").decode()
    assert "CN = box-signing" in text
    assert "DNS:box.example.com" in text
    public = openssl("pkey", "-pubout", given=identity(Purpose.STANDBY).key)
    assert openssl("req", "-noout", "-pubkey", "-in", authority.folder / "box.csr") == public


@needs_openssl
@pytest.mark.parametrize(
    ("given", "chain"),
    [
        ("box", []),
        ("box middle", ["middle"]),
        ("box middle root", ["middle", "root"]),
        ("root middle box", ["middle", "root"]),
    ],
)
def test_installed(authority: Authority, given: str, chain: list[str]) -> None:
    own = identity(Purpose.STANDBY)
    found = install(own, authority.chain(*given.split()), today())
    assert found.certificate == authority.chain("box")[0]
    assert list(found.chain) == authority.chain(*chain)
    assert (found.key, found.certificate.issuer) == (own.key, "CN=Middle")
    assert decode(encode(found)) == found


@needs_openssl
@pytest.mark.parametrize(
    ("given", "days", "fault"),
    [
        ("", 0, "none of the certificates is for the key of this box"),
        ("middle root", 0, "none of the certificates is for the key of this box"),
        ("box box", 0, "2 of the certificates is for the key of this box"),
        ("box root", 0, "1 of the certificates did not issue it, nor one above it"),
        ("box middle root middle", 0, "1 of the certificates did not issue it, nor one above it"),
        ("box" + " root" * 10, 0, "11 certificates; a chain has 10 at most"),
        ("box", 4000, "valid from .* only"),
        ("box", -4000, "valid from .* only"),
    ],
)
def test_not_installed(authority: Authority, given: str, days: int, fault: str) -> None:
    now = today() + timedelta(days=days)
    with pytest.raises(Unfit, match=f"^{fault}$"):
        install(identity(Purpose.STANDBY), authority.chain(*given.split()), now)


@needs_openssl
def test_the_certificate_of_another_key(authority: Authority) -> None:
    with pytest.raises(Unfit, match="none of the certificates"):
        install(identity(Purpose.TVS), authority.chain("box", "middle"), today())


@needs_openssl
def test_who_issued_what(authority: Authority) -> None:
    [box, middle, root] = authority.chain("box", "middle", "root")
    assert [issued_by(box, each) for each in (box, middle, root)] == [False, True, False]
    assert [issued_by(middle, each) for each in (box, middle, root)] == [False, False, True]
    assert issued_by(CLUSTER, CLUSTER)
    assert not issued_by(CLUSTER, CURVE)


def test_pem() -> None:
    assert CLUSTER.pem == data("cluster.pem")
