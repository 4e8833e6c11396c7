"""Clusters that serve badly: a phone gets a whole file or an error, and nothing bad is remembered.

Many faults are asked for at the same time, over HTTP and TFTP, from clusters that speak HTTP, TFTP and both;
each test looks at one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.netns import files
from tests.netns.cucm import put
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import Scene, wait
from tests.netns.cucm_served import Fault
from tests.netns.lab import Host, Lab
from tests.netns.phone import BROKEN, UNAVAILABLE, WHOLE, Answer, Job, ask
from tests.netns.process import wait_for
from tests.netns.proxy import BUDGET, Cluster
from tests.netns.servers import HTTP_PORT, TFTP_PORT

pytestmark = pytest.mark.root

PROTOCOLS = {"a": "auto", "b": "http", "c": "tftp"}
PORTS = {"http": HTTP_PORT, "tftp": TFTP_PORT}
SHARED = 2.5  # s, above the time for which what was fetched serves those who ask again
SIZE, SMALL = 30_000, 12  # bytes; the small one for what comes byte by byte
PATIENCE = 20.0  # s of a phone
ROOM = {"cache": {"size": "4M", "memory": "4M"}}  # what is endless soon comes to an end
GREEDY = (Fault.ENDLESS, Fault.ENDLESS_LENGTH, Fault.SILENT)
"""These fill the room, or have the cluster held for silent: asked for when all others are through."""
HARMLESS = (Fault.NO_LENGTH, Fault.CHUNKED, Fault.TRICKLE, Fault.SLOW)
"""The whole file comes all the same."""

Key = tuple[str, Fault, str]
"""Cluster, fault, and the transport of the phone."""

KEYS: list[Key] = [(place, fault, over) for place in PROTOCOLS for fault in Fault for over in PORTS]
EACH = pytest.mark.parametrize(
    "key", KEYS, ids=[f"{PROTOCOLS[place]}-{fault.name}-{over}" for place, fault, over in KEYS]
)


@dataclass(slots=True)
class Looked:
    """What each phone got while the fault lasted, and when it was over."""

    bad: dict[Key, Answer] = field(default_factory=dict)
    good: dict[Key, Answer] = field(default_factory=dict)


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        yield running


@pytest.fixture(scope="module")
def boxes(scene: Scene) -> Mapping[str, Box]:
    """One proxy a cluster."""
    return {
        place: scene.add(
            scene.lab.host(f"up-{place}"),
            [Cluster(place, (scene.clusters[place].host.ipv4,), protocol)],
            ROOM,
        )
        for place, protocol in PROTOCOLS.items()
    }


@pytest.fixture(scope="module")
def looked(scene: Scene, boxes: Mapping[str, Box]) -> Looked:
    for key in KEYS:
        place, fault, _ = key
        put(scene.clusters[place].root, _name(key), _body(key))
        scene.clusters[place].fault(_name(key), fault)
    found = Looked()
    for greedy in (False, True):
        keys = [key for key in KEYS if (key[1] in GREEDY) is greedy]
        found.bad |= _ask(scene, boxes, keys)
    for key in KEYS:
        scene.clusters[key[0]].fault(_name(key), None)
    wait(SHARED)
    for place, box in boxes.items():
        wait_for(partial(_in_use, box, place), f"{place} is in use", 10.0)
    found.good = _ask(scene, boxes, KEYS)
    return found


def _name(key: Key) -> str:
    _, fault, over = key
    return f"{fault.name.lower()}-{over}.xml"


def _body(key: Key) -> bytes:
    place, fault, _ = key
    return files.body(f"{place}/{_name(key)}", SMALL if fault is Fault.TRICKLE else SIZE)


def _ask(scene: Scene, boxes: Mapping[str, Box], keys: list[Key]) -> dict[Key, Answer]:
    jobs = [
        Job(boxes[key[0]].host.ipv4, key[2], PORTS[key[2]], (_name(key),), patience=PATIENCE) for key in keys
    ]
    return {key: answer for key, (answer,) in zip(keys, ask(scene.phones, jobs), strict=True)}


def _in_use(box: Box, place: str) -> bool:
    return "closed" in box.protocols(place).values()


@EACH
def test_whole_or_an_error(key: Key, looked: Looked) -> None:
    """Never a part of a file that looks like all of it; never "not found"."""
    _, fault, _ = key
    answer = looked.bad[key]
    assert answer.status in ((WHOLE,) if fault in HARMLESS else (WHOLE, BROKEN, UNAVAILABLE)), answer
    if answer.status == WHOLE:
        assert (answer.size, answer.digest) == (len(_body(key)), files.digest(_body(key)))
    if fault in (Fault.SILENT, Fault.REFUSED):
        assert answer.status == UNAVAILABLE, answer
        assert answer.seconds < 5 * BUDGET


@EACH
def test_nothing_bad_is_kept(key: Key, looked: Looked) -> None:
    """Asked for again when the cluster serves it well: all of it."""
    answer = looked.good[key]
    assert (answer.status, answer.digest) == (WHOLE, files.digest(_body(key))), answer


def test_nothing_is_held(boxes: Mapping[str, Box], looked: Looked) -> None:
    """No body, no transfer, no fetch stays behind."""
    assert looked.bad

    def nothing_held(box: Box) -> bool:
        found = box.ask("status")["held"]
        return not any(found[key] for key in ("transfers", "http_connections", "fetches", "disk_bytes"))

    for box in boxes.values():
        wait_for(partial(nothing_held, box), "nothing is held", 20.0)
        assert box.ask("status")["counters"]["faults"] == 0
