"""What certificates come in: PEM, DER, PKCS #12, trust lists, and bundles between boxes of this kind.

A bundle is one JSON object: a manifest that tells of each certificate for which stores it is, and its hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from appliance.trust import certificate as certificates
from appliance.trust import pkcs12, signature, trustlist
from appliance.trust.certificate import BadCertificate, Certificate
from appliance.trust.shown import ROLES
from appliance.trust.stores import SUGGESTED, Offered, Store, sha256
from appliance.trust.tlv import Malformed
from appliance.trust.trustlist import Role, Tag, TrustList

SIZE_MAX = 1024 * 1024  # bytes of what is read
CERTIFICATES_MAX = 256  # in one file
LABEL_MAX = 128

FORMAT = "appliance trust bundle"
VERSION = 1

_LIST = b"\1\0\2\1"  # VERSION 1.x: how a trust list begins


class BadBundle(Exception):
    """Nothing of what is given can be used. The text is ours and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Node:
    """A server that a trust list names."""

    name: str
    addresses: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What is in a file. `nodes` are the servers that have the cluster's files, `doubts` what a person
    should know before they trust any of it; `forged` is that of them that says why a trust list is not
    what its signer has made.
    """

    kind: str
    offered: tuple[Offered, ...]
    nodes: tuple[Node, ...] = ()
    doubts: tuple[str, ...] = ()
    forged: str = ""


def read(data: bytes, password: bytes | None = None) -> Offer:
    """The certificates in a file of any of these kinds; `BadBundle`."""
    if len(data) > SIZE_MAX:
        raise BadBundle(f"more than {SIZE_MAX} bytes")
    try:
        offer = _read(data, password)
    except (BadCertificate, Malformed) as error:
        raise BadBundle(str(error)) from None
    if len(offer.offered) > CERTIFICATES_MAX:
        raise BadBundle(f"{len(offer.offered)} certificates; allowed are {CERTIFICATES_MAX}")
    return offer


def encode(entries: Iterable[Offered], made: datetime, by: str) -> bytes:
    """A bundle. `by` says who made it; a certificate that is there several times is for all its stores."""
    merged: dict[str, Offered] = {}
    for each in entries:
        before = merged.get(sha256(each.certificate), each)
        stores = tuple(store for store in Store if store in (*before.stores, *each.stores))
        merged[sha256(each.certificate)] = Offered(each.certificate, stores, before.label)
    value = {
        "format": FORMAT,
        "version": VERSION,
        "made": f"{made:%Y-%m-%dT%H:%M:%SZ}",
        "by": by,
        "certificates": [
            {
                "sha256": name,
                "subject": each.certificate.subject,
                "label": each.label,
                "stores": list(each.stores),
                "pem": each.certificate.pem.decode(),
            }
            for name, each in merged.items()
        ],
    }
    return (json.dumps(value, indent=1) + "\n").encode()


def of_list(trust_list: TrustList) -> Offer:
    """What a cluster's CTL or ITL offers: each certificate with its role."""
    offered, doubts = [], []
    for number, record in enumerate(trust_list.records, 1):
        try:
            found = certificates.decode(record.value(Tag.CERTIFICATE))
        except BadCertificate:
            doubts.append(f"record {number} has no certificate that can be read")
            continue
        offered.append(
            Offered(found, SUGGESTED.get(record.role, ()), ROLES.get(record.role, f"role {record.role}"))
        )
    doubts += trustlist.doubts(trust_list)
    forged = ""
    verdict = signature.verify(trust_list, [each.certificate for each in offered])
    if verdict.certificate is None:
        forged = f"its signature is not that of a certificate in it: {verdict.why}"
        doubts.append(forged)
    return Offer("trust list", tuple(offered), _nodes(trust_list), tuple(doubts), forged)


def _read(data: bytes, password: bytes | None) -> Offer:
    if data.startswith(_LIST):
        return of_list(trustlist.decode(data, SIZE_MAX))
    if data.lstrip()[:1] == b"{":
        return Offer("bundle", tuple(_bundle(data)))
    if certificates.PEM_START in data:
        if data.count(certificates.PEM_START) > CERTIFICATES_MAX:
            raise BadBundle(f"more than {CERTIFICATES_MAX} certificates")
        return Offer("PEM", _plain(certificates.read(data)))
    if pkcs12.looks_like(data):
        return Offer("PKCS #12", _plain(pkcs12.read(data, password)))
    return Offer("DER", _plain([certificates.decode(data)]))


def _plain(found: Sequence[Certificate]) -> tuple[Offered, ...]:
    return tuple(Offered(each) for each in found)


def _bundle(data: bytes) -> Iterable[Offered]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise BadBundle("no bundle: not JSON") from None
    entries = value.get("certificates") if isinstance(value, dict) else None
    if not isinstance(entries, list) or value.get("format") != FORMAT:
        raise BadBundle("no bundle of certificates")
    if value.get("version") != VERSION:
        raise BadBundle(f"a bundle of another version than {VERSION}")
    if len(entries) > CERTIFICATES_MAX:
        raise BadBundle(f"{len(entries)} certificates; allowed are {CERTIFICATES_MAX}")
    for number, entry in enumerate(entries, 1):
        yield _entry(entry, f"certificate {number} of the bundle")


def _entry(entry: Any, where: str) -> Offered:
    if not isinstance(entry, dict):
        raise BadBundle(f"{where} is none")
    pem, stores, label = entry.get("pem"), entry.get("stores"), entry.get("label", "")
    if not isinstance(pem, str) or not isinstance(stores, list) or not isinstance(label, str):
        raise BadBundle(f"{where} has no pem, stores or label")
    try:
        [certificate] = certificates.read(pem.encode("utf-8", "surrogatepass"))
        known = tuple(dict.fromkeys(Store(each) for each in stores))
    except (ValueError, TypeError):
        raise BadBundle(f"{where} is for a store that is not known, or not one alone") from None
    if entry.get("sha256") != sha256(certificate):
        raise BadBundle(f"{where} is not the one that its hash tells")
    return Offered(certificate, known, label[:LABEL_MAX])


def _nodes(trust_list: TrustList) -> tuple[Node, ...]:
    """The servers with the role of TFTP, each once."""
    found = {
        Node(record.text(Tag.DNSNAME), record.addresses): None
        for record in trust_list.records
        if record.role in (Role.CCM_TFTP, Role.TFTP) and (record.addresses or record.text(Tag.DNSNAME))
    }
    return tuple(found)
