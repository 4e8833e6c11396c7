"""Certificates and RSA signatures: the one file that knows the library for both."""

from __future__ import annotations

import base64
import hashlib
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from appliance.trust.header import HashAlgorithm, Signer
from appliance.trust.signing import Signing

PEM_START = b"-----BEGIN CERTIFICATE-----"

NAME_ORDER = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.COUNTRY_NAME: "C",
}
"""The attributes of a name that CUCM writes, in its order (phones.md 3.1)."""

HASHES: dict[HashAlgorithm, hashes.HashAlgorithm] = {
    HashAlgorithm.SHA1: hashes.SHA1(),
    HashAlgorithm.SHA256: hashes.SHA256(),
    HashAlgorithm.SHA512: hashes.SHA512(),
}


class BadCertificate(Exception):
    """What was given is no certificate that can be used. The text is ours and holds nothing of it."""


class BadKey(Exception):
    """What was given is no private key that can be used. The text is ours and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What trust lists tell of a certificate.

    `subject` and `issuer` as CUCM writes them, which is how a phone asks its TVS for them:
    `CN=…;OU=…;O=…;L=…;ST=…;C=…`. `serial` is the magnitude, without a leading zero. `key` is for
    people: `RSA 2048`. `public_key` is an RSAPublicKey of PKCS #1, or an uncompressed point of a curve.
    """

    subject: str
    issuer: str
    serial: bytes
    not_before: datetime
    not_after: datetime
    key: str
    public_key: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    der: bytes = field(repr=False)

    @property
    def is_rsa(self) -> bool:
        """Whether its key can sign a file: phones take no other signature."""
        return self.key.startswith("RSA ")

    @property
    def signer(self) -> Signer:
        """How a file names it that its key has signed."""
        return Signer(self.subject, self.issuer, self.serial)

    @property
    def pem(self) -> bytes:
        """It as PEM, as it is uploaded to a call manager."""
        text = "\n".join(textwrap.wrap(base64.b64encode(self.der).decode(), 64))
        return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()

    def fingerprint(self, algorithm: HashAlgorithm) -> bytes:
        """The hash over all of it."""
        return hashlib.new(algorithm.name, self.der, usedforsecurity=False).digest()


class Key:
    """A private RSA key."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    @property
    def bits(self) -> int:
        """The length of its modulus."""
        return self._key.key_size

    @property
    def public_key(self) -> bytes:
        """Its other half, as in `Certificate`."""
        return _rsa(self._key.public_key())

    def sign(self, digest: bytes, algorithm: HashAlgorithm) -> bytes:
        """The RSA PKCS#1 v1.5 signature for a digest of this algorithm."""
        return self._key.sign(digest, padding.PKCS1v15(), Prehashed(HASHES[algorithm]))


def read(data: bytes) -> list[Certificate]:
    """All certificates of a PEM file, or the one of a DER file; `BadCertificate`."""
    if PEM_START not in data:
        return [decode(data)]
    return _read(x509.load_pem_x509_certificates, data, "a PEM file whose certificates cannot all be read")


def decode(der: bytes) -> Certificate:
    """A certificate; `BadCertificate`."""
    [certificate] = _read(_load_der, der, "no certificate that can be read")
    return certificate


def verify(signature: bytes, digest: bytes, certificate: Certificate, algorithm: HashAlgorithm) -> bool:
    """Whether this is the RSA PKCS#1 v1.5 signature of the certificate's key for a digest."""
    if not certificate.is_rsa:
        return False
    key = load_der_public_key(certificate.public_key)
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(signature, digest, padding.PKCS1v15(), Prehashed(HASHES[algorithm]))
    except InvalidSignature:
        return False
    return True


def issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's key has signed the certificate, and its name stands there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            one, other = map(x509.load_der_x509_certificate, (certificate.der, issuer.der))
            one.verify_directly_issued_by(other)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
    return True


def read_key(pem: bytes, password: bytes | None = None) -> Key:
    """A private key from PEM; `BadKey`."""
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: a password too many, or none
        raise BadKey("no private key in PEM that opens with this password") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadKey("not an RSA key: phones take no other signature")
    return Key(key)


def signing(certificate: Certificate, key: Key, algorithm: HashAlgorithm) -> Signing:
    """Sign as this certificate; `BadKey` where the key is another's."""
    if key.public_key != certificate.public_key:
        raise BadKey("the key is not the certificate's")
    return Signing(certificate.signer, key.bits, algorithm, key.sign)


def _load_der(data: bytes) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(data)]


def _read(load: Callable[[bytes], list[x509.Certificate]], data: bytes, fault: str) -> list[Certificate]:
    """The library decodes as it is asked, so that every step may find a fault."""
    try:
        with warnings.catch_warnings():
            # It warns of what is odd in strangers' certificates, old clusters' among them.
            warnings.simplefilter("ignore")
            return [_facts(certificate) for certificate in load(data)]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise BadCertificate(fault) from None


def _facts(certificate: x509.Certificate) -> Certificate:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        name, public = f"RSA {key.key_size}", _rsa(key)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        name = f"EC {key.curve.name}"
        public = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        raise BadCertificate("a certificate whose key is neither RSA nor EC")
    serial = abs(certificate.serial_number)
    return Certificate(
        subject=_name(certificate.subject),
        issuer=_name(certificate.issuer),
        serial=serial.to_bytes((serial.bit_length() + 7) // 8 or 1, "big"),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=name,
        public_key=public,
        signature=certificate.signature,
        der=certificate.public_bytes(Encoding.DER),
    )


def _name(name: x509.Name) -> str:
    attributes = list(name)
    return ";".join(
        f"{short}={attribute.value!s}"
        for oid, short in NAME_ORDER.items()
        for attribute in attributes
        if attribute.oid == oid
    )


def _rsa(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
