"""The lists of this box: who stands in them in which mode, and what a published dump adds up to."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.model import TrustMode
from appliance.trust import signature, trustlist
from appliance.trust.header import HashAlgorithm
from appliance.trust.lists import CTL, ITL, Server, Trusted, build, is_capf_only, is_same, wanted
from appliance.trust.signing import Signing
from appliance.trust.trustlist import Role, Tag, TooLong, TrustList, decode, encode
from tests.trust.openssl import openssl, without_signature
from tests.trust.vectors import CLUSTER, CURVE, FOLDER, SMALL, TIME, certificate, needs_openssl, signing

ISSUED = certificate("issued")
SIGNER, NEXT, WEB, OTHER = map(Server, (CLUSTER, SMALL, CURVE, ISSUED))
NONSECURE, MIXED, ROLLBACK = TrustMode.NONSECURE, TrustMode.MIXED, TrustMode.ROLLBACK
ALL = Trusted(SIGNER, NEXT, WEB, tvs=(OTHER,), capf=(OTHER,), call_managers=(OTHER, SIGNER))

WHO = {CLUSTER.der: "signer", SMALL.der: "next", CURVE.der: "web", ISSUED.der: "other"}


def told(trust_list: TrustList) -> str:
    return ", ".join(
        f"{Role(each.role).name} {WHO[each.value(Tag.CERTIFICATE)]}" for each in trust_list.records
    )


SAST = "SAST signer, SAST next, TFTP signer, TFTP web"


@pytest.mark.parametrize(
    ("mode", "trusted", "had_ctl", "ctl", "itl"),
    [
        (NONSECURE, ALL, False, None, f"{SAST}, TVS other, CAPF other"),
        (NONSECURE, ALL, True, "CAPF other", f"{SAST}, TVS other, CAPF other"),
        (MIXED, ALL, False, f"{SAST}, CAPF other, CCM other, CCM signer", f"{SAST}, TVS other, CAPF other"),
        (MIXED, ALL, True, f"{SAST}, CAPF other, CCM other, CCM signer", f"{SAST}, TVS other, CAPF other"),
        (ROLLBACK, ALL, False, None, "CAPF other"),
        (ROLLBACK, ALL, True, "CAPF other", "CAPF other"),
        (NONSECURE, Trusted(SIGNER), False, None, "SAST signer, TFTP signer"),
        (ROLLBACK, Trusted(SIGNER), False, None, "CAPF signer"),
    ],
)
@pytest.mark.parametrize("algorithm", [HashAlgorithm.SHA1, HashAlgorithm.SHA512])
def test_modes(
    mode: TrustMode, trusted: Trusted, had_ctl: bool, ctl: str | None, itl: str, algorithm: HashAlgorithm
) -> None:
    made = build(wanted(mode, trusted, had_ctl), TIME, signing(algorithm))
    assert {name: told(each) for name, each in made.items()} == {
        name: expected for name, expected in ((CTL, ctl), (ITL, itl)) if expected is not None
    }
    for name, each in made.items():
        assert each.header.file_name == name
        assert each.header.signer_version == ((1, 1) if trusted.https and mode is not ROLLBACK else None)
        assert decode(encode(each)) == each
        assert signature.verify(each, [CLUSTER]).certificate == CLUSTER
        assert is_capf_only(each) is ("SAST" not in told(each))
        assert is_capf_only(each) or list(trustlist.doubts(each)) == []


def test_servers() -> None:
    server = Server(CLUSTER, "box", (ip_address("10.1.1.5"), ip_address("2001:db8::5")))
    [one, two] = wanted(NONSECURE, Trusted(server)).lists[ITL]
    for found in (one, two):
        assert (found.text(Tag.DNSNAME), found.addresses) == ("box", server.addresses)


def of_length(dns_name: int, name: int, key: int, der: int) -> Server:
    """A server whose record has a text of this many bytes, the NUL included, and so on."""
    made = replace(
        CLUSTER,
        subject="s" * (name - 1),
        issuer="i" * (name - 1),
        serial=bytes(range(16)),
        public_key=bytes(key),
        signature=bytes(128),
        der=bytes(der),
    )
    return Server(made, "d" * (dns_name - 1), (ip_address("10.1.0.10"),))


def test_a_published_list() -> None:
    """The lengths of a CTL of CUCM 10.5 (phones.md 3.1): header 336 bytes, 4947 in all."""
    signer = of_length(16, 62, 140, 694)
    trusted = Trusted(
        signer, capf=(of_length(16, 60, 140, 680),), call_managers=(of_length(17, 63, 140, 696),)
    )
    rsa1024 = Signing(
        signer.certificate.signer, 1024, HashAlgorithm.SHA1, lambda digest, algorithm: bytes(128)
    )
    made = build(wanted(MIXED, trusted), TIME, rsa1024)[CTL]
    whole = encode(made)
    assert whole[8:10] == (336).to_bytes(2, "big")
    at, lengths = 336, []
    while at < len(whole):
        assert whole[at : at + 3] == b"\1\0\2"
        lengths.append(int.from_bytes(whole[at + 3 : at + 5], "big"))
        at += lengths[-1]
    assert lengths == [1156, 1156, 1138, 1161]
    assert len(whole) == 4947


def test_too_long() -> None:
    trusted = Trusted(SIGNER, tvs=(OTHER,) * 60)
    with pytest.raises(TooLong, match=r"^62 records make \d+ bytes; phones load 65536$"):
        build(wanted(NONSECURE, trusted), TIME, signing())


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (lambda: build(wanted(NONSECURE, Trusted(SIGNER)), TIME + 5, signing()), True),
        (lambda: build(wanted(NONSECURE, Trusted(SIGNER, NEXT)), TIME, signing()), False),
        (lambda: build(wanted(NONSECURE, Trusted(SIGNER)), TIME, signing(HashAlgorithm.SHA512)), False),
        (
            lambda: build(
                replace(wanted(NONSECURE, Trusted(SIGNER)), signer_version=(1, 1)), TIME, signing()
            ),
            False,
        ),
        (
            lambda: build(wanted(NONSECURE, Trusted(SIGNER)), TIME, replace(signing(), signer=SMALL.signer)),
            False,
        ),
    ],
)
def test_is_same(other: object, same: bool) -> None:
    one = build(wanted(NONSECURE, Trusted(SIGNER)), TIME, signing())[ITL]
    assert is_same(one, other()[ITL]) is same  # type: ignore[operator]


SERVERS = st.builds(
    Server,
    st.sampled_from([CLUSTER, SMALL, CURVE, ISSUED]),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20),
    st.lists(st.ip_addresses(), max_size=3).map(tuple),
)
MANY = st.lists(SERVERS, max_size=4).map(tuple)


@given(
    st.sampled_from(TrustMode),
    st.builds(Trusted, SERVERS, st.none() | SERVERS, st.none() | SERVERS, MANY, MANY, MANY),
    st.booleans(),
)
def test_any_list(mode: TrustMode, trusted: Trusted, had_ctl: bool) -> None:
    for each in build(wanted(mode, trusted, had_ctl), TIME, signing()).values():
        assert decode(encode(each)) == each


@needs_openssl
@pytest.mark.parametrize("algorithm", [HashAlgorithm.SHA1, HashAlgorithm.SHA512])
def test_openssl_verifies(algorithm: HashAlgorithm, tmp_path: Path) -> None:
    """The signature over what is cut out by hand, and each certificate."""
    for each in build(wanted(MIXED, ALL), TIME, signing(algorithm)).values():
        signed, made = without_signature(encode(each))
        (tmp_path / "signature").write_bytes(made)
        (tmp_path / "public").write_bytes(openssl("x509", "-in", FOLDER / "cluster.pem", "-noout", "-pubkey"))
        arguments = ("-verify", tmp_path / "public", "-signature", tmp_path / "signature")
        name = "-sha1" if algorithm is HashAlgorithm.SHA1 else "-sha512"
        assert openssl("dgst", name, *arguments, given=signed) == b"Verified OK\n"
        for record in each.records:
            der = record.value(Tag.CERTIFICATE)
            assert openssl("x509", "-inform", "DER", "-outform", "DER", given=der) == der
