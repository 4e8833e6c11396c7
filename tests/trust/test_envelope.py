"""Signed and encrypted files: what is inside, and what may be taken out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust import envelope, signedfile
from appliance.trust.envelope import Envelope, Sealed, content_offset, decode, encode, strip
from appliance.trust.header import ENCRYPTED, SIGNED, Encryption, HashAlgorithm
from appliance.trust.header import decode as decode_header
from appliance.trust.tlv import Malformed
from appliance.trust.trustlist import TrustList
from tests.trust.vectors import CLUSTER, FILES, LISTS, TIME, data, signing

ENCRYPTED_NAME = "SEP001122334455.cnf.xml.enc.sgn"
SIGNED_NAMES = [name for name in FILES if name not in (*LISTS, ENCRYPTED_NAME)]


@pytest.mark.parametrize("name", FILES)
def test_both_ways(name: str) -> None:
    found = decode(data(name))
    assert encode(found) == data(name)
    assert found.body == data(name)[found.header.size :]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("RingList.xml.sgn", b"<CiscoIPPhoneRingList/>\n"),
        ("g3-tones.xml.sgn", b"<tones/>\n"),
        ("image.loads", b"# images\r\njar42sip.sbn\r\n"),
    ],
)
def test_strip(name: str, content: bytes) -> None:
    assert strip(data(name)) == content


@pytest.mark.parametrize("name", SIGNED_NAMES)
def test_the_header_is_enough(name: str) -> None:
    """Where the content begins can be told before the rest of a large file is there."""
    size = decode(data(name)).header.size
    assert content_offset(decode_header(data(name)[:size])) == size


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "a trust list is signed as a whole, and nothing without its header") for name in LISTS),
        (ENCRYPTED_NAME, "what is inside is encrypted, and its header tells how"),
    ],
)
def test_sealed(name: str, why: str) -> None:
    with pytest.raises(Sealed) as raised:
        strip(data(name))
    assert str(raised.value) == why


def test_encrypted_by_its_header_alone() -> None:
    """Whatever its version says."""
    whole = data(ENCRYPTED_NAME)
    with pytest.raises(Sealed):
        strip(whole[:3] + bytes(SIGNED) + whole[5:])


def test_encrypted_by_its_version_alone() -> None:
    whole = data("RingList.xml.sgn")
    with pytest.raises(Sealed):
        strip(whole[:3] + bytes(ENCRYPTED) + whole[5:])


@given(st.binary(max_size=100))
def test_any_content(content: bytes) -> None:
    made = envelope.build(content, "x.sgn", TIME, QUICK)
    assert decode(encode(made)) == made
    assert strip(encode(made)) == content


@given(st.binary(max_size=100))
def test_any_bytes(whole: bytes) -> None:
    """An envelope, or `Malformed`; and the same of any signed file."""
    for candidate in (whole, b"\1\0\2\1\0\2\0\2" + whole):
        for read in (encode_again, signedfile_again, strip):
            try:
                found = read(candidate)
            except (Malformed, Sealed):
                continue
            assert candidate.endswith(found)


def encode_again(whole: bytes) -> bytes:
    return encode(decode(whole))


def signedfile_again(whole: bytes) -> bytes:
    return signedfile.encode(signedfile.decode(whole))


QUICK = signing()


@given(
    st.builds(
        Encryption,
        st.binary(min_size=16, max_size=16),
        st.integers(0, 65535),
        st.integers(0, 65535),
        st.binary(max_size=300),
        st.integers(0, 255),
        st.binary(max_size=64),
    )
)
def test_any_encryption(encryption: Encryption) -> None:
    made = envelope.build_encrypted(b"ciphertext", encryption, "x.enc.sgn", TIME, QUICK)
    found = decode(encode(made))
    assert (found.header.version, found.header.encryption) == (ENCRYPTED, encryption)
    assert found.body == b"ciphertext"


@pytest.mark.parametrize("name", FILES)
def test_which_kind(name: str) -> None:
    expected = TrustList if name in LISTS else Envelope
    found = signedfile.decode(data(name))
    assert isinstance(found, expected)
    assert signedfile.encode(found) == data(name)


def test_a_list_is_nothing_else() -> None:
    """One whose records are malformed is not taken for an envelope."""
    with pytest.raises(Malformed, match="record 6"):
        signedfile.decode(data("ITLFile.tlv") + b"x")
    with pytest.raises(Malformed, match="8063 bytes, and allowed are 100"):
        signedfile.decode(data("ITLFile.tlv"), 100)


@pytest.mark.parametrize(
    ("algorithm", "told"),
    [
        (HashAlgorithm.SHA1, []),
        (HashAlgorithm.SHA256, ["its hash algorithm 2 is none with which phones take a file"]),
        (HashAlgorithm.SHA512, []),
    ],
)
def test_doubts(algorithm: HashAlgorithm, told: list[str]) -> None:
    made = envelope.build(b"x", "x.sgn", TIME, signing(algorithm))
    assert list(signedfile.doubts(made)) == told
    assert made.header.signer == CLUSTER.signer
