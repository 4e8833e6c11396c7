"""Rules between the settings of interfaces: a text, and the faults that it has."""

from __future__ import annotations

import pytest

from appliance.config.faults import ConfigurationError, Fault
from appliance.config.load import parse

ETH0 = "[[eth0]]\nipv4 = static\naddress = 10.1.1.5/24\n"
ETH1 = "[[eth1]]\nipv4 = static\naddress = 10.2.2.5/24\n"
SIX0 = "[[eth0]]\nipv6 = static\naddress6 = 2001:db8:1::5/64\n"
SIX1 = "[[eth1]]\nipv6 = static\naddress6 = 2001:db8:2::5/64\n"


def faults(interfaces: str) -> list[Fault]:
    try:
        parse(f"version = 1\n[network]\n{interfaces}".encode(), "test.conf")
    except ConfigurationError as error:
        return list(error.faults)
    return []


@pytest.mark.parametrize(
    "interfaces",
    [
        "",
        "[[eth0]]\n",
        "[[eth0]]\nipv4 = off\nipv6 = off\n",
        ETH0 + "gateway = 10.1.1.1\nipv6 = off\nmtu = 576\n",
        ETH0 + ETH1 + "gateway = 10.2.2.1\n",
        ETH0 + "[[eth1]]\nipv4 = static\naddress = 10.0.0.5/8\n",  # the smaller network counts
        "[[eth0]]\nipv4 = static\naddress = 10.1.1.4/31\ngateway = 10.1.1.5\n",
        ETH0 + "routes = 10.0.0.0/8 via 10.1.1.1, 192.0.2.0/24 via 10.1.1.1\n",
        "[[eth0]]\nroutes = 10.0.0.0/8 via 10.1.1.1\n",  # the lease is not known yet
        SIX0 + "gateway6 = 2001:db8:1::1\n" + SIX1,
        SIX0 + "gateway6 = fe80::1\nroutes = 2001:db8:9::/48 via fe80::2\n",
        "[[eth0]]\nipv6 = static\naddress6 = fe80::5/64\n[[eth1]]\nipv6 = static\naddress6 = fe80::5/64\n",
        "[[eth0.10]]\n[[eth0]]\nmtu = 1500\n[[eth0.20]]\nmtu = 1500\n",
    ],
)
def test_kept(interfaces: str) -> None:
    assert faults(interfaces) == []


@pytest.mark.parametrize(
    ("interfaces", "name", "key", "found", "allowed"),
    [
        ("[[eth0]]\nipv4 = static\n", "eth0", "address", "", "1 or more addresses with ipv4 = static"),
        ("[[eth0]]\nipv6 = static\n", "eth0", "address6", "", "1 or more addresses with ipv6 = static"),
        *(
            (
                f"[[eth0]]\nipv{family} = {mode}\n{key} = {value}\n",
                "eth0",
                key,
                value,
                f"nothing with ipv{family} = {mode}; it stands with ipv{family} = static",
            )
            for family, modes, values in [
                (4, ("dhcp", "off"), {"address": "10.1.1.5/24", "gateway": "10.1.1.1"}),
                (6, ("auto", "dhcp", "off"), {"address6": "2001:db8::5/64", "gateway6": "fe80::1"}),
            ]
            for mode in modes
            for key, value in values.items()
        ),
        (ETH0 + "gateway = 10.1.2.1\n", "eth0", "gateway", "10.1.2.1", "an address in 10.1.1.0/24"),
        (
            SIX0 + "gateway6 = 2001:db8::1\n",
            "eth0",
            "gateway6",
            "2001:db8::1",
            "an address in 2001:db8:1::/64",
        ),
        (
            ETH0 + "gateway = 10.1.1.5\n",
            "eth0",
            "gateway",
            "10.1.1.5",
            "the address of a router, not of this interface",
        ),
        (
            ETH0 + "gateway = 10.1.1.255\n",
            "eth0",
            "gateway",
            "10.1.1.255",
            "an address of a machine in 10.1.1.0/24, not that of all or of none",
        ),
        (
            ETH0 + "gateway = 10.1.1.1\n" + ETH1 + "gateway = 10.2.2.1\n",
            "eth1",
            "gateway",
            "10.2.2.1",
            "nothing; eth0 has the gateway of this family",
        ),
        (
            SIX0 + "gateway6 = fe80::1\n" + SIX1 + "gateway6 = fe80::1\n",
            "eth1",
            "gateway6",
            "fe80::1",
            "nothing; eth0 has the gateway of this family",
        ),
        (
            "[[eth0]]\nipv4 = static\naddress = 10.1.1.5/24, 10.1.1.5/24\n",
            "eth0",
            "address",
            "10.1.1.5",
            "each address once",
        ),
        (
            ETH0 + "[[eth1]]\nipv4 = static\naddress = 10.1.1.6/24\n",
            "eth1",
            "address",
            "10.1.1.6/24",
            "an address in a network of its own; eth0 is in 10.1.1.0/24",
        ),
        (
            SIX0 + "[[eth1]]\nipv6 = static\naddress6 = 2001:db8:1::6/64\n",
            "eth1",
            "address6",
            "2001:db8:1::6/64",
            "an address in a network of its own; eth0 is in 2001:db8:1::/64",
        ),
        (
            ETH0 + "routes = 10.0.0.0/8 via 10.9.9.9\n",
            "eth0",
            "routes",
            "10.0.0.0/8 via 10.9.9.9",
            "an address in 10.1.1.0/24",
        ),
        (
            "[[eth0]]\nipv4 = off\nroutes = 10.0.0.0/8 via 10.1.1.1\n",
            "eth0",
            "routes",
            "10.0.0.0/8 via 10.1.1.1",
            "no such route with ipv4 = off",
        ),
        (
            "[[eth0]]\nipv6 = off\nroutes = 2001:db8::/32 via fe80::1\n",
            "eth0",
            "routes",
            "2001:db8::/32 via fe80::1",
            "no such route with ipv6 = off",
        ),
        (
            "[[eth0]]\nroutes = 10.0.0.0/8 via 10.1.1.1, 10.0.0.0/8 via 10.1.1.2\n",
            "eth0",
            "routes",
            "10.0.0.0/8 via 10.1.1.2",
            "each network once",
        ),
        (
            "[[eth0]]\nroutes = 10.0.0.0/8 via 10.1.1.1\n[[eth1]]\nroutes = 10.0.0.0/8 via 10.2.2.1\n",
            "eth1",
            "routes",
            "10.0.0.0/8 via 10.2.2.1",
            "a network to which no other interface leads; eth0 leads to this one",
        ),
        ("[[eth0]]\nmtu = 1279\n", "eth0", "mtu", "1279", "1280 or more, or ipv6 = off"),
        (
            "[[eth0]]\nmtu = 1400\n[[eth0.10]]\nmtu = 1401\n",
            "eth0.10",
            "mtu",
            "1401",
            "at most that of eth0, 1400",
        ),
        (
            "[[eth1]]\n[[eth0.10]]\n",
            "eth0.10",
            "",
            "eth0.10",
            "a VLAN of an interface that has its own section; [[eth0]] is missing",
        ),
    ],
)
def test_broken(interfaces: str, name: str, key: str, found: str, allowed: str) -> None:
    (fault,) = faults(interfaces)
    assert (fault.section, fault.key, fault.found, fault.allowed) == (
        f"network / {name}",
        key,
        found,
        allowed,
    )
    assert fault.line
