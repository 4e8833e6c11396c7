"""Who this box is to phones: its keys and certificates, as values (phones.md 3.6).

There are four. `SIGNING` signs trust lists and files. `STANDBY` is the next one to sign: every list that is
made names it already, so that phones know it before it signs anything; a phone takes a new list only from
a signer that its old list names. `HTTPS` and `TVS` are keys of TLS.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.trust import certificate as certificates
from appliance.trust.certificate import BadKey, Certificate

RSA_BITS = 2048  # the longest that all phones take
VALID = timedelta(days=5 * 365 + 1)
CHAIN_MAX = 10  # certificates; a longer chain is no certificate authority's

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._@()/'-]{0,62}[A-Za-z0-9.)])?")
_COUNTRY = re.compile(r"[A-Z]{2}")


class Purpose(StrEnum):
    """What a key of this box is for."""

    SIGNING = "signing"
    STANDBY = "standby"
    HTTPS = "https"
    TVS = "tvs"


class BadSubject(Exception):
    """A name that phones and call managers could read in two ways. The text says which part."""


class Unfit(Exception):
    """A certificate that cannot take the place of the present one. The text says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The name in a certificate; the last three may be empty. `BadSubject`.

    A phone sends the name as one string to its TVS, which looks it up as it is: what separates the parts
    of a name in some way of writing it is refused.
    """

    common_name: str
    unit: str = "Voice"
    organization: str = "Phone appliance"
    locality: str = ""
    state: str = ""
    country: str = ""

    def __post_init__(self) -> None:
        for name, value in (("CN", self.common_name), ("OU", self.unit), ("O", self.organization)):
            _check(name, value, _PLAIN)
        for name, value in (("L", self.locality), ("ST", self.state)):
            if value:
                _check(name, value, _PLAIN)
        if self.country:
            _check("C", self.country, _COUNTRY)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, those above it (`chain`, the nearest first), and its private key: PKCS #8 in PEM."""

    certificate: Certificate
    chain: tuple[Certificate, ...]
    key: bytes = field(repr=False)


def make(purpose: Purpose, subject: Subject, host: str, not_before: datetime) -> Identity:
    """A new key and its self-signed certificate, valid for `VALID` from `not_before` on.

    `host` is the DNS name of this box.
    """
    key: PrivateKey
    if purpose is Purpose.HTTPS:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    name = _name(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number((x509.random_serial_number() >> 31) or 1)  # 16 bytes
        .not_valid_before(not_before)
        .not_valid_after(not_before + VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(isinstance(key, rsa.RSAPrivateKey)), critical=False)
        .add_extension(_extended_usage(), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    made = builder.sign(key, hashes.SHA256())
    return Identity(certificates.decode(made.public_bytes(Encoding.DER)), (), _pem(key))


def encode(identity: Identity) -> bytes:
    """All of it in one PEM file, the key first."""
    return identity.key + published(identity)


def published(identity: Identity) -> bytes:
    """What everybody may know of it: the certificate and its chain in PEM."""
    return b"".join(each.pem for each in (identity.certificate, *identity.chain))


def decode(pem: bytes) -> Identity:
    """What `encode` has made; `BadCertificate`, `BadKey`."""
    certificate, *chain = certificates.read(pem)
    key = _private(pem)
    if _public(key) != certificate.public_key:
        raise BadKey("the key is not the certificate's")
    return Identity(certificate, tuple(chain), _pem(key))


def request(identity: Identity, host: str) -> bytes:
    """A request (PKCS #10 in PEM) that a certificate authority sign this key, under the present name."""
    key = _private(identity.key)
    subject = x509.load_der_x509_certificate(identity.certificate.der).subject
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(_usage(isinstance(key, rsa.RSAPrivateKey)), critical=False)
        .add_extension(_extended_usage(), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def install(identity: Identity, given: Sequence[Certificate], now: datetime) -> Identity:
    """The identity with another certificate for its key, found among those `given`, and with those of them
    that it was issued by; `Unfit`.
    """
    if len(given) > CHAIN_MAX:
        raise Unfit(f"{len(given)} certificates; a chain has {CHAIN_MAX} at most")
    mine = [each for each in given if each.public_key == identity.certificate.public_key]
    if len(mine) != 1:
        raise Unfit(f"{len(mine) or 'none'} of the certificates is for the key of this box")
    [certificate] = mine
    if not certificate.not_before <= now < certificate.not_after:
        raise Unfit(f"valid from {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d} only")
    if not certificate.subject:
        raise Unfit("it has no name by which a phone could ask for it")
    left = [each for each in given if each is not certificate]
    chain: list[Certificate] = []
    last = certificate
    while last.subject != last.issuer:
        above = next((each for each in left if certificates.issued_by(last, each)), None)
        if above is None:
            break  # the root, or more, may be left out: phones look for the certificate itself
        left.remove(above)
        chain.append(above)
        last = above
    if left:
        raise Unfit(f"{len(left)} of the certificates did not issue it, nor one above it")
    return Identity(certificate, tuple(chain), identity.key)


def _check(name: str, value: str, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(value):
        what = (
            "two capital letters"
            if allowed is _COUNTRY
            else "1 to 64 letters (a to z), digits, blanks and . _ @ ( ) / ' -"
        )
        raise BadSubject(f"{name}: allowed are {what}")


def _name(subject: Subject) -> x509.Name:
    parts = (
        (NameOID.COMMON_NAME, subject.common_name),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, subject.unit),
        (NameOID.ORGANIZATION_NAME, subject.organization),
        (NameOID.LOCALITY_NAME, subject.locality),
        (NameOID.STATE_OR_PROVINCE_NAME, subject.state),
        (NameOID.COUNTRY_NAME, subject.country),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _usage(is_rsa: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=is_rsa,
        data_encipherment=is_rsa,
        key_agreement=not is_rsa,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _extended_usage() -> x509.ExtendedKeyUsage:
    ipsec_end_system = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5")
    uses = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, ipsec_end_system)
    return x509.ExtendedKeyUsage(uses)


def _private(pem: bytes) -> PrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("no private key in PEM without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise BadKey("neither an RSA nor an EC key")
    return key


def _public(key: PrivateKey) -> bytes:
    """As `Certificate.public_key`."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
