from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust.header import HashAlgorithm
from appliance.trust.index import FILE_MAX, Index, decode, encode, misfit, signer, wanted
from tests.trust.vectors import SMALL, signing

DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("RingList.xml", "RingList.xml"),
        ("New_Zealand/g3-tones.xml a.jar ring.raw Desktops/320x196x4/List.xml a.png", "all"),
        ("SEP001122334455.cnf.xml XMLDefault.cnf.xml", "all"),
        ("a.xml a.xml.sgn", ""),
        ("a.xml A.XML.SGN b.xml", "b.xml"),
        ("a.cnf.xml.enc.sgn CTLFile.tlv itlfile.TLV", ""),
        ("sip88xx.12-1.loads rootfs.sbn kern.sb2 x.zz.sgn P003.bin x.SBN", ""),
        (".hidden a/.b/c .new-0123", ""),
        ("a.sgn", ""),
        ("a.sgn/b a/b.SGN/c a", "a"),
        ("", ""),
    ],
)
def test_wanted(names: str, found: str) -> None:
    given = set(names.split())
    assert wanted(given) == (given if found == "all" else set(found.split()))


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [
        ("a", 0, ""),
        ("x" * 251, FILE_MAX, ""),
        ("\u00fc" * 125, 1, ""),
        ("x" * 252, 1, "a name of more than 251 bytes"),
        ("\u00fc" * 126, 1, "a name of more than 251 bytes"),
        ("a\nb", 1, "a name that no phone can ask for"),
        ("a\udcff", 1, "a name that no phone can ask for"),
        ("a", FILE_MAX + 1, "more than 16777216 bytes"),
    ],
)
def test_misfit(name: str, size: int, why: str) -> None:
    assert misfit(name, size) == why


def test_what_makes_another_signature() -> None:
    one = signing()
    others = [
        signing(HashAlgorithm.SHA512),
        replace(one, signer=SMALL.signer),
        replace(one, signer=replace(one.signer, serial=b"\1")),
        replace(one, signer=replace(one.signer, issuer="CN=x")),
    ]
    assert len({signer(each) for each in (one, *others)}) == 5
    assert signer(one) == signer(replace(one, sign=lambda digest, algorithm: b""))


@given(st.text(), st.dictionaries(st.text(), st.just(DIGEST)))
def test_any_index(signer: str, digests: dict[str, str]) -> None:
    index = Index(signer, digests)
    assert decode(encode(index)) == index


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["signer", "files", "a"]), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes(data: bytes) -> None:
    assert isinstance(decode(data), Index)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 100_000,
        b"{}",
        b'{"signer": 1, "files": {}}',
        b'{"signer": "x", "files": []}',
        b'{"signer": "x", "files": {"a": 1}}',
        b'{"signer": "x", "files": {"a": "zz"}}',
    ],
)
def test_a_damaged_one_is_empty(data: bytes) -> None:
    assert decode(data) == Index()


def test_has() -> None:
    index = Index("x", {"a": DIGEST})
    assert index.has("x", "a", DIGEST)
    assert not index.has("y", "a", DIGEST)
    assert not index.has("x", "b", DIGEST)
    assert not index.has("x", "a", "1" * 64)
