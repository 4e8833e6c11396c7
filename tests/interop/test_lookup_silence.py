"""A cluster is silent: its phones get kept files or "unavailable", never "not found" and never files of
others; the phones of the others do not notice.

One silence of cluster A is lived through by many phones in front of several proxies at once; each test looks
at one phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from tests.netns.boot import Got, Phone
from tests.netns.cucm_files import COMMON, DEFAULT, own_files
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LONG, PASSED, PATIENT, PLACES, PROBE, Scene, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, UNAVAILABLE
from tests.netns.process import wait_for

pytestmark = pytest.mark.root

START = 2.5  # s between two boots: what was fetched for one does not serve the other
DAY = 86400  # s
NEW = "DistinctiveRingList.xml"  # everybody has it, and nobody has asked for it before
ONLY_ON_A = ("OnlyOnA.xml", "SEP00270DCFFFFF.cnf.xml")
TRUST_LISTS = ("ITLFile.tlv", "CTLFile.tlv")
TRANSPORTS = pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])

# Whoever has no home is of B's networks; "not found" is remembered for an hour.
SETTINGS: dict[str, dict[str, object]] = {"networks": {"10.67.0.0/16": "b"}, "lookup": {"negative": 3600}}
POLICIES = ("none", "network", "local", "b")
BOXES: dict[str, dict[str, dict[str, object]]] = {
    **{policy: {"autoregistration": {"policy": policy}} for policy in POLICIES},
    "copies": {"lookup": {"stale": DAY, "stale_configs": "yes"}},
    "common copies": {"lookup": {"stale": DAY}},
    "copies of a": {},
}
OF_A = {"copies of a": {"a": {"stale": DAY}}}


@dataclass(slots=True)
class Life:
    """What one phone got: before the silence, twice in it, and after it."""

    phone: Phone
    asks: tuple[str, ...] = ()  # in the silence, in the place of a boot
    got: list[tuple[Got, ...]] = field(default_factory=list)
    waited: list[list[str]] = field(default_factory=list)  # as `Scene.waited`, each time


@dataclass(frozen=True, slots=True)
class Story:
    """Lives by proxy, kind of phone and transport; by transport the record of a copy that was served."""

    lives: Mapping[tuple[str, str, bool], Life]
    negatives: int  # entries in the silence
    records: Mapping[bool, dict[str, Any]]


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON, NEW, DEFAULT, f"{DEFAULT}.sgn", *TRUST_LISTS)
        running.give("a", *ONLY_ON_A)
        yield running


@pytest.fixture(scope="module")
def story(scene: Scene) -> Story:
    boxes = {label: _box(scene, number, label) for number, label in enumerate(BOXES)}
    lives = {
        (label, kind, http): life
        for label, box in boxes.items()
        for kind, http, life in _cast(scene, label, box)
    }
    _boot(scene, lives, "known", "moved", "both", "of b", "of c")
    both = {f"SEP{life.phone.mac}": ["b"] for (_, kind, _), life in lives.items() if kind == "both"}
    wait_for(lambda: _duplicates(boxes["none"]) == both, "who is on two clusters is known")
    for label, least in (("copies", 5), ("common copies", len(COMMON)), ("copies of a", len(COMMON))):
        wait_for(partial(_has_copies, boxes[label], least), "copies are kept")

    scene.clusters["a"].host.drop()
    moved = [life.phone.mac for (_, kind, _), life in lives.items() if kind == "moved"]
    for mac in moved:
        scene.give("b", *own_files(mac))
    wait(START)
    _boot(scene, lives)
    _boot(scene, lives)
    records = {
        http: boxes["copies"].records(phone.source, 1, f"SEP{phone.mac}.cnf.xml.sgn")[0]
        for http in (True, False)
        for phone in [lives["copies", "known", http].phone]
    }
    negatives = boxes["none"].ask("status")["held"]["negative_entries"]

    for mac in moved:
        scene.clusters["a"].remove(*own_files(mac))
    scene.clusters["a"].host.undrop()
    for box in boxes.values():
        wait_for(partial(_in_use, box), "A is in use again", 5 * PROBE)
    wait(START)
    for life in lives.values():
        life.asks = ONLY_ON_A if life.asks == ONLY_ON_A else ()
    _boot(scene, lives)
    return Story(lives, negatives, records)


def _box(scene: Scene, number: int, label: str) -> Box:
    settings = {
        key: {**SETTINGS.get(key, {}), **BOXES[label].get(key, {})} for key in {*SETTINGS, *BOXES[label]}
    }
    box = scene.box(settings, host=f"silence{number}", clusters=OF_A.get(label))
    scene.store(box, *COMMON, NEW, DEFAULT, f"{DEFAULT}.sgn", *TRUST_LISTS)
    return box


def _cast(scene: Scene, label: str, box: Box) -> Iterator[tuple[str, bool, Life]]:
    for http in (True, False):
        known = replace(scene.phone(box, "a"), http=http, common=COMMON)
        yield "known", http, Life(known, _everything(known))
        if label in POLICIES:
            unknown = replace(scene.phone(box, "a"), http=http)
            yield "unknown", http, Life(unknown, _everything(unknown)[: -len(COMMON) - 1])
        if label in ("none", "copies"):
            yield "moved", http, Life(replace(scene.phone(box, "a"), http=http, common=COMMON))
        if label == "none":
            both = replace(scene.phone(box, "a"), http=http)
            scene.give("b", *own_files(both.mac))
            yield "both", http, Life(both)
            yield "of b", http, Life(replace(scene.phone(box, "b"), http=http, common=COMMON))
            yield "of c", http, Life(replace(scene.phone(box, "c"), http=http, common=COMMON))
            yield "client", http, Life(replace(scene.phone(box, None), http=http), ONLY_ON_A)


def _everything(phone: Phone) -> tuple[str, ...]:
    own = own_files(phone.mac)
    return (f"CTLSEP{phone.mac}.tlv", *own, *TRUST_LISTS, DEFAULT, f"{DEFAULT}.sgn", NEW, *COMMON)


def _boot(scene: Scene, lives: Mapping[tuple[str, str, bool], Life], *kinds: str) -> None:
    acting = [life for (_, kind, _), life in lives.items() if not kinds or kind in kinds]
    phones = [life.phone if kinds else replace(life.phone, names=life.asks) for life in acting]
    for life, got in zip(acting, scene.boot(*phones), strict=True):
        life.got.append(got)
    for life, phone in zip(acting, phones, strict=True):
        life.waited.append(scene.waited(phone, life.got[-1]))


def _duplicates(box: Box) -> dict[str, list[str]]:
    return {each["device"]: each["others"] for each in box.ask("status")["devices"]["duplicates"]}


def _has_copies(box: Box, least: int) -> bool:
    return bool(box.ask("status")["copies"]["entries"] >= least)


def _in_use(box: Box) -> bool:
    """Over one protocol at least; which of two is found to answer first is left to chance."""
    return "closed" in box.protocols("a").values()


@TRANSPORTS
@pytest.mark.parametrize("policy", POLICIES)
def test_its_phones_without_copies(policy: str, http: bool, scene: Scene, story: Story) -> None:
    """All is "unavailable"; but for common files that were confirmed a minute ago at most."""
    life = story.lives[policy, "known", http]
    expected = dict.fromkeys(life.asks or _everything(life.phone), UNAVAILABLE) | dict.fromkeys(COMMON, "a")
    _, *silence, after = life.got
    for got in silence:
        assert scene.told(got) == expected
        assert {each.detail[:7] for each in got if each.status == UNAVAILABLE} == {"ERROR 0"}
    assert scene.told(after) == wanted(life.phone, "a")
    assert life.waited[2:] == [[], []]


@TRANSPORTS
@pytest.mark.parametrize("policy", POLICIES)
def test_unknown_phones(policy: str, http: bool, scene: Scene, story: Story) -> None:
    """One of which B and C know nothing may be A's: no default file, no trust list, nothing remembered."""
    life = story.lives[policy, "unknown", http]
    *silence, after = life.got
    for got in silence:
        assert set(scene.told(got).values()) == {UNAVAILABLE}
    assert scene.told(after) == wanted(life.phone, "a")


@TRANSPORTS
def test_copies_of_everything(http: bool, scene: Scene, story: Story) -> None:
    """`stale_configs`: the same boot as before; each copy is told to be one."""
    life = story.lives["copies", "known", http]
    itl, signed, _plain = own_files(life.phone.mac)
    for got in life.got[1:3]:
        told = scene.told(got)
        copies = (itl, signed, *COMMON)
        assert {name: told[name] for name in copies} == dict.fromkeys(copies, "a")
        assert {each for name, each in told.items() if name not in copies} <= {UNAVAILABLE, "a", NOT_FOUND}
        assert {told[name] for name in (DEFAULT, f"{DEFAULT}.sgn", *TRUST_LISTS, NEW)} == {UNAVAILABLE}
    assert life.waited[2] == []
    record = story.records[http]
    assert record["stale_s"] >= START
    assert record["source"] == "a"


@TRANSPORTS
@pytest.mark.parametrize("label", ["common copies", "copies of a"])
def test_copies_of_common_files_alone(label: str, http: bool, scene: Scene, story: Story) -> None:
    """`stale` without `stale_configs`: configurations hold passwords, and are not kept."""
    life = story.lives[label, "known", http]
    expected = dict.fromkeys(_everything(life.phone), UNAVAILABLE) | dict.fromkeys(COMMON, "a")
    for got in life.got[1:3]:
        assert scene.told(got) == expected


@TRANSPORTS
@pytest.mark.parametrize("label", ["none", "copies"])
def test_added_to_another_meanwhile(label: str, http: bool, scene: Scene, story: Story) -> None:
    """They get that cluster's files, all of them, and stay there when the old one is back without them."""
    life = story.lives[label, "moved", http]
    assert [scene.told(got) for got in life.got[1:]] == [wanted(life.phone, "b")] * 3


@TRANSPORTS
def test_on_two_clusters_all_the_time(http: bool, scene: Scene, story: Story) -> None:
    """B was known to have the phone as well: no sign that it was moved, hence not its home now."""
    life = story.lives["none", "both", http]
    before, *silence, after = life.got
    for got in silence:
        assert set(scene.told(got).values()) == {UNAVAILABLE}
    assert scene.told(before) == scene.told(after) == wanted(life.phone, "a")


@TRANSPORTS
@pytest.mark.parametrize("place", ["b", "c"])
def test_known_phones_of_others(place: str, http: bool, scene: Scene, story: Story) -> None:
    """They do not notice, not even at first."""
    life = story.lives["none", f"of {place}", http]
    for got, waited in zip(life.got, life.waited, strict=True):
        assert scene.told(got) == wanted(life.phone, place)
        assert waited == []


@TRANSPORTS
def test_nothing_is_remembered_of_an_incomplete_search(http: bool, scene: Scene, story: Story) -> None:
    *silence, after = story.lives["none", "client", http].got
    for got in silence:
        assert scene.told(got) == dict.fromkeys(ONLY_ON_A, UNAVAILABLE)
    assert scene.told(after) == dict.fromkeys(ONLY_ON_A, "a")
    assert story.negatives == 0


def test_new_phones_of_others(scene: Scene) -> None:
    """The first that is searched for waits a little; from then on it is known, and nobody does."""
    box = scene.box({"lookup": {"budget": LONG}})
    first, *others = [
        replace(scene.phone(box, "c"), http=http, patience=PATIENT) for http in (True, True, False)
    ]
    scene.clusters["a"].host.drop()
    try:
        (got,) = scene.boot(first)
        assert scene.told(got) == wanted(first, "c")
        assert scene.waited(first, got) == ["a"]
        steps = scene.records(first, got)[0]["steps"]
        (passed,) = [step["at_ms"] for step in steps if "passed over" in step["text"]]
        assert 1000 * PASSED <= passed < 1000 * LONG / 2
        wait(START)
        for phone, got in zip(others, scene.boot(*others), strict=True):
            assert scene.told(got) == wanted(phone, "c")
            assert scene.waited(phone, got) == []
    finally:
        scene.clusters["a"].host.undrop()


def test_silent_in_one_protocol(scene: Scene) -> None:
    """Nobody hears HTTP on one of three any more: TFTP serves, at once when that is known."""
    box = scene.box({"lookup": {"budget": LONG}})
    phones = [
        replace(scene.phone(box, "b"), http=http, common=COMMON, patience=PATIENT) for http in (True, False)
    ]
    scene.boot(*phones)
    wire = scene.clusters["b"].host
    for words in ("add table inet deaf", "add chain inet deaf in { type filter hook input priority 0 ; }"):
        wire.run(["nft", words])
    wire.run(["nft", "add rule inet deaf in tcp dport 6970 tcp flags syn counter"])
    wire.run(["nft", "add rule inet deaf in tcp dport 6970 drop"])

    def boot() -> None:
        for phone, got in zip(phones, scene.boot(*phones), strict=True):
            assert scene.told(got) == wanted(phone, "b")

    def knocks() -> str:
        return next(
            line for line in wire.run(["nft", "list table inet deaf"]).stdout.splitlines() if "syn" in line
        )

    try:
        wait(START)
        boot()
        before = knocks()
        assert "packets 0 " not in before
        wait(START)
        boot()
        assert knocks() == before, "nobody is kept waiting by HTTP any more"
        assert box.protocols("b") == {"http": "open", "tftp": "closed"}
    finally:
        wire.run(["nft", "delete table inet deaf"])
