"""Trust lists, CTL and ITL: whom a phone trusts, and for what (phones.md 3.2).

    header | record | record | ...
    record: RECORDLENGTH | DNSNAME | SUBJECTNAME | FUNCTION | ISSUERNAME | SERIALNUMBER | PUBLICKEY
            | SIGNATURE | CERTIFICATE | IPADDRESS

RECORDLENGTH counts all of the record, itself included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from appliance.trust import header as headers
from appliance.trust import signing as signings
from appliance.trust import tlv
from appliance.trust.header import Header, Version
from appliance.trust.signing import Signing
from appliance.trust.tlv import Element, Form, Kind, Malformed

if TYPE_CHECKING:  # else whoever reads a list would have to load all of cryptography
    from appliance.trust.certificate import Certificate

SIZE_MAX = 65_536  # bytes of a list; phones load no longer one, which is some 39 certificates
SAST_MAX = 2  # records of that role to which a phone pays attention


class Tag(IntEnum):
    """Tags of a record."""

    RECORDLENGTH = 1
    DNSNAME = 2
    SUBJECTNAME = 3
    FUNCTION = 4
    ISSUERNAME = 5
    SERIALNUMBER = 6
    PUBLICKEY = 7
    SIGNATURE = 8
    CERTIFICATE = 9
    IPADDRESS = 10
    CERTIFICATEHASH = 11
    HASHALGORITHM = 12


KINDS: tlv.Kinds = {
    Tag.RECORDLENGTH: Kind("RECORDLENGTH", Form.NUMBER, (2,), required=True),
    Tag.DNSNAME: Kind("DNSNAME", Form.TEXT),
    Tag.SUBJECTNAME: Kind("SUBJECTNAME", Form.TEXT),
    Tag.FUNCTION: Kind("FUNCTION", Form.NUMBER, (2,), required=True),
    Tag.ISSUERNAME: Kind("ISSUERNAME", Form.TEXT),
    Tag.SERIALNUMBER: Kind("SERIALNUMBER"),
    Tag.PUBLICKEY: Kind("PUBLICKEY"),
    Tag.SIGNATURE: Kind("SIGNATURE"),
    Tag.CERTIFICATE: Kind("CERTIFICATE"),
    Tag.IPADDRESS: Kind("IPADDRESS", Form.BYTES, (4, 16), repeats=True),
    Tag.CERTIFICATEHASH: Kind("CERTIFICATEHASH"),
    Tag.HASHALGORITHM: Kind("HASHALGORITHM", Form.NUMBER, (1,)),
}
"""Addresses of 16 bytes, and several of them, were never seen: so a server with IPv6 is written here."""


class Role(IntEnum):
    """What a certificate is trusted for."""

    SAST = 0  # signing trust lists
    CCM = 1
    CCM_TFTP = 2
    TFTP = 3  # signing files
    CAPF = 4
    APP_SERVER = 7
    TVS = 21


class TooLong(Exception):
    """So many certificates were asked into a list that no phone would load it."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record. `elements` are all of it behind RECORDLENGTH, in the order of the file.

    Records of tokens have no signature; compact ones have a hash instead of a certificate.
    """

    elements: tuple[Element, ...]

    @property
    def role(self) -> int:
        """A `Role`, or a number that is not known."""
        return tlv.number(self.value(Tag.FUNCTION))

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """The addresses of the server whose certificate it is."""
        return tuple(ip_address(each.value) for each in self.elements if each.tag == Tag.IPADDRESS)

    def text(self, tag: Tag) -> str:
        """A name in it; empty where it has none."""
        return tlv.text(self.value(tag))

    def value(self, tag: Tag) -> bytes:
        """The first value of this tag; empty where it has none."""
        return tlv.find(self.elements, tag) or b""


@dataclass(frozen=True, slots=True)
class TrustList:
    """A CTL or an ITL: they differ in name alone."""

    header: Header
    records: tuple[Record, ...]

    @property
    def body(self) -> bytes:
        """What follows the header."""
        return b"".join(map(_encoded, self.records))


def decode(data: bytes, limit: int = SIZE_MAX) -> TrustList:
    """The trust list in a file of at most `limit` bytes; `Malformed` for everything else."""
    if len(data) > limit:
        raise Malformed("file", f"{len(data)} bytes, and allowed are {limit}")
    header = headers.decode(data)
    return TrustList(header, tuple(_records(data, header.size)))


def encode(trust_list: TrustList) -> bytes:
    """Its bytes, those from which it was decoded."""
    return headers.encode(trust_list.header) + trust_list.body


def build(
    records: Sequence[Record],
    file_name: str,
    timestamp: int,
    signing: Signing,
    signer_version: Version | None = (1, 0),
) -> TrustList:
    """A signed trust list; `TooLong` where phones would not load it, else raises as `signing.build`.

    Phones ask under many names (`ITLSEP….tlv`) for what is called by one (`ITLFile.tlv`) inside.
    """
    body = b"".join(map(_encoded, records))
    header = signings.build(headers.TRUST_LIST, body, file_name, timestamp, signing, signer_version)
    trust_list = TrustList(header, tuple(records))
    if (size := header.size + len(body)) > SIZE_MAX:
        raise TooLong(f"{len(records)} records make {size} bytes; phones load {SIZE_MAX}")
    return trust_list


def record(
    certificate: Certificate,
    role: Role,
    dns_name: str = "",
    addresses: Sequence[IPv4Address | IPv6Address] = (),
) -> Record:
    """The record of a certificate, in the order of CUCM, which writes one without a name as well."""
    return Record(
        (
            Element(Tag.DNSNAME, tlv.text_value(dns_name)),
            Element(Tag.SUBJECTNAME, tlv.text_value(certificate.subject)),
            Element(Tag.FUNCTION, role.to_bytes(2, "big")),
            Element(Tag.ISSUERNAME, tlv.text_value(certificate.issuer)),
            Element(Tag.SERIALNUMBER, certificate.serial),
            Element(Tag.PUBLICKEY, certificate.public_key),
            Element(Tag.SIGNATURE, certificate.signature),
            Element(Tag.CERTIFICATE, certificate.der),
            *(Element(Tag.IPADDRESS, address.packed) for address in addresses),
        )
    )


def doubts(trust_list: TrustList) -> Iterator[str]:
    """Yield what would keep phones from taking a list whose signature is right."""
    records, serial = trust_list.records, trust_list.header.signer.serial
    if (size := len(encode(trust_list))) > SIZE_MAX:
        yield f"{len(records)} records make {size} bytes; phones load {SIZE_MAX}"
    tokens = [each for each in records if each.role == Role.SAST]
    if len(tokens) > SAST_MAX:
        yield f"{len(tokens)} records of role SAST; phones look at {SAST_MAX}"
    if serial not in (each.value(Tag.SERIALNUMBER) for each in tokens):
        yield "no record of role SAST is its signer's"


def _records(data: bytes, start: int) -> Iterator[Record]:
    count = 0
    while start < len(data):
        count += 1
        box = f"record {count}"
        if data[start : start + tlv.HEAD] != _START or len(data) < start + _FIXED:
            raise Malformed(f"{box}, byte {start}", "does not begin with RECORDLENGTH")
        size = tlv.number(data[start + tlv.HEAD : start + _FIXED])
        if not _FIXED <= size <= len(data) - start:
            raise Malformed(f"{box}, byte {start}", f"RECORDLENGTH is {size}; {len(data) - start} are left")
        yield Record(tlv.decode(data, start, start + size, KINDS, box)[1:])
        start += size


_START = bytes([Tag.RECORDLENGTH, 0, 2])
_FIXED = 5  # bytes of RECORDLENGTH


def _encoded(record: Record) -> bytes:
    rest = tlv.encode(record.elements, KINDS)
    if (size := _FIXED + len(rest)) > tlv.VALUE_MAX:
        raise ValueError(f"a record of {size} bytes does not fit RECORDLENGTH")
    return _START + size.to_bytes(2, "big") + rest
