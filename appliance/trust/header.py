"""The header with which trust lists, signed and encrypted files begin (phones.md 3.1, 3.3).

    VERSION | HEADERLENGTH | SIGNERVERSION
    | SIGNERID (SIGNERNAME | SERIALNUMBER | CANAME)
    | SIGNATUREINFO (DIGESTALGORITHM | SIGNATUREALGOINFO (SIGNATUREALGORITHM | SIGNATUREMODULUS))
    | SIGNATURE | FILENAME | TIMESTAMP | ENCRYPTIONINFO (...) | padding, and then the body of the file

HEADERLENGTH counts from the first byte of the file to the first byte of the body. Signed is all of the
file but the element SIGNATURE. The names are those of CUCM's `show ctl`; from tag 16 on they are ours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum

from appliance.trust import tlv
from appliance.trust.tlv import Element, Form, Kind, Malformed

Version = tuple[int, int]
"""Major and minor."""

SIGNED: Version = (1, 0)
TRUST_LIST: Version = (1, 2)
ENCRYPTED: Version = (2, 0)


class Tag(IntEnum):
    """Tags of a header."""

    VERSION = 1
    HEADERLENGTH = 2
    SIGNERID = 3
    SIGNERNAME = 4
    SERIALNUMBER = 5
    CANAME = 6
    SIGNATUREINFO = 7
    DIGESTALGORITHM = 8
    SIGNATUREALGOINFO = 9
    SIGNATUREALGORITHM = 10
    SIGNATUREMODULUS = 11
    SIGNATURE = 12
    PADDING = 13
    FILENAME = 14
    TIMESTAMP = 15
    ENCRYPTIONINFO = 16
    IVINFO = 17
    IVALGORITHM = 18
    IV = 19
    PADLENGTH = 20
    KEYINFO = 21
    KEYALGORITHM = 22
    KEYSIZE = 23
    CIPHER = 24
    WRAPPEDKEY = 25
    CONTENTDIGESTALGORITHM = 26
    CONTENTDIGEST = 27
    SIGNERVERSION = 28


def _kind(tag: Tag, form: Form = Form.BYTES, *sizes: int, required: bool = False) -> tuple[int, Kind]:
    return tag, Kind(tag.name, form, sizes, required, repeats=tag is Tag.PADDING)


KINDS: tlv.Kinds = dict(
    (
        _kind(Tag.VERSION, Form.NUMBER, 2, required=True),
        _kind(Tag.HEADERLENGTH, Form.NUMBER, 2, required=True),
        _kind(Tag.SIGNERID, Form.CONTAINER),
        _kind(Tag.SIGNERNAME, Form.TEXT, required=True),
        _kind(Tag.SERIALNUMBER, required=True),
        _kind(Tag.CANAME, Form.TEXT, required=True),
        _kind(Tag.SIGNATUREINFO, Form.CONTAINER),
        _kind(Tag.DIGESTALGORITHM, Form.NUMBER, 1, required=True),
        _kind(Tag.SIGNATUREALGOINFO, Form.CONTAINER),
        _kind(Tag.SIGNATUREALGORITHM, Form.NUMBER, 1),
        _kind(Tag.SIGNATUREMODULUS, Form.NUMBER, 1),
        _kind(Tag.SIGNATURE, required=True),
        _kind(Tag.PADDING, Form.PADDING),
        _kind(Tag.FILENAME, Form.TEXT),
        _kind(Tag.TIMESTAMP, Form.NUMBER, 4),
        _kind(Tag.ENCRYPTIONINFO, Form.CONTAINER),
        _kind(Tag.IVINFO, Form.CONTAINER),
        _kind(Tag.IVALGORITHM, Form.NUMBER, 1),
        _kind(Tag.IV, Form.BYTES, 16),
        _kind(Tag.PADLENGTH, Form.NUMBER, 2),
        _kind(Tag.KEYINFO, Form.CONTAINER),
        _kind(Tag.KEYALGORITHM, Form.NUMBER, 1),
        _kind(Tag.KEYSIZE, Form.NUMBER, 2),
        _kind(Tag.CIPHER, Form.NUMBER, 1),
        _kind(Tag.WRAPPEDKEY),
        _kind(Tag.CONTENTDIGESTALGORITHM, Form.NUMBER, 1),
        _kind(Tag.CONTENTDIGEST),
        _kind(Tag.SIGNERVERSION, Form.NUMBER, 2),
    )
)
"""Which are required: what a phone cannot do without. Cisco's own images have no TIMESTAMP."""


class HashAlgorithm(IntEnum):
    """Numbers of hash algorithms (tags 8 and 26; tag 12 of a record)."""

    SHA1 = 1
    SHA256 = 2
    SHA512 = 3


TAKEN = (HashAlgorithm.SHA1, HashAlgorithm.SHA512)
"""Those with which a phone takes a signature."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose certificate it is that a phone looks for: in its lists, and then at the TVS.

    `subject` and `issuer` are written as in `certificate.Certificate`; `serial` is the magnitude.
    """

    subject: str
    issuer: str
    serial: bytes


@dataclass(frozen=True, slots=True)
class Encryption:
    """How the body of a `.enc.sgn` is encrypted: AES-128-CBC, its key wrapped by the phone's RSA key.

    `pad_length` bytes at the end of the plain text are padding; `digest` is that of the text before it.
    """

    iv: bytes
    pad_length: int
    key_bits: int
    wrapped_key: bytes
    algorithm: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header. `elements` are all of it behind VERSION and HEADERLENGTH, in the order of the file."""

    version: Version
    elements: tuple[Element, ...]

    @property
    def size(self) -> int:
        """Its length in bytes, which is the offset of the body."""
        return len(encode(self))

    @property
    def signer(self) -> Signer:
        """Who signed it, if the signature is right."""
        return Signer(
            subject=tlv.text(self._value(Tag.SIGNERNAME)),
            issuer=tlv.text(self._value(Tag.CANAME)),
            serial=self._value(Tag.SERIALNUMBER),
        )

    @property
    def signer_version(self) -> Version | None:
        """1.1 has phones ask for their configuration over HTTPS; trust lists alone have one."""
        value = tlv.find(self.elements, Tag.SIGNERVERSION)
        return None if value is None else (value[0], value[1])

    @property
    def algorithm(self) -> int:
        """The hash algorithm of the signature, a `HashAlgorithm` or a number that nobody knows."""
        return tlv.number(self._value(Tag.DIGESTALGORITHM))

    @property
    def signature(self) -> bytes:
        """The signature itself."""
        return self._value(Tag.SIGNATURE)

    @property
    def file_name(self) -> str | None:
        """The name under which a phone asks for the file, as its signer wrote it."""
        value = tlv.find(self.elements, Tag.FILENAME)
        return None if value is None else tlv.text(value)

    @property
    def timestamp(self) -> int | None:
        """When it was signed: seconds since 1970, UTC."""
        value = tlv.find(self.elements, Tag.TIMESTAMP)
        return None if value is None else tlv.number(value)

    @property
    def encryption(self) -> Encryption | None:
        """How the body is encrypted, where it is."""
        if tlv.find(self.elements, Tag.ENCRYPTIONINFO) is None:
            return None
        return Encryption(
            iv=self._value(Tag.IV),
            pad_length=tlv.number(self._value(Tag.PADLENGTH)),
            key_bits=tlv.number(self._value(Tag.KEYSIZE)),
            wrapped_key=self._value(Tag.WRAPPEDKEY),
            algorithm=tlv.number(self._value(Tag.CONTENTDIGESTALGORITHM)),
            digest=self._value(Tag.CONTENTDIGEST),
        )

    def _value(self, tag: Tag) -> bytes:
        value = tlv.find(self.elements, tag)
        if value is None:
            raise ValueError(f"a header without {tag.name}")  # one that was neither decoded nor built
        return value


_ENCRYPTED = (
    Tag.IV,
    Tag.PADLENGTH,
    Tag.KEYSIZE,
    Tag.WRAPPEDKEY,
    Tag.CONTENTDIGESTALGORITHM,
    Tag.CONTENTDIGEST,
)


def announced(data: bytes) -> int:
    """The length in bytes of the header, as its first `FIXED` bytes tell it; `Malformed`."""
    if data[:3] != _START or data[5:8] != _LENGTH or len(data) < FIXED:
        raise Malformed("header, byte 0", "no signed file: it does not begin with VERSION and HEADERLENGTH")
    return tlv.number(data[8:FIXED])


def decode(data: bytes) -> Header:
    """The header at the start of a file, of which no more than the header is needed; `Malformed`."""
    size = announced(data)
    if not FIXED <= size <= len(data):
        raise Malformed("header, byte 8", f"HEADERLENGTH is {size}, but the file has {len(data)} bytes")
    _, _, *elements = tlv.decode(data, 0, size, KINDS, "header")
    if Tag.SIGNATURE not in (element.tag for element in elements):
        raise Malformed("header", "SIGNATURE inside another element")
    if tlv.find(elements, Tag.ENCRYPTIONINFO) is not None:
        for tag in _ENCRYPTED:
            if tlv.find(elements, tag) is None:
                raise Malformed("header", f"ENCRYPTIONINFO, but no {tag.name}")
    return Header((data[3], data[4]), tuple(elements))


_START = bytes([Tag.VERSION, 0, 2])
_LENGTH = bytes([Tag.HEADERLENGTH, 0, 2])
FIXED = 10
"""bytes of VERSION and HEADERLENGTH."""


def is_trust_list(header: Header) -> bool:
    """Whether records follow, and not a file.

    Every list seen is of version 1.2, but there are phones that know only 1.1: an older one is told by its
    name, since Cisco's images are of version 1.1 as well.
    """
    return header.version == TRUST_LIST or (header.file_name or "").lower().endswith(".tlv")


def encode(header: Header) -> bytes:
    """Its bytes; `ValueError` where it does not fit HEADERLENGTH."""
    return _encoded(header, 0)


def digest(header: Header, body: bytes, algorithm: HashAlgorithm) -> bytes:
    """What is signed: the digest of the file without the element SIGNATURE, all else as it is in the
    file, HEADERLENGTH counting the signature as well.
    """
    unsigned = tuple(element for element in header.elements if element.tag != Tag.SIGNATURE)
    signature = tlv.HEAD + len(header.signature)
    hashed = hashlib.new(algorithm.name, usedforsecurity=False)
    hashed.update(_encoded(replace(header, elements=unsigned), signature))
    hashed.update(body)
    return hashed.digest()


def _encoded(header: Header, left_out: int) -> bytes:
    """Its bytes, with HEADERLENGTH as if there were `left_out` bytes more."""
    rest = tlv.encode(header.elements, KINDS)
    size = FIXED + len(rest) + left_out
    if size > tlv.VALUE_MAX:
        raise ValueError(f"a header of {size} bytes does not fit HEADERLENGTH")
    return _START + bytes(header.version) + _LENGTH + size.to_bytes(2, "big") + rest
