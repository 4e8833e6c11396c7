"""Common files: each phone gets those of its own cluster, whatever others have under the same names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.netns.cucm_files import COMMON, LOCALE, RINGS, SOFTKEYS, own_files
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LOCAL, PLACES, Scene, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND

pytestmark = pytest.mark.root

NETWORK_B = 2
NOT_ON_B = "Ringlist-wb.xml"
BY_NETWORK = {"networks": {f"10.67.{NETWORK_B}.0/24": "b"}}


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON)
        yield running


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    """Its own store has files of the same names."""
    running = scene.box(BY_NETWORK)
    scene.store(running, *COMMON)
    return running


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_from_the_home(http: bool, signed: bool, scene: Scene, box: Box) -> None:
    """Phones of all clusters boot at the same moment."""
    phones = [replace(scene.phone(box, place), http=http, signed=signed, common=COMMON) for place in PLACES]
    found = [scene.told(got) for got in scene.boot(*phones)]
    assert found == [wanted(phone, place) for phone, place in zip(phones, PLACES, strict=True)]


def test_the_home_lacks_one(scene: Scene, box: Box) -> None:
    """Its word is final: neither another cluster's nor the store's file is taken, nor are others asked."""
    scene.give("a", NOT_ON_B)
    scene.store(box, NOT_ON_B)
    phone = scene.phone(box, "b")
    scene.boot(phone)
    marks = scene.marks()
    assert scene.told(scene.ask(phone, NOT_ON_B)) == {NOT_ON_B: NOT_FOUND}
    assert scene.asked(marks) == {"b": [NOT_ON_B]}


def test_home_then_local(scene: Scene) -> None:
    """`common_files = home, local`: the store stands in where the home says that it has none."""
    box = scene.box({"local": {"common_files": "home, local"}}, host="box2")
    scene.give("a", NOT_ON_B)
    scene.store(box, *COMMON, NOT_ON_B)
    phone = replace(scene.phone(box, "b"), common=(*COMMON, NOT_ON_B))
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "b") | {NOT_ON_B: LOCAL}


def test_local_first(scene: Scene) -> None:
    """`common_files = local`, as Cisco's proxy does; what the store lacks comes from the home still."""
    box = scene.box({"local": {"common_files": "local"}}, host="box2")
    scene.store(box, RINGS, LOCALE)
    phones = [replace(scene.phone(box, place), common=COMMON) for place in PLACES]
    found = [scene.told(got) for got in scene.boot(*phones)]
    local = {RINGS: LOCAL, LOCALE: LOCAL}
    assert found == [wanted(phone, place) | local for phone, place in zip(phones, PLACES, strict=True)]


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
def test_behind_one_address(http: bool, scene: Scene, box: Box) -> None:
    """Phones of two clusters behind a router that translates addresses: who boots gets its own."""
    address = scene.address()
    phones = [replace(scene.phone(box, place, source=address), http=http, common=COMMON) for place in "abab"]
    phones += phones[:2]
    found = [scene.told(got) for got in scene.boot(*phones)]
    assert found == [wanted(phone, place) for phone, place in zip(phones, "ababab", strict=True)]
    steps = [step["text"] for step in box.records(address, 1, SOFTKEYS)[0]["steps"]]
    assert any("shared address" in step for step in steps), steps


@pytest.mark.parametrize(("network", "place"), [(1, LOCAL), (NETWORK_B, "b")])
def test_behind_one_address_nobody_knows_who(network: int, place: str, scene: Scene, box: Box) -> None:
    """The last to name itself there is nobody's phone: the network decides, else the store."""
    address = scene.address(network)
    homes = ("a", "c", None)
    phones = [scene.phone(box, home, source=address) for home in homes]
    scene.boot(*phones)
    assert scene.told(scene.ask(phones[-1], *COMMON)) == dict.fromkeys(COMMON, place)
    steps = [step["text"] for step in box.records(address, 1, SOFTKEYS)[0]["steps"]]
    assert any("shared address" in step for step in steps), steps


def test_an_address_changes_hands(scene: Scene, box: Box) -> None:
    """A phone of another cluster gets the address of one that is gone."""
    first = replace(scene.phone(box, "a"), common=COMMON)
    second = replace(scene.phone(box, "c", source=first.source), common=COMMON)
    scene.boot(first)
    scene.clusters["a"].remove(*own_files(first.mac))
    (got,) = scene.boot(second)
    assert scene.told(got) == wanted(second, "c")


@pytest.mark.parametrize(("network", "place"), [(1, LOCAL), (NETWORK_B, LOCAL)])
def test_a_client_that_never_named_itself(network: int, place: str, scene: Scene, box: Box) -> None:
    """The store first; then the cluster of its network, then the others in order."""
    client = scene.phone(box, None, network)
    assert scene.told(scene.ask(client, *COMMON)) == dict.fromkeys(COMMON, place)


@pytest.mark.parametrize(("network", "place"), [(1, "a"), (NETWORK_B, "b")])
def test_a_client_that_never_named_itself_without_local_files(
    network: int, place: str, scene: Scene, box: Box
) -> None:
    name = "DistinctiveRingList.xml"
    for each in PLACES:
        scene.give(each, name)
    client = scene.phone(box, None, network)
    assert scene.told(scene.ask(client, name)) == {name: place}
