"""Boxes that name each other, or themselves: found, shown, out of use, and phones still boot.

All circles live at the same time; each test looks at one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from tests.netns.boot import Got, Phone
from tests.netns.cucm_files import COMMON
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import Scene, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, UNAVAILABLE
from tests.netns.process import wait_for
from tests.netns.proxy import Cluster
from tests.netns.wire import nft

pytestmark = pytest.mark.root

SECOND = "10.66.0.240"  # of the box that names itself
FOUND = 15.0  # s: twice the time between two looks at an address, and at the own ones
LASTS = 7.0  # s, longer than the time between two probes of a silent address
ASKED_BEFORE, ASKED_AFTER = "before.xml", "after.xml"  # nobody has these
TRANSLATION = """table ip circle {{
    chain before {{ type nat hook prerouting priority -100; ip daddr {outside} dnat to {inside}; }}
    chain after {{ type nat hook postrouting priority 100; ip daddr {inside} masquerade; }}
}}
"""
PROTOCOLS = pytest.mark.parametrize("protocol", ["auto", "http", "tftp"])

Kind = tuple[int, str, str]
"""How many boxes, by which protocol each asks the next, and `nat` of that cluster."""

RINGS: tuple[Kind, ...] = (
    (2, "auto", "no"),
    (2, "http", "no"),
    (2, "tftp", "no"),
    (2, "tftp", "yes"),
    (3, "auto", "no"),
    (3, "http", "yes"),
    (3, "tftp", "yes"),
)
KINDS = pytest.mark.parametrize("kind", RINGS, ids=["-".join(map(str, kind)) for kind in RINGS])


@dataclass(slots=True)
class Ring:
    """Boxes each of which names the next, the last the first; and what came of it. Counts are by box."""

    boxes: list[Box]
    phones: list[Phone]  # one at each box
    left_alone: bool = False  # the circle was found without help
    shown: list[str] = field(default_factory=list)  # what `status` says then
    asked_before: list[int] = field(default_factory=list)
    asked_after: list[int] = field(default_factory=list)
    answers: list[Got] = field(default_factory=list)
    boots: list[tuple[Got, ...]] = field(default_factory=list)
    waited: list[str] = field(default_factory=list)  # the clusters that these boots have waited for in vain
    lasting: bool = False


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        running.give("a", *COMMON)
        yield running


@pytest.fixture(scope="module")
def rings(scene: Scene) -> Mapping[Kind, Ring]:
    found = {kind: _ring(scene, kind) for kind in RINGS}
    every = list(found.values())
    clients = [replace(ring.phones[0], names=(ASKED_BEFORE,)) for ring in every]
    for ring, (answer,) in zip(every, scene.boot(*clients), strict=True):
        ring.answers.append(answer)
        ring.asked_before = [_asked(box, ASKED_BEFORE) for box in ring.boxes]
    try:
        wait_for(lambda: all(_known(ring) for ring in every), "all circles are known", FOUND)
    except AssertionError:
        pass  # `left_alone` tells which
    for ring in every:
        ring.left_alone = _known(ring)
    for ring in every:
        _help(ring)
        ring.shown = [box.command("status").stdout for box in ring.boxes]
    clients = [replace(ring.phones[0], names=(ASKED_AFTER,)) for ring in every]
    for ring, (answer,) in zip(every, scene.boot(*clients), strict=True):
        ring.answers.append(answer)
        ring.asked_after = [_asked(box, ASKED_AFTER) for box in ring.boxes]
    for pause in (LASTS, 0):
        boots = iter(scene.boot(*(phone for ring in every for phone in ring.phones)))
        for ring in every:
            for phone in ring.phones:
                ring.boots.append(next(boots))
                ring.waited += scene.waited(phone, ring.boots[-1])
        wait(pause)
    for ring in every:
        ring.lasting = _known(ring)
    return found


def _ring(scene: Scene, kind: Kind) -> Ring:
    count, protocol, nat = kind
    hosts = [scene.lab.host(f"{count}{protocol}{nat}{number}") for number in range(count)]
    boxes = []
    for number, host in enumerate(hosts):
        after = Cluster("next", (hosts[(number + 1) % count].ipv4,), protocol, {"nat": nat})
        boxes.append(scene.add(host, [after, Cluster("a", (scene.clusters["a"].host.ipv4,))]))
    return Ring(boxes, [_phone(scene, box) for box in boxes])


def _phone(scene: Scene, box: Box, http: bool = True) -> Phone:
    return replace(scene.phone(box, "a"), http=http, common=COMMON)


def _known(ring: Ring) -> bool:
    return all("next" in box.out_of_use() for box in ring.boxes)


def _help(ring: Ring) -> None:
    """A reload probes at once; what is known not to answer is not probed, hence not before it answers."""
    answering = "closed"
    wait_for(
        lambda: all(answering in box.protocols("next").values() for box in ring.boxes), "all answer", FOUND
    )
    for box in ring.boxes:
        box.reload()
    wait_for(
        lambda: _known(ring), f"each box knows the circle: {[box.out_of_use() for box in ring.boxes]}", FOUND
    )


def _asked(box: Box, name: str) -> int:
    """How often a box was asked for a file."""
    return len(box.report("explain", name, "--last", "100")["requests"])


@KINDS
def test_found(kind: Kind, rings: Mapping[Kind, Ring]) -> None:
    """By boxes that are started one after the other, and then left alone."""
    assert rings[kind].left_alone


@KINDS
def test_shown(kind: Kind, rings: Mapping[Kind, Ring]) -> None:
    """At each box, and it stays so."""
    ring = rings[kind]
    assert all("leads back to this box" in text for text in ring.shown)
    assert ring.lasting
    assert all(set(box.out_of_use()) == {"next"} for box in ring.boxes)


@KINDS
def test_no_request_goes_round(kind: Kind, rings: Mapping[Kind, Ring]) -> None:
    """Neither before the circle is known nor after; a phone that is told "unavailable" asks twice."""
    ring = rings[kind]
    before, after = ring.answers
    assert before.status in (NOT_FOUND, UNAVAILABLE)
    times = 1 if before.over == "http" else 2
    assert ring.asked_before[0] <= 2 * times  # by the phone, and what came back
    assert max(ring.asked_before[1:]) <= times
    assert after.status == NOT_FOUND
    assert ring.asked_after == [1] + [0] * (len(ring.boxes) - 1)


@KINDS
def test_phones_boot(kind: Kind, scene: Scene, rings: Mapping[Kind, Ring]) -> None:
    """From what is left, at every box."""
    ring = rings[kind]
    for phone, got in zip(ring.phones * 2, ring.boots, strict=True):
        assert scene.told(got) == wanted(phone, "a")
    assert ring.waited == []


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
        not_asked = {("self" if alone else "a", address)}
        wait_for(lambda: _not_asked(box) == not_asked, "the address is known to be its own")
        phones = [_phone(scene, box, http) for http in (True, False)]
        for phone, got in zip(phones, scene.boot(*phones), strict=True):
            assert scene.told(got) == wanted(phone, "a")
            assert scene.waited(phone, got) == []
        (nothing,) = scene.ask(phones[0], "nobody.xml")
        assert nothing.status == NOT_FOUND
        assert _asked(box, "nobody.xml") == 1
        box.stop()
    finally:
        host.remove(f"{SECOND}/24")


@PROTOCOLS
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside another"])
def test_own_address_behind_translation(alone: bool, protocol: str, scene: Scene) -> None:
    """Seen by its probes alone, which come back: that address is not asked, and one beside it is."""
    host, router = scene.lab.host("self"), scene.lab.host("router")
    router.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
    nft(router.namespace, TRANSLATION.format(outside=router.ipv4, inside=host.ipv4))
    try:
        address, good = router.ipv4, scene.clusters["a"].host.ipv4
        rows = [Cluster("self", (address,), protocol), Cluster("a", (good,))]
        box = scene.add(host, rows if alone else [Cluster("a", (address, good), protocol)])
        not_asked = {("self" if alone else "a", address)}
        wait_for(lambda: _not_asked(box) == not_asked, "the address is known to be its own", FOUND)
        what = "leads back to this box" if protocol == "tftp" else "an address of this box itself"
        assert all(f"{what}: a probe came back over" in why for why in box.out_of_use().values())
        phones = [_phone(scene, box, http) for http in (True, False)]
        for phone, got in zip(phones, scene.boot(*phones), strict=True):
            assert scene.told(got) == wanted(phone, "a")
            assert scene.waited(phone, got) == []
        (nothing,) = scene.ask(phones[0], "nobody.xml")
        assert nothing.status == NOT_FOUND
        assert _asked(box, "nobody.xml") == 1
        box.stop()
    finally:
        nft(router.namespace, "delete table ip circle\n")


@PROTOCOLS
def test_a_circle_beside_a_good_address(protocol: str, scene: Scene) -> None:
    """Only the address that leads into the circle is not asked, by the box that has another."""
    host, other, good = scene.lab.host("self"), scene.lab.host("sister"), scene.clusters["a"].host.ipv4
    box = scene.add(host, [Cluster("a", (other.ipv4, good), protocol)])
    sister = scene.add(other, [Cluster("next", (host.ipv4,), protocol)])
    known = [{("a", other.ipv4)}, {("next", host.ipv4)}]
    wait_for(lambda: [_not_asked(each) for each in (box, sister)] == known, "the circle is known", FOUND)
    for phone in (_phone(scene, box, http) for http in (True, False)):
        (got,) = scene.boot(phone)
        assert scene.told(got) == wanted(phone, "a")
        assert scene.waited(phone, got) == []
    assert [each.ask("status")["clusters"][0]["out_of_use"] == "" for each in (box, sister)] == [True, False]
    box.stop()
    sister.stop()


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
