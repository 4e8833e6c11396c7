"""Headers of files that are signed here: the bytes that others lay out, and what no header can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from appliance.trust import envelope, signedfile, trustlist
from appliance.trust.header import HashAlgorithm, Tag
from appliance.trust.signing import ALIGNMENT, MODULI, build
from appliance.trust.tlv import flat
from appliance.trust.trustlist import Role, record
from tests.trust.vectors import CLUSTER, CURVE, TIME, data, signing

SHA1, SHA512 = HashAlgorithm.SHA1, HashAlgorithm.SHA512
PUB = "cucm-east-pub"
FOUR, SIX = ip_address("10.1.0.10"), ip_address("2001:db8::10")


def encrypted() -> envelope.Envelope:
    """The encrypted file made anew from its parts."""
    found = envelope.decode(data("SEP001122334455.cnf.xml.enc.sgn"))
    assert found.header.encryption is not None
    return envelope.build_encrypted(
        found.body, found.header.encryption, "SEP001122334455.cnf.xml.enc.sgn", TIME, signing()
    )


MADE: list[tuple[str, Callable[[], signedfile.SignedFile]]] = [
    (
        "ITLFile.tlv",
        lambda: trustlist.build(
            [
                record(CLUSTER, Role.SAST, PUB, [FOUR]),
                record(CLUSTER, Role.CCM_TFTP, PUB, [FOUR, SIX]),
                record(CURVE, Role.TFTP, "", [FOUR]),
                record(CLUSTER, Role.TVS, PUB, [FOUR]),
                record(CLUSTER, Role.CAPF, PUB, [FOUR]),
            ],
            "ITLFile.tlv",
            TIME,
            signing(),
            (1, 1),
        ),
    ),
    (
        "RingList.xml.sgn",
        lambda: envelope.build(b"<CiscoIPPhoneRingList/>\n", "RingList.xml.sgn", TIME, signing(SHA512)),
    ),
    (
        "g3-tones.xml.sgn",
        lambda: envelope.build(b"<tones/>\n", "New_Zealand/g3-tones.xml.sgn", TIME, signing()),
    ),
    ("SEP001122334455.cnf.xml.enc.sgn", encrypted),
]


@pytest.mark.parametrize(("name", "made"), MADE)
def test_byte_for_byte(name: str, made: Callable[[], signedfile.SignedFile]) -> None:
    """What is made here from the same facts is what openssl has signed, its signature included."""
    assert signedfile.encode(made()) == data(name)
    assert signedfile.decode(data(name)) == made()


@pytest.mark.parametrize("length", range(12))
def test_padding(length: int) -> None:
    """The body begins at a multiple of four, and no byte later than it must."""
    header = build((1, 0), b"", "x" * length, TIME, signing())
    pads = [each for each in header.elements if each.tag == Tag.PADDING]
    assert header.size % ALIGNMENT == 0
    assert len(pads) < ALIGNMENT


@pytest.mark.parametrize(("bits", "code"), [(512, 0), (1024, 1), (2048, 2), (4096, 3)])
def test_the_length_of_the_key(bits: int, code: int) -> None:
    signer = replace(signing(), key_bits=bits, sign=lambda digest, algorithm: b"s" * (bits // 8))
    header = build((1, 0), b"", "x", TIME, signer)
    assert MODULI[bits] == code
    assert [each.value for each in flat(header.elements) if each.tag == Tag.SIGNATUREMODULUS] == [
        bytes([code])
    ]
    assert header.signature == b"s" * (bits // 8)


@pytest.mark.parametrize("bits", [0, 768, 3072, 8192])
def test_keys_that_no_header_can_tell(bits: int) -> None:
    with pytest.raises(ValueError, match=f"an RSA key of {bits} bits; allowed: 512, 1024, 2048, 4096"):
        build((1, 0), b"", "x", TIME, replace(signing(), key_bits=bits))


def test_a_signature_of_another_length() -> None:
    with pytest.raises(ValueError, match="a signature of 3 bytes, and not 256"):
        build((1, 0), b"", "x", TIME, replace(signing(), sign=lambda digest, algorithm: b"abc"))


@pytest.mark.parametrize("name", ["a\0b", "x" * 65_535])
def test_names_that_no_header_can_tell(name: str) -> None:
    with pytest.raises(ValueError):
        build((1, 0), b"", name, TIME, signing())


def test_what_is_asked_to_be_signed() -> None:
    """A digest of the algorithm, once: the key may be another process's."""
    asked: list[tuple[int, HashAlgorithm]] = []

    def sign(digest: bytes, algorithm: HashAlgorithm) -> bytes:
        asked.append((len(digest), algorithm))
        return bytes(256)

    for algorithm in (SHA1, SHA512):
        build((1, 0), b"x", "x", TIME, replace(signing(algorithm), sign=sign))
    assert asked == [(20, SHA1), (64, SHA512)]
