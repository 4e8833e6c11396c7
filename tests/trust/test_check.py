"""What `trust check` finds, held also against a phone that decides as phones.md 8b tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from appliance.config.model import Cluster, Protocol, TrustMode
from appliance.report.trust import ClusterTrust, Level, TrustFinding
from appliance.trust import envelope, lists, signature, trustlist
from appliance.trust.certificate import Certificate
from appliance.trust.check import Asked, Fetched, Known, check, own, tvs_servers
from appliance.trust.header import HashAlgorithm, Header
from appliance.trust.lists import CTL, ITL, Server, Trusted, wanted
from appliance.trust.signing import Signing
from appliance.trust.stores import sha256
from appliance.trust.trustlist import Record, Role, Tag, TrustList, record
from tests.trust.vectors import CLUSTER, CURVE, SMALL, TIME, certificate, signing

NOW = CLUSTER.not_before + timedelta(days=1)
BOX = certificate("issued")
KNOWN = Known(BOX, (CLUSTER,))
ABSENT = Fetched()

EAST = Cluster("east", (ip_address("10.1.0.10"),), Protocol.AUTO, 6970, 69, True, False, "", secure=False)
SECURE = replace(EAST, secure=True)


def of(*records: Record, signer: Signing | None = None) -> Fetched:
    """A list that `CLUSTER` has signed."""
    return Fetched(trustlist.build(records, ITL, TIME, signer or signing()))


SAST = record(CLUSTER, Role.SAST)
FILES = record(CLUSTER, Role.CCM_TFTP)
OURS = record(BOX, Role.TFTP)
CAPF = record(SMALL, Role.CAPF)
FULL = 61_000 // len(TrustList(Header((1, 2), ()), (FILES,)).body)  # records of a list with hardly any room
PLAIN = of(SAST, FILES)


def told(found: ClusterTrust) -> list[str]:
    return [f"{each.level}: {each.text}" for each in found.findings]


ACCEPTED = "note: its {} names this box: its phones take what this box signs"
BY_TVS = (
    "warning: its {} does not name this box: its phones take what this box signs only if the cluster's TVS "
    "vouches for it, which it does once the certificate is in Phone-SAST-trust there"
)
ANOTHER = "fault: its {} names another certificate of this box: what this box signs now is rejected"


@pytest.mark.parametrize(
    ("cluster", "ctl", "itl", "mode", "accepts", "findings"),
    [
        (EAST, ABSENT, PLAIN, "nonsecure", None, [BY_TVS.format(ITL)]),
        (EAST, ABSENT, of(SAST, FILES, OURS), "nonsecure", True, [ACCEPTED.format(ITL)]),
        (EAST, ABSENT, of(SAST, record(BOX, Role.CCM_TFTP)), "nonsecure", True, [ACCEPTED.format(ITL)]),
        (EAST, ABSENT, of(SAST, record(BOX, Role.TVS)), "nonsecure", None, [BY_TVS.format(ITL)]),
        (EAST, of(CAPF), of(SAST, OURS), "nonsecure", True, [ACCEPTED.format(ITL)]),
        (SECURE, of(SAST, OURS), PLAIN, "mixed", True, [ACCEPTED.format(CTL)]),
        (SECURE, of(SAST), of(SAST, OURS), "mixed", None, [BY_TVS.format(CTL)]),
        (
            EAST,
            ABSENT,
            of(SAST, record(replace(BOX, serial=b"\x77"), Role.TFTP)),
            "nonsecure",
            False,
            [ANOTHER.format(ITL)],
        ),
        (
            EAST,
            ABSENT,
            of(CAPF),
            "rollback",
            True,
            ["note: is prepared for rollback: its phones take what anybody signs"],
        ),
        (
            EAST,
            ABSENT,
            ABSENT,
            "none",
            True,
            ["note: has no trust lists: its phones take what anybody signs"],
        ),
        (
            EAST,
            Fetched(fault="timed out"),
            Fetched(fault="timed out"),
            "unknown",
            None,
            ["warning: CTLFile.tlv: timed out", "warning: ITLFile.tlv: timed out"],
        ),
        (
            EAST,
            of(SAST, OURS),
            PLAIN,
            "mixed",
            True,
            ["warning: in mixed mode, but the configuration says it is not secure", ACCEPTED.format(CTL)],
        ),
        (
            SECURE,
            ABSENT,
            of(SAST, OURS),
            "nonsecure",
            True,
            ["warning: not in mixed mode, but the configuration says it is secure", ACCEPTED.format(ITL)],
        ),
    ],
)
def test_clusters(
    cluster: Cluster, ctl: Fetched, itl: Fetched, mode: str, accepts: bool | None, findings: list[str]
) -> None:
    found = check(cluster, ctl, itl, KNOWN, NOW)
    assert (found.cluster, found.mode, found.accepts) == ("east", mode, accepts)
    assert told(found) == findings
    assert (found.ctl_bytes, found.itl_bytes) == (ctl.size, itl.size)
    assert found.signer == (CLUSTER.subject if ctl.list or itl.list else None)
    assert all(each.cure for each in found.findings if each.level is not Level.NOTE)


@pytest.mark.parametrize(
    ("asked", "accepts", "findings"),
    [
        (Asked(True), True, ["note: its TVS vouches for this box: its phones take what this box signs"]),
        (
            Asked(False),
            False,
            [
                "warning: neither does its ITLFile.tlv name this box nor its TVS vouch for it: its phones "
                "reject what this box signs"
            ],
        ),
        (Asked(None, "timed out"), None, ["note: its TVS did not answer: timed out", BY_TVS.format(ITL)]),
    ],
)
def test_what_the_tvs_says(asked: Asked, accepts: bool | None, findings: list[str]) -> None:
    found = check(EAST, ABSENT, PLAIN, KNOWN, NOW, asked)
    assert (found.accepts, told(found)) == (accepts, findings)


FOUR, SIX = ip_address("10.1.0.20"), ip_address("2001:db8::20")
TVS = record(SMALL, Role.TVS, "", [FOUR, SIX])


@pytest.mark.parametrize(
    ("ctl", "itl", "servers"),
    [
        (ABSENT, of(SAST, TVS), [FOUR, SIX]),
        (of(CAPF), of(SAST, TVS, TVS), [FOUR, SIX]),
        (ABSENT, of(SAST, record(SMALL, Role.TVS)), list(EAST.addresses)),
        (ABSENT, PLAIN, []),
        (PLAIN, of(SAST, TVS), []),
        (ABSENT, ABSENT, []),
        (ABSENT, of(CAPF), []),
    ],
)
def test_whom_phones_ask(ctl: Fetched, itl: Fetched, servers: list[object]) -> None:
    found = tvs_servers(EAST, ctl, itl)
    assert [each.address for each in found] == servers
    assert all(SMALL.der in each.certificates for each in found)


@pytest.mark.parametrize(("cluster", "ctl"), [(EAST, ABSENT), (SECURE, PLAIN)])
def test_the_cure_is_the_click_path(cluster: Cluster, ctl: Fetched) -> None:
    [found] = check(cluster, ctl, PLAIN, KNOWN, NOW).findings
    assert "Certificate Purpose: Phone-SAST-trust" in found.cure
    assert ("utils ctl update CTLFile" in found.cure) is (cluster is SECURE)
    assert ("Rollback to pre 8.0" in found.cure) is (cluster is EAST)  # it does not blank a CTL


@pytest.mark.parametrize(
    ("itl", "known", "finding"),
    [
        (
            of(SAST, OURS),
            Known(BOX, ()),
            f"warning: ITLFile.tlv is signed by {CLUSTER.subject}, whom nobody has approved here",
        ),
        (
            of(SAST, OURS, signer=signing(HashAlgorithm.SHA512)),
            KNOWN,
            "note: ITLFile.tlv is signed with SHA-512, which old phones do not know",
        ),
        (of(OURS, FILES), KNOWN, "fault: ITLFile.tlv: no record of role SAST is its signer's"),
        (
            of(SAST, SAST, SAST, OURS),
            KNOWN,
            "fault: ITLFile.tlv: 3 records of role SAST; phones look at 2",
        ),
        (of(SAST, OURS, *[FILES] * FULL), KNOWN, "warning: ITLFile.tlv has 6"),
    ],
)
def test_lists(itl: Fetched, known: Known, finding: str) -> None:
    assert any(each.startswith(finding) for each in told(check(EAST, ABSENT, itl, known, NOW)))


def test_a_list_that_no_phone_loads() -> None:
    empty = of(SAST)
    assert empty.list is not None
    whole = TrustList(empty.list.header, (SAST, OURS, *[FILES] * 40))
    found = told(check(EAST, ABSENT, Fetched(whole), KNOWN, NOW))
    assert any("42 records make" in each and each.startswith("fault") for each in found)
    assert any("the signature does not fit" in each for each in found)


def test_before_this_box_has_a_certificate() -> None:
    """That is told of the box, and not of each cluster."""
    found = check(EAST, ABSENT, PLAIN, Known(None, (CLUSTER,)), NOW)
    assert (found.accepts, told(found)) == (None, [])


def test_certificates_that_end() -> None:
    now = CLUSTER.not_after - timedelta(days=10)
    found = check(EAST, ABSENT, of(SAST, FILES, OURS), KNOWN, now).findings
    ending = [each for each in found if "within 30 days" in each.text]
    assert [each.about for each in ending] == [
        f"east: ITLFile.tlv, SAST: {CLUSTER.subject}",
        f"east: ITLFile.tlv, TFTP: {BOX.subject}",
    ]


def test_this_box() -> None:
    made = trustlist.build([record(BOX, Role.TFTP)], ITL, TIME, signing())
    ending = replace(SMALL, not_after=NOW + timedelta(days=3))
    found = list(
        own(
            {"signing": CLUSTER, "standby": None, "tvs": ending},
            [("TVS-trust", ending)],
            {ITL: (made, made.records), CTL: (None, ())},
            NOW,
        )
    )
    ends = f"expires on {ending.not_after:%Y-%m-%d}, within 7 days"
    assert found == [
        TrustFinding(Level.FAULT, "standby", "this box has no such certificate", "appliance trust cert make"),
        TrustFinding(Level.FAULT, "tvs", ends, "appliance trust cert make --renew tvs"),
        TrustFinding(
            Level.FAULT,
            f"TVS-trust: {SMALL.subject}",
            ends,
            f"appliance trust remove TVS-trust {sha256(ending)[:16]}",
        ),
        TrustFinding(Level.FAULT, ITL, "no record of role SAST is its signer's", "appliance trust sign"),
        TrustFinding(Level.WARNING, CTL, "not made yet", "appliance trust sign"),
    ]


def test_a_list_of_this_box_that_is_old() -> None:
    made = trustlist.build([SAST], ITL, TIME, signing())
    [found] = own({}, [], {ITL: (made, (SAST, CAPF))}, NOW)
    assert (found.level, found.about, found.cure) == (Level.WARNING, ITL, "appliance trust sign")
    assert found.text.startswith("not up to date")


def test_a_full_list_of_this_box() -> None:
    whole = trustlist.build([SAST, *[FILES] * FULL], ITL, TIME, signing())
    [found] = own({}, [], {ITL: (whole, whole.records)}, NOW)
    assert (found.level, found.cure) == (
        Level.WARNING,
        "remove certificates from the stores that are not used any more",
    )


class Phone:
    """A phone that decides as phones.md 8b tells. `vouched` is what the TVS of its cluster vouches for."""

    def __init__(self, vouched: tuple[Certificate, ...] = ()) -> None:
        self.trusted: tuple[Record, ...] = ()
        self.vouched = vouched

    def boot(self, *trust_lists: TrustList) -> None:
        """Take lists: the first ones as they come, later ones from signers that it knows."""
        known = [each for each in self.trusted if each.role == Role.SAST]
        taken = [each for each in trust_lists if not self.trusted or self._signed(each, known)]
        if taken:
            self.trusted = tuple(record for each in taken for record in each.records)

    def takes(self, signed: envelope.Envelope) -> bool:
        """Whether it loads a signed file."""
        if all(item.role == Role.CAPF for item in self.trusted):
            return True
        known = [item for item in self.trusted if item.role in (Role.CCM_TFTP, Role.TFTP)]
        if self._signed(signed, known):
            return True
        return signature.verify(signed, self.vouched).certificate is not None

    def _signed(self, signed: envelope.Envelope | TrustList, known: list[Record]) -> bool:
        named = signed.header.signer
        return any(
            each.value(Tag.SERIALNUMBER) == named.serial and each.text(Tag.ISSUERNAME) == named.issuer
            for each in known
        )


OF_BOX = envelope.build(b"<rings/>", "RingList.xml.sgn", TIME, replace(signing(), signer=BOX.signer))
OF_CLUSTER = envelope.build(b"<rings/>", "RingList.xml.sgn", TIME, signing())


@pytest.mark.parametrize("mode", TrustMode)
@pytest.mark.parametrize("exchanged", [False, True])
def test_a_phone_agrees(mode: TrustMode, exchanged: bool) -> None:
    """With lists such as ours, before and after this box is named in them: what is told is what it does."""
    trusted = Trusted(Server(CLUSTER), https=Server(BOX) if exchanged else None, capf=(Server(SMALL),))
    made = lists.build(wanted(mode, trusted), TIME, signing())
    fetched = {name: Fetched(made.get(name)) for name in (CTL, ITL)}
    found = check(replace(EAST, secure=mode is TrustMode.MIXED), fetched[CTL], fetched[ITL], KNOWN, NOW)
    phone = Phone()
    phone.boot(*made.values())
    assert found.mode == mode
    assert phone.takes(OF_CLUSTER)
    assert phone.takes(OF_BOX) is (found.accepts is True)
    assert phone.takes(OF_BOX) is (exchanged or mode is TrustMode.ROLLBACK)


def test_a_phone_whose_tvs_vouches() -> None:
    box = replace(CLUSTER, serial=CURVE.serial)
    phone = Phone()
    phone.boot(trustlist.build([record(SMALL, Role.SAST), record(SMALL, Role.TFTP)], ITL, TIME, signing()))
    signed = envelope.build(b"x", "x.sgn", TIME, replace(signing(), signer=box.signer))
    assert not phone.takes(signed)
    phone.vouched = (box,)
    assert phone.takes(signed)
