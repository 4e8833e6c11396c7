"""Clusters whose files come from servers of other people, over TFTP alone, beside call managers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.netns import servers
from tests.netns.cucm_files import COMMON
from tests.netns.cucm_proxy import Box
from tests.netns.cucm_scene import PLACES, Scene, wanted
from tests.netns.lab import Host, Lab

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def scene(lab: Lab, phone: Host) -> Iterator[Scene]:
    """`a` is served by tftp-hpa, `b` by dnsmasq, `c` by a call manager whose HTTP is switched off."""
    with Scene(lab, phone, {"a": frozenset(), "b": frozenset(), "c": frozenset({"tftp"})}) as running:
        east, west = running.clusters["a"], running.clusters["b"]
        started = [servers.tftpd_hpa(east.host, east.root), servers.dnsmasq(west.host, west.root)]
        for place in PLACES:
            running.give(place, *COMMON)
        yield running
        for server in started:
            server.stop()


@pytest.fixture(scope="module")
def box(scene: Scene) -> Box:
    return scene.box()


@pytest.mark.parametrize("http", [True, False], ids=["http", "tftp"])
def test_all_at_once(http: bool, scene: Scene, box: Box) -> None:
    """First boot and second; a phone's HTTP is answered as well."""
    phones = [replace(scene.phone(box, place), http=http, common=COMMON) for place in PLACES]
    for _ in range(2):
        boots = scene.boot(*phones)
        expected = [wanted(phone, place) for phone, place in zip(phones, PLACES, strict=True)]
        assert [scene.told(got) for got in boots] == expected
        assert {each.over for got in boots for each in got} == {"http" if http else "tftp"}
        waited = [scene.waited(phone, got) for phone, got in zip(phones, boots, strict=True)]
        assert waited == [[]] * len(phones)
