from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cluster.loop import boxes, has_passed, out_of_use, sources, via
from appliance.config.load import parse
from appliance.config.model import Cluster, Protocol

BOX = "0123456789abcdef"


def cluster(*addresses: str, nat: bool = False, enabled: bool = True) -> Cluster:
    return Cluster(
        "east", tuple(map(ip_address, addresses)), Protocol.AUTO, 6970, 69, enabled, nat, description=""
    )


@pytest.mark.parametrize(
    ("header", "passed"),
    [
        ("1.1 appliance-0123456789abcdef", True),
        ("1.1 appliance-ffffffffffffffff", True),  # another box
        ("appliance-0123456789abcdef", True),
        ("1.0 squid, 1.1 appliance-0123456789abcdef", True),
        ("1.0 squid,1.1 appliance-0123456789abcdef,1.1 other", True),
        ("1.1 appliance-0123456789abcdef (a comment)", True),
        ("HTTP/1.1\tappliance-0123456789abcdef", True),
        ("", False),
        ("1.1 squid", False),
        ("1.1 appliance", False),
        ("1.1 appliance-", False),
        ("1.1 appliance-0123456789abcde", False),
        ("1.1 appliance-0123456789abcdef0", False),
        ("1.1 appliance-0123456789abcdeg", False),
        ("1.1 my-appliance-0123456789abcdef", False),
        ("1.1 appliance-0123456789abcdef.example.com", False),
    ],
)
def test_has_passed(header: str, passed: bool) -> None:
    assert has_passed(header) is passed
    assert bool(boxes(header)) is passed


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("", ()),
        ("1.1 squid", ()),
        ("1.1 appliance-0123456789abcdef", ("appliance-0123456789abcdef",)),
        (
            "1.1 appliance-0123456789abcdef, 1.0 squid, 1.1 appliance-fedcba9876543210",
            ("appliance-0123456789abcdef", "appliance-fedcba9876543210"),
        ),
        ("1.1 appliance-0123456789abcdef,1.1 appliance-0123456789abcdef", ("appliance-0123456789abcdef",)),
    ],
)
def test_boxes(header: str, named: tuple[str, ...]) -> None:
    assert boxes(header) == named


@given(
    st.binary(min_size=8, max_size=8).map(bytes.hex), st.lists(st.sampled_from(["1.1 a", "1.0 b.example"]))
)
def test_our_mark_is_known_again(box_id: str, others: list[str]) -> None:
    assert has_passed(via(box_id))
    assert has_passed(", ".join([*others, via(box_id), *others]))
    assert not has_passed(", ".join(others))


@pytest.mark.parametrize(
    ("clusters", "addresses"),
    [
        ([], []),
        ([cluster("10.1.0.10")], ["10.1.0.10"]),
        ([cluster("10.1.0.10", "2001:db8::12")], ["10.1.0.10", "2001:db8::12"]),
        ([cluster("10.1.0.10"), cluster("10.2.0.10")], ["10.1.0.10", "10.2.0.10"]),
        ([cluster("10.1.0.10", nat=True)], []),
        ([cluster("10.1.0.10", nat=True), cluster("10.2.0.10")], ["10.2.0.10"]),
        # Switched off, it may ask all the same
        ([cluster("10.1.0.10", enabled=False)], ["10.1.0.10"]),
    ],
)
def test_sources(clusters: list[Cluster], addresses: list[str]) -> None:
    assert sources(clusters) == frozenset(map(ip_address, addresses))


OWN = ("10.1.1.5", "127.0.0.1", "2001:db8::5", "::1")


@pytest.mark.parametrize(
    ("address", "port", "listen", "ours"),
    [
        ("10.1.1.5", 69, "0.0.0.0", True),
        ("10.1.1.5", 70, "0.0.0.0", False),
        ("10.1.1.6", 69, "0.0.0.0", False),
        ("127.0.0.1", 69, "0.0.0.0", True),
        ("127.9.9.9", 69, "0.0.0.0", True),  # all of 127/8 is this machine
        ("2001:db8::5", 69, "::", True),
        ("2001:db8::6", 69, "::", False),
        ("::1", 69, "::", True),
        # A wildcard stands for its own family
        ("10.1.1.5", 69, "::", False),
        ("2001:db8::5", 69, "0.0.0.0", False),
        ("10.1.1.5", 69, "10.1.1.5", True),
        ("127.0.0.2", 69, "127.0.0.2", True),
        # An address that is to be listened to is another's while no interface has it
        ("10.1.1.9", 69, "10.1.1.9", False),
        ("10.1.1.5", 69, "10.1.1.9", False),
        ("127.0.0.1", 69, "10.1.1.5", False),
        ("127.0.0.2", 69, "127.0.0.1", False),
    ],
)
def test_out_of_use(address: str, port: int, listen: str, ours: bool) -> None:
    own = list(map(ip_address, OWN))
    # Another listener beside it takes nothing away
    for listened in (listen, f"192.0.2.1, {listen}"):
        text = f"""
version = 1
[tftp]
listen = {listened}
[clusters]
[[east]]
addresses = {address}
protocol = tftp
tftp_port = {port}
http_port = 80
"""
        found = out_of_use(parse(text.encode(), "test"), own)
        wanted = {("east", ip_address(address)): "an address of this box itself"}
        assert found == (wanted if ours else {})


@pytest.mark.parametrize(
    ("protocol", "http_port", "tftp_port", "ours"),
    [
        ("auto", 6970, 6069, True),
        ("auto", 8080, 69, True),
        ("auto", 8080, 6069, False),
        ("http", 6970, 6069, True),
        ("http", 8080, 69, False),  # TFTP is not spoken there
        ("tftp", 6970, 6069, False),
        ("tftp", 8080, 69, True),
        ("tftp", 8080, 6970, False),  # UDP 6970 is not TCP 6970
    ],
)
def test_only_ports_that_are_spoken_count(protocol: str, http_port: int, tftp_port: int, ours: bool) -> None:
    text = f"""
version = 1
[clusters]
[[east]]
addresses = 10.1.1.5
protocol = {protocol}
http_port = {http_port}
tftp_port = {tftp_port}
"""
    assert bool(out_of_use(parse(text.encode(), "test"), map(ip_address, OWN))) is ours
