"""Whatever certificates come in: each kind, its bounds, and what is told before anything is trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.trust import bundle, pkcs12, trustlist
from appliance.trust.bundle import CERTIFICATES_MAX, SIZE_MAX, BadBundle, Node, encode, read
from appliance.trust.certificate import Certificate
from appliance.trust.stores import Offered, Store, sha256
from appliance.trust.trustlist import Role, record
from tests.trust.vectors import CLUSTER, CURVE, SMALL, TIME, certificate, data, signing

NOW = datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)
SAST, CCM = Store.PHONE_SAST, Store.CALL_MANAGER
ENTRIES = [Offered(CLUSTER, (SAST, CCM), "east"), Offered(CURVE, (Store.TVS,), ""), Offered(SMALL)]
BUNDLE = encode(ENTRIES, NOW, "box")


@pytest.mark.parametrize(
    ("given", "kind", "found"),
    [
        (data("cluster.pem"), "PEM", [CLUSTER]),
        (data("cluster.pem") + b"text" + data("small.pem"), "PEM", [CLUSTER, SMALL]),
        (CLUSTER.der, "DER", [CLUSTER]),
        (pkcs12.encode([("x", CLUSTER), ("y", CURVE)], None), "PKCS #12", [CLUSTER, CURVE]),
        (BUNDLE, "bundle", [CLUSTER, CURVE, SMALL]),
        (data("ITLFile.tlv"), "trust list", [CLUSTER, CLUSTER, CURVE, CLUSTER, CLUSTER]),
    ],
)
def test_kinds(given: bytes, kind: str, found: list[Certificate]) -> None:
    offer = read(given)
    assert (offer.kind, [each.certificate for each in offer.offered]) == (kind, found)
    assert (offer.doubts, offer.forged) == ((), "")


def test_a_password() -> None:
    locked = pkcs12.encode([("x", CLUSTER)], b"secret")
    assert [each.certificate for each in read(locked, b"secret").offered] == [CLUSTER]
    with pytest.raises(BadBundle, match="no PKCS #12 file that opens with this password"):
        read(locked)


def test_a_bundle() -> None:
    assert list(read(BUNDLE).offered) == ENTRIES
    manifest = json.loads(BUNDLE)
    assert (manifest["made"], manifest["by"]) == ("2026-11-24T03:04:05Z", "box")
    assert manifest["certificates"][0]["subject"] == CLUSTER.subject


def test_a_certificate_that_is_there_twice() -> None:
    made = encode([Offered(CLUSTER, (CCM,), "a"), Offered(CLUSTER, (SAST,), "b")], NOW, "box")
    assert read(made).offered == (Offered(CLUSTER, (SAST, CCM), "a"),)


def test_a_list_of_a_cluster() -> None:
    offer = read(data("ITLFile.tlv"))
    assert [(each.label, each.stores) for each in offer.offered] == [
        ("SAST", (SAST,)),
        ("CCM+TFTP", (SAST, CCM)),
        ("TFTP", (SAST,)),
        ("TVS", ()),
        ("CAPF", ()),
    ]
    assert offer.nodes == (
        Node("cucm-east-pub", (ip_address("10.1.0.10"), ip_address("2001:db8::10"))),
        Node("", (ip_address("10.1.0.10"),)),
    )


def test_what_a_list_makes_doubtful() -> None:
    """Signed by one that is not in it; the record of nobody."""
    made = trustlist.build(
        [record(SMALL, Role.SAST), record(CURVE, Role.TVS)], "ITLFile.tlv", TIME, signing()
    )
    whole = trustlist.encode(made).replace(CURVE.der, bytes(len(CURVE.der)))
    assert read(whole).doubts == (
        "record 2 has no certificate that can be read",
        "no record of role SAST is its signer's",
        "its signature is not that of a certificate in it: no certificate given has its signer's serial "
        f"number {CLUSTER.serial.hex()}",
    )


def test_a_list_that_was_changed() -> None:
    whole = data("ITLFile.tlv").replace(b"cucm-east-pub\0", b"cucm-west-pub\0")
    offer = read(whole)
    [doubt] = offer.doubts
    assert offer.forged == doubt
    assert doubt.startswith("its signature is not that of a certificate in it: the signature does not fit")


NO_CERTIFICATE = "no certificate that can be read"


def changed(**entry: Any) -> bytes:
    value = json.loads(BUNDLE)
    value["certificates"][0].update(entry)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (b"", NO_CERTIFICATE),
        (b"x" * SIZE_MAX, NO_CERTIFICATE),
        (b"x" * (SIZE_MAX + 1), "more than 1048576 bytes"),
        (b"-----BEGIN CERTIFICATE-----", "a PEM file whose certificates cannot all be read"),
        (data("small.pem") * 257, "more than 256 certificates"),
        (data("ITLFile.tlv")[:-1], "record 5"),
        (b"{", "no bundle: not JSON"),
        (b"{" * 100_000, "no bundle: not JSON"),
        (b'{"a":' * 100_000, "no bundle: not JSON"),
        (b"{}", "no bundle of certificates"),
        (BUNDLE.replace(b"appliance trust bundle", b"x"), "no bundle of certificates"),
        (BUNDLE.replace(b'"version": 1', b'"version": 2'), "a bundle of another version than 1"),
        (
            b'{"format": "appliance trust bundle", "version": 1, "certificates": 5}',
            "no bundle of certificates",
        ),
        (
            json.dumps({**json.loads(BUNDLE), "certificates": [1] * 257}).encode(),
            "257 certificates; allowed are 256",
        ),
        (
            json.dumps({**json.loads(BUNDLE), "certificates": [1]}).encode(),
            "certificate 1 of the bundle is none",
        ),
        (changed(pem=1), "certificate 1 of the bundle has no pem, stores or label"),
        (changed(stores="x"), "certificate 1 of the bundle has no pem, stores or label"),
        (changed(label=None), "certificate 1 of the bundle has no pem, stores or label"),
        (
            changed(stores=["x"]),
            "certificate 1 of the bundle is for a store that is not known, or not one alone",
        ),
        (
            changed(stores=[[]]),
            "certificate 1 of the bundle is for a store that is not known, or not one alone",
        ),
        (
            changed(pem=CLUSTER.pem.decode() * 2),
            "certificate 1 of the bundle is for a store that is not known",
        ),
        (changed(pem=SMALL.pem.decode()), "certificate 1 of the bundle is not the one that its hash tells"),
        (changed(sha256=None), "certificate 1 of the bundle is not the one that its hash tells"),
        (changed(pem="\udcff"), NO_CERTIFICATE),
    ],
)
def test_refused(given: bytes, fault: str) -> None:
    with pytest.raises(BadBundle) as raised:
        read(given)
    assert str(raised.value).startswith(fault)


def test_the_most() -> None:
    assert len(read(data("small.pem") * CERTIFICATES_MAX).offered) == CERTIFICATES_MAX


def test_labels_are_bounded() -> None:
    [first, *_] = read(changed(label="x" * 5000)).offered
    assert len(first.label) == bundle.LABEL_MAX


OFFERS = st.builds(
    Offered,
    st.sampled_from([CLUSTER, SMALL, CURVE, certificate("issued")]),
    st.sets(st.sampled_from(Store)).map(lambda stores: tuple(each for each in Store if each in stores)),
    st.text(max_size=20),
)


@given(st.lists(OFFERS, unique_by=lambda each: sha256(each.certificate)), st.text())
def test_any_bundle(offered: list[Offered], by: str) -> None:
    assert list(read(encode(offered, NOW, by)).offered) == offered


JSON = st.recursive(
    st.none() | st.integers() | st.text() | st.just(CLUSTER.pem.decode()),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["pem", "stores", "label", "sha256"]), inner)
    ),
)


@given(st.binary(max_size=100), JSON)
def test_any_bytes(rest: bytes, value: Any) -> None:
    manifest = {**json.loads(BUNDLE), "certificates": value}
    for candidate in (rest, b"\1\0\2\1" + rest, b"{" + rest, b"0\x82" + rest, json.dumps(manifest).encode()):
        try:
            read(candidate)
        except BadBundle:
            pass
