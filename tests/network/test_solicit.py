from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.network.solicit import (
    arp_reply,
    arp_request,
    neighbour_advertised,
    neighbour_solicitation,
    router_solicitation,
    solicited_node,
)

MAC = bytes.fromhex("02004c4f4f50")
ASKED = "0001 0800 06 04 0001 02004c4f4f50 0a050014 000000000000 0a050001"
REPLY = "0001 0800 06 04 0002 020000000001 0a050001 02004c4f4f50 0a050014"
TARGET = IPv6Address("fd05::99:8877")


def test_requests() -> None:
    asked = arp_request(MAC, IPv4Address("10.5.0.20"), IPv4Address("10.5.0.1"))
    assert asked == bytes.fromhex(ASKED)
    words = "87 00 0000 00000000 fd05000000000000 0000000000998877 01 01 02004c4f4f50"
    assert neighbour_solicitation(MAC, TARGET) == bytes.fromhex(words)
    assert router_solicitation(MAC) == bytes.fromhex("85 00 0000 00000000 01 01 02004c4f4f50")
    assert solicited_node(TARGET) == IPv6Address("ff02::1:ff99:8877")


@pytest.mark.parametrize(
    ("packet", "address"),
    [
        (REPLY, "10.5.0.1"),
        (REPLY + "00" * 18, "10.5.0.1"),  # Ethernet's padding
        (ASKED, None),
        (REPLY[:-2], None),
        (REPLY.replace("0800", "0806"), None),
        ("", None),
    ],
)
def test_arp_reply(packet: str, address: str | None) -> None:
    found = arp_reply(bytes.fromhex(packet))
    assert (found and str(found)) == address


@pytest.mark.parametrize(
    ("packet", "address"),
    [
        ("88 00 0000 60000000 fd05000000000000 0000000000998877", str(TARGET)),
        ("88 00 0000 60000000 fd05000000000000 0000000000998877 02 01 020000000001", str(TARGET)),
        ("87 00 0000 00000000 fd05000000000000 0000000000998877", None),
        ("88 01 0000 60000000 fd05000000000000 0000000000998877", None),
        ("88 00 0000 60000000 fd05000000000000 00000000009988", None),
        ("", None),
    ],
)
def test_neighbour_advertised(packet: str, address: str | None) -> None:
    found = neighbour_advertised(bytes.fromhex(packet))
    assert (found and str(found)) == address


@given(st.binary(max_size=64))
def test_any_packet(packet: bytes) -> None:
    assert isinstance(arp_reply(packet), IPv4Address | None)
    assert isinstance(neighbour_advertised(packet), IPv6Address | None)
