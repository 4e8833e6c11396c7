"""Boxes that name each other, or themselves: found, shown, out of use, and phones still boot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.netns.boot import Phone
from tests.netns.cucm_files import COMMON
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import QUICK, Scene, slowest, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, UNAVAILABLE
from tests.netns.process import wait_for
from tests.netns.proxy import Cluster

pytestmark = pytest.mark.root

SECOND = "10.66.0.240"  # of the box that names itself
FOUND = 15.0  # s: twice the time between two looks at an address, and at the own ones
LASTS = 7.0  # s, longer than the time between two probes of a silent address
PROTOCOLS = pytest.mark.parametrize("protocol", ["auto", "http", "tftp"])


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        running.give("a", *COMMON)
        yield running


@contextmanager
def _ring(scene: Scene, count: int, protocol: str, **more: object) -> Iterator[list[Box]]:
    """Boxes each of which names the next, the last the first; all name cluster A, too, and it last."""
    hosts = [scene.lab.host(f"ring{number}") for number in range(count)]
    boxes: list[Box] = []
    try:
        for number, host in enumerate(hosts):
            after = hosts[(number + 1) % count]
            rows = [
                Cluster("next", (after.ipv4,), protocol, more),
                Cluster("a", (scene.clusters["a"].host.ipv4,)),
            ]
            boxes.append(scene.add(host, rows))
        yield boxes
    finally:
        for box in boxes:
            box.stop()


def _look_for_circles(boxes: Sequence[Box]) -> None:
    """A reload probes at once. A box that starts before the next has nobody to probe yet."""
    for box in boxes:
        box.reload()
    wait_for(lambda: _all_found(boxes), "each box knows that it is in a circle", FOUND)


def _all_found(boxes: Sequence[Box]) -> bool:
    return all("next" in box.out_of_use() for box in boxes)


def _asked(box: Box, name: str) -> int:
    """How often a box was asked for a file."""
    return len(box.report("explain", name, "--last", "100").get("requests", []))


@PROTOCOLS
@pytest.mark.parametrize("count", [2, 3])
def test_found(count: int, protocol: str, scene: Scene) -> None:
    """By boxes that start one after the other, and are left alone."""
    with _ring(scene, count, protocol) as boxes:
        wait_for(lambda: _all_found(boxes), "each box knows that it is in a circle", FOUND)


@PROTOCOLS
@pytest.mark.parametrize("count", [2, 3])
def test_ring(count: int, protocol: str, scene: Scene) -> None:
    """Shown at each of them, and it stays so; what is left serves."""
    with _ring(scene, count, protocol) as boxes:
        _look_for_circles(boxes)
        for box in boxes:
            assert set(box.out_of_use()) == {"next"}
            assert "leads back to this box" in box.command("status").stdout
        phones = [_phone(scene, box) for box in boxes]
        for _ in range(2):
            for phone, got in zip(phones, scene.boot(*phones), strict=True):
                assert scene.told(got) == wanted(phone, "a")
                assert slowest(got) < QUICK
        found = [scene.ask(phone, "nobody.xml")[0].status for phone in phones]
        assert found == [NOT_FOUND] * count
        wait(LASTS)
        assert _all_found(boxes)
        for phone, got in zip(phones, scene.boot(*phones), strict=True):
            assert scene.told(got) == wanted(phone, "a")


def _phone(scene: Scene, box: Box, http: bool = True) -> Phone:
    return replace(scene.phone(box, "a"), http=http, common=COMMON)


@PROTOCOLS
@pytest.mark.parametrize("nat", ["no", "yes"])
@pytest.mark.parametrize("count", [2, 3])
def test_no_request_goes_round(count: int, nat: str, protocol: str, scene: Scene) -> None:
    """Neither before the circle is known nor after: each box passes a request on once at most."""
    with _ring(scene, count, protocol, nat=nat) as boxes:
        client = scene.phone(boxes[0], None)
        for number in range(6):
            if number == 3:
                _look_for_circles(boxes)
            name = f"nobody{number}.xml"
            (got,) = scene.ask(client, name)
            assert got.status in (NOT_FOUND, UNAVAILABLE)
            first, *others = (_asked(box, name) for box in boxes)
            assert (
                first <= (1 if got.over == "http" else 2) + 1
            )  # the phone, by two ways, and what came round
            assert max(others) <= 2 - (got.over == "http")
            assert number < 3 or others == [0] * (count - 1), "the circle is known"


def test_cut(scene: Scene) -> None:
    """A circle that is cut by an administrator: the other box is a cluster again on its own."""
    with _ring(scene, 2, "auto") as boxes:
        _look_for_circles(boxes)
        first, second = boxes
        second.edit(f"[[next]]\naddresses = {first.host.ipv4}\n", f"[[next]]\naddresses = {_nobody(scene)}\n")
        second.reload()
        first.reload()
        name = "OnlyOnSecond.xml"
        scene.store(second, name)
        client = scene.phone(first, None)
        wait_for(lambda: scene.told(scene.ask(client, name)) == {name: "local"}, "its files come", 90.0)
        assert first.out_of_use() == {}


def _nobody(scene: Scene) -> str:
    return scene.lab.host("idle").ipv4


@PROTOCOLS
@pytest.mark.parametrize("own", ["first", "second"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside another"])
def test_own_address(alone: bool, own: str, protocol: str, scene: Scene) -> None:
    """As the only address of a cluster, and beside a good one: told why, and not asked."""
    host = scene.lab.host("self")
    host.add(f"{SECOND}/24")
    try:
        address, good = host.ipv4 if own == "first" else SECOND, scene.clusters["a"].host.ipv4
        rows = [Cluster("self", (address,), protocol), Cluster("a", (good,))]
        box = scene.add(host, rows if alone else [Cluster("a", (address, good), protocol)])
        assert _not_asked(box) == {("self" if alone else "a", address)}
        phones = [_phone(scene, box, http) for http in (True, False)]
        for phone, got in zip(phones, scene.boot(*phones), strict=True):
            assert scene.told(got) == wanted(phone, "a")
            assert slowest(got) < QUICK
        (nothing,) = scene.ask(phones[0], "nobody.xml")
        assert nothing.status == NOT_FOUND
        assert _asked(box, "nobody.xml") == 1
        box.stop()
    finally:
        host.remove(f"{SECOND}/24")


def _not_asked(box: Box) -> set[tuple[str, str]]:
    return {
        (cluster["name"], address["address"])
        for cluster in box.ask("status")["clusters"]
        for address in cluster["addresses"]
        if address["out_of_use"]
    }


def test_an_address_that_becomes_its_own(scene: Scene) -> None:
    """And another's again: the next look at the addresses tells it, without a restart."""
    host, other = scene.lab.host("self"), "10.66.0.241"
    box = scene.add(host, [Cluster("a", (other, scene.clusters["a"].host.ipv4))])
    phone = _phone(scene, box)
    assert box.out_of_use() == {}
    host.add(f"{other}/24")
    wait_for(lambda: "a" in box.out_of_use(), "the address is known to be its own", FOUND)
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "a")
    host.remove(f"{other}/24")
    wait_for(lambda: box.out_of_use() == {}, "the address is a cluster's again", FOUND)
    (got,) = scene.boot(phone)
    assert scene.told(got) == wanted(phone, "a")
    box.stop()
