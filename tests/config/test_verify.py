from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from appliance.config.faults import Fault
from appliance.config.model import Autoregistration, Cluster, Configuration, Paths, Policy
from appliance.config.verify import verify
from tests.config.test_load import DEFAULTS, FULL


def cluster(name: str, *addresses: str, enabled: bool = True) -> Cluster:
    return replace(FULL.clusters[0], name=name, addresses=tuple(map(ip_address, addresses)), enabled=enabled)


def clusters(*several: Cluster) -> Configuration:
    return replace(DEFAULTS, clusters=several)


def listening(*addresses: str, port: int = 69, http_port: int = 6970) -> Configuration:
    listen = tuple(map(ip_address, addresses))
    return replace(DEFAULTS, tftp=replace(DEFAULTS.tftp, listen=listen, port=port, http_port=http_port))


def store(data: str, root: str) -> Configuration:
    paths = Paths(data=Path(data), run=Path("/run"))
    return replace(DEFAULTS, paths=paths, local=replace(DEFAULTS.local, root=Path(root)))


def networks(*pairs: tuple[str, str], local: str = "local") -> Configuration:
    """With clusters east and, switched off, west."""
    both = (cluster("east", "::2"), cluster("west", "::3", enabled=False))
    named = replace(DEFAULTS.local, name=local)
    return replace(
        DEFAULTS,
        clusters=both,
        local=named,
        networks=tuple((ip_network(network), place) for network, place in pairs),
    )


def default_files(policy: Policy, named: str | None = None) -> Configuration:
    return replace(networks(), autoregistration=Autoregistration(policy, named))


@pytest.mark.parametrize(
    "configuration",
    [
        DEFAULTS,
        FULL,
        listening("::", port=0),
        listening("::", http_port=0),
        listening("::", port=6970),  # UDP and TCP
        store("/data", "/data/tftp"),
        store("/data", "/database"),
        store("/data", "/srv"),
        clusters(cluster("a", "::2", "::3"), cluster("b", "::4")),
        clusters(cluster("a", "fe80::1%eth0"), cluster("b", "fe80::1%eth1")),
        clusters(cluster("a", "::2"), cluster("b", "::2", enabled=False)),
        clusters(cluster("a", "::2", enabled=False), cluster("b", "::2")),
        clusters(cluster("a", "::2", "::2", enabled=False)),
        clusters(cluster("cluster", "::2"), cluster("networks", "::3")),
        networks(("10.0.0.0/8", "east"), ("::/0", "west"), ("10.9.0.0/16", "local")),
        networks(("10.0.0.0/8", "branch"), local="branch"),
        default_files(Policy.NONE),
        default_files(Policy.NETWORK),
        default_files(Policy.LOCAL),
        default_files(Policy.CLUSTER, "east"),
    ],
)
def test_kept(configuration: Configuration) -> None:
    assert list(verify(configuration)) == []


LOCAL = ("clusters / local", "", "local")


@pytest.mark.parametrize(
    ("configuration", "places"),
    [
        (listening("::", port=0, http_port=0), [("tftp", "http_port", "0")]),
        (listening("::", "::1", "::", "::1", "::"), [("tftp", "listen", "::"), ("tftp", "listen", "::1")]),
        (store("/data", "/data"), [("local", "root", "/data")]),
        (store("/srv/data", "/srv"), [("local", "root", "/srv")]),
        (clusters(cluster("LOCAL", "::2")), [("clusters / LOCAL", "", "LOCAL")]),
        (clusters(cluster("a", "::2"), cluster("A", "::3")), [("clusters / A", "", "A")]),
        (clusters(cluster("a", "::2"), cluster("A", "::3", enabled=False)), [("clusters / A", "", "A")]),
        (clusters(cluster("a", "::2", "::2")), [("clusters / a", "addresses", "::2")]),
        (clusters(cluster("none", "::2")), [("clusters / none", "", "none")]),
        (clusters(cluster("Network", "::2", enabled=False)), [("clusters / Network", "", "Network")]),
        (replace(clusters(cluster("local", "::2")), local=networks(local="x").local), [LOCAL]),
        (
            networks(("10.0.0.0/8", "EAST"), ("::/0", "east"), ("10.9.0.0/16", "local"), local="branch"),
            [("networks", "10.0.0.0/8", "EAST"), ("networks", "10.9.0.0/16", "local")],
        ),
        (default_files(Policy.CLUSTER, "west"), [("autoregistration", "policy", "west")]),
        (default_files(Policy.CLUSTER, "East"), [("autoregistration", "policy", "East")]),
        (
            clusters(cluster("a", "::2"), cluster("b", "::2", "::3"), cluster("c", "::3", "::2")),
            [
                ("clusters / b", "addresses", "::2"),
                ("clusters / c", "addresses", "::3"),
                ("clusters / c", "addresses", "::2"),
            ],
        ),
    ],
)
def test_broken(configuration: Configuration, places: list[tuple[str, str, str]]) -> None:
    assert [(fault.section, fault.key, fault.found) for fault in verify(configuration)] == places


def test_names_the_other() -> None:
    (fault,) = verify(clusters(cluster("a", "::2"), cluster("b", "::2")))
    allowed = "an address that no other enabled cluster has; a has this one"
    assert fault == Fault("clusters / b", "addresses", "::2", allowed)
