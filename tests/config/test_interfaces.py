from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import interfaces
from appliance.config.faults import Refused
from appliance.config.model import Interface, IPv4Mode, IPv6Mode, Route

Check = Callable[[str], Any]

NAME = (
    "the name of an interface: at most 15 letters, digits, hyphens, underscores; with .VLAN for a VLAN on it"
)
WITH_PREFIX4 = "an IPv4 address with the length of its prefix, such as 10.1.1.5/24"
WITH_PREFIX6 = "an IPv6 address with the length of its prefix, such as 2001:db8:1::5/64"
ONE = "the address of one machine"
ALONE4 = "an IPv4 address alone, such as 10.1.1.1"
ALONE6 = "an IPv6 address alone, such as fe80::1"
ROUTE = "a network and its router, such as 10.0.0.0/8 via 10.1.1.1"
NOT_ALL = "an address of a machine in 10.1.1.0/24, not that of all or of none"

GOOD: list[tuple[Check, str, object]] = [
    (interfaces.ifname, "eth0", "eth0"),
    (interfaces.ifname, "enp0s31f6", "enp0s31f6"),
    (interfaces.ifname, "br-lan_2", "br-lan_2"),
    (interfaces.ifname, "eth0.1", "eth0.1"),
    (interfaces.ifname, "eth0.4094", "eth0.4094"),
    (interfaces.ifname, "x" * 15, "x" * 15),
    (interfaces.ipv4_interface, "10.1.1.5/24", ip_interface("10.1.1.5/24")),
    (interfaces.ipv4_interface, "10.1.1.4/31", ip_interface("10.1.1.4/31")),  # RFC 3021
    (interfaces.ipv4_interface, "10.1.1.5/32", ip_interface("10.1.1.5/32")),
    (interfaces.ipv4_interface, "169.254.1.1/16", ip_interface("169.254.1.1/16")),
    (interfaces.ipv6_interface, "2001:DB8::5/64", ip_interface("2001:db8::5/64")),
    (interfaces.ipv6_interface, "2001:db8::/127", ip_interface("2001:db8::/127")),
    (interfaces.ipv6_interface, "fe80::5/64", ip_interface("fe80::5/64")),
    (interfaces.ipv4_gateway, "10.1.1.1", ip_address("10.1.1.1")),
    (interfaces.ipv6_gateway, "fe80::1", ip_address("fe80::1")),
    (interfaces.ipv6_gateway, "2001:db8::1", ip_address("2001:db8::1")),
    (
        interfaces.route,
        "10.0.0.0/8  via\t10.1.1.1",
        Route(ip_network("10.0.0.0/8"), ip_address("10.1.1.1")),
    ),
    (interfaces.route, "192.0.2.7 via 10.1.1.1", Route(ip_network("192.0.2.7/32"), ip_address("10.1.1.1"))),
    (
        interfaces.route,
        "2001:db8::/32 via fe80::1",
        Route(ip_network("2001:db8::/32"), ip_address("fe80::1")),
    ),
]

BAD: list[tuple[Check, str, str, str]] = [
    # check, text, found, allowed
    *(
        (interfaces.ifname, text, text, NAME)
        for text in ["", "x" * 16, "eth0.", ".10", "-x", "eth 0", "eth0:1", "a/b", "lo", "all", "default.10"]
    ),
    *((interfaces.ifname, text, text, NAME) for text in ["eth0.0", "eth0.010", "eth0.10.20", "eth0.x"]),
    (interfaces.ifname, "eth0.4095", "eth0.4095", "a VLAN from 1 to 4094"),
    *(
        (interfaces.ipv4_interface, text, text, WITH_PREFIX4)
        for text in ["", "10.1.1.5", "10.1.1.5/", "10.1.1.5/33", "10.1.1.5/255.255.255.0", "10.1.1.05/24"]
    ),
    (interfaces.ipv4_interface, "2001:db8::5/64", "2001:db8::5/64", WITH_PREFIX4),
    *(
        (interfaces.ipv4_interface, text, text, ONE)
        for text in ["0.0.0.0/24", "0.1.2.3/8", "127.0.0.1/8", "224.0.0.1/24", "240.0.0.1/8", "10.1.1.5/0"]
    ),
    (interfaces.ipv4_interface, "10.1.1.0/24", "10.1.1.0/24", NOT_ALL),
    (interfaces.ipv4_interface, "10.1.1.255/24", "10.1.1.255/24", NOT_ALL),
    *(
        (interfaces.ipv6_interface, text, text, WITH_PREFIX6)
        for text in ["", "2001:db8::5", "2001:db8::5/129", "fe80::5%eth0/64", "10.1.1.5/24"]
    ),
    *(
        (interfaces.ipv6_interface, text, text, ONE)
        for text in ["::/64", "::1/128", "ff02::1/64", "::ffff:10.1.1.5/120", "2001:db8::5/0"]
    ),
    (
        interfaces.ipv6_interface,
        "2001:db8::/64",
        "2001:db8::/64",
        "an address of a machine in 2001:db8::/64; this one is of its routers",
    ),
    *((interfaces.ipv4_gateway, text, text, ALONE4) for text in ["", "10.1.1.1/24", "router", "fe80::1"]),
    *((interfaces.ipv4_gateway, text, text, ONE) for text in ["0.0.0.0", "255.255.255.255", "224.0.0.1"]),
    *((interfaces.ipv6_gateway, text, text, ALONE6) for text in ["", "10.1.1.1", "fe80::1/64", "fe80::1%"]),
    (
        interfaces.ipv6_gateway,
        "fe80::1%eth0",
        "fe80::1%eth0",
        "an address without %interface; it is that of the section",
    ),
    *((interfaces.ipv6_gateway, text, text, ONE) for text in ["::", "ff02::2", "::ffff:10.1.1.1"]),
    *((interfaces.route, text, text, ROUTE) for text in ["", "10.0.0.0/8", "10.0.0.0/8 via", "a via b c"]),
    (
        interfaces.route,
        "10.1.0.0/8 via 10.1.1.1",
        "10.1.0.0/8",
        "a network without host bits; this one would be 10.0.0.0/8",
    ),
    (interfaces.route, "10.0.0.0/8 via fe80::1", "fe80::1", ALONE4),
    (interfaces.route, "2001:db8::/32 via 10.1.1.1", "10.1.1.1", ALONE6),
    *(
        (interfaces.route, f"{text} via {via}", f"{text} via {via}", allowed)
        for text, via, allowed in [
            ("0.0.0.0/0", "10.1.1.1", "one network; the way to all is gateway"),
            ("::/0", "fe80::1", "one network; the way to all is gateway6"),
            ("127.0.0.0/8", "10.1.1.1", "a network of machines elsewhere"),
            ("ff00::/8", "fe80::1", "a network of machines elsewhere"),
        ]
    ),
]


@pytest.mark.parametrize(("check", "text", "value"), GOOD)
def test_good(check: Check, text: str, value: object) -> None:
    assert check(text) == value


@pytest.mark.parametrize(("check", "text", "found", "allowed"), BAD)
def test_bad(check: Check, text: str, found: str, allowed: str) -> None:
    with pytest.raises(Refused) as caught:
        check(text)
    assert caught.value.reasons == ((found, allowed),)


CHECKS = sorted({check for check, _, _ in GOOD}, key=lambda check: check.__name__)
TEXTS = st.text("0123456789abf.:/% vietho", max_size=30) | st.text() | st.ip_addresses().map(str)
WITH = st.tuples(TEXTS, st.sampled_from(["/", "/8", "/64", " via ", "."]), TEXTS).map("".join)


@pytest.mark.parametrize("check", CHECKS)
@given(text=TEXTS | WITH)
def test_a_value_or_refused(check: Check, text: str) -> None:
    try:
        value = check(text)
    except Refused:
        return
    again = f"{value.network} via {value.via}" if isinstance(value, Route) else str(value)
    assert check(again) == value


@pytest.mark.parametrize(
    ("name", "parent", "vlan"),
    [
        ("eth0", None, None),
        ("eth0.10", "eth0", 10),
        ("br-lan.4094", "br-lan", 4094),
        ("eth0.10.20", None, None),
    ],
)
def test_vlan(name: str, parent: str | None, vlan: int | None) -> None:
    made = Interface(name, IPv4Mode.OFF, (), None, IPv6Mode.OFF, (), None, None, ())
    assert (made.parent, made.vlan) == (parent, vlan)
