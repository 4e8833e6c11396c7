from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tftp.packet import (
    OPTIONS_MAX,
    REQUEST_MAX,
    Ack,
    Data,
    Error,
    Malformed,
    Mode,
    Oack,
    Options,
    Packet,
    Request,
    data_header,
    decode,
    decode_request,
    encode,
    is_request,
)

BOTH_WAYS: list[tuple[bytes, Packet]] = [
    (b"\0\1a\0octet\0", Request(b"a", Mode.OCTET)),
    (b"\0\1a\0netascii\0", Request(b"a", Mode.NETASCII)),
    (b"\0\2a\0octet\0", Request(b"a", Mode.OCTET, write=True)),
    (b"\0\1\xff\xfe\x80\0octet\0", Request(b"\xff\xfe\x80", Mode.OCTET)),
    (b"\0\1a\n\x1b[31m%s%n\0octet\0", Request(b"a\n\x1b[31m%s%n", Mode.OCTET)),
    (b"\0\1../../etc/passwd\0octet\0", Request(b"../../etc/passwd", Mode.OCTET)),
    (b"\0\1a\0octet\0blksize\x001428\0", Request(b"a", Mode.OCTET, (("blksize", "1428"),))),
    (b"\0\1a\0octet\0BLKsize\0abc\0", Request(b"a", Mode.OCTET, (("BLKsize", "abc"),))),
    (b"\0\1a\0octet\0tsize\0\0", Request(b"a", Mode.OCTET, (("tsize", ""),))),
    (b"\0\1a\0octet\0b\x001\0b\x002\0", Request(b"a", Mode.OCTET, (("b", "1"), ("b", "2")))),
    (b"\0\3\0\1", Data(1, b"")),
    (b"\0\3\xff\xff\0\1\2", Data(65535, b"\0\1\2")),
    (b"\0\4\0\0", Ack(0)),
    (b"\0\4\x12\x34", Ack(0x1234)),
    (b"\0\5\0\1not found\0", Error(1, "not found")),
    (b"\0\5\xff\xff\0", Error(65535, "")),
    (b"\0\5\0\0Datei gr\xc3\xb6\xc3\x9fer\0", Error(0, "Datei größer")),
    (b"\0\6blksize\x001428\0", Oack((("blksize", "1428"),))),
    (b"\0\6tsize\x007\0blksize\x008\0", Oack((("tsize", "7"), ("blksize", "8")))),
]


@pytest.mark.parametrize(("datagram", "packet"), BOTH_WAYS)
def test_both_ways(datagram: bytes, packet: Packet) -> None:
    assert decode(datagram) == packet
    assert encode(packet) == datagram


TOLERATED: list[tuple[bytes, Packet]] = [
    (b"\0\1a\0OcTeT\0", Request(b"a", Mode.OCTET)),
    (b"\0\1a\0octet\0blksize\0", Request(b"a", Mode.OCTET)),  # an option without a value
    (b"\0\1a\0octet\0blksize\x00512", Request(b"a", Mode.OCTET)),  # the last NUL is missing
    (b"\0\1a\0octet\0\0\0", Request(b"a", Mode.OCTET)),  # an empty option
    (b"\0\1a\0octet\0\0\0b\x001\0", Request(b"a", Mode.OCTET, (("b", "1"),))),
    (b"\0\1a\0octet\0blksize\0\xef\xbc\x95\0", Request(b"a", Mode.OCTET)),  # a digit that is not ASCII
    (b"\0\1a\0octet\0bl\xffksize\x008\0b\x001\0", Request(b"a", Mode.OCTET, (("b", "1"),))),
    (b"\0\1a\0octet\0" + b"b\x001\0" * 17, Request(b"a", Mode.OCTET, (("b", "1"),) * OPTIONS_MAX)),
    (b"\0\4\0\1" + bytes(512), Ack(1)),  # a boot loader that sends its whole buffer
    (b"\0\5\0\1", Error(1, "")),
    (b"\0\5\0\1not found", Error(1, "not found")),
    (b"\0\5\0\1not found\0and more\0", Error(1, "not found")),
    (b"\0\5\0\1\xff\0", Error(1, "\ufffd")),
    (b"\0\5\0\1" + b"a" * 1000 + b"\0", Error(1, "a" * 255)),
    (b"\0\6blksize\x001428\0tsize\x0012", Oack((("blksize", "1428"),))),  # cut short: 12 of what?
    (b"\0\6blksize\x001428", Oack(())),
]


@pytest.mark.parametrize(("datagram", "packet"), TOLERATED)
def test_tolerated(datagram: bytes, packet: Packet) -> None:
    assert decode(datagram) == packet


MALFORMED: list[tuple[bytes, str]] = [
    (b"", "too short"),
    (b"\0", "too short"),
    (b"\0\1", "too short"),
    (b"\0\4\0", "too short"),  # an ACK that lacks a byte
    (b"\0\3\0", "too short"),
    (b"\0\0\0\1", "unknown opcode"),
    (b"\0\x07\0\1", "unknown opcode"),
    (b"\0\x09\0\1", "unknown opcode"),
    (b"\1\1a\0octet\0", "unknown opcode"),
    (b"GET / HTTP/1.1\r\n\r\n", "unknown opcode"),
    (b"\0\1abcdef", "request without name or mode"),
    (b"\0\1a\0octet", "request without name or mode"),  # no NUL behind the mode
    (b"\0\1abc\0", "request without name or mode"),
    (b"\0\2abc\0", "request without name or mode"),
    (b"\0\1\0\0", "empty name"),
    (b"\0\1\0octet\0", "empty name"),
    (b"\0\1a\0\0", "mode is neither octet nor netascii"),
    (b"\0\1a\0xyz\0", "mode is neither octet nor netascii"),
    (b"\0\1a\0mail\0", "mode is neither octet nor netascii"),
    (b"\0\1a\0octet \0", "mode is neither octet nor netascii"),
    (b"\0\1a\0oct\xc3\xa9t\0", "mode is neither octet nor netascii"),
    (b"\0\1" + b"a" * 4000 + b"\0octet\0", "request too long"),
    (b"\0\1a\0octet\0" + b"option\x001\0" * 1000, "request too long"),
]


@pytest.mark.parametrize(("datagram", "text"), MALFORMED)
def test_malformed(datagram: bytes, text: str) -> None:
    with pytest.raises(Malformed, match=f"^{text}$"):
        decode(datagram)


@pytest.mark.parametrize("datagram", [b"\0\1", b"\0\2", b"\0\1a"])
def test_a_bare_opcode_is_a_malformed_request(datagram: bytes) -> None:
    assert is_request(datagram)
    with pytest.raises(Malformed, match="request without name or mode"):
        decode_request(datagram)


def test_the_longest_request() -> None:
    name = b"a" * (REQUEST_MAX - len(b"\0\1\0octet\0"))
    assert decode(b"\0\1" + name + b"\0octet\0") == Request(name, Mode.OCTET)
    with pytest.raises(Malformed, match="request too long"):
        decode(b"\0\1" + name + b"a\0octet\0")


@pytest.mark.parametrize(
    ("datagram", "answered"),
    [
        (b"", False),
        (b"\0", False),
        (b"\0\0\0\0", False),
        (b"\0\1a\0octet\0", True),
        (b"\0\2a\0octet\0", True),
        (b"\0\3\0\1", False),
        (b"\0\4\0\1", False),
        (b"\0\5\0\4illegal\0", False),
        (b"\0\6blksize\x008\0", False),
        (b"\0\x09\0\1", False),
        (b"\1\1a\0octet\0", False),
    ],
)
def test_only_requests_are_answered(datagram: bytes, answered: bool) -> None:
    assert is_request(datagram) is answered


@pytest.mark.parametrize(
    ("block", "header"),
    [
        (1, b"\0\3\0\1"),
        (65535, b"\0\3\xff\xff"),
        (65536, b"\0\3\0\0"),
        (65537, b"\0\3\0\1"),
        (3 * 65536 + 7, b"\0\3\0\7"),
    ],
)
def test_block_numbers_wrap_to_0(block: int, header: bytes) -> None:
    assert data_header(block) == header
    assert encode(Data(block, b"x")) == header + b"x"
    assert encode(Ack(block)) == b"\0\4" + header[2:]


WORD = st.integers(0, 0xFFFF)
STRING = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)
OPTION = st.tuples(STRING.filter(bool), STRING)
OPTIONS: st.SearchStrategy[Options] = st.lists(OPTION, max_size=OPTIONS_MAX).map(tuple)
NAME = st.binary(min_size=1, max_size=255).map(lambda name: name.replace(b"\0", b"\1"))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=63)
REQUEST = st.builds(Request, NAME, st.sampled_from(Mode), OPTIONS, st.booleans())
OACK = st.builds(Oack, OPTIONS.filter(bool))
PACKET: st.SearchStrategy[Packet] = st.one_of(
    REQUEST,
    OACK,
    st.builds(Data, WORD, st.binary(max_size=2000)),
    st.builds(Ack, WORD),
    st.builds(Error, WORD, TEXT),
)
OPCODE = st.sampled_from([bytes([0, opcode]) for opcode in range(8)])
DATAGRAM = st.binary(max_size=1200) | st.builds(bytes.__add__, OPCODE, st.binary(max_size=1200))


@given(PACKET)
def test_decode_undoes_encode(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


@given(DATAGRAM)
def test_any_datagram_is_a_packet_or_malformed(datagram: bytes) -> None:
    try:
        packet = decode(datagram)
    except Malformed:
        return
    match packet:
        case Data() | Ack():
            assert encode(packet) == datagram[: len(encode(packet))]
        case Error(_, text):
            assert len(text) <= 255
            assert "\0" not in text
        case Request(options=options):
            assert len(options) <= OPTIONS_MAX
            assert decode(encode(packet)) == packet
        case Oack(options):
            assert len(options) <= OPTIONS_MAX


@given(REQUEST | OACK, st.data())
def test_a_part_of_a_packet_tells_nothing_that_the_whole_does_not(
    packet: Request | Oack, data: st.DataObject
) -> None:
    whole = encode(packet)
    try:
        part = decode(whole[: data.draw(st.integers(0, len(whole)))])
    except Malformed:
        return
    assert isinstance(part, Request | Oack)
    assert part.options == packet.options[: len(part.options)]
