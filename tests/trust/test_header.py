"""The header of every signed file: what must be in it, and where."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust import header as headers
from appliance.trust import tlv
from appliance.trust.header import Encryption, HashAlgorithm, Header, Signer, Tag, decode, digest, encode
from appliance.trust.tlv import Element, Malformed
from tests.trust.vectors import FILES, data

NAMES = Element(
    Tag.SIGNERID,
    inside=(
        Element(Tag.SIGNERNAME, b"CN=a\0"),
        Element(Tag.SERIALNUMBER, b"\x83\x01"),
        Element(Tag.CANAME, b"CN=b\0"),
    ),
)
HOW = Element(Tag.SIGNATUREINFO, inside=(Element(Tag.DIGESTALGORITHM, b"\1"),))
SIGNATURE = Element(Tag.SIGNATURE, b"signed")
LEAST = (NAMES, HOW, SIGNATURE)


def header(*elements: Element) -> Header:
    return Header((1, 0), elements)


def test_the_least() -> None:
    found = decode(encode(header(*LEAST)))
    assert found == header(*LEAST)
    assert found.signer == Signer("CN=a", "CN=b", b"\x83\x01")
    assert (found.algorithm, found.signature) == (HashAlgorithm.SHA1, b"signed")
    assert (found.signer_version, found.file_name, found.timestamp, found.encryption) == (None,) * 4


@pytest.mark.parametrize(
    ("element", "name", "value"),
    [
        (Element(Tag.SIGNERVERSION, b"\1\1"), "signer_version", (1, 1)),
        (
            Element(Tag.FILENAME, b"New_Zealand/g3-tones.xml.sgn\0"),
            "file_name",
            "New_Zealand/g3-tones.xml.sgn",
        ),
        (Element(Tag.FILENAME, b"\0"), "file_name", ""),
        (Element(Tag.TIMESTAMP, b"\xff\xff\xff\xff"), "timestamp", 0xFFFFFFFF),
        (Element(Tag.TIMESTAMP, bytes(4)), "timestamp", 0),
    ],
)
def test_what_may_be_there(element: Element, name: str, value: object) -> None:
    assert getattr(decode(encode(header(*LEAST, element))), name) == value


NO_START = "header, byte 0: no signed file: it does not begin with VERSION and HEADERLENGTH"


@pytest.mark.parametrize(
    ("start", "fault"),
    [
        (b"", NO_START),
        (b"<device>", NO_START),
        (b"\1\0\2\1\0\2\0\2\0", NO_START),
        (b"\2\0\2\0\x0a\1\0\2\1\0", NO_START),
        (b"\1\0\3\1\0\2\0\2\0\x0a", NO_START),
        (b"\1\0\2\1\0\2\0\2\0\0", "header, byte 8: HEADERLENGTH is 0, but the file has 10 bytes"),
        (b"\1\0\2\1\0\2\0\2\0\x09", "header, byte 8: HEADERLENGTH is 9, but the file has 10 bytes"),
        (b"\1\0\2\1\0\2\0\2\0\x0b", "header, byte 8: HEADERLENGTH is 11, but the file has 10 bytes"),
        (b"\1\0\2\1\0\2\0\2\0\x0a", "header: no SIGNERNAME"),
        (b"\1\0\2\1\0\2\0\2\0\x0b\x0d", "header: no SIGNERNAME"),
        (b"\1\0\2\1\0\2\0\2\0\x0b\x03", "header, byte 10, SIGNERID: cut off before its value"),
    ],
)
def test_no_header(start: bytes, fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        decode(start)
    assert str(raised.value) == fault


KEYS = (Element(Tag.IV, bytes(16)), Element(Tag.PADLENGTH, b"\0\1"), Element(Tag.KEYSIZE, b"\4\0"))
LATER = (Element(Tag.CONTENTDIGESTALGORITHM, b"\1"), Element(Tag.CONTENTDIGEST, b"digest"))


@pytest.mark.parametrize(
    ("elements", "fault"),
    [
        ((HOW, SIGNATURE), "no SIGNERNAME"),
        ((NAMES, SIGNATURE), "no DIGESTALGORITHM"),
        ((NAMES, HOW), "no SIGNATURE"),
        ((*LEAST, SIGNATURE), "SIGNATURE more than once"),
        ((*LEAST, NAMES), "SIGNERID more than once"),
        ((*LEAST, Element(Tag.SERIALNUMBER, b"\1")), "SERIALNUMBER more than once"),
        ((*LEAST, Element(Tag.VERSION, b"\1\0")), "VERSION more than once"),
        ((*LEAST, Element(Tag.HEADERLENGTH, b"\1\0")), "HEADERLENGTH more than once"),
        (
            (NAMES, Element(Tag.SIGNATUREINFO, inside=(*HOW.inside, SIGNATURE))),
            "SIGNATURE inside another element",
        ),
        ((*LEAST, Element(Tag.ENCRYPTIONINFO)), "ENCRYPTIONINFO, but no IV"),
        ((*LEAST, Element(Tag.ENCRYPTIONINFO, inside=KEYS)), "ENCRYPTIONINFO, but no WRAPPEDKEY"),
    ],
)
def test_what_must_be_there(elements: tuple[Element, ...], fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        decode(encode(header(*elements)))
    assert str(raised.value) == f"header: {fault}"


def test_encryption() -> None:
    info = Element(Tag.ENCRYPTIONINFO, inside=(*KEYS, Element(Tag.WRAPPEDKEY, b"key")))
    found = decode(encode(header(*LEAST, info, *LATER)))
    assert found.encryption == Encryption(bytes(16), 1, 1024, b"key", 1, b"digest")


def test_a_published_start() -> None:
    """The first bytes of a file signed by certutils, with a header of 400 bytes (phones.md 3.1)."""
    name = b"CN=tftp,O=Org,OU=OU\0"
    serial = b"\x28\x10" + bytes(range(18))
    start = b"\1\0\2\1\0\2\0\2\1\x90\3\0\x45\4\0\x14" + name + b"\6\0\x14" + name + b"\5\0\x14" + serial
    how = b"\7\0\x0f\x08\0\1\1\x09\0\x08\x0a\0\1\0\x0b\0\1\2"
    signature = b"\x0c\1\0" + bytes(256)
    rest = b"\x0e\0\x1cSEP001122334455.cnf.xml.sgn\0\x0f\0\4\x65\x93\x7c\x65" + b"\x0d" * 3
    whole = start + how + signature + rest
    found = decode(whole)
    assert len(whole) == found.size == 400
    assert found.signer == Signer("CN=tftp,O=Org,OU=OU", "CN=tftp,O=Org,OU=OU", serial)
    assert found.file_name == "SEP001122334455.cnf.xml.sgn"
    assert encode(found) == whole


def test_digest() -> None:
    """All but the element SIGNATURE, with a length that counts it."""
    unsigned = encode(header(NAMES, HOW))
    size = len(unsigned) + 9
    whole = unsigned[:8] + size.to_bytes(2, "big") + unsigned[10:]
    for algorithm, name in ((HashAlgorithm.SHA1, "sha1"), (HashAlgorithm.SHA512, "sha512")):
        expected = hashlib.new(name, whole + b"body").digest()
        assert digest(header(NAMES, HOW, SIGNATURE), b"body", algorithm) == expected


@pytest.mark.parametrize("name", FILES)
def test_cut_off_anywhere(name: str) -> None:
    whole = data(name)
    size = decode(whole).size
    assert decode(whole[:size]) == decode(whole)
    for length in range(size):
        with pytest.raises(Malformed):
            decode(whole[:length])


@pytest.mark.parametrize("name", FILES)
def test_any_other_length(name: str) -> None:
    """HEADERLENGTH is held against what the header is, and not only believed."""
    whole = data(name)
    size = decode(whole).size
    for length in [*range(size), *range(size + 1, min(len(whole), size + 12))]:
        changed = whole[:8] + length.to_bytes(2, "big") + whole[10:]
        try:
            found = decode(changed)
        except Malformed:
            continue
        # Padding, and a last element that is not required, are a header's choice.
        assert encode(found) == changed[: found.size]
        assert found.signer == decode(whole).signer


@given(st.binary(max_size=200))
def test_any_bytes(rest: bytes) -> None:
    """A header that is written as it was read, or `Malformed`."""
    least = encode(header(*LEAST))[10:]
    whole = b"\1\0\2\1\0\2\0\2" + (10 + len(least) + len(rest)).to_bytes(2, "big") + least + rest
    for candidate in (rest, b"\1\0\2\1\0\2\0\2" + rest, whole):
        try:
            found = decode(candidate)
        except Malformed:
            continue
        assert encode(found) == candidate[: found.size]
        assert found.signer.serial == b"\x83\x01" or candidate is not whole


VALUES: dict[tlv.Form, Callable[[int], bytes]] = {
    tlv.Form.BYTES: lambda size: bytes(size or 7),
    tlv.Form.NUMBER: lambda size: b"\1" * size,
    tlv.Form.TEXT: lambda size: b"CN=a\0",
}


@st.composite
def made(draw: st.DrawFn) -> Header:
    """Headers with any of what may be there, in any order, and with unknown elements."""
    optional = [
        Element(tag, VALUES[kind.form](kind.sizes[0] if kind.sizes else 0))
        for tag, kind in headers.KINDS.items()
        if not kind.required and kind.form in VALUES
    ]
    unknown = st.builds(Element, st.integers(29, 255), st.binary(max_size=20))
    more = draw(st.lists(st.sampled_from(optional), unique=True)) + draw(st.lists(unknown, max_size=3))
    pads = [Element(Tag.PADDING)] * draw(st.integers(0, 3))
    version = draw(st.tuples(st.integers(0, 255), st.integers(0, 255)))
    return Header(version, tuple(draw(st.permutations([*LEAST, *more, *pads]))))


@given(made())
def test_any_header(header: Header) -> None:
    assert decode(encode(header)) == header
    assert header.size == len(encode(header))


@pytest.mark.parametrize(
    ("version", "name", "is_list"),
    [
        ((1, 2), "ITLFile.tlv", True),
        ((1, 2), None, True),
        ((1, 1), "CTLFile.tlv", True),
        ((1, 0), "CTLFILE.TLV", True),
        ((1, 0), "RingList.xml.sgn", False),
        ((1, 0), "CTLFile.tlv.sgn", False),
        ((1, 1), "term62.default.loads", False),
        ((1, 0), None, False),
        ((2, 0), "SEP001122334455.cnf.xml.enc.sgn", False),
    ],
)
def test_which_is_a_trust_list(version: tuple[int, int], name: str | None, is_list: bool) -> None:
    named = () if name is None else (Element(Tag.FILENAME, tlv.text_value(name)),)
    assert headers.is_trust_list(Header(version, LEAST + named)) is is_list


def test_too_long() -> None:
    name = Element(Tag.FILENAME, bytes(65_500))
    with pytest.raises(ValueError, match="does not fit HEADERLENGTH"):
        encode(header(*LEAST, name))


def test_one_that_nobody_decoded() -> None:
    with pytest.raises(ValueError, match="a header without SIGNERNAME"):
        _ = replace(header(*LEAST), elements=()).signer
