"""A phone is moved from one cluster to another: no command, no wait, and never files of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from tests.netns.boot import Got, Load, Phone
from tests.netns.cucm import put
from tests.netns.cucm_files import COMMON, own_files
from tests.netns.cucm_lists import TFTP, record, trust_list
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LOCAL, PLACES, Scene, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND
from tests.netns.process import wait_for

pytestmark = pytest.mark.root

START = 2.5  # s between two boots: what was fetched for one does not serve the other
GOING_ON = 11.0  # s
TRANSPORTS = pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
WAYS = [(old, new, http) for old, new in permutations((*PLACES, LOCAL), 2) for http in (True, False)]


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON)
        yield running


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    return scene.box()


@pytest.fixture(scope="module")
def boots(scene: Scene, box: Box) -> dict[tuple[str, str, bool], tuple[Phone, list[dict[str, str]]]]:
    """By the way that a phone is moved: the phone, and its boots before and after, and between where it
    is on both for a while.
    """
    phones = {way: replace(scene.phone(box, None), http=way[2], common=COMMON) for way in WAYS}
    told: dict[tuple[str, str, bool], list[dict[str, str]]] = {way: [] for way in WAYS}

    def boot() -> None:
        for way, got in zip(WAYS, scene.boot(*phones.values()), strict=True):
            told[way].append(scene.told(got))

    for (old, _, _), phone in phones.items():
        scene.have(box, old, *own_files(phone.mac))
    boot()
    wait(START)
    for (old, new, _), phone in phones.items():
        scene.have(box, new, *own_files(phone.mac))
        scene.lack(box, old, *own_files(phone.mac))
    boot()
    return {way: (phones[way], told[way]) for way in WAYS}


@pytest.mark.parametrize(("old", "new", "http"), WAYS)
def test_next_boot(
    old: str, new: str, http: bool, boots: dict[tuple[str, str, bool], tuple[Phone, list[dict[str, str]]]]
) -> None:
    """Everything comes from the new place on the very next boot; from the local store and to it, too."""
    phone, (before, after) = boots[old, new, http]
    common = dict.fromkeys(COMMON, NOT_FOUND)  # the store has none
    assert before == wanted(phone, old) | (common if old == LOCAL else {})
    assert after == wanted(phone, new) | (common if new == LOCAL else {})


@TRANSPORTS
def test_on_both_for_a_while(http: bool, scene: Scene, box: Box) -> None:
    """Added there before it is deleted here: a whole boot of one, then a whole boot of the other."""
    phone = replace(scene.phone(box, "a"), http=http, common=COMMON)
    scene.boot(phone)
    scene.give("b", *own_files(phone.mac))
    (between,) = scene.boot(phone)
    scene.clusters["a"].remove(*own_files(phone.mac))
    wait(START)
    (after,) = scene.boot(phone)
    assert scene.told(between) == wanted(phone, "a")
    assert scene.told(after) == wanted(phone, "b")


def test_while_they_boot(scene: Scene, box: Box) -> None:
    """Each at another file, as it happens: from the first file of the new cluster on, none of the old; and
    whatever boot begins after that is whole.
    """
    steps = 6
    phones = [
        replace(scene.phone(box, "a"), http=http, common=COMMON, seconds=GOING_ON, pause=pause, rest=START)
        for http in (True, False)
        for pause in (step / 20 for step in range(1, steps + 1))
    ]
    marks = scene.marks()
    load = Load(scene.phones, phones)
    last = phones[steps - 1]  # the slowest
    wait_for(lambda: bool(scene.asked(marks, f"SEP{last.mac}.cnf.xml.sgn")), "they boot")
    for phone in phones:
        scene.move(phone.mac, "a", "b")
    for phone, got in zip(phones, load.result(), strict=True):
        told = [[scene.place(each) for each in boot if each.name in _homed(phone)] for boot in _boots(got)]
        whole = [set(boot) in ({"a"}, {"b"}) for boot in told]
        assert whole.count(False) <= 1, told
        assert set(told[-1]) == {"b"}, told
        clusters = [place for boot in told for place in boot if place in PLACES]
        assert clusters == sorted(clusters), told


def _homed(phone: Phone) -> set[str]:
    return {*own_files(phone.mac), *COMMON}


def _boots(got: tuple[Got, ...]) -> list[list[Got]]:
    """Cut where a boot begins."""
    boots: list[list[Got]] = []
    for each in got:
        if each.name.startswith("CTLSEP"):
            boots.append([])
        boots[-1].append(each)
    return boots


def test_deleted_everywhere(scene: Scene, box: Box) -> None:
    """Then it is nobody's phone; and somebody's again when it is added."""
    phone = scene.phone(box, "a")
    scene.boot(phone)
    scene.clusters["a"].remove(*own_files(phone.mac))
    wait(START)
    (got,) = scene.boot(phone)
    assert set(scene.told(got).values()) == {NOT_FOUND}
    box.command("forget", f"SEP{phone.mac}")
    scene.give("c", *own_files(phone.mac))
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "c")


def test_command(scene: Scene, box: Box) -> None:
    """It tells what is left to do, until nothing is; the phone has its new home then."""
    phone = replace(scene.phone(box, "a"), common=COMMON)
    device = f"SEP{phone.mac}"
    scene.boot(phone)

    lacks = box.report("move", device, "--to", "b")
    assert (lacks["done"], lacks["home_before"]) == (False, "a")
    assert f"b does not have {device}: add it there" in lacks["left"]
    assert _has(lacks) == {LOCAL: False, "a": True, "b": False, "c": False}
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "a")

    scene.give("b", *own_files(phone.mac))
    both = box.report("move", device, "--to", "b")
    assert not both["done"]
    assert both["left"] == [f"a still has {device}: delete it there"]
    assert box.command("move", device, "--to", "b").returncode == 1
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "b"), "the new cluster has it, and the command says so"

    scene.clusters["a"].remove(*own_files(phone.mac))
    done = box.report("move", device, "--to", "b")
    assert (done["done"], done["left"], done["home_before"]) == (True, [], "b")
    said = box.command("move", device, "--to", "b")
    assert said.returncode == 0
    assert f"done: b is the home of {device}" in said.stdout
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "b")


@pytest.mark.parametrize(
    ("named", "accepted", "left"),
    [
        (("CN=a", "CN=b"), True, []),
        (("CN=a",), False, ["the phone's trust lists do not name CN=b, who signs for b: "]),
        ((), None, []),
    ],
)
def test_command_tells_whether_the_signer_is_accepted(
    named: tuple[str, ...], accepted: bool | None, left: list[str], scene: Scene, box: Box
) -> None:
    """By the trust lists that the phone has of its present cluster; where these can be read."""
    phone = scene.phone(box, "a")
    if named:
        name = f"ITLSEP{phone.mac}.tlv"
        records = [record(TFTP, each) for each in named]
        put(scene.clusters["a"].root, name, trust_list("a", name, *records))
    scene.boot(phone)
    scene.give("b", *own_files(phone.mac))
    moved = box.report("move", f"SEP{phone.mac}", "--to", "b")
    assert (moved["signer"], moved["signer_accepted"]) == ("CN=b", accepted)
    assert not moved["done"]
    assert moved["left"][0] == f"a still has SEP{phone.mac}: delete it there"
    assert [text[: len(words)] for text, words in zip(moved["left"][1:], left, strict=True)] == left
    said = box.command("move", f"SEP{phone.mac}", "--to", "b").stdout
    words = {True: "the phone accepts that", False: "not by the phone's", None: "is not known"}[accepted]
    assert words in said


def _has(moved: dict[str, list[dict[str, object]]]) -> dict[object, object]:
    return {place["place"]: place["has_it"] for place in moved["places"]}


def test_command_while_the_old_cluster_is_silent(scene: Scene, box: Box) -> None:
    phone = scene.phone(box, "a")
    device = f"SEP{phone.mac}"
    scene.boot(phone)
    scene.give("b", *own_files(phone.mac))
    scene.clusters["a"].host.drop()
    moved = box.report("move", device, "--to", "b")
    assert moved["left"] == [f"a gives no answer: it may still have {device}"]
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "b")
    assert scene.waited(phone, got) == []
    scene.clusters["a"].host.undrop()
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "b"), "what was said by hand stays when the old cluster is back"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("SEP00270DC0FFFF", "--to", "nowhere"), "nowhere is no enabled cluster"),
        (("RingList.xml", "--to", "b"), "is no device's name"),
    ],
)
def test_command_refuses(arguments: tuple[str, ...], words: str, box: Box) -> None:
    done = box.command("move", *arguments)
    assert done.returncode == 1
    assert words in done.stderr
