"""CTL and ITL: records, the size that phones load, and what a published dump adds up to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust import header as headers
from appliance.trust.header import HashAlgorithm, Header
from appliance.trust.tlv import Element, Malformed
from appliance.trust.trustlist import (
    SIZE_MAX,
    Record,
    Role,
    Tag,
    TooLong,
    TrustList,
    build,
    decode,
    doubts,
    encode,
    record,
)
from tests.trust.vectors import CLUSTER, CURVE, LISTS, SMALL, TIME, data, signing

FUNCTION = Element(Tag.FUNCTION, b"\0\0")

DUMP_HEADER = {
    headers.Tag.SIGNERNAME: 62,
    headers.Tag.SERIALNUMBER: 16,
    headers.Tag.CANAME: 62,
    headers.Tag.SIGNATURE: 128,
    headers.Tag.FILENAME: 12,
    headers.Tag.TIMESTAMP: 4,
}
"""Lengths that CUCM 10.5 shows of its CTL (phones.md 3.1), in bytes."""

DUMP_RECORDS = [
    ((16, 62, 2, 62, 16, 140, 128, 694, 4), 1156),
    ((16, 62, 2, 62, 16, 140, 128, 694, 4), 1156),
    ((16, 60, 2, 60, 16, 140, 128, 680, 4), 1138),
    ((17, 63, 2, 63, 16, 140, 128, 696, 4), 1161),
]
"""Lengths of the tags 2 to 10, and RECORDLENGTH."""


def of_length(tag: int, length: int) -> Element:
    names = (Tag.DNSNAME, Tag.SUBJECTNAME, Tag.ISSUERNAME)
    return Element(tag, b"x" * (length - 1) + b"\0" if tag in names else bytes(length))


def test_a_published_dump() -> None:
    """Its lengths are those of our header and records: 336 bytes, 4947 in all."""
    named, sized = headers.Tag, DUMP_HEADER
    names = tuple(Element(tag, b"x" * (sized[tag] - 1) + b"\0") for tag in list(sized)[:3])
    rsa = (Element(named.SIGNATUREALGORITHM, b"\0"), Element(named.SIGNATUREMODULUS, b"\1"))
    how = (Element(named.DIGESTALGORITHM, b"\1"), Element(named.SIGNATUREALGOINFO, inside=rsa))
    header = Header(
        headers.TRUST_LIST,
        (
            Element(named.SIGNERID, inside=names),
            Element(named.SIGNATUREINFO, inside=how),
            Element(named.SIGNATURE, bytes(sized[named.SIGNATURE])),
            Element(named.FILENAME, b"CTLFile.tlv\0"),
            Element(named.TIMESTAMP, bytes(sized[named.TIMESTAMP])),
            *[Element(named.PADDING)] * 3,
        ),
    )
    records = tuple(
        Record(tuple(of_length(tag, length) for tag, length in enumerate(lengths, Tag.DNSNAME)))
        for lengths, _ in DUMP_RECORDS
    )
    whole = encode(TrustList(header, records))
    assert decode(whole) == TrustList(header, records)
    assert (header.size, len(whole)) == (336, 4947)
    starts = [336 + sum(size for _, size in DUMP_RECORDS[:count]) for count in range(4)]
    assert [int.from_bytes(whole[at + 3 : at + 5], "big") for at in starts] == [
        size for _, size in DUMP_RECORDS
    ]


def test_a_token_in_a_published_dump() -> None:
    """It has no signature: 1186 bytes."""
    lengths = {2: 1, 3: 56, 4: 2, 5: 42, 6: 10, 7: 140, 9: 902, 10: 4}
    token = Record(tuple(of_length(tag, length) for tag, length in lengths.items()))
    assert len(TrustList(Header((1, 2), ()), (token,)).body) == 1186


def body(*records: bytes) -> bytes:
    """A trust list whose records are these bytes."""
    return encode(build((), "ITLFile.tlv", TIME, signing())) + b"".join(records)


HEADER = len(body())


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        (b"\0", f"record 1, byte {HEADER}: does not begin with RECORDLENGTH"),
        (b"\1\0\2\0", f"record 1, byte {HEADER}: does not begin with RECORDLENGTH"),
        (b"\1\0\3\0\0\x0a\4\0\2\0\0", f"record 1, byte {HEADER}: does not begin with RECORDLENGTH"),
        (b"\4\0\2\0\0\1\0\2\0\x0a", f"record 1, byte {HEADER}: does not begin with RECORDLENGTH"),
        (b"\1\0\2\0\4", f"record 1, byte {HEADER}: RECORDLENGTH is 4; 5 are left"),
        (b"\1\0\2\0\0", f"record 1, byte {HEADER}: RECORDLENGTH is 0; 5 are left"),
        (b"\1\0\2\xff\xff", f"record 1, byte {HEADER}: RECORDLENGTH is 65535; 5 are left"),
        (b"\1\0\2\0\5", "record 1: no FUNCTION"),
        (b"\1\0\2\0\x0a\4\0\2\0\0\x0d", f"record 2, byte {HEADER + 10}: does not begin with RECORDLENGTH"),
        (b"\1\0\2\0\x0b\4\0\2\0\0\x0d", f"record 1, byte {HEADER + 10}, tag 13: cut off before its value"),
        (b"\1\0\2\0\x09\4\0\1\0", f"record 1, byte {HEADER + 5}, FUNCTION: 1 bytes long, and not 2"),
        (b"\1\0\2\0\x0f\4\0\2\0\0\4\0\2\0\1", "record 1: FUNCTION more than once"),
        (b"\1\0\2\0\x0f\4\0\2\0\0\1\0\2\0\5", "record 1: RECORDLENGTH more than once"),
        (
            b"\1\0\2\0\x11\4\0\2\0\0\x0a\0\4\0\0\0\0"[:-1],
            f"record 1, byte {HEADER}: RECORDLENGTH is 17; 16 are left",
        ),
        (
            b"\1\0\2\0\x0a\4\0\2\0\0\1\0\2\0\x12\4\0\2\0\0\x0a\0\5\0\0\0\0\0",
            f"record 2, byte {HEADER + 20}, IPADDRESS: 5 bytes long, and not 4 or 16",
        ),
    ],
)
def test_malformed(records: bytes, fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        decode(body(records))
    assert str(raised.value) == fault


@pytest.mark.parametrize("name", LISTS)
def test_cut_off_anywhere(name: str) -> None:
    """Between two records it is a shorter list, everywhere else malformed."""
    whole = data(name)
    found = decode(whole)
    ends = {len(encode(TrustList(found.header, found.records[:n]))): n for n in range(len(found.records) + 1)}
    for length in range(len(whole)):
        if length in ends:
            assert decode(whole[:length]).records == found.records[: ends[length]]
        else:
            with pytest.raises(Malformed):
                decode(whole[:length])


@given(st.binary(max_size=120))
def test_any_bytes(rest: bytes) -> None:
    """A list that is written as it was read, or `Malformed`."""
    one = b"\1\0\2" + (10 + len(rest)).to_bytes(2, "big") + b"\4\0\2\0\0" + rest
    for whole in (rest, EMPTY + rest, EMPTY + one):
        try:
            found = decode(whole)
        except Malformed:
            continue
        assert encode(found) == whole
        assert all(isinstance(each.role, int) and each.addresses is not None for each in found.records)


EMPTY = body()
NAMED = st.sampled_from([Tag.DNSNAME, Tag.SUBJECTNAME, Tag.ISSUERNAME])
ELEMENTS = st.one_of(
    st.builds(Element, NAMED, st.binary(max_size=30).map(lambda name: name.replace(b"\0", b"") + b"\0")),
    st.builds(Element, st.just(Tag.IPADDRESS), st.sampled_from([bytes(4), bytes(16)])),
    st.builds(Element, st.sampled_from([6, 7, 8, 9, 11]), st.binary(max_size=30)),
    st.builds(Element, st.just(Tag.HASHALGORITHM), st.sampled_from([b"\1", b"\3"])),
    st.builds(Element, st.integers(13, 255), st.binary(max_size=30)),
)


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    elements = draw(st.lists(ELEMENTS, max_size=8, unique_by=lambda each: each.tag))
    role = Element(Tag.FUNCTION, draw(st.binary(min_size=2, max_size=2)))
    return Record(tuple(draw(st.permutations([role, *elements]))))


@given(st.lists(any_record(), max_size=5))
def test_any_list(records: list[Record]) -> None:
    trust_list = TrustList(decode(EMPTY).header, tuple(records))
    assert decode(encode(trust_list)) == trust_list


def test_a_record() -> None:
    address, other = ip_address("10.1.0.10"), ip_address("2001:db8::10")
    found = record(CURVE, Role.TFTP, "cucm-east-pub", [address, other])
    assert (found.role, found.addresses) == (Role.TFTP, (address, other))
    assert [each.tag for each in found.elements] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 10]
    assert found.text(Tag.DNSNAME) == "cucm-east-pub"
    assert found.text(Tag.SUBJECTNAME) == CURVE.subject
    assert found.value(Tag.SERIALNUMBER) == b"\x28\x10"
    assert found.value(Tag.CERTIFICATE) == CURVE.der
    assert found.value(Tag.PUBLICKEY)[:1] == b"\4"
    assert found.value(Tag.CERTIFICATEHASH) == b""
    assert Record((FUNCTION,)).text(Tag.DNSNAME) == ""


def test_the_roles() -> None:
    """phones.md 3.2."""
    assert {role.name: int(role) for role in Role} == {
        "SAST": 0,
        "CCM": 1,
        "CCM_TFTP": 2,
        "TFTP": 3,
        "CAPF": 4,
        "APP_SERVER": 7,
        "TVS": 21,
    }


def filled(size: int) -> list[Record]:
    """Records that make a list of this size."""
    full = record(CLUSTER, Role.TVS)
    one = len(TrustList(Header((1, 2), ()), (full,)).body)
    count = (size - HEADER) // one - 1
    rest = size - HEADER - count * one - 13
    return [full] * count + [Record((FUNCTION, Element(99, bytes(rest))))]


@pytest.mark.parametrize("size", [SIZE_MAX - 1, SIZE_MAX])
def test_the_longest(size: int) -> None:
    trust_list = build(filled(size), "ITLFile.tlv", TIME, signing())
    assert len(encode(trust_list)) == size
    assert decode(encode(trust_list)) == trust_list


def test_too_long_for_phones() -> None:
    records = filled(SIZE_MAX + 1)
    text = f"{len(records)} records make 65537 bytes; phones load 65536"
    with pytest.raises(TooLong, match=f"^{text}$"):
        build(records, "ITLFile.tlv", TIME, signing())
    whole = body() + TrustList(Header((1, 2), ()), tuple(records)).body
    with pytest.raises(Malformed, match=r"^file: 65537 bytes, and allowed are 65536$"):
        decode(whole)
    found = decode(whole, limit=SIZE_MAX + 1)
    assert encode(found) == whole
    assert text in list(doubts(found))


def test_some_39_certificates_are_the_most() -> None:
    """phones.md 1.8, number 8."""
    size = len(TrustList(Header((1, 2), ()), (record(CLUSTER, Role.TVS, "cucm-east-pub"),)).body)
    assert 35 <= (SIZE_MAX - HEADER) // size <= 42


SAST, TFTP = record(CLUSTER, Role.SAST), record(CLUSTER, Role.TFTP)
OTHER = record(SMALL, Role.SAST)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([SAST], []),
        ([OTHER, SAST, TFTP], []),
        ([OTHER, OTHER, SAST], ["3 records of role SAST; phones look at 2"]),
        ([], ["no record of role SAST is its signer's"]),
        ([TFTP], ["no record of role SAST is its signer's"]),
        ([OTHER, TFTP], ["no record of role SAST is its signer's"]),
    ],
)
def test_doubts(records: list[Record], told: list[str]) -> None:
    assert list(doubts(build(records, "ITLFile.tlv", TIME, signing()))) == told


@pytest.mark.parametrize("algorithm", [HashAlgorithm.SHA1, HashAlgorithm.SHA512])
def test_built(algorithm: HashAlgorithm) -> None:
    found = decode(encode(build([SAST], "CTLFile.tlv", TIME, signing(algorithm), (1, 1))))
    header = found.header
    assert (header.version, header.signer_version) == ((1, 2), (1, 1))
    assert (header.file_name, header.timestamp) == ("CTLFile.tlv", TIME)
    assert (header.algorithm, header.signer) == (algorithm, CLUSTER.signer)
    assert header.size % 4 == 0
    assert found.records == (SAST,)


def test_a_record_too_long() -> None:
    fits = Record((FUNCTION, Element(99, bytes(65_522))))
    assert len(TrustList(Header((1, 2), ()), (fits,)).body) == 65_535
    longer = Record((FUNCTION, Element(99, bytes(65_523))))
    with pytest.raises(ValueError, match="a record of 65536 bytes does not fit RECORDLENGTH"):
        _ = TrustList(Header((1, 2), ()), (longer,)).body
