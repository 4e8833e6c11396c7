"""SIGHUP: a changed list of clusters, while phones are served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import gt

import pytest

from tests.netns.boot import Load
from tests.netns.cucm_files import COMMON, RINGS, own_files
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import PLACES, Scene, wanted
from tests.netns.cucm_served import Fault
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND
from tests.netns.process import wait_for
from tests.netns.proxy import Cluster

pytestmark = pytest.mark.root

TRANSPORTS = pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON)
        yield running


def _section(scene: Scene, place: str) -> str:
    return f"[[{place}]]\naddresses = {scene.clusters[place].host.ipv4}\nprotocol = auto\n"


def _clusters(box: Box) -> list[str]:
    return [cluster["name"] for cluster in box.ask("status")["clusters"]]


def _requests(box: Box) -> tuple[int, int]:
    counters = box.ask("status")["counters"]
    return counters["requests_tftp"], counters["requests_http"]


def test_a_running_transfer_goes_on(scene: Scene) -> None:
    """From a cluster that is removed meanwhile; over both transports to its end, whole."""
    box = scene.box()
    slow = RINGS.replace("Ring", "Slow")
    scene.give("a", slow)
    phones = [replace(scene.phone(box, "a"), http=http, names=(slow,)) for http in (True, False)]
    scene.boot(*(replace(phone, names=()) for phone in phones))
    scene.clusters["a"].fault(slow, Fault.SLOW)
    before = _requests(box)
    load = Load(scene.phones, phones)
    wait_for(lambda: all(map(gt, _requests(box), before)), "both have asked")
    wait_for(lambda: slow in scene.clusters["a"].names(), "the file is asked for")
    box.edit(_section(scene, "a"), "")
    box.reload()
    assert _clusters(box) == ["b", "c"]
    for got in load.result():
        assert scene.told(got) == {slow: "a"}
        assert got[0].seconds > 1, "it was slow enough to be caught"
    assert scene.told(scene.ask(phones[0], slow)) == {slow: NOT_FOUND}
    scene.clusters["a"].fault(slow, None)


@TRANSPORTS
def test_a_removed_cluster(http: bool, scene: Scene) -> None:
    """Nothing of it is served any more, home or copy; its phones can be another's at once."""
    box = scene.box({"lookup": {"stale": 86400, "stale_configs": "yes"}})
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    other = replace(scene.phone(box, "b"), http=http, common=COMMON)
    scene.boot(phone, other)
    copies = 2 * (3 + len(COMMON))  # own files, one of them as evidence, and what is shared
    wait_for(lambda: box.ask("status")["copies"]["entries"] == copies, "copies are kept")
    box.edit(_section(scene, "a"), "")
    box.reload()
    status = box.ask("status")
    assert status["devices"]["homes"] == 1
    assert status["copies"]["entries"] == copies / 2
    marks = scene.marks()
    gone, kept = scene.boot(phone, other)
    told = scene.told(gone)
    assert "a" not in told.values()
    assert {told[name] for name in (f"ITLSEP{phone.mac}.tlv", f"SEP{phone.mac}.cnf.xml.sgn")} == {NOT_FOUND}
    assert scene.told(kept) == wanted(other, "b")
    assert "a" not in scene.asked(marks)
    assert box.ask("status")["held"]["negative_entries"] > 0
    box.command("forget", "--all")
    scene.give("c", *own_files(phone.mac))
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "c")


@TRANSPORTS
def test_an_added_cluster(http: bool, scene: Scene) -> None:
    """Asked from the next request on: what was not found before it came is looked for again."""
    box = scene.add(
        scene.lab.host("box"), [Cluster(place, (scene.clusters[place].host.ipv4,)) for place in "ab"]
    )
    phone = replace(scene.phone(box, "c"), http=http, common=COMMON)
    (before,) = scene.boot(phone)
    assert NOT_FOUND in {scene.told(before)[name] for name in own_files(phone.mac)[:2]}
    box.edit(_section(scene, "b"), _section(scene, "b") + _section(scene, "c"))
    box.reload()
    (after,) = scene.boot(phone)
    assert scene.told(after) == wanted(phone, "c")


def test_another_address(scene: Scene) -> None:
    """The cluster has moved to another machine: its phones are asked for there, and are still its own."""
    box = scene.box()
    phone = replace(scene.phone(box, "b"), common=COMMON)
    scene.boot(phone)
    scene.clusters["b"].host.drop()
    second = scene.clusters["c"].host  # which now plays B's machine
    scene.clusters["c"].write(*own_files(phone.mac))
    scene.origins.note("c", *own_files(phone.mac))
    box.edit(_section(scene, "c"), "")
    box.edit(f"addresses = {scene.clusters['b'].host.ipv4}\n", f"addresses = {second.ipv4}\n")
    box.reload()
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "c"), "the bytes of the machine that is asked now"
    assert scene.waited(phone, got) == []
    assert {record["source"] for record in box.records(phone.source, 3)} == {"b"}
    scene.clusters["b"].host.undrop()


def test_switched_off_and_on(scene: Scene) -> None:
    box = scene.box()
    phone = replace(scene.phone(box, "a"), common=COMMON)
    scene.boot(phone)
    on, off = _section(scene, "a"), _section(scene, "a") + "enabled = no\n"
    box.edit(on, off)
    box.reload()
    marks = scene.marks()
    (got,) = scene.boot(phone)
    assert "a" not in scene.told(got).values()
    assert "a" not in scene.asked(marks)
    box.edit(off, on)
    box.reload()
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "a")


@pytest.mark.parametrize("fault", ["addresses = nowhere", "adresses = 10.1.1.1", "[[b]]"])
def test_a_faulty_file_changes_nothing(fault: str, scene: Scene) -> None:
    box = scene.box()
    phone = scene.phone(box, "a")
    scene.boot(phone)
    box.edit(_section(scene, "a"), f"[[z]]\n{fault}\n")
    box.reload()
    assert "not reloaded" in box.process.output()
    assert _clusters(box) == list(PLACES)
    assert scene.told(scene.ask(phone, *COMMON)) == dict.fromkeys(COMMON, "a")
