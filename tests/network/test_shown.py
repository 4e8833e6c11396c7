from __future__ import annotations

import json
from dataclasses import asdict, replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from appliance.network.lease import Lease
from appliance.network.plan import plan
from appliance.network.shown import network_shown
from appliance.network.state import Family
from appliance.network.wanted import wanted
from tests.network.build import held, interface, link, settings, state, way

EXAMPLES = Path(__file__).parents[1] / "vectors/json"

INTERFACES = [
    interface(ipv4="dhcp", ipv6="auto"),
    interface("eth1", address="10.6.0.5/24", gateway="10.6.0.1"),
    interface("eth2", ipv4="dhcp"),
]
LEASE = Lease(
    "eth0",
    Family.IPV4,
    (ip_interface("10.5.0.57/24"),),
    ((ip_network("0.0.0.0/0"), ip_address("10.5.0.1")),),
    (ip_address("10.5.0.53"),),
    (ip_address("10.5.0.1"),),
    4600.0,
)
PRESENT = state(
    link("lo"),
    link("eth0"),
    link("eth1", carrier=False),
    link("docker0", up=False),
    addresses=[
        held("127.0.0.1/8", "lo", 1),
        held("10.5.0.57/24"),
        held("2001:db8:5::a/64", protocol=2),
        replace(held("fe80::a/64", protocol=3), tentative=True),
        held("10.6.0.5/24", "eth1"),
        held("172.17.0.1/16", "docker0", 0),
    ],
    routes=[
        way("default4>10.5.0.1"),
        way("default6>fe80::1", metric=1024, protocol=9),
        way("10.6.0.0/24", "eth1", 0, 2),
        way("10.9.0.0/16>172.17.0.2", "docker0", 0, 4),
    ],
    set_=(
        *settings("eth0", promote_secondaries=1, accept_ra=2),
        *settings("eth1", promote_secondaries=1, disable_ipv6=1),
    ),
)


def test_the_example() -> None:
    """Who made what, and what is missing: the gateway of eth1, and eth2 as a whole."""
    changes = plan(PRESENT, wanted(INTERFACES, [LEASE], PRESENT))
    shown = network_shown(INTERFACES, PRESENT, [LEASE], [ip_address("10.5.0.53")], changes, 1000.0)
    assert json.loads(json.dumps(asdict(shown))) == json.loads((EXAMPLES / "network-show.json").read_text())
