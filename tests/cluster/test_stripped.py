"""The decision on files that are there in their signed form alone, and on this box's own trust lists."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.cluster.decision import foresee_signed
from appliance.cluster.homes import CommonHome, Home
from appliance.cluster.names import envelope, read
from appliance.cluster.situation import Local, Situation
from appliance.cluster.verdict import NotFound, Take, Unavailable, Verdict
from appliance.config.model import Autoregistration, Policy
from tests.cluster.phones import DEAD, End, Server, follow, having

SEP = "SEP001122334455"
CTL, ITL = f"CTL{SEP}.tlv", f"ITL{SEP}.tlv"
PLAIN, SIGNED, ENCRYPTED = (f"{SEP}.cnf.xml{ending}" for ending in ("", ".sgn", ".enc.sgn"))
RINGS = "RingList.xml"
IMAGE = "sip88xx.12-5-1.sbn"
DEFAULT = "XMLDefault.cnf.xml"
LIST = "ITLFile.tlv"
BUDGET = 3.0

NOTHING, NOTHING_TFTP = having(), having(over="tftp")
AT_B = Home("b", 0.0, 0.0)
BY_ADDRESS = CommonHome("b", False, "what the address says")
AT_STORE = CommonHome("local", False, "what the address says")


def ask(asked: str, order: str = "abc", local: Local | None = None, **known: Any) -> Situation:
    return Situation(read(asked.encode()), local or Local("local"), tuple(order), BUDGET, **known)


def end(situation: Situation, b: Server, a: Server = NOTHING) -> End:
    return follow(situation, {"a": a, "b": b, "c": NOTHING})


STRIPPED = Take("b", stripped=True)


@pytest.mark.parametrize(
    ("situation", "b", "verdict", "clusters"),
    [
        # The file itself comes first; without it, its signed form at the same home alone
        (ask(PLAIN, home=AT_B), having(PLAIN, SIGNED, over="tftp"), Take("b"), "b"),
        (ask(PLAIN, home=AT_B), having(SIGNED, over="tftp"), STRIPPED, "b"),
        (ask(PLAIN, home=AT_B, confirmed=True), having(SIGNED, over="tftp"), STRIPPED, "b"),
        (ask(RINGS, common=BY_ADDRESS), having(RINGS, f"{RINGS}.sgn", over="tftp"), Take("b"), "b"),
        (ask(RINGS, common=BY_ADDRESS), having(f"{RINGS}.sgn", over="tftp"), STRIPPED, "b"),
        (ask(RINGS, common=BY_ADDRESS), NOTHING_TFTP, NotFound(), "b"),
        # A call manager has both, or none
        (ask(PLAIN, home=AT_B), having(SIGNED), NotFound(), "b"),
        (ask(RINGS, common=BY_ADDRESS), having(f"{RINGS}.sgn"), NotFound(), "b"),
        # In a search the home is found first
        (ask(PLAIN), having(SIGNED, over="tftp"), STRIPPED, "abc"),
        (ask(f"SIP{SEP[3:]}.cnf"), having(f"SIP{SEP[3:]}.cnf.sgn", over="tftp"), STRIPPED, "abc"),
        # The others are not asked for what a home alone is
        (ask(RINGS), having(f"{RINGS}.sgn", over="tftp"), NotFound(remember=True), "abc"),
        (ask(IMAGE, common=BY_ADDRESS), having(f"{IMAGE}.sgn", over="tftp"), NotFound(remember=True), "abc"),
        # The signed form fails, or does not come
        (
            ask(RINGS, common=BY_ADDRESS),
            having(failing=f"{RINGS}.sgn", over="tftp"),
            Unavailable(("b",)),
            "b",
        ),
        # Never out of a trust list, nor out of what is encrypted
        (ask(ITL, home=AT_B), having(f"{ITL}.sgn", PLAIN, over="tftp"), NotFound(), "b"),
        (ask(LIST, common=BY_ADDRESS), having(f"{LIST}.sgn", over="tftp"), NotFound(), "b"),
        (ask(f"{PLAIN}.enc", common=BY_ADDRESS), having(ENCRYPTED, over="tftp"), NotFound(), "b"),
        (ask(SIGNED, home=AT_B), having(f"{SIGNED}.sgn", PLAIN, over="tftp"), NotFound(), "b"),
        # A default file, of the cluster that the policy names
        (
            ask(DEFAULT, autoregistration=Autoregistration(Policy.CLUSTER, "b")),
            having(f"{DEFAULT}.sgn", over="tftp"),
            STRIPPED,
            "b",
        ),
    ],
)
def test_a_home_that_speaks_tftp_only(
    situation: Situation, b: Server, verdict: Verdict, clusters: str
) -> None:
    ended = end(situation, b)
    assert (ended.decision.verdict, ended.clusters) == (verdict, clusters)


def test_one_question_more_and_no_other() -> None:
    asked = end(ask(PLAIN, home=AT_B, confirmed=True), having(SIGNED, over="tftp")).asked
    assert [each.asked for each in asked] == [PLAIN, SIGNED]
    asked = end(ask(RINGS, common=BY_ADDRESS), having(RINGS, over="tftp")).asked
    assert [each.asked for each in asked] == [RINGS]


def test_the_evidence_is_what_it_was() -> None:
    """It has the configuration no longer, in no form: the search opens, and the phone has moved."""
    moved = end(ask(PLAIN, home=AT_B, confirmed=True), NOTHING_TFTP, a=having(PLAIN))
    assert moved.decision.verdict == Take("a")
    deleted = end(ask(PLAIN, home=AT_B), NOTHING_TFTP)
    assert deleted.decision.verdict == NotFound(remember=True)
    # Its signed form fails: nothing is known, and the others have not got the phone.
    failing = end(ask(PLAIN, home=AT_B), having(failing=SIGNED, over="tftp"))
    assert failing.decision.verdict == Unavailable(("b",))


def test_a_phone_that_has_moved_to_such_a_home() -> None:
    situation = ask(PLAIN, home=Home("a", 0.0, 0.0))
    ended = end(situation, having(SIGNED, over="tftp"), a=DEAD)
    assert (ended.decision.verdict, ended.clusters) == (STRIPPED, "abc")


def test_it_is_a_step() -> None:
    reasons = end(ask(RINGS, common=BY_ADDRESS), having(f"{RINGS}.sgn", over="tftp")).decision.reasons
    assert reasons[-1] == f"b speaks TFTP only, and has {RINGS}.sgn alone: stripped of its signature"
    local = Local("local", file=True, stripped=True)
    reasons = follow(ask(RINGS, local=local), {}).decision.reasons
    assert reasons[-1] == f"local has {RINGS}.sgn alone: stripped of its signature"
    local = Local("local", unfit="header, byte 0: no signed file")
    ended = follow(ask(RINGS, order="", local=local), {})
    assert ended.decision.verdict == NotFound()
    told = f"local has {RINGS}.sgn, but nothing inside of it: header, byte 0: no signed file"
    assert ended.decision.reasons[0] == told


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        (ask(PLAIN, home=AT_B), STRIPPED),
        (ask(RINGS, common=BY_ADDRESS), STRIPPED),
        (ask(RINGS), NotFound(remember=True)),
        (ask(ITL, home=AT_B), NotFound()),
    ],
)
def test_it_is_foreseen(situation: Situation, verdict: Verdict) -> None:
    assert foresee_signed(situation).verdict == verdict


OURS = Local("local", configuration=True, own_list=True)
THEIRS = Local("local", own_list=True)


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        # A device of the local store has this box's lists, where there are any
        (ask(CTL, local=OURS), Take("local")),
        (ask(ITL, local=OURS), Take("local")),
        (ask(ITL, local=Local("local", configuration=True)), NotFound()),
        (ask(ITL, local=Local("local", file=True, configuration=True)), Take("local")),
        (ask(ITL, local=OURS, home=AT_B), Take("local")),
        # Also when a sister box asks for its phone
        (ask(ITL, local=OURS, alone="it has been through an appliance already"), Take("local")),
        # Nobody else's device has
        (ask(ITL, local=THEIRS), NotFound(remember=True)),
        (ask(ITL, local=THEIRS, order=""), NotFound()),
        (ask(CTL, local=THEIRS, home=AT_B), NotFound()),
        (ask(ITL, local=THEIRS, alone="it has been through an appliance already"), NotFound()),
        # Nor a client whose home is elsewhere, or not known
        (ask(LIST, local=Local("local", file=True), common=BY_ADDRESS), NotFound()),
        (ask(LIST, local=Local("local", file=True)), NotFound()),
        (ask(LIST, local=Local("local", file=True), common=AT_STORE), Take("local")),
        (ask(LIST, common=AT_STORE), NotFound()),
    ],
)
def test_trust_lists_of_this_box(situation: Situation, verdict: Verdict) -> None:
    assert end(situation, having(PLAIN) if situation.home else NOTHING).decision.verdict == verdict


@pytest.mark.parametrize(
    ("asked", "own"),
    [
        (CTL, "CTLFile.tlv"),
        (ITL, "ITLFile.tlv"),
        (ITL.lower(), "ITLFile.tlv"),
        (f"/x/{CTL}", "CTLFile.tlv"),
        ("ITLATA001122334455.tlv", "ITLFile.tlv"),
        (f"{ITL}.sgn", ""),
        (PLAIN, ""),
        (LIST, ""),
        ("ITLmine.tlv", ""),
    ],
)
def test_which_list_stands_for_one(asked: str, own: str) -> None:
    name = read(asked.encode())
    assert name.own_list == own
    assert name.paths[0] == name.path
    assert (name.paths[-1] == own) is bool(own)


@pytest.mark.parametrize(
    ("asked", "signed"),
    [
        (RINGS, f"{RINGS}.sgn"),
        (PLAIN, SIGNED),
        ("New_Zealand/g3-tones.xml", "New_Zealand/g3-tones.xml.sgn"),
        ("x.SGN", None),
        (ITL.upper(), None),
        (f"{PLAIN}.Enc", None),
        ("x" * 251, "x" * 251 + ".sgn"),
        ("x" * 252, None),
        ("ü" * 126, None),
    ],
)
def test_envelope(asked: str, signed: str | None) -> None:
    assert envelope(asked) == signed == read(asked.encode()).envelope
