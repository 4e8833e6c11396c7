"""Phones start: a known one costs its home alone, and nobody else's trouble; an unknown one gets a default
file of its own network's cluster, or of nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.netns.boot import Phone
from tests.netns.cucm import put
from tests.netns.cucm_files import COMMON, DEFAULT, INVENTORY, content
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LOCAL, PLACES, Scene, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND
from tests.netns.process import wait_for

pytestmark = pytest.mark.root

NETWORK_A, NETWORK_B = 11, 12
NETWORKS = {f"10.67.{NETWORK_A}.0/24": "a", f"10.67.{NETWORK_B}.0/24": "b"}
TRUST_LIST = "ITLFile.tlv"
SHARED = 2.0  # s for which what was fetched serves those who ask again


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON, DEFAULT, f"{DEFAULT}.sgn", TRUST_LIST)
        yield running


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    return scene.box({"lookup": {"negative": 0}})


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
@pytest.mark.parametrize("place", PLACES)
def test_known(place: str, http: bool, scene: Scene, box: Box) -> None:
    """The CTL is not found, nor the encrypted configuration: that is normal, and no reason to search."""
    phone = replace(scene.phone(box, place), http=http, encrypted=True, common=COMMON)
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, place)
    marks = scene.marks()

    def asks_again() -> bool:
        (got,) = scene.boot(phone)
        assert scene.told(got) == wanted(phone, place)
        return bool(scene.asked(marks, phone.mac))

    wait_for(asks_again, "its home is asked again", 5 * SHARED)
    assert set(scene.asked(marks)) == {place}


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
def test_configuration_is_fetched_anew(http: bool, scene: Scene, box: Box) -> None:
    """A changed one reaches the phone when it boots next, however soon."""
    phone = replace(scene.phone(box, "b"), http=http)
    scene.boot(phone)
    name = f"SEP{phone.mac}.cnf.xml.sgn"
    put(scene.clusters["b"].root, name, changed := content("b", f"{name} changed.sgn"))
    wait_for(lambda: _size(scene, phone, name) == len(changed), "the changed configuration", 5 * SHARED)


def _size(scene: Scene, phone: Phone, name: str) -> int:
    (got,) = scene.boot(phone)
    return next(each.size for each in got if each.name == name)


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
def test_known_while_another_cluster_is_silent(http: bool, scene: Scene, box: Box) -> None:
    """Not slower, and never "unavailable"; not the first time either."""
    phone = replace(scene.phone(box, "b"), http=http, encrypted=True, common=COMMON)
    scene.boot(phone)
    for silent in ("a", "c"):
        scene.clusters[silent].host.drop()
        for _ in range(2):
            (got,) = scene.boot(phone)
            assert scene.told(got) == wanted(phone, "b"), silent
            assert scene.waited(phone, got) == [], silent
        scene.clusters[silent].host.undrop()


def test_while_a_cluster_searches(scene: Scene, box: Box) -> None:
    """503 is a Cisco cluster's way of saying that it looks for the file: asked again within the budget."""
    phones = [replace(scene.phone(box, "b"), http=http) for http in (True, False)]
    scene.clusters["b"].busy(1.0)
    try:
        for phone, got in zip(phones, scene.boot(*phones), strict=True):
            assert scene.told(got) == wanted(phone, "b")
        assert box.protocols("b")["http"] == "closed"
    finally:
        scene.clusters["b"].busy(0)


def _policy(policy: str) -> dict[str, dict[str, object]]:
    return {"networks": dict(NETWORKS), "autoregistration": {"policy": policy}}


@pytest.mark.parametrize("policy", ["none", "network", "local", "c"])
def test_default_file(policy: str, scene: Scene) -> None:
    """Of an unknown phone; by networks, the last of which no cluster is named for."""
    box = scene.box(_policy(policy), host="box2")
    scene.store(box, DEFAULT, f"{DEFAULT}.sgn")
    networks = (NETWORK_A, NETWORK_B, 13)
    by_policy = {
        "none": (NOT_FOUND, NOT_FOUND, NOT_FOUND),
        "network": ("a", "b", NOT_FOUND),
        "local": (LOCAL, LOCAL, LOCAL),
        "c": ("c", "c", "c"),
    }
    phones = [
        replace(scene.phone(box, None, network), http=http, signed=signed)
        for network in networks
        for http, signed in ((True, True), (False, False))
    ]
    found = [scene.told(got) for got in scene.boot(*phones)]
    for phone, told, place in zip(phones, found, [p for p in by_policy[policy] for _ in "12"], strict=True):
        ending = ".sgn" if phone.signed else ""
        trust_list = place if place in PLACES else NOT_FOUND  # the box's own is for its own devices alone
        assert told == {
            f"CTLSEP{phone.mac}.tlv": NOT_FOUND,
            f"ITLSEP{phone.mac}.tlv": NOT_FOUND,
            TRUST_LIST: trust_list,
            f"SEP{phone.mac}.cnf.xml{ending}": NOT_FOUND,
            f"{DEFAULT}{ending}": place,
        }


def test_no_default_file_for_a_known_phone(scene: Scene) -> None:
    """Who asks for one nevertheless is told to ask again: it has a home that it shall not lose."""
    box = scene.box(_policy("network"), host="box2")
    phone = scene.phone(box, "c", NETWORK_A)
    scene.boot(phone)
    assert scene.told(scene.ask(phone, DEFAULT)) == {DEFAULT: "unavailable"}


def _listed(scene: Scene, place: str, *phones: Phone) -> None:
    lines = "".join(f"SEP{phone.mac}.cnf.xml.sgn 1\n" for phone in phones)
    put(scene.clusters[place].root, INVENTORY, lines.encode())


@pytest.mark.parametrize("protocol", ["http", "tftp"])
def test_inventory(protocol: str, scene: Scene) -> None:
    """A phone on a cluster's list: its very first boot asks its home alone."""
    before = scene.box(host="box2")
    phones = {place: scene.phone(before, place) for place in "ab"}
    for place, phone in phones.items():
        _listed(scene, place, phone)
    listing = {place: {"inventory": "yes"} for place in "ab"}
    box = scene.box(host="box2", clusters=listing, protocol=protocol)
    wait_for(lambda: _devices(box) == {"a": 1, "b": 1, "c": None}, "the lists are read")
    for place, phone in phones.items():
        marks = scene.marks()
        (got,) = scene.boot(phone)
        assert scene.told(got) == wanted(phone, place)
        # The comparison in the background, which nobody waits for, asks for the configuration alone.
        assert set(scene.asked(marks, f"TLSEP{phone.mac}")) == {place}
        for record in box.records(phone.source):
            assert not any("asked at once" in step["text"] for step in record["steps"]), record
    _listed(scene, "a", phones["a"], scene.phone(box, "a"))
    box.reload()
    wait_for(lambda: _devices(box) == {"a": 2, "b": 1, "c": None}, "the lists are read again")


def _devices(box: Box) -> dict[str, int | None]:
    return {cluster["name"]: cluster["inventory_devices"] for cluster in box.ask("status")["clusters"]}


def test_inventory_that_is_not_true_any_more(scene: Scene) -> None:
    """The phone is on one cluster's list, and is another's: it gets its files from there nevertheless."""
    box = scene.box(host="box2")
    phone = scene.phone(box, "c")
    _listed(scene, "a", phone)
    box = scene.box(host="box2", clusters={"a": {"inventory": "yes"}})
    wait_for(lambda: _devices(box)["a"] == 1, "the list is read")
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "c")


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
@pytest.mark.parametrize("inventory", ["yes", "no"])
def test_nobody_is_given_a_list(inventory: str, http: bool, scene: Scene) -> None:
    box = scene.box(host="box2", clusters={"a": {"inventory": inventory}})
    names = (INVENTORY, f"{INVENTORY}.sgn", INVENTORY.lower(), f"/{INVENTORY}")
    for place in PLACES:
        scene.give(place, *names[:3])
    scene.store(box, *names[:3])
    phone = replace(scene.phone(box, "a"), http=http)
    scene.boot(phone)
    assert scene.told(scene.ask(phone, *names)) == dict.fromkeys(names, NOT_FOUND)
