"""Boxes in a chain: one's cluster is another box, which names the clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.netns.cucm_files import COMMON
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LOCAL, Scene, wanted
from tests.netns.lab import Host, Lab
from tests.netns.proxy import Cluster

pytestmark = pytest.mark.root

FILE = "OnlyBehind.xml"


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        running.give("a", *COMMON)
        running.give("b", FILE)
        yield running


@pytest.fixture(scope="module")
def behind(scene: Scene) -> Box:
    return scene.add(scene.lab.host("behind"), [Cluster("b", (scene.clusters["b"].host.ipv4,))])


@pytest.fixture(scope="module")
def before(scene: Scene, behind: Box) -> Box:
    rows = [Cluster("next", (behind.host.ipv4,)), Cluster("a", (scene.clusters["a"].host.ipv4,))]
    return scene.add(scene.lab.host("before"), rows)


def _number(box: Box) -> str:
    return f"appliance-{(box.folder / 'data/state/box-id').read_text().strip()}"


@pytest.mark.parametrize("name", [FILE, "Nobodys.xml"])
def test_it_is_named(name: str, before: Box, behind: Box) -> None:
    """By `find`, whether it says that it has the file or not; clusters are not."""
    found = {place["place"]: place for place in before.report("find", name)["places"]}
    assert {place: each["proxy"] for place, each in found.items()} == {
        LOCAL: None,
        "next": _number(behind),
        "a": None,
    }
    assert found["next"]["has_it"] is False, "it gives nothing of others to others"
    assert f"next ({_number(behind)})" in before.command("find", name).stdout
    beyond = {place["place"]: place["proxy"] for place in behind.report("find", name)["places"]}
    assert beyond == {LOCAL: None, "b": None}


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
def test_phones_boot(http: bool, scene: Scene, before: Box, behind: Box) -> None:
    """At each box from its own clusters; nothing goes through both."""
    near = replace(scene.phone(before, "a"), http=http, common=COMMON)
    far = replace(scene.phone(behind, "b"), http=http)
    lost = replace(scene.phone(before, "b"), http=http)
    marks = scene.marks()
    boots = scene.boot(near, far, lost)
    assert [scene.told(got) for got in boots[:2]] == [wanted(near, "a"), wanted(far, "b")]
    assert "b" not in scene.told(boots[2]).values()
    assert set(scene.asked(marks, lost.mac)) == {"a"}
