"""The Trust Verification Service: the exchanges of phones.md 3.4 byte for byte, and any other bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust import tlv
from appliance.trust.certificate import Certificate
from appliance.trust.stores import Store
from appliance.trust.tlv import Element, Malformed
from appliance.trust.trustlist import Role
from appliance.trust.tvs import (
    HEAD,
    REQUEST_MAX,
    Answer,
    Book,
    Command,
    Query,
    Tag,
    Verify,
    Vouched,
    book,
    decode,
    decode_answer,
    encode,
    encode_answer,
    length,
)
from tests.trust.vectors import CLUSTER, CURVE, SMALL, certificate

SESSION = 1001
DEVICE = "CP-8861-SEPB000B4BA0AEE"
ISSUED = certificate("issued")
HEX = bytes.fromhex


def test_a_published_answer() -> None:
    """To verify: valid, role 3, an hour."""
    served = Book([Vouched(CLUSTER, frozenset((Role.TFTP,)))])
    answer = served.answer(Verify(SESSION, DEVICE, CLUSTER.der), ttl=3600)
    wire = HEX("57 01 02 00 00 00 03 e9 00 0f 07 00 01 00 08 00 01 03 09 00 04 00 00 0e 10")
    assert encode_answer(answer) == wire
    assert decode_answer(wire) == answer


def test_an_answer_that_says_invalid() -> None:
    wire = encode_answer(Book([]).answer(Verify(SESSION, DEVICE, CLUSTER.der)))
    assert wire == HEX("57 01 02 00 00 00 03 e9 00 04 07 00 01 01")
    assert decode_answer(wire) == Answer(Command.VERIFY_ANSWER, SESSION)
    wire = encode_answer(Book([]).answer(Query(SESSION, DEVICE, "CN=a", "CN=b", b"\1")))
    assert wire == HEX("57 01 04 00 00 00 03 e9 00 04 07 00 01 01")


SUBJECT = "CN=" + "s" * 62
ISSUER = "CN=stormin-WIN2012-CA"


def test_a_published_query() -> None:
    """The head of a dump: 143 bytes of elements, of which the names have 66 and 22, the serial number 19."""
    request = Query(SESSION, DEVICE, SUBJECT, ISSUER, bytes(range(1, 20)))
    wire = encode(request)
    assert wire[:17] == HEX("57 01 03 00 00 00 03 e9 00 8f 01 00 18 01 43 50 2d")
    assert len(wire) == HEAD + 143
    assert decode(wire) == request


def test_a_published_answer_to_a_query() -> None:
    """1470 bytes of elements with a certificate of 1451 and two roles; the reserved byte is anything."""
    der = b"\x30\x82" + bytes(1449)
    served = book({}, {Store.PHONE_SAST: [replace(CLUSTER, der=der)]})
    answer = served.answer(Query(SESSION, DEVICE, "", CLUSTER.issuer, CLUSTER.serial))
    wire = encode_answer(answer)
    published = HEX("57 01 04 f7 00 00 03 e9 05 be 07 00 01 00 02 05 ab 30 82")
    assert wire[:3] + b"\xf7" + wire[4:19] == published
    assert len(wire) == HEAD + 1470
    assert wire[-12:] == HEX("08 00 02 00 03 09 00 04 00 01 51 80")
    assert decode_answer(wire) == decode_answer(wire[:3] + b"\xf7" + wire[4:]) == answer


HELD = {
    Store.PHONE_SAST: [CLUSTER],
    Store.CALL_MANAGER: [CLUSTER, SMALL],
    Store.TVS: [CURVE],
    Store.CAPF: [CURVE],
}
SERVED = book({Role.SAST: [ISSUED], Role.TFTP: [ISSUED]}, HELD)


@pytest.mark.parametrize(
    ("one", "roles"),
    [(CLUSTER, (0, 1, 3)), (SMALL, (1,)), (CURVE, (4, 21)), (ISSUED, (0, 3)), (certificate("impostor"), ())],
)
def test_roles(one: Certificate, roles: tuple[int, ...]) -> None:
    assert SERVED.answer(Verify(1, DEVICE, one.der)).roles == roles
    answer = SERVED.answer(Query(1, DEVICE, one.subject, one.issuer, one.serial))
    if roles:
        assert (answer.roles, answer.certificate) == (roles, one.der)
    else:  # it has the names and the serial number of another, whose certificate is then given
        assert answer.certificate == CLUSTER.der


@pytest.mark.parametrize(
    ("issuer", "serial", "known"),
    [
        (CLUSTER.issuer, CLUSTER.serial, True),
        (CLUSTER.issuer, b"\0" + CLUSTER.serial, True),
        (CLUSTER.issuer.replace(";", ","), CLUSTER.serial, True),
        (", ".join(CLUSTER.issuer.split(";")[::-1]), CLUSTER.serial, True),
        (CLUSTER.issuer, CLUSTER.serial[1:], False),
        (CLUSTER.issuer, b"", False),
        (CLUSTER.issuer + ";CN=x", CLUSTER.serial, False),
        (SMALL.issuer, CLUSTER.serial, False),
        ("", CLUSTER.serial, False),
    ],
)
def test_names(issuer: str, serial: bytes, known: bool) -> None:
    answer = SERVED.answer(Query(1, DEVICE, "CN=anything", issuer, serial))
    assert (answer.certificate == CLUSTER.der) is known
    assert (answer.roles == ()) is not known


def message(command: int, *elements: Element) -> bytes:
    body = tlv.encode(elements, {})
    return (
        b"\x57\x01" + bytes([command, 0]) + SESSION.to_bytes(4, "big") + len(body).to_bytes(2, "big") + body
    )


WHO = Element(Tag.DEVICE, b"\1" + DEVICE.encode())
NAMES = (Element(21, b"CN=a\0"), Element(22, b"CN=b\0"), Element(23, b"\x07\x08"))


@pytest.mark.parametrize(
    "elements",
    [
        (WHO, *NAMES),
        (NAMES[2], NAMES[0], NAMES[1], WHO),
        (*NAMES, WHO),
        (
            WHO,
            Element(Tag.SERIALNUMBER, b"\7\x08"),
            Element(Tag.ISSUER, b"CN=b\0"),
            Element(Tag.SUBJECT, b"CN=a\0"),
        ),
        (
            WHO,
            Element(Tag.SUBJECT, b"CN=a\0"),
            Element(Tag.ISSUER, b"CN=b\0"),
            Element(Tag.SERIALNUMBER, b"\7\x08"),
            Element(99, b"more"),
        ),
    ],
)
def test_queries_of_others(elements: tuple[Element, ...]) -> None:
    """In any order; with other tags than those inferred, by what the values look like."""
    assert decode(message(3, *elements)) == Query(SESSION, DEVICE, "CN=a", "CN=b", b"\7\x08")


def test_a_serial_number_that_looks_like_a_name() -> None:
    request = Query(SESSION, DEVICE, "CN=a", "CN=b", b"C=\0")
    assert decode(encode(request)) == request


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "request, byte 0: no message of this protocol"),
        (b"\x57\x01\1\0\0\0\0\1\0", "request, byte 0: no message of this protocol"),
        (b"\x57\x02\1\0\0\0\0\1\0\0", "request, byte 0: no message of this protocol"),
        (b"GET / HTTP/1.1\r\n", "request, byte 0: no message of this protocol"),
        (b"\x57\x01\1\0\0\0\0\1\xff\xff", "request, byte 8: 65535 bytes long; allowed are 16384"),
        (message(1, WHO)[:-1], "request, byte 8: 27 bytes long, but 26 follow"),
        (message(1, WHO) + b"\0", "request, byte 8: 27 bytes long, but 28 follow"),
        (message(1, WHO), "request: no CERTIFICATE"),
        (message(1, WHO, WHO), "request: DEVICE more than once"),
        (message(2, WHO), "request, byte 2: command 2 is no request"),
        (message(0), "request, byte 2: command 0 is no request"),
        (message(3, WHO), "request: not one subject, one issuer and one serial number"),
        (message(3, WHO, *NAMES[:2]), "request: not one subject, one issuer and one serial number"),
        (message(3, *NAMES, Element(24, b"x")), "request: not one subject, one issuer and one serial number"),
        (message(3, *NAMES[:2], Element(23)), "request: not one subject, one issuer and one serial number"),
    ],
)
def test_malformed(data: bytes, fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        decode(data)
    assert str(raised.value) == fault


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "answer, byte 0: no message of this protocol"),
        (message(1), "answer, byte 2: command 1 is no answer"),
        (message(2), "answer: no STATUS"),
        (message(2, Element(Tag.STATUS, b"\0")), "answer: valid, but no ROLES or no TTL"),
        (message(2, Element(Tag.STATUS, b"\0\0")), "answer, byte 10, STATUS: 2 bytes long, and not 1"),
    ],
)
def test_malformed_answers(data: bytes, fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        decode_answer(data)
    assert str(raised.value) == fault


def test_how_much_is_to_be_read() -> None:
    assert length(b"\x57\x01\1\0\0\0\0\1" + REQUEST_MAX.to_bytes(2, "big")) == REQUEST_MAX
    with pytest.raises(Malformed):
        length(b"\x57\x01\1\0\0\0\0\1" + (REQUEST_MAX + 1).to_bytes(2, "big"))


SESSIONS = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
DEVICES = TEXT.filter(lambda text: not text.startswith("\1"))


@given(SESSIONS, DEVICES, st.binary(max_size=2000))
def test_any_verify(session: int, device: str, der: bytes) -> None:
    request = Verify(session, device, der)
    assert decode(encode(request)) == request


@given(SESSIONS, DEVICES, TEXT, TEXT, st.binary(min_size=1, max_size=40))
def test_any_query(session: int, device: str, subject: str, issuer: str, serial: bytes) -> None:
    request = Query(session, device, subject, issuer, serial)
    assert decode(encode(request)) == request


@given(
    st.sampled_from([Command.VERIFY_ANSWER, Command.QUERY_ANSWER]),
    SESSIONS,
    st.lists(st.integers(0, 255), min_size=1, max_size=5).map(tuple),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=100),
)
def test_any_answer(command: Command, session: int, roles: tuple[int, ...], ttl: int, der: bytes) -> None:
    answer = Answer(command, session, roles, ttl, der)
    assert decode_answer(encode_answer(answer)) == answer


@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes(rest: bytes, command: int) -> None:
    """A request that is answered, or `Malformed`."""
    head = b"\x57\x01" + bytes([command]) + b"\0\0\0\0\1"
    for data in (rest, head + rest, head + len(rest).to_bytes(2, "big") + rest):
        try:
            request = decode(data)
        except Malformed:
            pass
        else:
            assert not SERVED.answer(request).roles
        try:
            decode_answer(data)
        except Malformed:
            pass
