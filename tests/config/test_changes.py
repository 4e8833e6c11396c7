from __future__ import annotations

import pytest

from appliance.config.changes import RESTART, Changes, changes, in_force
from appliance.config.load import parse
from appliance.config.model import Configuration
from appliance.config.verify import verify

EAST = "[[east]]\naddresses = 10.1.0.1\n"
WEST = "[[west]]\naddresses = 10.2.0.1\n"
OFF = "[[west]]\naddresses = 10.2.0.1\nenabled = no\n"


def of(clusters: str, before: str = "") -> Configuration:
    return parse(f"version = 1\n{before}\n[clusters]\n{clusters}".encode(), "test")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (of(EAST), of(EAST), Changes()),
        (of(EAST), of(EAST + WEST), Changes(added=("west",))),
        (of(EAST + WEST), of(EAST), Changes(removed=("west",))),
        (of(EAST + WEST), of(WEST + EAST), Changes()),
        (of(EAST + WEST), of(EAST + OFF), Changes(removed=("west",))),
        (of(EAST + OFF), of(EAST), Changes()),
        (of(EAST + OFF), of(EAST + WEST), Changes(added=("west",))),
        (of(EAST), of("[[ost]]\naddresses = 10.1.0.1\n"), Changes(removed=("east",), added=("ost",))),
        (of(EAST), of(EAST + "description = x\n"), Changes()),
        (of(EAST), of(EAST + "nat = yes\nsecure = yes\nstale = 5\ninventory = yes\n"), Changes()),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.1\ntftp_port = 70\n"), Changes(changed=("east",))),
        (of(EAST), of(EAST, "[networks]\n10.0.0.0/8 = east\n[autoregistration]\npolicy = east"), Changes()),
        (of(EAST), of(EAST + "http_port = 7000\n"), Changes(changed=("east",))),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.2\n"), Changes(changed=("east",))),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.1, 10.1.0.2\n"), Changes(changed=("east",))),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.1\nprotocol = tftp\n"), Changes(changed=("east",))),
        (of(EAST), of(EAST, "[tftp]\nport = 70\ndscp = ef"), Changes(restart=("[tftp] dscp",))),
        (of(EAST), of(EAST, "[system]\nhostname = x\n[network]\n[[eth0]]\n[ssh]\nenabled = yes"), Changes()),
        (of(EAST), of(EAST, "[paths]\ndata = /x"), Changes(restart=("[paths] data", "[local] root"))),
    ],
)
def test_changes(old: Configuration, new: Configuration, found: Changes) -> None:
    assert changes(old, new) == found


def test_what_waits_for_the_next_start_stays() -> None:
    old = of(EAST)
    new = of(WEST, "[tftp]\ndscp = ef\nretries = 3\n[lookup]\nbudget = 2\n[cache]\nmemory = 2M")
    after = in_force(old, new)
    assert after.clusters == new.clusters
    assert (after.tftp.dscp, after.tftp.retries, after.lookup.budget) == (24, 3, 2)
    assert after.cache == old.cache
    assert changes(after, new).restart == ("[tftp] dscp", "[cache] memory")


def test_a_network_of_the_store_stays_one_when_the_store_is_renamed() -> None:
    networks = "[networks]\n10.8.0.0/16 = east\n10.9.0.0/16 = {}"
    old = of(EAST, "[local]\nname = branch\n" + networks.format("branch"))
    new = of(EAST, "[local]\nname = main\n" + networks.format("main"))
    assert changes(old, new).restart == ("[local] name",)
    assert in_force(old, new) == old
    assert list(verify(in_force(old, new))) == []


VALUES = {
    "data": "/srv/data",
    "run": "/srv/run",
    "root": "/srv/files",
    "name": "x",
    "listen": "::1",
    "dscp": "ef",
    "size": "2M",
    "memory": "2M",
}


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section in RESTART for key in RESTART[section]]
)
def test_each_waits_for_the_next_start(section: str, key: str) -> None:
    old, new = of(EAST), of(EAST, f"[{section}]\n{key} = {VALUES.get(key, '7')}")
    assert f"[{section}] {key}" in changes(old, new).restart
    assert in_force(old, new) == old
