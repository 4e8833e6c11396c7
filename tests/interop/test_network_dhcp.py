"""DHCP and router advertisements of real servers: what they give is on the kernel, and goes with them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.netns.dhcp import dnsmasq, udhcpd
from tests.netns.interfaces import Box, ip
from tests.netns.lab import Host, Lab
from tests.netns.process import Process, wait_for

pytestmark = pytest.mark.root

LONG = 60.0  # s for a lease: dhcpcd looks for 5 s whether somebody has the address
LEASE = 20  # s, the shortest that dhcpcd takes

Start = Callable[[str], Box]
Serve = Callable[[Process], Process]

DHCP = "[[eth0]]\nipv4 = dhcp\nipv6 = off\n"
DHCP6 = "[[eth0]]\nipv4 = off\nipv6 = dhcp\n"
AUTO = "[[eth0]]\nipv4 = off\nipv6 = auto\n"
OFF = "[[eth0]]\nipv4 = off\nipv6 = off\n"

ADVERTISED = ("enable-ra", "ra-param=eth0,5,60")


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    found = lab.host("d-box")
    found.remove(f"{found.ipv4}/24", f"{found.ipv6}/64")
    return found


@pytest.fixture(scope="module")
def server(lab: Lab) -> Host:
    found = lab.host("d-server")
    found.remove(f"{found.ipv4}/24", f"{found.ipv6}/64")
    found.ipv4 = "10.7.0.1"
    found.add("10.7.0.1/24", "fd07::1/64", "fd08::1/64")
    # Who answers neighbour discovery and does not say that it is a router, is none any more (RFC 4861 7.2.5).
    found.run(["sysctl", "-w", "net.ipv6.conf.all.forwarding=1"])
    return found


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Ends servers with the test."""
    started: list[Process] = []

    def remember(process: Process) -> Process:
        started.append(process)
        return process

    yield remember
    for process in started:
        process.stop()


@pytest.fixture
def start(host: Host) -> Iterator[Start]:
    started: list[Box] = []

    def begin(network: str) -> Box:
        started.append(Box(host, network))
        return started[-1]

    yield begin
    for box in started:
        box.stop()
        host.run(["ip", "address", "flush", "dev", "eth0", "scope", "global"])
        host.run(["sysctl", "-w", "net.ipv6.conf.eth0.disable_ipv6=1"])
        host.run(["sysctl", "-w", "net.ipv6.conf.eth0.disable_ipv6=0"])


def await_address(box: Box, start: str, timeout: float = LONG) -> str:
    """The address that begins so, once it is there."""

    def found() -> list[str]:
        return [each for each in box.addresses() if each.startswith(start)]

    wait_for(lambda: bool(found()), f"an address {start}…", timeout)
    return found()[0]


def await_name_servers(box: Box, *servers: str) -> None:
    text = "".join(f"nameserver {server}\n" for server in servers)
    wait_for(lambda: (box.run / "resolv.conf").read_text() == text, "resolv.conf", LONG)


def test_a_lease(host: Host, server: Host, start: Start, serve: Serve) -> None:
    """Address, routes (RFC 3442), name and time servers; renewed in time; kept over a restart."""
    serving = serve(
        dnsmasq(
            server,
            "dhcp-range=10.7.0.50,10.7.0.60,255.255.255.0,2m",
            "dhcp-option=option:router,10.7.0.9",
            "dhcp-option=option:classless-static-route,10.77.0.0/16,10.7.0.8,0.0.0.0/0,10.7.0.1",
            "dhcp-option=option:dns-server,10.7.0.1,10.7.0.2",
            "dhcp-option=option:ntp-server,10.7.0.1",
            "dhcp-option=option:T1,15",
        )
    )
    box = start(DHCP)
    address = await_address(box, "10.7.0.")
    assert box.routes() == {("default", "10.7.0.1", "eth0"), ("10.77.0.0/16", "10.7.0.8", "eth0")}
    await_name_servers(box, "10.7.0.1", "10.7.0.2")
    assert box.command("plan")["changes"] == []
    eth0 = next(each for each in box.command("show")["interfaces"] if each["name"] == "eth0")
    assert [(each["address"], each["origin"]) for each in eth0["addresses"]] == [(address, "dhcp")]
    assert eth0["leases"][0]["ntp"] == ["10.7.0.1"]
    assert eth0["as_static"] == {
        "address": [address],
        "gateway": "10.7.0.1",
        "address6": [],
        "gateway6": None,
        "dns": ["10.7.0.1", "10.7.0.2"],
    }
    assert box.checks()["eth0 gateway 10.7.0.1"] == (True, "answers ARP")

    acknowledged = serving.output().count("DHCPACK(eth0)")
    wait_for(lambda: serving.output().count("DHCPACK(eth0)") > acknowledged, "the renewal", LONG)
    assert box.addresses() == [address]

    os.killpg(box.process.pid, signal.SIGKILL)  # control dies; nothing is taken away
    wait_for(lambda: not box.process.running, "its end", LONG)
    assert box.addresses() == [address]
    box.start()
    assert f"remove {address}" not in box.process.output()
    assert box.addresses() == [address]
    box.configure("[[eth0]]\nipv4 = off\nipv6 = off\n")
    assert box.addresses() == []
    assert box.routes() == set()


def test_nak_and_a_server_that_vanishes(host: Host, server: Host, start: Start, serve: Serve) -> None:
    """NAK: another address takes the place. No answer until the lease is over: it goes."""
    first = serve(udhcpd(server, "10.7.0.70", "10.7.0.79", LEASE))
    box = start(DHCP)
    await_address(box, "10.7.0.7")
    first.stop()
    second = serve(udhcpd(server, "10.7.0.80", "10.7.0.89", LEASE))
    address = await_address(box, "10.7.0.8")
    assert box.addresses() == [address]
    second.stop()
    wait_for(lambda: box.addresses() == [], "the end of the lease", LONG)
    assert box.routes() == set()
    serve(udhcpd(server, "10.7.0.90", "10.7.0.99", LEASE))
    await_address(box, "10.7.0.9", 2 * LONG)


def test_a_cable_that_is_pulled_for_a_moment(host: Host, server: Host, start: Start, serve: Serve) -> None:
    serve(dnsmasq(server, "dhcp-range=10.7.0.50,10.7.0.60,255.255.255.0,2m"))
    box = start(DHCP)
    address = await_address(box, "10.7.0.")
    lease = box.run / "leases/eth0.ipv4"
    host.lab.ip(host.lab.namespace, f"link set {host.name} down")
    wait_for(lambda: "ifcarrier=down" in lease.read_text(), "what dhcpcd says of it", LONG)
    assert box.checks()["eth0 carrier"][0] is False
    assert box.addresses() == [address]
    host.lab.ip(host.lab.namespace, f"link set {host.name} up")
    wait_for(lambda: "ifcarrier=up" in lease.read_text(), "the lease again", LONG)
    assert box.addresses() == [address]


def test_dhcpv6(host: Host, server: Host, start: Start, serve: Serve) -> None:
    """The address from the server, the gateway from the router, and no SLAAC."""
    serve(
        dnsmasq(
            server,
            "dhcp-range=fd07::100,fd07::1ff,64,2m",
            "dhcp-option=option6:dns-server,[fd07::1]",
            *ADVERTISED,
        )
    )
    box = start(DHCP6)
    address = await_address(box, "fd07::1")
    assert address.endswith("/128")
    await_name_servers(box, "fd07::1")
    wait_for(lambda: bool(box.routes("default")), "the router", LONG)
    assert box.addresses() == [address]
    assert box.command("plan")["changes"] == []
    gateway = next(name for name in box.checks() if "gateway" in name)
    assert box.checks()[gateway] == (True, "answers neighbour discovery")


def test_slaac_and_a_new_prefix(host: Host, server: Host, start: Start, serve: Serve) -> None:
    """The kernel's own addresses come with what routers say, and end with IPv6; none is temporary."""
    first = serve(dnsmasq(server, "dhcp-range=fd07::,ra-only,64,2m", *ADVERTISED))
    box = start(AUTO)
    address = await_address(box, "fd07:")
    assert box.command("plan")["changes"] == []
    eth0 = next(each for each in box.command("show")["interfaces"] if each["name"] == "eth0")
    assert (address, "router") in [(each["address"], each["origin"]) for each in eth0["addresses"]]
    first.stop()
    serve(dnsmasq(server, "dhcp-range=fd08::,ra-only,64,2m", *ADVERTISED))
    await_address(box, "fd08:")
    assert "10.7" not in str(box.addresses())
    held = [each for link in ip(host, "address", "show", "dev", "eth0") for each in link["addr_info"]]
    assert [each for each in held if each.get("temporary")] == []

    box.configure(OFF)
    assert [each for link in ip(host, "-6", "address", "show", "dev", "eth0") for each in link] == []
    box.configure(AUTO)
    await_address(box, "fd08:")

    box.configure("[[eth0]]\nipv4 = off\nipv6 = static\naddress6 = fd08::77/64\ngateway6 = fd08::1\n")
    assert box.addresses() == ["fd08::77/64"]
    assert box.routes("default") == {("default", "fd08::1", "eth0")}
    box.configure(AUTO)  # routers are asked: they would tell by themselves much later
    await_address(box, "fd08:")
    assert "fd08::77/64" not in box.addresses()


def test_name_servers_beside_slaac(host: Host, server: Host, start: Start, serve: Serve) -> None:
    """The address by SLAAC, the rest by stateless DHCPv6."""
    serve(
        dnsmasq(
            server,
            "dhcp-range=fd07::,ra-stateless,64,2m",
            "dhcp-option=option6:dns-server,[fd07::53]",
            *ADVERTISED,
        )
    )
    box = start(AUTO)
    await_address(box, "fd07:")
    await_name_servers(box, "fd07::53")


def test_macvlan_with_dhcp(host: Host, server: Host, start: Start, serve: Serve) -> None:
    serve(dnsmasq(server, "dhcp-range=10.7.0.50,10.7.0.60,255.255.255.0,2m"))
    host.lab.ip(host.namespace, "link add eth0m link eth0 type macvlan mode bridge")
    try:
        box = start("[[eth0m]]\nipv4 = dhcp\nipv6 = off\n")
        wait_for(lambda: bool(box.addresses("eth0m")), "an address", LONG)
        assert box.command("plan")["changes"] == []
        box.stop()
    finally:
        host.lab.ip(host.namespace, "link del eth0m")
