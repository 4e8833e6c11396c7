from __future__ import annotations

import pytest

from appliance.config.changes import RESTART, Changes, changes, in_force
from appliance.config.load import parse
from appliance.config.model import Configuration

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
        (of(EAST), of(EAST + "description = x\n"), Changes()),
        (of(EAST), of(EAST + "http_port = 7000\n"), Changes(changed=("east",))),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.2\n"), Changes(changed=("east",))),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.1, 10.1.0.2\n"), Changes(changed=("east",))),
        (of(EAST), of("[[east]]\naddresses = 10.1.0.1\nprotocol = tftp\n"), Changes(changed=("east",))),
        (of(EAST), of(EAST, "[tftp]\nport = 70\nretries = 3"), Changes(restart=("[tftp] port",))),
        (of(EAST), of(EAST, "[paths]\ndata = /x"), Changes(restart=("[paths] data", "[local] root"))),
    ],
)
def test_changes(old: Configuration, new: Configuration, found: Changes) -> None:
    assert changes(old, new) == found


def test_what_waits_for_the_next_start_stays() -> None:
    old = of(EAST)
    new = of(WEST, "[tftp]\nport = 70\nretries = 3\n[lookup]\nbudget = 2\n[cache]\nmemory = 2M")
    after = in_force(old, new)
    assert after.clusters == new.clusters
    assert (after.tftp.port, after.tftp.retries, after.lookup.budget) == (69, 3, 2)
    assert after.cache == old.cache
    assert changes(after, new).restart == ("[tftp] port", "[cache] memory")


def test_the_settings_exist() -> None:
    configuration = of(EAST)
    for section, keys in RESTART.items():
        for key in keys:
            assert hasattr(getattr(configuration, section), key)
