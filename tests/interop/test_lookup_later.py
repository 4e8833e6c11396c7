"""Two hours later: homes are compared by then, what was kept is old, and phones notice nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from tests.netns.boot import Phone
from tests.netns.cucm_files import COMMON, LOCALE, RINGS
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import LOCAL, PLACES, Scene, wait, wanted
from tests.netns.lab import Host, Lab
from tests.netns.phone import UNAVAILABLE
from tests.netns.process import wait_for
from tests.netns.proxy import Settings

pytestmark = pytest.mark.root

MODULE = "tests.netns.later"
AN_HOUR, A_DAY = 3600, 86400  # s
START = 2.5  # s between two boots: what was fetched for one does not serve the other


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    with Scene(lab, phone) as running:
        for place in PLACES:
            running.give(place, *COMMON)
        yield running


def _box(scene: Scene, settings: Settings | None = None) -> Box:
    box = scene.box(settings, host="later", module=MODULE)
    scene.store(box, RINGS, LOCALE)
    return box


def _phones(scene: Scene, box: Box) -> dict[Phone, str]:
    return {
        replace(scene.phone(box, place), http=http, common=COMMON): place
        for place in PLACES
        for http in (True, False)
    }


def _two_hours_pass(box: Box) -> None:
    """A few real ones before, as what was fetched is shared for a moment by a timer, and not by a clock."""
    wait(START)
    box.pass_time()


def _boot(scene: Scene, phones: Mapping[Phone, str]) -> list[dict[str, str]]:
    return [scene.told(got) for got in scene.boot(*phones)]


@pytest.mark.parametrize("first", ["home", "local"])
def test_common_files(first: str, scene: Scene) -> None:
    """The very same as before, of each phone's own cluster, or of the store where that comes first."""
    box = _box(scene, {"local": {"common_files": first}})
    phones = _phones(scene, box)
    local = dict.fromkeys((RINGS, LOCALE), LOCAL) if first == "local" else {}
    expected = [wanted(phone, place) | local for phone, place in phones.items()]
    assert _boot(scene, phones) == expected
    _two_hours_pass(box)
    marks = scene.marks()
    assert _boot(scene, phones) == expected
    for phone, place in phones.items():
        assert set(scene.asked(marks, f"ITLSEP{phone.mac}")) <= {place}, "the home alone, for the phone"


def test_homes_are_compared(scene: Scene) -> None:
    """By nobody within `expiry`; after it in the background, while the phone boots from its home."""
    box = _box(scene, {"lookup": {"expiry": AN_HOUR}})
    phones = _phones(scene, box)
    expected = [wanted(phone, place) for phone, place in phones.items()]
    assert _boot(scene, phones) == expected
    marks = scene.marks()
    assert _boot(scene, phones) == expected
    assert all(set(_asked(scene, marks, phone)) <= {place} for phone, place in phones.items())
    _two_hours_pass(box)
    assert _boot(scene, phones) == expected
    everywhere = set(PLACES)
    wait_for(
        lambda: all(set(_asked(scene, marks, phone)) == everywhere for phone in phones), "homes are compared"
    )


def _asked(scene: Scene, marks: Mapping[str, int], phone: Phone) -> dict[str, list[str]]:
    """Who was asked for its configuration."""
    return scene.asked(marks, f"SEP{phone.mac}.cnf.xml")


@pytest.mark.parametrize(("stale", "told"), [(AN_HOUR, UNAVAILABLE), (A_DAY, "a")])
def test_kept_files(stale: int, told: str, scene: Scene) -> None:
    """For as long as `stale` says, from when the silent cluster last confirmed them."""
    box = _box(scene, {"lookup": {"stale": stale}})
    phone = replace(scene.phone(box, "a"), common=COMMON)
    scene.boot(phone)
    wait_for(lambda: box.ask("status")["copies"]["entries"] == len(COMMON), "copies are kept")
    _two_hours_pass(box)
    scene.clusters["a"].host.drop()
    try:
        assert scene.told(scene.ask(phone, *COMMON)) == dict.fromkeys(COMMON, told)
    finally:
        scene.clusters["a"].host.undrop()
