"""Making the header of a file that this box signs, in the order of CUCM (phones.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.trust import tlv
from appliance.trust.header import Encryption, HashAlgorithm, Header, Signer, Tag, Version, digest
from appliance.trust.tlv import Element

ALIGNMENT = 4  # bytes, of which the header's length is a multiple

MODULI = {512: 0, 1024: 1, 2048: 2, 4096: 3}
"""Bits of an RSA key, and how SIGNATUREMODULUS tells them. There is no code for 3072."""


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, and how. `sign` makes the RSA PKCS#1 v1.5 signature for a digest of that algorithm, with
    a key of `key_bits`, which must be one of `MODULI`.
    """

    signer: Signer
    key_bits: int
    algorithm: HashAlgorithm
    sign: Callable[[bytes, HashAlgorithm], bytes]


def build(
    version: Version,
    body: bytes,
    file_name: str,
    timestamp: int,
    signing: Signing,
    signer_version: Version | None = None,
    encryption: Encryption | None = None,
) -> Header:
    """A header, in the order of CUCM, that signs itself and this body.

    `timestamp` is in seconds since 1970 and below 2**32. `ValueError` for a key or a name that no
    header can tell.
    """
    if signing.key_bits not in MODULI:
        raise ValueError(f"an RSA key of {signing.key_bits} bits; allowed: {', '.join(map(str, MODULI))}")
    front = (Element(Tag.SIGNERVERSION, bytes(signer_version)),) if signer_version else ()
    names = (
        Element(Tag.SIGNERNAME, tlv.text_value(signing.signer.subject)),
        Element(Tag.SERIALNUMBER, signing.signer.serial),
        Element(Tag.CANAME, tlv.text_value(signing.signer.issuer)),
    )
    rsa = (_octet(Tag.SIGNATUREALGORITHM, 0), _octet(Tag.SIGNATUREMODULUS, MODULI[signing.key_bits]))
    how = (_octet(Tag.DIGESTALGORITHM, signing.algorithm), Element(Tag.SIGNATUREALGOINFO, inside=rsa))
    elements = (
        *front,
        Element(Tag.SIGNERID, inside=names),
        Element(Tag.SIGNATUREINFO, inside=how),
        Element(Tag.SIGNATURE, bytes(signing.key_bits // 8)),
        Element(Tag.FILENAME, tlv.text_value(file_name)),
        Element(Tag.TIMESTAMP, timestamp.to_bytes(4, "big")),
        *(_encryption(encryption) if encryption else ()),
    )
    header = Header(version, elements)
    header = replace(header, elements=elements + (Element(Tag.PADDING),) * (-header.size % ALIGNMENT))
    return _signed(header, signing.sign(digest(header, body, signing.algorithm), signing.algorithm))


def _signed(header: Header, signature: bytes) -> Header:
    if len(signature) != len(header.signature):
        raise ValueError(f"a signature of {len(signature)} bytes, and not {len(header.signature)}")
    made = Element(Tag.SIGNATURE, signature)
    return replace(
        header, elements=tuple(made if each.tag == Tag.SIGNATURE else each for each in header.elements)
    )


def _encryption(encryption: Encryption) -> tuple[Element, ...]:
    """Tags 18, 22 and 24 have these values in every file seen; what they mean is guessed."""
    iv = (
        _octet(Tag.IVALGORITHM, 0),
        Element(Tag.IV, encryption.iv),
        Element(Tag.PADLENGTH, encryption.pad_length.to_bytes(2, "big")),
    )
    key = (
        _octet(Tag.KEYALGORITHM, 0),
        Element(Tag.KEYSIZE, encryption.key_bits.to_bytes(2, "big")),
        _octet(Tag.CIPHER, 1),
        Element(Tag.WRAPPEDKEY, encryption.wrapped_key),
    )
    return (
        Element(
            Tag.ENCRYPTIONINFO, inside=(Element(Tag.IVINFO, inside=iv), Element(Tag.KEYINFO, inside=key))
        ),
        _octet(Tag.CONTENTDIGESTALGORITHM, encryption.algorithm),
        Element(Tag.CONTENTDIGEST, encryption.digest),
    )


def _octet(tag: Tag, value: int) -> Element:
    return Element(tag, bytes([value]))
