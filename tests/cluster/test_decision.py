"""The decision: rows for each rule of the design, and properties that hold whatever the clusters say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.answer import Answer, Failed, Found, Missing
from appliance.cluster.decision import decide, foresee
from appliance.cluster.homes import CommonHome, Home
from appliance.cluster.names import read
from appliance.cluster.situation import Local, Reply, Situation
from appliance.cluster.verdict import (
    Ask,
    Decision,
    Learned,
    NotFound,
    Take,
    Unavailable,
    Verdict,
    Wait,
)
from appliance.config.model import Autoregistration, CommonFiles, Policy
from tests.cluster.phones import DEAD, Server, follow, having

CTL = "CTLSEP001122334455.tlv"
ITL = "ITLSEP001122334455.tlv"
PLAIN = "SEP001122334455.cnf.xml"
SIGNED = "SEP001122334455.cnf.xml.sgn"
ENCRYPTED = "SEP001122334455.cnf.xml.enc.sgn"
RINGS = "RingList.xml.sgn"
IMAGE = "sip88xx.12-5-1.loads.sbn"
BUDGET = 3.0
NOTHING = having()


def ask(asked: str, order: str = "abc", local: Local | None = None, **known: Any) -> Situation:
    return Situation(read(asked.encode()), local or Local("local"), tuple(order), BUDGET, **known)


def at(place: str, **more: Any) -> Home:
    return Home(place, 0.0, 0.0, **more)


def by_address(place: str | None, shared: bool = False) -> CommonHome:
    return CommonHome(place, shared, "what the address says")


Servers = Mapping[str, Server]

A_HAS = {"a": having(CTL, ITL, PLAIN, SIGNED), "b": NOTHING, "c": NOTHING}
B_HAS = {"a": NOTHING, "b": having(ITL, PLAIN, SIGNED), "c": NOTHING}
A_DEAD = {"a": DEAD, "b": NOTHING, "c": NOTHING}
A_DEAD_B_HAS = {"a": DEAD, "b": having(ITL, PLAIN, SIGNED), "c": NOTHING}
NOBODY_HAS = {"a": NOTHING, "b": NOTHING, "c": NOTHING}


@pytest.mark.parametrize(
    ("situation", "servers", "verdict", "clusters", "seconds"),
    [
        # A device that nobody knows yet: all are asked for the file and for the configuration
        (ask(CTL), A_HAS, Take("a"), "abc", 0),
        (ask(CTL), B_HAS, NotFound(), "abc", 0),
        (ask(ITL), B_HAS, Take("b"), "abc", 0),
        (ask(PLAIN), B_HAS, Take("b"), "abc", 0),
        (ask(CTL), NOBODY_HAS, NotFound(remember=True), "abc", 0),
        (ask(CTL, order=""), {}, NotFound(), "", 0),
        # One that has another file of the device is not its home
        (ask(ITL), {"a": having(ITL), "b": having(PLAIN), "c": NOTHING}, NotFound(), "abc", 0),
        # It has the configuration signed only
        (ask(ITL), {"a": NOTHING, "b": having(ITL, SIGNED), "c": NOTHING}, Take("b"), "abc", 0),
        (ask(PLAIN), {"a": NOTHING, "b": having(SIGNED), "c": NOTHING}, NotFound(), "abc", 0),
        # A dead cluster above the home costs a second, one below nothing
        (ask(ITL), A_DEAD_B_HAS, Take("b"), "abc", 1),
        (ask(ITL, order="bca"), A_DEAD_B_HAS, Take("b"), "abc", 0),
        # An incomplete search is no "not found"
        (ask(ITL), A_DEAD, Unavailable(("a",)), "abc", BUDGET),
        # Its home is known: it alone is asked
        (ask(CTL, home=at("b")), B_HAS, NotFound(), "b", 0),
        (ask(ITL, home=at("b")), B_HAS, Take("b"), "b", 0),
        (ask(SIGNED, home=at("b")), B_HAS, Take("b"), "b", 0),
        (ask(ENCRYPTED, home=at("b"), confirmed=True), B_HAS, NotFound(), "b", 0),
        (ask(ENCRYPTED, home=at("b")), A_DEAD_B_HAS, NotFound(), "b", 0),
        # The home has its configuration in another form than is asked for: not found, and still home
        (ask(SIGNED, home=at("b")), {"b": having(PLAIN)}, NotFound(), "b", 0),
        # The home has it no longer
        (ask(CTL, home=at("a")), B_HAS, NotFound(), "abc", 0),
        (ask(ITL, home=at("a")), B_HAS, Take("b"), "abc", 0),
        (ask(PLAIN, home=at("a"), confirmed=True), B_HAS, Take("b"), "abc", 0),
        (ask(PLAIN, home=at("a")), NOBODY_HAS, NotFound(remember=True), "abc", 0),
        (ask(ITL, home=at("c")), A_DEAD, Unavailable(("a",)), "abc", BUDGET),
        # A file left behind at the old home is not served: the configuration decides
        (ask(ITL, home=at("a")), {**B_HAS, "a": having(ITL)}, Take("b"), "abc", 0),
        # The home is silent: the phone may have moved
        (ask(ITL, home=at("a")), A_DEAD_B_HAS, Take("b"), "abc", 1),
        (ask(ITL, home=at("a")), A_DEAD, Unavailable(("a",)), "abc", BUDGET),
        (ask(ITL, home=at("a"), stale={"a": 60.0}), A_DEAD, Take("a", stale=60.0), "abc", 1),
        (ask(ITL, home=at("a", duplicates=("b",))), A_DEAD_B_HAS, Unavailable(("a",)), "ac", BUDGET),
        (
            ask(ITL, home=at("a"), stale={"a": 60.0}),
            {**B_HAS, "a": having(failing=f"{PLAIN} {SIGNED} {ITL}")},
            Take("b"),
            "abc",
            0,
        ),
        # It is out of use: nobody knows whether it still has the phone
        (ask(ITL, order="bc", home=at("a"), unused=frozenset("a")), NOBODY_HAS, Unavailable(("a",)), "bc", 0),
        (
            ask(ITL, order="bc", home=at("a"), unused=frozenset("a"), stale={"a": 7.0}),
            NOBODY_HAS,
            Take("a", stale=7.0),
            "bc",
            0,
        ),
        (ask(ITL, order="bc", home=at("a"), unused=frozenset("a")), B_HAS, Take("b"), "bc", 0),
        # This file alone fails at the home, within a boot as well
        (
            ask(ENCRYPTED, home=at("b"), confirmed=True),
            {"b": having(PLAIN, failing=ENCRYPTED), "a": A_HAS["a"], "c": NOTHING},
            Unavailable(("b",)),
            "b",
            0,
        ),
        (
            ask(SIGNED, home=at("b"), confirmed=True),
            {"b": having(PLAIN, failing=SIGNED), "a": A_HAS["a"], "c": NOTHING},
            Unavailable(("b",)),
            "b",
            0,
        ),
        (
            ask(SIGNED, home=at("b"), confirmed=True, stale={"b": 3.0}),
            {"b": having(PLAIN, failing=SIGNED), "a": A_HAS["a"], "c": NOTHING},
            Take("b", stale=3.0),
            "b",
            0,
        ),
        # Its home dies within a boot
        (ask(ITL, home=at("a"), confirmed=True), A_DEAD_B_HAS, Take("b"), "abc", 2),
        # The copy of a provisional home whose better is back
        (
            ask(ITL, home=at("a", missed=("b",)), stale={"a": 4.0}),
            {"a": DEAD, "b": NOTHING, "c": NOTHING},
            Take("a", stale=4.0),
            "abc",
            BUDGET,
        ),
        # All that a 7940 with SIP has
        (ask(CTL), {**NOBODY_HAS, "b": having("SIP001122334455.cnf")}, NotFound(), "abc", 0),
        (ask(ITL, home=at("b")), {"b": having(ITL, "SIP001122334455.cnf")}, Take("b"), "b", 0),
        # One that fails holds up no further form
        (
            ask("SIP001122334455.cnf"),
            {"a": having(PLAIN), "b": NOTHING, "c": having(failing="SIP001122334455.cnf")},
            NotFound(),
            "abc",
            0,
        ),
        # This file alone fails at the home
        (ask(ITL, home=at("b")), {"b": having(PLAIN, failing=ITL)}, Unavailable(("b",)), "b", 0),
        # A provisional home is compared again at the next boot, not within one
        (ask(ITL, home=at("b", missed=("a",))), {**B_HAS, "a": A_HAS["a"]}, Take("a"), "abc", 0),
        (ask(ITL, home=at("b", missed=("a",)), confirmed=True), B_HAS, Take("b"), "b", 0),
        (ask(ITL, home=at("b", missed=("a",)), silent=frozenset("a")), A_DEAD_B_HAS, Take("b"), "b", 0),
        (ask(ITL, home=at("c", missed=("a", "b")), silent=frozenset("a")), B_HAS, Take("b"), "abc", 0),
        (ask(ITL, home=at("b", missed=("a",), by_hand=True)), B_HAS, Take("b"), "b", 0),
        # A home that is not in use
        (ask(ITL, order="bc", home=at("a")), B_HAS, Take("b"), "bc", 0),
        # A device of the local store is local for all its files
        (ask(CTL, local=Local("local", configuration=True)), {}, NotFound(), "", 0),
        (
            ask(CTL, local=Local("local", file=True, configuration=True), home=at("a")),
            {},
            Take("local"),
            "",
            0,
        ),
        # A file without its configuration: the home decides, where there is one
        (ask(ITL, local=Local("local", file=True)), B_HAS, Take("b"), "abc", 0),
        (ask(ITL, local=Local("local", file=True)), NOBODY_HAS, Take("local"), "abc", 0),
        (ask(ITL, local=Local("local", fault="I/O")), NOBODY_HAS, Unavailable(("local",)), "abc", 0),
        # Remembered
        (ask(ITL, missing=12.0), B_HAS, NotFound(), "", 0),
        (ask(ITL, missing=12.0, home=at("b")), B_HAS, Take("b"), "b", 0),
        # It has been round
        (ask(ITL, alone="came from a cluster"), B_HAS, NotFound(), "", 0),
        (ask(ITL, alone="x", local=Local("local", file=True)), B_HAS, Take("local"), "", 0),
    ],
)
def test_device_files(
    situation: Situation, servers: Servers, verdict: Verdict, clusters: str, seconds: float
) -> None:
    end = follow(situation, servers)
    assert (end.decision.verdict, end.clusters, end.at) == (verdict, clusters, seconds)


@pytest.mark.parametrize(
    ("situation", "servers", "learned"),
    [
        (ask(CTL), B_HAS, Learned("b", searched=True)),
        (ask(ITL), {**B_HAS, "c": having(PLAIN)}, Learned("b", searched=True, duplicates=("c",))),
        (ask(ITL), A_DEAD_B_HAS, Learned("b", searched=True, missed=("a",))),
        (ask(ITL), NOBODY_HAS, Learned(None, searched=True)),
        (ask(ITL), A_DEAD, None),
        (ask(ITL, home=at("b")), B_HAS, Learned("b")),
        (ask(CTL, home=at("b")), B_HAS, Learned("b")),
        (ask(ITL, home=at("b"), confirmed=True), B_HAS, Learned("b")),
        (ask(ITL, home=at("b")), {"b": having(ITL, failing=f"{PLAIN} {SIGNED}")}, Learned("b", seen=False)),
        (ask(ITL, home=at("a")), A_DEAD_B_HAS, Learned("b", searched=True, missed=("a",))),
        (ask(ITL, home=at("a"), stale={"a": 1.0}), A_DEAD, None),
        (ask(CTL, local=Local("local", configuration=True)), {}, Learned("local")),
    ],
)
def test_what_is_learned(situation: Situation, servers: Servers, learned: Learned | None) -> None:
    assert follow(situation, servers).decision.learned == learned


def test_a_known_phone_boots_with_one_question_a_file() -> None:
    asked = [
        follow(ask(CTL, home=at("b")), B_HAS).asked,
        *(follow(ask(name, home=at("b"), confirmed=True), B_HAS).asked for name in (ITL, SIGNED, ENCRYPTED)),
    ]
    assert asked == [
        [Ask("b", CTL), Ask("b", PLAIN)],
        [Ask("b", ITL)],
        [Ask("b", SIGNED)],
        [Ask("b", ENCRYPTED)],
    ]


def test_a_known_phone_does_not_wait_for_the_evidence_of_a_dead_cluster() -> None:
    assert follow(ask(ITL, home=at("b")), {**B_HAS, "a": DEAD, "c": DEAD}).at == 0


HAS_RINGS = {"a": having(RINGS), "b": having(RINGS), "c": NOTHING}


@pytest.mark.parametrize(
    ("situation", "servers", "verdict", "clusters", "seconds"),
    [
        # The home's answer is final
        (ask(RINGS, common=by_address("b")), HAS_RINGS, Take("b"), "b", 0),
        (ask(RINGS, common=by_address("c")), HAS_RINGS, NotFound(), "c", 0),
        (ask(RINGS, common=by_address("c"), local=Local("local", file=True)), HAS_RINGS, NotFound(), "c", 0),
        (
            ask(
                RINGS,
                common=by_address("c"),
                local=Local("local", file=True),
                common_files=CommonFiles.HOME_LOCAL,
            ),
            HAS_RINGS,
            Take("local"),
            "c",
            0,
        ),
        (
            ask(
                RINGS,
                common=by_address("b"),
                local=Local("local", file=True),
                common_files=CommonFiles.HOME_LOCAL,
            ),
            HAS_RINGS,
            Take("b"),
            "b",
            0,
        ),
        (ask(RINGS, common=by_address("a")), {**HAS_RINGS, "a": DEAD}, Unavailable(("a",)), "a", BUDGET),
        (
            ask(RINGS, common=by_address("a"), stale={"a": 9.0, "b": 1.0}),
            {**HAS_RINGS, "a": DEAD},
            Take("a", stale=9.0),
            "a",
            1,
        ),
        # The home is out of use
        (
            ask(RINGS, order="bc", common=by_address("a"), unused=frozenset("a")),
            HAS_RINGS,
            Unavailable(("a",)),
            "",
            0,
        ),
        (
            ask(RINGS, order="bc", common=by_address("a"), unused=frozenset("a"), stale={"a": 5.0}),
            HAS_RINGS,
            Take("a", stale=5.0),
            "",
            0,
        ),
        # Cisco's way
        (
            ask(
                RINGS, common=by_address("b"), local=Local("local", file=True), common_files=CommonFiles.LOCAL
            ),
            HAS_RINGS,
            Take("local"),
            "",
            0,
        ),
        (ask(RINGS, common=by_address("c"), common_files=CommonFiles.LOCAL), HAS_RINGS, NotFound(), "c", 0),
        # At home here
        (ask(RINGS, common=by_address("local")), HAS_RINGS, NotFound(), "", 0),
        (ask(RINGS, common=by_address("local"), local=Local("local", file=True)), {}, Take("local"), "", 0),
        # Without a home: local, the network's cluster, then in order
        (ask(RINGS, common=by_address(None)), HAS_RINGS, Take("a"), "abc", 0),
        (ask(RINGS, local=Local("local", file=True)), HAS_RINGS, Take("local"), "", 0),
        (ask(RINGS, network="b"), HAS_RINGS, Take("b"), "abc", 0),
        (ask(RINGS, network="c"), HAS_RINGS, Take("a"), "abc", 0),
        (ask(RINGS), NOBODY_HAS, NotFound(remember=True), "abc", 0),
        (ask(RINGS), A_DEAD, Unavailable(("a",)), "abc", BUDGET),
        (ask(RINGS, missing=3.0), HAS_RINGS, NotFound(), "", 0),
        (ask(RINGS, order=""), {}, NotFound(), "", 0),
        (ask(RINGS, order="", local=Local("local", fault="I/O")), {}, Unavailable(("local",)), "", 0),
        (ask(RINGS, local=Local("local", fault="I/O")), NOBODY_HAS, Unavailable(("local",)), "abc", 0),
        (ask(RINGS, order="bc", common=by_address("a")), HAS_RINGS, Take("b"), "bc", 0),
        # Images: local, home, the others in order
        (ask(IMAGE, local=Local("local", file=True), common=by_address("b")), {}, Take("local"), "", 0),
        (ask(IMAGE, common=by_address("b")), {"b": having(IMAGE)}, Take("b"), "b", 0),
        (ask(IMAGE, common=by_address("b")), {**NOBODY_HAS, "c": having(IMAGE)}, Take("c"), "abc", 0),
        (ask(IMAGE, common=by_address("a")), {**A_DEAD, "c": having(IMAGE)}, Take("c"), "abc", 2),
        (ask(IMAGE, common=by_address("a"), stale={"a": 5.0}), A_DEAD, Take("a", 5.0), "abc", BUDGET),
        (ask(IMAGE), {**NOBODY_HAS, "c": having(IMAGE)}, Take("c"), "abc", 0),
        (ask(IMAGE), NOBODY_HAS, NotFound(remember=True), "abc", 0),
        # A list of all files is nobody's business
        (ask("ConfigFileCacheList.txt", local=Local("local", file=True)), {}, NotFound(), "", 0),
    ],
)
def test_common_files_and_images(
    situation: Situation, servers: Servers, verdict: Verdict, clusters: str, seconds: float
) -> None:
    end = follow(situation, servers)
    assert (end.decision.verdict, end.clusters, end.at) == (verdict, clusters, seconds)


DEFAULT = "XMLDefault.cnf.xml"
LIST = "ITLFile.tlv"
BOTH = {name: having(DEFAULT, LIST) for name in "abc"}
OWN = Local("local", file=True)


def policy(kind: Policy, cluster: str | None = None) -> Autoregistration:
    return Autoregistration(kind, cluster)


@pytest.mark.parametrize(
    ("known", "default", "trust_list"),
    [
        # By policy alone; the trust list of the local store is for its own devices
        ({}, NotFound(), NotFound()),
        ({"local": OWN}, NotFound(), NotFound()),
        ({"network": "b"}, NotFound(), NotFound()),
        ({"local": OWN, "autoregistration": policy(Policy.LOCAL)}, Take("local"), NotFound()),
        ({"autoregistration": policy(Policy.LOCAL)}, NotFound(), NotFound()),
        ({"autoregistration": policy(Policy.NETWORK)}, NotFound(), NotFound()),
        ({"autoregistration": policy(Policy.NETWORK), "network": "b"}, Take("b"), Take("b")),
        (
            {"autoregistration": policy(Policy.NETWORK), "network": "local", "local": OWN},
            Take("local"),
            NotFound(),
        ),
        ({"autoregistration": policy(Policy.CLUSTER, "c"), "network": "b"}, Take("c"), Take("c")),
        ({"autoregistration": policy(Policy.CLUSTER, "x")}, Unavailable(("x",)), Unavailable(("x",))),
        # A phone that has a home
        (
            {"autoregistration": policy(Policy.CLUSTER, "c"), "homed": "SEP1", "common": by_address("b")},
            Unavailable((), "the client is SEP1, which has a home"),
            Take("b"),
        ),
        (
            {"homed": "SEP1", "common": by_address("local"), "local": OWN},
            Unavailable((), "the client is SEP1, which has a home"),
            Take("local"),
        ),
        # Of which nobody could say
        (
            {"autoregistration": policy(Policy.CLUSTER, "c"), "incomplete": True},
            Unavailable((), "the last search for the client's device had no answer from some cluster"),
            Unavailable((), "the last search for the client's device had no answer from some cluster"),
        ),
        # The address was another phone's, and this one is nobody's
        ({"common": by_address("b"), "stranger": True}, NotFound(), NotFound()),
        (
            {"common": by_address("b"), "stranger": True, "autoregistration": policy(Policy.CLUSTER, "c")},
            Take("c"),
            Take("c"),
        ),
        # It has been round
        ({"alone": "it has passed an appliance", "local": OWN}, NotFound(), NotFound()),
        (
            {
                "alone": "it has passed an appliance",
                "local": OWN,
                "autoregistration": policy(Policy.LOCAL),
            },
            Take("local"),
            NotFound(),
        ),
        # Its home is out of use
        (
            {
                "common": by_address("x"),
                "unused": frozenset("x"),
                "autoregistration": policy(Policy.CLUSTER, "c"),
            },
            Take("c"),
            Unavailable(("x",)),
        ),
        # One of several behind one address
        (
            {"common": by_address("b", shared=True), "homed": "SEP1"},
            Unavailable((), "the client is SEP1, which has a home"),
            NotFound(),
        ),
    ],
)
def test_default_files_and_trust_lists(known: dict[str, Any], default: Verdict, trust_list: Verdict) -> None:
    assert follow(ask(DEFAULT, **known), BOTH).decision.verdict == default
    assert follow(ask(LIST, **known), BOTH).decision.verdict == trust_list


def test_the_default_file_of_a_dead_cluster_is_no_others() -> None:
    situation = ask(DEFAULT, autoregistration=policy(Policy.CLUSTER, "a"))
    end = follow(situation, {**BOTH, "a": DEAD})
    assert (end.decision.verdict, end.clusters) == (Unavailable(("a",)), "a")


# Whatever the clusters say

RINGS_PLAIN = "RingList.xml"
NAMES = st.sampled_from([CTL, ITL, PLAIN, SIGNED, ENCRYPTED, RINGS, RINGS_PLAIN, IMAGE, DEFAULT, LIST])
FILES = (CTL, ITL, PLAIN, SIGNED, ENCRYPTED, RINGS, RINGS_PLAIN, IMAGE, DEFAULT, LIST)
DELAYS = st.none() | st.sampled_from([0.0, 0.05, 0.2, 0.9, 1.0, 1.1, 2.5, 3.5])
SERVER = st.builds(
    Server,
    st.frozensets(st.sampled_from(FILES)),
    DELAYS,
    st.frozensets(st.sampled_from(FILES), max_size=3),
    st.sampled_from(["http", "tftp"]),
)
SERVERS = st.fixed_dictionaries(dict.fromkeys("abcd", SERVER))
ORDERS = st.lists(st.sampled_from("abcd"), max_size=4, unique=True).map("".join)
PLACES = st.sampled_from(["a", "b", "c", "d", "local"])
HOMES = st.none() | st.builds(
    Home,
    PLACES,
    st.just(0.0),
    st.just(0.0),
    st.lists(st.sampled_from("abcd"), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from("abcd"), max_size=2, unique=True).map(tuple),
)
LOCALS = st.one_of(
    st.builds(
        Local,
        st.just("local"),
        file=st.booleans(),
        configuration=st.booleans(),
        stripped=st.booleans(),
        own_list=st.booleans(),
    ),
    st.just(Local("local", unfit="no signed file")),
    st.just(Local("local", fault="I/O")),
)
POLICIES = st.sampled_from(
    [policy(Policy.NONE), policy(Policy.LOCAL), policy(Policy.NETWORK), policy(Policy.CLUSTER, "b")]
)
SITUATIONS = st.builds(
    ask,
    NAMES,
    ORDERS,
    LOCALS,
    home=HOMES,
    confirmed=st.booleans(),
    common=st.none() | st.builds(by_address, st.none() | PLACES, st.booleans()),
    network=st.none() | PLACES,
    homed=st.sampled_from(["", "", "SEP1"]),
    incomplete=st.booleans(),
    stale=st.dictionaries(st.sampled_from("abcd"), st.floats(0, 100), max_size=3),
    missing=st.none() | st.just(5.0),
    alone=st.sampled_from(["", "", "", "came round"]),
    common_files=st.sampled_from(list(CommonFiles)),
    autoregistration=POLICIES,
)


def is_device(situation: Situation) -> bool:
    return situation.name.device is not None


@given(SITUATIONS, SERVERS)
def test_it_ends_within_the_budget_and_asks_nothing_twice(situation: Situation, servers: Servers) -> None:
    end = follow(situation, servers)  # looks for questions and reasons that come twice as well
    assert end.at <= BUDGET
    assert {wanted.cluster for wanted in end.asked} <= set(situation.order)


@given(SITUATIONS, SERVERS)
def test_local_wins_for_the_devices_of_the_local_store(situation: Situation, servers: Servers) -> None:
    if is_device(situation) and situation.local.configuration and not situation.alone:
        end = follow(situation, servers)
        assert end.asked == []
        has = situation.local.file or situation.local.own_list
        assert end.decision.verdict == (Take("local") if has else NotFound())


@given(SITUATIONS, SERVERS)
def test_what_is_taken_is_there(situation: Situation, servers: Servers) -> None:
    match follow(situation, servers).decision.verdict:
        case Take("local", None):
            device_of_ours = situation.name.device is not None and situation.local.configuration
            assert situation.local.file or (device_of_ours and situation.local.own_list)
        case Take(place, None, stripped):
            wanted = f"{situation.name.asked}.sgn" if stripped else situation.name.asked
            assert wanted in servers[place].files - servers[place].failing
            assert servers[place].delay is not None
            if stripped:
                assert servers[place].over == "tftp"
                assert situation.name.asked not in servers[place].files
        case Take(place, age):
            assert situation.stale[place] == age


@given(SITUATIONS, SERVERS)
def test_what_is_stripped_is_told(situation: Situation, servers: Servers) -> None:
    end = follow(situation, servers)
    told = [reason for reason in end.decision.reasons if "stripped of its signature" in reason]
    match end.decision.verdict:
        case Take("local", None):
            assert len(told) == situation.local.stripped
        case Take(_, None, stripped):
            assert len(told) == stripped
        case _:
            assert told == []


@given(SITUATIONS, SERVERS)
def test_the_signed_form_is_asked_of_the_home_alone(situation: Situation, servers: Servers) -> None:
    """But for a configuration's own forms, which are evidence."""
    asked = [each for each in follow(situation, servers).asked if each.asked == situation.name.envelope]
    if situation.name.envelope not in situation.name.configurations:
        assert len(asked) <= 1
        assert all(servers[each.cluster].over == "tftp" for each in asked)


@given(SITUATIONS, SERVERS)
def test_a_negative_is_remembered_only_after_all_said_so(situation: Situation, servers: Servers) -> None:
    end = follow(situation, servers)
    if end.decision.verdict == NotFound(remember=True):
        assert end.clusters == "".join(sorted(situation.order))
        for name in situation.order:
            server = servers[name]
            assert server.delay is not None
            wanted = situation.name.configurations or (situation.name.asked,)
            assert not server.files & set(wanted)
            assert not server.failing & set(wanted)


@given(SITUATIONS, SERVERS)
def test_the_order_is_respected_in_a_search(situation: Situation, servers: Servers) -> None:
    if not is_device(situation) or situation.local.configuration or situation.home or situation.alone:
        return
    if situation.missing is not None:
        return
    end = follow(situation, servers)
    verdict = end.decision.verdict
    if isinstance(verdict, Take) and verdict.place != "local":
        # The form that somebody has, the likeliest first.
        forms = {
            next(
                form
                for form in situation.name.configurations
                if form in servers[verdict.place].files - servers[verdict.place].failing
            )
        }
        for above in situation.order[: situation.order.index(verdict.place)]:
            server = servers[above]
            silent = server.delay is None or server.delay > 0 or server.failing & forms
            assert silent or not server.files & forms


@given(SITUATIONS, SERVERS)
def test_one_boot_has_one_home(situation: Situation, servers: Servers) -> None:
    """Two files of a device, asked one after the other: the second is never of another place."""
    if not is_device(situation) or any(server.failing for server in servers.values()):
        return
    end = follow(situation, servers)
    learned = end.decision.learned
    if learned is None or learned.place in (None, "local"):
        return
    if servers[learned.place or ""].delay != 0:
        return  # it may be silent for the second file
    for name in (CTL, ITL, PLAIN, SIGNED):
        following = ask(
            name,
            "".join(situation.order),
            situation.local,
            home=at(learned.place or "", missed=learned.missed, duplicates=learned.duplicates),
            confirmed=learned.seen,
        )
        verdict = follow(following, servers).decision.verdict
        assert verdict in (Take(learned.place or ""), Take(learned.place or "", stripped=True), NotFound())


@given(SITUATIONS, SERVERS, st.lists(st.floats(0, 4), max_size=4).map(tuple))
def test_waking_early_changes_nothing(
    situation: Situation, servers: Servers, wakes: tuple[float, ...]
) -> None:
    first, second = follow(situation, servers), follow(situation, servers, wakes)
    assert (first.decision.verdict, first.at) == (second.decision.verdict, second.at)
    assert set(first.asked) == set(second.asked)


@given(SITUATIONS, SERVERS)
def test_who_is_faster_does_not_matter_before_the_patience_ends(
    situation: Situation, servers: Servers
) -> None:
    names = sorted(servers)[:3]
    ends = set()
    for delays in permutations((0.0, 0.1, 0.2)):
        fast = {name: replace(servers[name], delay=delay) for name, delay in zip(names, delays, strict=True)}
        fast["d"] = Server(servers["d"].files, None)
        ends.add(repr(follow(situation, fast).decision.verdict))
    assert len(ends) == 1


@given(SITUATIONS, st.sampled_from([Found, Missing, Failed]))
def test_every_end_can_be_foreseen(situation: Situation, said: Any) -> None:
    decision = foresee(situation, said)
    assert not isinstance(decision.verdict, Wait)
    assert isinstance(decision, Decision)
    assert decision.reasons == foresee(situation, said).reasons


HAS, HAS_NOT = Found(100, "", ""), Missing("", "")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [({}, Wait(BUDGET)), ({PLAIN: HAS}, NotFound()), ({PLAIN: HAS_NOT, SIGNED: HAS}, NotFound())],
)
def test_a_home_that_is_late_is_heard_to_its_end(said: dict[str, Answer], verdict: Verdict) -> None:
    """It says that it lacks the file, and a moment later that it has the configuration."""
    asked = (CTL, *read(CTL.encode()).configurations)
    others = {Ask(place, name): Reply(HAS_NOT, 1.0) for place in "ac" for name in asked}
    home = {Ask("b", name): Reply(answer, 2.5) for name, answer in {CTL: HAS_NOT, **said}.items()}
    assert decide(ask(CTL, home=at("b")), {**others, **home}, 2.5).verdict == verdict


def test_a_decision_names_at_once_whom_it_would_ask() -> None:
    decision = decide(ask(CTL, home=at("b")), {}, 0)
    assert decision.asks == (Ask("b", CTL), Ask("b", PLAIN))
    assert any("home is b" in reason for reason in decision.reasons)
