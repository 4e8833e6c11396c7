from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.addresses import cluster_address, listen_address, name_server, network, time_server
from appliance.config.faults import Refused

NO_NAMES = "an IPv4 or IPv6 address; names are not looked up, for phones need files when DNS is down too"
NO_PORTS = "an address without brackets and port; the ports are set by http_port and tftp_port"
ALONE = "an IPv4 or IPv6 address alone, such as 10.1.0.10 or 2001:db8::12"
ONE_MACHINE = "the address of one machine, not multicast or broadcast"
ONE_SERVER = "the address of one server; this one means every address"
ZONE = "%interface after a link-local address alone, such as fe80::1%eth0"
INTERFACE = "a link-local address with its interface, such as fe80::1%eth0"
NETWORK = "a network, such as 10.9.0.0/16 or 2001:db8:9::/48"


@pytest.mark.parametrize(
    "text",
    ["10.1.0.10", "127.0.0.1", "169.254.1.1", "2001:db8::12", "::1", "fe80::1%eth0", "fe80::1%br-lan.10"],
)
def test_good_address(text: str) -> None:
    assert cluster_address(text) == listen_address(text) == ip_address(text)


@pytest.mark.parametrize("text", ["0.0.0.0", "::"])
def test_every_address(text: str) -> None:
    assert listen_address(text) == ip_address(text)
    with pytest.raises(Refused) as caught:
        cluster_address(text)
    assert caught.value.reasons == ((text, ONE_SERVER),)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", ALONE),
        ("10.1.0", ALONE),
        ("10.1.0.256", ALONE),
        ("010.1.0.10", ALONE),  # octal to some
        ("10.1.0.0/24", ALONE),
        ("2001:db8::zz", ALONE),
        ("http://10.1.0.10/", ALONE),
        ("10.1.0.10 10.1.0.11", ALONE),
        ("cucm", NO_NAMES),
        ("cucm-1.example.com", NO_NAMES),
        ("cucm-1.example.com:6970", NO_NAMES),
        ("10.1.0.10.nip.io", NO_NAMES),
        ("10.1.0.10:6970", NO_PORTS),
        ("10.1.0.10:", NO_PORTS),
        ("[2001:db8::1]:69", NO_PORTS),
        ("[2001:db8::1]", NO_PORTS),
        ("224.0.0.1", ONE_MACHINE),
        ("255.255.255.255", ONE_MACHINE),
        ("ff02::1", ONE_MACHINE),
        ("ff02::1%eth0", ONE_MACHINE),
        ("::ffff:10.1.0.10", "IPv4 written as IPv4: 10.1.0.10"),
        ("2001:db8::1%eth0", ZONE),
        ("fe80::1%" + "x" * 16, ZONE),
        ("fe80::1%eth0;reboot", ZONE),
        ("fe80::1%\x1b[2J", ZONE),
        ("fe80::1%", ALONE),
        ("fe80::1", INTERFACE),
    ],
)
def test_bad_address(text: str, allowed: str) -> None:
    with pytest.raises(Refused) as caught:
        cluster_address(text)
    assert caught.value.reasons == ((text, allowed),)
    with pytest.raises(Refused) as caught:
        listen_address(text)
    assert caught.value.reasons == ((text, allowed.replace("http_port and tftp_port", "port and http_port")),)


@pytest.mark.parametrize(
    ("text", "network_of"),
    [
        ("10.9.0.0/16", "10.9.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:DB8:9::/48", "2001:db8:9::/48"),
        ("fe80::/10", "fe80::/10"),
        ("::/0", "::/0"),
    ],
)
def test_good_network(text: str, network_of: str) -> None:
    assert network(text) == ip_network(network_of)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", NETWORK),
        ("10.9.0.0/33", NETWORK),
        ("10.9.0.0/", NETWORK),
        ("10.9/16", NETWORK),
        ("10.9.0.0/255.255.0.0", NETWORK),
        ("10.9.0.0/0.0.255.255", NETWORK),
        ("10.9.0.0-10.9.0.9", NETWORK),
        ("fe80::%eth0/64", NETWORK),
        ("phones", NETWORK),
        ("10.9.1.0/16", "a network without host bits; this one would be 10.9.0.0/16"),
        ("2001:db8::1/64", "a network without host bits; this one would be 2001:db8::/64"),
        ("::ffff:10.0.0.0/104", "an IPv4 network written as IPv4"),
    ],
)
def test_bad_network(text: str, allowed: str) -> None:
    with pytest.raises(Refused) as caught:
        network(text)
    assert caught.value.reasons == ((text, allowed),)


NAME_SERVER = "an IPv4 or IPv6 address alone, such as 10.1.0.53 or 2001:db8::53"
TIME_SERVER = "an address, or a host name such as ntp.example.com"


@pytest.mark.parametrize("text", ["10.1.0.53", "127.0.0.53", "2001:DB8::53", "fe80::1%eth0"])
def test_good_server(text: str) -> None:
    assert name_server(text) == ip_address(text)
    assert time_server(text) == str(ip_address(text))


@pytest.mark.parametrize("text", ["ntp.example.com", "time", "0.debian.pool.ntp.org", "x" * 63])
def test_good_time_server(text: str) -> None:
    assert time_server(text) == text


@pytest.mark.parametrize(
    ("check", "text", "allowed"),
    [
        *((name_server, text, NAME_SERVER) for text in ["", "dns", "10.1.0.256", "10.1.0.53:53", "0.0.0.0"]),
        *((time_server, text, TIME_SERVER) for text in ["", "a_b", "x" * 64, "10.1.0.256", "10.1", "::"]),
        (name_server, "224.0.0.1", ONE_MACHINE),
        (time_server, "ff02::101", ONE_MACHINE),
        (time_server, "::ffff:10.1.0.10", "IPv4 written as IPv4: 10.1.0.10"),
        (name_server, "fe80::1", INTERFACE),
    ],
)
def test_bad_server(check: Callable[[str], object], text: str, allowed: str) -> None:
    with pytest.raises(Refused) as caught:
        check(text)
    assert caught.value.reasons == ((text, allowed),)


TEXTS = st.text() | st.from_regex(r"[0-9a-f.:%/\[\]]*") | st.ip_addresses().map(str)


def verdict(check: Callable[[str], object], text: str) -> object:
    try:
        return check(text)
    except Refused as refused:
        return refused.reasons


@given(TEXTS)
def test_address_or_refused(text: str) -> None:
    found = verdict(cluster_address, text)
    assert found if isinstance(found, tuple) else found == ip_address(text)


@given(TEXTS | st.tuples(TEXTS, st.integers(0, 200)).map(lambda parts: f"{parts[0]}/{parts[1]}"))
def test_network_or_refused(text: str) -> None:
    found = verdict(network, text)
    assert found if isinstance(found, tuple) else network(str(found)) == found
