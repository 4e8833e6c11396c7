"""A cluster is silent: its phones get kept files or "unavailable", never "not found" and never files of
others; the phones of the others do not notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.netns.boot import Phone
from tests.netns.cucm_files import COMMON, DEFAULT, RINGS, own_files
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import PASSED, PLACES, PROBE, QUICK, SLACK, Scene, slowest, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, UNAVAILABLE
from tests.netns.process import wait_for
from tests.netns.proxy import BUDGET

pytestmark = pytest.mark.root

TRUST_LISTS = ("ITLFile.tlv", "CTLFile.tlv")
SHARED = 2.0  # s for which what was fetched serves those who ask again
START = 2.5  # s between two boots, above SHARED
DAY = 86400  # s
TRANSPORTS = pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
POLICIES = ("none", "network", "local", "b")
TRUE_TO_A = {"networks": {"10.67.0.0/16": "b"}}  # who has no home is B's


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON, DEFAULT, f"{DEFAULT}.sgn", *TRUST_LISTS)
        yield running


@pytest.fixture
def silent_a(scene: Scene) -> Iterator[Host]:
    """The host of A, which falls silent by `drop`, and speaks again when the test is over."""
    host = scene.clusters["a"].host
    yield host
    host.undrop()


def _back(scene: Scene, box: Box) -> None:
    wait_for(lambda: "open" not in box.protocols("a").values(), "A is in use again", PROBE + SLACK)


@TRANSPORTS
def test_phones_of_others(http: bool, scene: Scene, silent_a: Host) -> None:
    """Those with a home at once; of those that are searched for, the first only waits, and not for long."""
    box = scene.box()
    known = [replace(scene.phone(box, place), http=http, common=COMMON) for place in "bc"]
    scene.boot(*known)
    silent_a.drop()
    for _ in range(2):
        for phone, got in zip(known, scene.boot(*known), strict=True):
            place = "bc"[known.index(phone)]
            assert scene.told(got) == wanted(phone, place)
            assert slowest(got) < QUICK
    first, second = (replace(scene.phone(box, "c"), http=http, common=COMMON) for _ in range(2))
    (got,) = scene.boot(first)
    assert scene.told(got) == wanted(first, "c")
    assert sum(each.seconds for each in got) < PASSED + SLACK
    (got,) = scene.boot(second)
    assert scene.told(got) == wanted(second, "c")
    assert slowest(got) < QUICK


@TRANSPORTS
@pytest.mark.parametrize("policy", POLICIES)
def test_its_own_phones_without_copies(policy: str, http: bool, scene: Scene, silent_a: Host) -> None:
    """All is "unavailable": what has been asked for before, and what has not."""
    box = scene.box({**TRUE_TO_A, "autoregistration": {"policy": policy}})
    scene.store(box, *COMMON, DEFAULT, *TRUST_LISTS)
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    scene.boot(phone)
    silent_a.drop()
    wait(START)
    names = _everything(phone)
    for _ in range(2):
        got = scene.ask(phone, *names)
        assert scene.told(got) == dict.fromkeys(names, UNAVAILABLE)
        assert slowest(got) < 2 * (BUDGET + SLACK) if http else BUDGET + SLACK  # HTTP, then TFTP
    assert {each.detail[:7] for each in got} == {"ERROR 0"}


def _everything(phone: Phone) -> tuple[str, ...]:
    own = own_files(phone.mac)
    return (f"CTLSEP{phone.mac}.tlv", *own, *TRUST_LISTS, DEFAULT, f"{DEFAULT}.sgn", *COMMON)


@TRANSPORTS
def test_unknown_phones(http: bool, scene: Scene, silent_a: Host) -> None:
    """One that is nobody's as far as B and C know may be A's: no default file, nothing remembered."""
    box = scene.box({**TRUE_TO_A, "autoregistration": {"policy": "network"}})
    phone = replace(scene.phone(box, "a"), http=http)
    silent_a.drop()
    (got,) = scene.boot(phone)
    assert set(scene.told(got).values()) == {UNAVAILABLE}
    names = (DEFAULT, *TRUST_LISTS)
    assert scene.told(scene.ask(phone, *names)) == dict.fromkeys(names, UNAVAILABLE)
    silent_a.undrop()
    _back(scene, box)
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "a")


@TRANSPORTS
def test_copies_of_everything(http: bool, scene: Scene, silent_a: Host) -> None:
    """`stale` and `stale_configs`: the same boot as before, without a delay once the silence is known."""
    box = scene.box({"lookup": {"stale": DAY, "stale_configs": "yes"}})
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    (before,) = scene.boot(phone)
    _written(box, before)
    silent_a.drop()
    wait(START)
    (first,) = scene.boot(phone)
    (second,) = scene.boot(phone)
    stale = wanted(phone, "a") | {f"CTLSEP{phone.mac}.tlv": scene.told(second)[f"CTLSEP{phone.mac}.tlv"]}
    assert scene.told(first) == scene.told(second) == stale
    assert stale[f"CTLSEP{phone.mac}.tlv"] in (NOT_FOUND, UNAVAILABLE)
    assert slowest(second) < QUICK
    ages = [record["stale_s"] for record in box.records(phone.source, 1, RINGS)]
    assert ages
    assert None not in ages


def _written(box: Box, got: object) -> None:
    wait_for(lambda: box.ask("status")["copies"]["entries"] >= 5, f"copies of {got} are kept")


@TRANSPORTS
@pytest.mark.parametrize("whose", ["box", "cluster"])
def test_copies_of_common_files_alone(whose: str, http: bool, scene: Scene, silent_a: Host) -> None:
    """`stale` without `stale_configs`: configurations hold passwords, and are not kept."""
    settings = {"lookup": {"stale": DAY}} if whose == "box" else {}
    box = scene.box(settings, clusters={"a": {"stale": DAY}} if whose == "cluster" else {})
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    scene.boot(phone)
    wait_for(lambda: box.ask("status")["copies"]["entries"] >= len(COMMON), "copies are kept")
    silent_a.drop()
    wait(START)
    names = _everything(phone)
    expected = dict.fromkeys(names, UNAVAILABLE) | dict.fromkeys(COMMON, "a")
    assert scene.told(scene.ask(phone, *names)) == expected


@TRANSPORTS
def test_added_to_another_meanwhile(http: bool, scene: Scene, silent_a: Host) -> None:
    """They get that cluster's files, all of them; and stay there when the old cluster is back without
    them.
    """
    box = scene.box({"lookup": {"stale": DAY, "stale_configs": "yes"}})
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    scene.boot(phone)
    silent_a.drop()
    scene.give("b", *own_files(phone.mac))
    wait(START)
    for _ in range(2):
        (got,) = scene.boot(phone)
        assert scene.told(got) == wanted(phone, "b")
    scene.clusters["a"].remove(*own_files(phone.mac))
    silent_a.undrop()
    _back(scene, box)
    wait(START)
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "b")


@TRANSPORTS
def test_on_two_clusters_all_the_time(http: bool, scene: Scene, silent_a: Host) -> None:
    """B is known to have the phone as well: no sign that it was moved, hence not its home now."""
    box = scene.box()
    phone = replace(scene.phone(box, "a"), http=http)
    scene.give("b", *own_files(phone.mac))
    scene.boot(phone)
    wait_for(lambda: _duplicates(box) == {f"SEP{phone.mac}": ["b"]}, "it is known to be on both")
    silent_a.drop()
    wait(START)
    (got,) = scene.boot(phone)
    assert set(scene.told(got).values()) == {UNAVAILABLE}


def _duplicates(box: Box) -> dict[str, list[str]]:
    found = box.ask("status")["devices"]["duplicates"]
    return {each["device"]: each["others"] for each in found}


@TRANSPORTS
def test_back_again(http: bool, scene: Scene, silent_a: Host) -> None:
    """Within one probe, on its own: nobody has to ask for anything."""
    box = scene.box()
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    scene.boot(phone)
    silent_a.drop()
    wait(START)
    (got,) = scene.boot(phone)
    assert scene.told(got)[f"SEP{phone.mac}.cnf.xml.sgn"] == UNAVAILABLE
    silent_a.undrop()
    _back(scene, box)
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "a")
    assert slowest(got) < QUICK


@TRANSPORTS
@pytest.mark.parametrize("name", ["OnlyOnA.xml", "SEP00270DCFFFFF.cnf.xml"])
def test_nothing_is_remembered_of_an_incomplete_search(
    name: str, http: bool, scene: Scene, silent_a: Host
) -> None:
    """ "Not found" is remembered for an hour here; but A has not said it."""
    box = scene.box({"lookup": {"negative": 3600}})
    client = replace(scene.phone(box, None), http=http)
    scene.give("a", name)
    silent_a.drop()
    assert scene.told(scene.ask(client, name)) == {name: UNAVAILABLE}
    assert box.ask("status")["held"]["negative_entries"] == 0
    silent_a.undrop()
    _back(scene, box)
    assert scene.told(scene.ask(client, name)) == {name: "a"}


@TRANSPORTS
def test_silent_in_one_protocol(http: bool, scene: Scene) -> None:
    """Nobody listens for HTTP any more on one of three: TFTP serves, at once when that is known."""
    box = scene.box()
    phone = replace(scene.phone(box, "b"), http=http, common=COMMON)
    scene.boot(phone)
    wire = scene.clusters["b"].host
    wire.run(["nft", "add table inet closed"])
    wire.run(["nft", "add chain inet closed in { type filter hook input priority 0 ; }"])
    wire.run(["nft", "add rule inet closed in tcp dport 6970 drop"])
    try:
        wait(START)
        for most in (3 * PASSED + SLACK, QUICK):
            (got,) = scene.boot(phone)
            assert scene.told(got) == wanted(phone, "b")
            assert slowest(got) < most
        assert box.protocols("b") == {"http": "open", "tftp": "closed"}
    finally:
        wire.run(["nft", "delete table inet closed"])
