"""Clusters that serve badly: a phone gets a whole file or an error, and nothing bad is remembered.

All faults are asked for at the same time, over HTTP and TFTP, from clusters that speak HTTP, TFTP and both;
each test looks at one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from tests.netns.boot import Got, Phone
from tests.netns.cucm import put
from tests.netns.cucm_files import content
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import Scene, wait
from tests.netns.cucm_served import Fault
from tests.netns.files import digest
from tests.netns.lab import Host, Lab
from tests.netns.phone import BROKEN, NOT_FOUND, SILENT, UNAVAILABLE, WHOLE
from tests.netns.process import wait_for
from tests.netns.proxy import Cluster

pytestmark = pytest.mark.root

PROTOCOLS = {"a": "auto", "b": "http", "c": "tftp"}
SHARED = 2.5  # s, above the time for which what was fetched serves those who ask again
SMALL = 12  # bytes of a file that trickles
HARMLESS = {Fault.NO_LENGTH, Fault.CHUNKED, Fault.SLOW}
"""The whole file comes all the same."""
BY_CHANCE = {Fault.TRICKLE}
"""The whole file comes, or patience ends: both will do."""

Key = tuple[str, Fault, str]
"""Cluster, fault, and the transport of the phone."""

KEYS: list[Key] = [(place, fault, over) for place in PROTOCOLS for fault in Fault for over in ("http", "tftp")]
EACH = pytest.mark.parametrize(("place", "fault", "over"), KEYS, ids=[f"{p}-{f.name}-{o}" for p, f, o in KEYS])


@dataclass(frozen=True, slots=True)
class Looked:
    """What each phone got in its first answer, while the fault lasted; then when it was over, and how the
    proxy was after all that.
    """

    bad: Mapping[Key, Got]
    good: Mapping[Key, Got]
    whole: Mapping[Key, str]
    kept: bool  # something is still held


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        yield running


@pytest.fixture(scope="module")
def looked(scene: Scene) -> Looked:
    """One proxy a cluster, with little room, so that what is endless comes to an end."""
    boxes = {place: _box(scene, place) for place in PROTOCOLS}
    whole = {key: _make(scene, key) for key in KEYS}
    phones = {key: _phone(scene, boxes[key[0]], key) for key in KEYS}
    bad = dict(zip(KEYS, (_told(got, key) for key, got in zip(KEYS, scene.boot(*phones.values()), strict=True)), strict=True))
    for place, fault, over in KEYS:
        scene.clusters[place].fault(_name(fault, over), None)
    wait(SHARED)
    for box in boxes.values():
        wait_for(lambda box=box: "open" not in str(box.protocols(_place(box))), "all answers", 10.0)  # type: ignore[misc]
    good = dict(zip(KEYS, (_told(got, key) for key, got in zip(KEYS, scene.boot(*phones.values()), strict=True)), strict=True))
    return Looked(bad, good, whole, any(not _idle(box) for box in boxes.values()))
