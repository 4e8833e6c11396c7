from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import parse
from appliance.config.model import Configuration, IPAddress, IPNetwork
from appliance.config.networks import network_place, smallest_first

TEXT = """
version = 1
[local]
name = branch
[clusters]
[[east]]
addresses = 10.1.0.10
[[west]]
addresses = 10.1.0.11
[[old]]
addresses = 10.1.0.12
enabled = no
[networks]
10.0.0.0/8 = east
10.9.0.0/16 = west
10.9.1.0/24 = old
10.9.2.0/24 = branch
10.9.0.7 = east
2001:db8::/32 = west
fe80::/10 = east
"""


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return parse(TEXT.encode(), "test.conf")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.1.2.3", "east"),
        ("10.9.255.255", "west"),
        ("10.9.0.6", "west"),
        ("10.9.0.7", "east"),
        ("10.9.2.3", "branch"),
        ("10.9.1.3", None),  # west was not meant for them
        ("11.0.0.0", None),
        ("2001:db8:9::1", "west"),
        ("2001:db9::", None),
        ("fe80::1%eth0", "east"),
        ("::a01:203", None),  # 10.1.2.3 by its bits
    ],
)
def test_place(configuration: Configuration, address: str, place: str | None) -> None:
    assert network_place(configuration, ip_address(address)) == place


ADDRESSES = st.ip_addresses(network="10.0.0.0/30") | st.ip_addresses(network="2001:db8::/126")
NETWORKS = st.lists(
    st.tuples(ADDRESSES, st.integers(0, 32)).map(lambda pair: ip_network(pair, strict=False)), unique=True
)


@given(NETWORKS, ADDRESSES)
def test_the_first_around_an_address_is_the_smallest(networks: list[IPNetwork], address: IPAddress) -> None:
    ordered = [network for network, _ in smallest_first((each, "x") for each in networks)]
    assert set(ordered) == set(networks)
    around = [network for network in ordered if address in network]
    assert around == sorted(around, key=lambda network: -network.prefixlen)
    assert ordered == [network for network, _ in smallest_first((each, "x") for each in reversed(networks))]
