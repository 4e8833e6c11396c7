"""What the lists of a cluster mean for this box: would its phones take what we sign (phones.md 8b)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from appliance.config.model import Cluster
from appliance.report.trust import ClusterTrust, Level, TrustFinding
from appliance.trust import bundle, exchange, lists, signature, trustlist
from appliance.trust.bundle import Offer
from appliance.trust.certificate import Certificate
from appliance.trust.expiry import expiry
from appliance.trust.header import HashAlgorithm
from appliance.trust.stores import sha256
from appliance.trust.trustlist import Record, Role, Tag, TrustList

NEAR = 60_000  # bytes of a list that has hardly room for one more certificate

_FILES = (Role.CCM_TFTP, Role.TFTP)
"""The roles with which a certificate may sign files."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of asking a cluster for one of its lists: the list; nothing, as it has none; or `fault`."""

    list: TrustList | None = None
    fault: str = ""

    @property
    def size(self) -> int | None:
        """Its length in bytes."""
        return None if self.list is None else len(trustlist.encode(self.list))


@dataclass(frozen=True, slots=True)
class TvsServer:
    """A server that phones ask whom to trust, and the certificates (DER) with which it may answer."""

    address: IPv4Address | IPv6Address
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking a cluster's TVS about this box: `vouches` is None where nobody has answered, and
    `fault` says why; empty where nobody was asked.
    """

    vouches: bool | None = None
    fault: str = ""


NOT_ASKED = Asked()


@dataclass(frozen=True, slots=True)
class Known:
    """What this box knows: its own certificate for signing, None before it is made, and those of signers
    that somebody has approved (Phone-SAST-trust).
    """

    signing: Certificate | None
    approved: tuple[Certificate, ...]


def tvs_servers(cluster: Cluster, ctl: Fetched, itl: Fetched) -> tuple[TvsServer, ...]:
    """Whom the phones of a cluster would ask about a signer that their lists do not name.

    None in mixed mode: there phones are said to take files of those in their CTL alone.
    """
    if itl.list is None or _mode(ctl, itl) != "nonsecure":
        return ()
    records = [record for record in itl.list.records if record.role == Role.TVS]
    ders = tuple(record.value(Tag.CERTIFICATE) for record in records)
    named = [address for record in records for address in record.addresses]
    return tuple(TvsServer(each, ders) for each in dict.fromkeys(named or cluster.addresses) if ders)


def check(
    cluster: Cluster, ctl: Fetched, itl: Fetched, known: Known, now: datetime, asked: Asked = NOT_ASKED
) -> ClusterTrust:
    """What is to be said of a cluster."""
    mode = _mode(ctl, itl)
    found = [
        *_fetched(cluster, ctl, itl),
        *_modes(cluster, mode),
        *_lists(cluster, ctl, itl, known),
        *_expiries(cluster, ctl, itl, now),
    ]
    accepts = _accepts(mode, ctl, itl, known.signing, asked)
    if mode in ("nonsecure", "mixed"):
        found += _acceptance(cluster, mode, accepts, known.signing, asked)
    signer = (ctl.list if mode == "mixed" else None) or itl.list
    return ClusterTrust(
        cluster=cluster.name,
        mode=mode,
        signer=None if signer is None else signer.header.signer.subject,
        accepts=accepts,
        itl_bytes=itl.size,
        ctl_bytes=ctl.size,
        findings=tuple(found),
    )


def _mode(ctl: Fetched, itl: Fetched) -> str:
    """In which mode a cluster is, by its lists. A CTL with CAPF entries alone is what a cluster leaves that
    was in mixed mode once.
    """
    if ctl.list is not None and not lists.is_capf_only(ctl.list):
        return "mixed"
    if ctl.fault or itl.fault:
        return "unknown"
    if itl.list is None:
        return "none"
    return "rollback" if lists.is_capf_only(itl.list) else "nonsecure"


def _accepts(mode: str, ctl: Fetched, itl: Fetched, signing: Certificate | None, asked: Asked) -> bool | None:
    """As `ClusterTrust.accepts`."""
    if mode in ("none", "rollback"):
        return True
    if mode == "unknown" or signing is None:
        return None
    if _holds((ctl if mode == "mixed" else itl).list, signing):
        return True
    if asked.vouches is not None:
        return asked.vouches
    return False if any(_names_another(each.list, signing) for each in (ctl, itl)) else None


def _holds(trust_list: TrustList | None, signing: Certificate) -> bool:
    """Whether a phone with this list takes files of this certificate by itself."""
    records = () if trust_list is None else trust_list.records
    return any(
        record.role in _FILES
        and record.value(Tag.SERIALNUMBER) == signing.serial
        and record.value(Tag.PUBLICKEY) == signing.public_key
        for record in records
    )


def _fetched(cluster: Cluster, ctl: Fetched, itl: Fetched) -> Iterator[TrustFinding]:
    for name, each in ((lists.CTL, ctl), (lists.ITL, itl)):
        if each.fault:
            cure = "see appliance status, whether the cluster answers"
            yield TrustFinding(Level.WARNING, cluster.name, f"{name}: {each.fault}", cure)


def _modes(cluster: Cluster, mode: str) -> Iterator[TrustFinding]:
    if mode == "mixed" and not cluster.secure:
        text = "in mixed mode, but the configuration says it is not secure"
        yield TrustFinding(Level.WARNING, cluster.name, text, f"set secure = yes in [[{cluster.name}]]")
    elif mode in ("nonsecure", "none", "rollback") and cluster.secure:
        text = "not in mixed mode, but the configuration says it is secure"
        yield TrustFinding(Level.WARNING, cluster.name, text, f"set secure = no in [[{cluster.name}]]")
    if mode == "none":
        text = "has no trust lists: its phones take what anybody signs"
        yield TrustFinding(Level.NOTE, cluster.name, text, "")
    elif mode == "rollback":
        text = "is prepared for rollback: its phones take what anybody signs"
        yield TrustFinding(Level.NOTE, cluster.name, text, "")


def _acceptance(
    cluster: Cluster,
    mode: str,
    accepts: bool | None,
    signing: Certificate | None,
    asked: Asked,
) -> Iterator[TrustFinding]:
    """Whether phones of a cluster with lists would take a file that this box has signed, and what to do."""
    name = lists.CTL if mode == "mixed" else lists.ITL
    if signing is None:
        return  # told of this box itself
    if accepts:
        who = "its TVS vouches for" if asked.vouches else f"its {name} names"
        text = f"{who} this box: its phones take what this box signs"
        yield TrustFinding(Level.NOTE, cluster.name, text, "")
        return
    cure = " ".join(
        (*exchange.steps(mode == "mixed"), exchange.SBD_OFF if mode == "nonsecure" else "")
    ).strip()
    if asked.vouches is False:
        text = (
            f"neither does its {name} name this box nor its TVS vouch for it: its phones reject what this "
            "box signs"
        )
        yield TrustFinding(Level.WARNING, cluster.name, text, cure)
        return
    if asked.fault:
        yield TrustFinding(Level.NOTE, cluster.name, f"its TVS did not answer: {asked.fault}", "")
    if accepts is False:
        text = f"its {name} names another certificate of this box: what this box signs now is rejected"
        yield TrustFinding(Level.FAULT, cluster.name, text, cure)
        return
    text = (
        f"its {name} does not name this box: its phones take what this box signs only if the cluster's TVS "
        "vouches for it, which it does once the certificate is in Phone-SAST-trust there"
    )
    yield TrustFinding(Level.WARNING, cluster.name, text, cure)


def _names_another(trust_list: TrustList | None, signing: Certificate) -> bool:
    records = () if trust_list is None else trust_list.records
    return any(
        record.text(Tag.SUBJECTNAME) == signing.subject and record.value(Tag.SERIALNUMBER) != signing.serial
        for record in records
    )


def _lists(cluster: Cluster, ctl: Fetched, itl: Fetched, known: Known) -> Iterator[TrustFinding]:
    for name, each in ((lists.CTL, ctl), (lists.ITL, itl)):
        if each.list is None or lists.is_capf_only(each.list):
            continue
        offer = bundle.of_list(each.list)
        yield from _signer(cluster, name, each.list, offer, known)
        for doubt in offer.doubts:
            cure = "regenerate it on the cluster: restart its Cisco TFTP service on every node"
            yield TrustFinding(Level.FAULT, cluster.name, f"{name}: {doubt}", cure)
        if each.list.header.algorithm == HashAlgorithm.SHA512:
            text = f"{name} is signed with SHA-512, which old phones do not know"
            cure = "Enterprise Parameters > TFTP File Signature Algorithm, where there are such phones"
            yield TrustFinding(Level.NOTE, cluster.name, text, cure)
        if NEAR < (size := each.size or 0) <= trustlist.SIZE_MAX:
            text = f"{name} has {size} bytes; phones load {trustlist.SIZE_MAX}"
            cure = "remove servers or certificates that are not used any more from the cluster"
            yield TrustFinding(Level.WARNING, cluster.name, text, cure)


def _signer(
    cluster: Cluster, name: str, trust_list: TrustList, offer: Offer, known: Known
) -> Iterator[TrustFinding]:
    """Whether somebody has approved who signs a list."""
    signed = signature.verify(trust_list, [each.certificate for each in offer.offered]).certificate
    if signed is not None and sha256(signed) not in {sha256(each) for each in known.approved}:
        text = f"{name} is signed by {signed.subject}, whom nobody has approved here"
        cure = f"compare the fingerprints that appliance trust import {cluster.name} shows; then --yes"
        yield TrustFinding(Level.WARNING, cluster.name, text, cure)


def _expiries(cluster: Cluster, ctl: Fetched, itl: Fetched, now: datetime) -> Iterator[TrustFinding]:
    seen: dict[str, tuple[str, Certificate]] = {}
    for name, each in ((lists.CTL, ctl), (lists.ITL, itl)):
        for offered in () if each.list is None else bundle.of_list(each.list).offered:
            where = f"{name}, {offered.label}: {offered.certificate.subject}"
            seen.setdefault(sha256(offered.certificate), (where, offered.certificate))
    cure = "renew it: Cisco Unified OS Administration > Security > Certificate Management"
    for where, certificate in seen.values():
        yield from expiry(f"{cluster.name}: {where}", certificate, now, cure)


def own(
    certificates: dict[str, Certificate | None],
    stored: Iterable[tuple[str, Certificate]],
    made: dict[str, tuple[TrustList | None, tuple[Record, ...]]],
    now: datetime,
) -> Iterator[TrustFinding]:
    """Yield what is to be said of this box: its certificates by purpose, those in its stores with the name
    of the store, and its lists by name: what was made, and the records that are wanted.
    """
    for purpose, each in certificates.items():
        if each is None:
            cure = "appliance trust cert make"
            yield TrustFinding(Level.FAULT, purpose, "this box has no such certificate", cure)
        else:
            yield from expiry(purpose, each, now, f"appliance trust cert make --renew {purpose}")
    for store, each in stored:
        cure = f"appliance trust remove {store} {sha256(each)[:16]}"
        yield from expiry(f"{store}: {each.subject}", each, now, cure)
    for name, (trust_list, records) in made.items():
        if trust_list is None:
            yield TrustFinding(Level.WARNING, name, "not made yet", "appliance trust sign")
            continue
        if trust_list.records != records:
            text = "not up to date: certificates or the mode have changed since it was made"
            yield TrustFinding(Level.WARNING, name, text, "appliance trust sign")
        if not lists.is_capf_only(trust_list):
            for doubt in trustlist.doubts(trust_list):
                yield TrustFinding(Level.FAULT, name, doubt, "appliance trust sign")
        if (size := len(trustlist.encode(trust_list))) > NEAR:
            text = f"{size} bytes; phones load {trustlist.SIZE_MAX}"
            cure = "remove certificates from the stores that are not used any more"
            yield TrustFinding(Level.WARNING, name, text, cure)
