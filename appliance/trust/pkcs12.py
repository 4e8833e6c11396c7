"""PKCS #12 (RFC 7292): the certificates in such a file, and files of certificates alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate
from cryptography.x509 import InvalidVersion, load_der_x509_certificate

from appliance.trust import certificate as certificates
from appliance.trust.certificate import BadCertificate, Certificate

ROUNDS_MAX = 5_000_000
"""Rounds of deriving keys from a password, in a whole file. Others write 2,048 to 600,000 for each of two
or three keys; a file could ask for hours.
"""

_INTEGER, _OCTETS, _SEQUENCE, _CONSTRUCTED = 0x02, 0x04, 0x30, 0x20
_VERSION = bytes([_INTEGER, 1, 3])
_SCRYPT = bytes.fromhex("2b060104 01da47 040b")  # 1.3.6.1.4.1.11591.4.11: takes as much memory as it says
_ELEMENTS_MAX = 20_000


class _NoDer(Exception):
    """The bytes are not in this form."""


def looks_like(data: bytes) -> bool:
    """Whether it may be such a file: a SEQUENCE that begins with the version, 3."""
    try:
        tag, first, end = _head(data, 0, len(data))
    except _NoDer:
        return False
    return tag == _SEQUENCE and end == len(data) and data[first : first + 3] == _VERSION


def read(data: bytes, password: bytes | None) -> list[Certificate]:
    """Its certificates; keys in it are passed over. `BadCertificate`."""
    if _SCRYPT in data or _rounds(data) > ROUNDS_MAX:
        raise BadCertificate("a PKCS #12 file whose password would take too long to try")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pkcs12.load_pkcs12(data, password)
            first = [] if found.cert is None else [found.cert]
            ders = [each.certificate.public_bytes(Encoding.DER) for each in (*first, *found.additional_certs)]
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidVersion):
        raise BadCertificate("no PKCS #12 file that opens with this password") from None
    return [certificates.decode(der) for der in ders]


def encode(named: Sequence[tuple[str, Certificate]], password: bytes | None) -> bytes:
    """A file of certificates, each with a name for people."""
    how: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    entries = [PKCS12Certificate(load_der_x509_certificate(each.der), name.encode()) for name, each in named]
    return pkcs12.serialize_key_and_certificates(None, None, None, entries, how)


def _rounds(data: bytes) -> int:
    """The sum of all counts of rounds that are not themselves encrypted.

    In each form of parameters (RFC 7292 4, RFC 8018 A) the count follows the salt: an INTEGER behind an
    OCTET STRING in one SEQUENCE, which nothing else in these files has.
    """
    rounds = elements = 0
    boxes = [(0, len(data))]
    while boxes:
        at, end = boxes.pop()
        salted = False
        while at < end:
            try:
                tag, first, last = _head(data, at, end)
            except _NoDer:
                break  # an OCTET STRING that only looked as if there were more in it
            elements += 1
            if elements > _ELEMENTS_MAX:
                return ROUNDS_MAX + 1
            if tag == _INTEGER and salted:
                rounds += int.from_bytes(data[first:last][:16], "big")
            salted = salted or tag == _OCTETS
            if tag & _CONSTRUCTED or (tag == _OCTETS and data[first:last][:1] == bytes([_SEQUENCE])):
                boxes.append((first, last))
            at = last
    return rounds


def _head(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag of a DER element, where its content begins, and where it ends; `_NoDer`."""
    if end - at < 2:
        raise _NoDer
    tag, size, first = data[at], data[at + 1], at + 2
    if size >= 0x80:
        count = size - 0x80
        first += count
        if not 1 <= count <= 4 or first > end:
            raise _NoDer
        size = int.from_bytes(data[at + 2 : first], "big")
    if size > end - first:
        raise _NoDer
    return tag, first, first + size
