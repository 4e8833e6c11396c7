"""The proxy is killed under load, again and again: what it serves then is whole and right, and it still
knows whose phone is whose.

Five times, and a hundred in a long run (`--long`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.netns.boot import Got, Load, Phone
from tests.netns.cucm_files import COMMON, configuration
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import PLACES, Scene, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import NOT_FOUND, WHOLE
from tests.netns.process import wait_for

pytestmark = pytest.mark.root

KILLS, KILLS_LONG = 5, 100
PHONES = 8  # of each cluster
LOADED = 1.5  # s for which they go on booting around a kill
START = 2.5  # s between two boots: what was fetched for one does not serve the other
STALE = {"lookup": {"stale": 86400, "stale_configs": "yes"}}


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON)
        yield running


@pytest.fixture(scope="module")
def homes(scene: Scene, box: Box) -> dict[Phone, str]:
    """Phones and their clusters; all have booted, and the homes are on disk: they are written at the end."""
    found = {
        replace(scene.phone(box, place), http=number % 2 == 0, common=COMMON, patience=1.5): place
        for place in PLACES
        for number in range(PHONES)
    }
    _assert_right(scene, found, scene.boot(*found))
    files = PHONES * len(PLACES) * 2 + len(PLACES) * len(COMMON)  # ITL and configuration; what is shared
    wait_for(lambda: box.ask("status")["copies"]["entries"] >= files, "copies of all are kept")
    box.stop()
    box.start()
    return found


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    return scene.box(STALE)


def _assert_right(scene: Scene, homes: dict[Phone, str], boots: Sequence[tuple[Got, ...]]) -> None:
    for (phone, place), got in zip(homes.items(), boots, strict=True):
        assert scene.told(got) == wanted(phone, place)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(KILLS_LONG if metafunc.config.getoption("--long") else KILLS))


def test_killed_under_load(kill: int, scene: Scene, box: Box, homes: dict[Phone, str]) -> None:
    load = Load(scene.phones, [replace(phone, seconds=LOADED) for phone in homes])
    wait_for(lambda: box.ask("status")["counters"]["bytes_sent"] > 0, "phones are served")
    wait(random.uniform(0, LOADED))
    box.kill()
    box.start()
    for (phone, place), got in zip(homes.items(), load.result(), strict=True):
        expected = wanted(phone, place)
        for each in got:
            if each.status == WHOLE:
                assert scene.place(each) == expected[each.name], each
            assert each.status != NOT_FOUND or expected[each.name] == NOT_FOUND, each
    _assert_its_home_alone_is_asked(scene, homes)


def _assert_its_home_alone_is_asked(scene: Scene, homes: dict[Phone, str]) -> None:
    wait(START)
    marks = scene.marks()
    _assert_right(scene, homes, scene.boot(*homes))
    for phone, place in homes.items():
        # A comparison in the background asks for the configuration, a search for the trust list, too.
        assert set(scene.asked(marks, f"ITLSEP{phone.mac}")) <= {place}
    assert any(scene.asked(marks, f"ITLSEP{phone.mac}") for phone in homes)


def test_copies_are_whole_after_that(scene: Scene, box: Box, homes: dict[Phone, str]) -> None:
    """All clusters are silent now: what was kept on disk has to do."""
    box.kill()
    box.start()
    for cucm in scene.clusters.values():
        cucm.host.drop()
    scene.boot(*(replace(phone, common=()) for phone in homes))  # by now the silence is known
    wait_for(lambda: not box.ask("status")["held"]["transfers"], "what impatient phones have left has ended")
    boots = scene.boot(*homes)
    for (phone, place), got in zip(homes.items(), boots, strict=True):
        told, right = scene.told(got), wanted(phone, place)
        kept = (f"ITLSEP{phone.mac}.tlv", configuration(phone.mac), *COMMON)
        assert {name: told[name] for name in kept} == {name: right[name] for name in kept}
        assert scene.waited(phone, got) == []
    assert box.ask("status")["copies"]["damaged"] == 0
