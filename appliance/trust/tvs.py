"""What a phone asks its Trust Verification Service, and the answers (phones.md 3.4). No I/O.

    | 57 | 01 | command (1) | reserved (1) | session (4) | length (2) | elements

An element is tag, length and value. A phone asks one thing on a connection: *verify* a certificate that it
has, or *query* the one of which it knows the names and the serial number alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from appliance.trust import tlv
from appliance.trust.certificate import Certificate
from appliance.trust.stores import Held, Store
from appliance.trust.tlv import Element, Form, Kind, Malformed
from appliance.trust.trustlist import Role

PORT = 2445
HEAD = 10  # bytes before the elements
REQUEST_MAX = 16 * 1024  # bytes of elements in a request; the longest certificates have some 4,000
TTL = 86_400  # s for which a phone keeps an answer; as call managers say

_PROTOCOL = b"\x57\x01"
_DEVICE_TYPE = b"\1"


class Command(IntEnum):
    """What a message is."""

    VERIFY = 1
    VERIFY_ANSWER = 2
    QUERY = 3
    QUERY_ANSWER = 4


class Tag(IntEnum):
    """Tags of elements. Those of issuer and serial number are inferred from sizes in a dump."""

    DEVICE = 1
    CERTIFICATE = 2
    SUBJECT = 3
    ISSUER = 4
    SERIALNUMBER = 5
    STATUS = 7
    ROLES = 8
    TTL = 9


KINDS: tlv.Kinds = {
    Tag.DEVICE: Kind("DEVICE"),
    Tag.CERTIFICATE: Kind("CERTIFICATE"),
    Tag.SUBJECT: Kind("SUBJECT"),
    Tag.ISSUER: Kind("ISSUER"),
    Tag.SERIALNUMBER: Kind("SERIALNUMBER"),
    Tag.STATUS: Kind("STATUS", Form.NUMBER, (1,)),
    Tag.ROLES: Kind("ROLES"),
    Tag.TTL: Kind("TTL", Form.NUMBER, (4,)),
}


@dataclass(frozen=True, slots=True)
class Verify:
    """May this certificate be trusted? `device` is as the phone writes it: `CP-8861-SEP001122334455`."""

    session: int
    device: str
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """Which certificate has these names and this serial number, and may it be trusted?"""

    session: int
    device: str
    subject: str
    issuer: str
    serial: bytes


Request = Verify | Query


@dataclass(frozen=True, slots=True)
class Vouched:
    """A certificate that this service vouches for, and for which roles."""

    certificate: Certificate
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Answer:
    """`certificate` is there in the answer to a query; without `roles` it is "invalid". `ttl` in seconds."""

    command: Command
    session: int
    roles: tuple[int, ...] = ()
    ttl: int = 0
    certificate: bytes = field(default=b"", repr=False)


ROLES: dict[Store, frozenset[Role]] = {
    Store.PHONE_SAST: frozenset((Role.SAST, Role.TFTP)),
    Store.CALL_MANAGER: frozenset((Role.CCM,)),
    Store.TVS: frozenset((Role.TVS,)),
    Store.CAPF: frozenset((Role.CAPF,)),
}
"""For what a certificate in a store is vouched for."""


class Book:
    """All that this service vouches for. Whether a certificate has expired is not looked at: the stores hold
    what an administrator wants trusted, and `trust check` tells what ends.
    """

    def __init__(self, entries: Iterable[Vouched]) -> None:
        self._entries: dict[bytes, Vouched] = {}
        for each in entries:
            key = _hash(each.certificate.der)
            before = self._entries.get(key)
            roles = each.roles | before.roles if before else each.roles
            self._entries[key] = Vouched(each.certificate, roles)
        self._named = {
            (each.certificate.serial, _parts(each.certificate.issuer)): each
            for each in self._entries.values()
        }

    def answer(self, request: Request, ttl: int = TTL) -> Answer:
        """What a phone is told; `ttl` in seconds."""
        if isinstance(request, Verify):
            command, found = Command.VERIFY_ANSWER, self._entries.get(_hash(request.certificate))
        else:
            command = Command.QUERY_ANSWER
            found = self._named.get((request.serial.lstrip(b"\0") or b"\0", _parts(request.issuer)))
        if found is None:
            return Answer(command, request.session)
        der = found.certificate.der if command is Command.QUERY_ANSWER else b""
        return Answer(command, request.session, tuple(sorted(found.roles)), ttl, der)


def book(own: Mapping[Role, Iterable[Certificate]], held: Held) -> Book:
    """What is vouched for with these certificates of this box, by role, and those in the stores."""
    entries = [Vouched(each, frozenset((role,))) for role, given in own.items() for each in given]
    entries += [Vouched(each, ROLES[store]) for store, stored in held.items() for each in stored]
    return Book(entries)


def length(head: bytes) -> int:
    """How many bytes follow the first `HEAD` of a request; `Malformed`, also where these are too many."""
    if len(head) < HEAD or head[:2] != _PROTOCOL:
        raise Malformed("request, byte 0", "no message of this protocol")
    size = tlv.number(head[8:HEAD])
    if size > REQUEST_MAX:
        raise Malformed("request, byte 8", f"{size} bytes long; allowed are {REQUEST_MAX}")
    return size


def decode(data: bytes) -> Request:
    """The request in these bytes, all of them; `Malformed`."""
    elements = _elements(data, "request")
    session = tlv.number(data[4:8])
    device = _device(elements)
    if data[2] == Command.VERIFY:
        certificate = tlv.find(elements, Tag.CERTIFICATE)
        if certificate is None:
            raise Malformed("request", "no CERTIFICATE")
        return Verify(session, device, certificate)
    if data[2] == Command.QUERY:
        return Query(session, device, *_names(elements))
    raise Malformed("request, byte 2", f"command {data[2]} is no request")


def encode(request: Request) -> bytes:
    """The bytes of a request, as phones send it."""
    device = Element(Tag.DEVICE, _DEVICE_TYPE + request.device.encode("utf-8", "surrogateescape"))
    if isinstance(request, Verify):
        return _message(
            Command.VERIFY, request.session, [device, Element(Tag.CERTIFICATE, request.certificate)]
        )
    named = [
        Element(Tag.SUBJECT, tlv.text_value(request.subject)),
        Element(Tag.ISSUER, tlv.text_value(request.issuer)),
        Element(Tag.SERIALNUMBER, request.serial),
    ]
    return _message(Command.QUERY, request.session, [device, *named])


def encode_answer(answer: Answer) -> bytes:
    """The bytes of an answer."""
    if not answer.roles:
        return _message(answer.command, answer.session, [Element(Tag.STATUS, b"\1")])
    elements = [
        Element(Tag.STATUS, b"\0"),
        *([Element(Tag.CERTIFICATE, answer.certificate)] if answer.certificate else []),
        Element(Tag.ROLES, bytes(answer.roles)),
        Element(Tag.TTL, answer.ttl.to_bytes(4, "big")),
    ]
    return _message(answer.command, answer.session, elements)


def decode_answer(data: bytes) -> Answer:
    """The answer in these bytes, all of them; `Malformed`."""
    elements = _elements(data, "answer")
    if data[2] not in (Command.VERIFY_ANSWER, Command.QUERY_ANSWER):
        raise Malformed("answer, byte 2", f"command {data[2]} is no answer")
    command, session = Command(data[2]), tlv.number(data[4:8])
    status = tlv.find(elements, Tag.STATUS)
    if status is None:
        raise Malformed("answer", "no STATUS")
    if status != b"\0":
        return Answer(command, session)
    roles, ttl = tlv.find(elements, Tag.ROLES), tlv.find(elements, Tag.TTL)
    if not roles or ttl is None:
        raise Malformed("answer", "valid, but no ROLES or no TTL")
    certificate = tlv.find(elements, Tag.CERTIFICATE) or b""
    return Answer(command, session, tuple(roles), tlv.number(ttl), certificate)


def _message(command: Command, session: int, elements: Iterable[Element]) -> bytes:
    body = tlv.encode(elements, KINDS)
    head = _PROTOCOL + bytes([command, 0]) + session.to_bytes(4, "big")
    return head + len(body).to_bytes(2, "big") + body


def _elements(data: bytes, box: str) -> tuple[Element, ...]:
    size = length(data) if box == "request" else _answer_length(data)
    if len(data) != HEAD + size:
        raise Malformed(f"{box}, byte 8", f"{size} bytes long, but {len(data) - HEAD} follow")
    return tlv.decode(data, HEAD, len(data), KINDS, box)


def _answer_length(data: bytes) -> int:
    if len(data) < HEAD or data[:2] != _PROTOCOL:
        raise Malformed("answer, byte 0", "no message of this protocol")
    return tlv.number(data[8:HEAD])


def _device(elements: Iterable[Element]) -> str:
    """The name without the byte for its type; empty where there is none, as it decides nothing."""
    value = tlv.find(elements, Tag.DEVICE) or b""
    return value.removeprefix(_DEVICE_TYPE).rstrip(b"\0").decode("utf-8", "surrogateescape")


def _names(elements: Iterable[Element]) -> tuple[str, str, bytes]:
    """Subject, issuer and serial number of a query: by their tags, else by what they look like, as the tags
    of two are inferred.
    """
    given = {each.tag: each.value for each in elements if each.tag not in (Tag.DEVICE, Tag.CERTIFICATE)}
    if given.keys() >= {Tag.SUBJECT, Tag.ISSUER, Tag.SERIALNUMBER}:
        names = [given[Tag.SUBJECT], given[Tag.ISSUER]]
        serials = [given[Tag.SERIALNUMBER]]
    else:
        names = [each for each in given.values() if b"=" in each and each.endswith(b"\0")]
        serials = [each for each in given.values() if each not in names]
    if len(names) != 2 or len(serials) != 1 or not serials[0]:
        raise Malformed("request", "not one subject, one issuer and one serial number")
    subject, issuer = (each.rstrip(b"\0").decode("utf-8", "surrogateescape") for each in names)
    return subject, issuer, serials[0]


def _parts(name: str) -> frozenset[str]:
    """A name whichever way it was written: CUCM puts semicolons between its parts, others commas."""
    return frozenset(part.strip() for part in re.split("[;,]", name))


def _hash(der: bytes) -> bytes:
    return hashlib.sha256(der).digest()
