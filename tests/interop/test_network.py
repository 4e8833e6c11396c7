"""Interfaces as the configuration wants them, on a kernel, with real servers and routers beside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.netns.interfaces import Box, ip
from tests.netns.lab import Host, Lab
from tests.netns.process import REPOSITORY, wait_for

pytestmark = pytest.mark.root

SLACK = 30.0  # s, for two cores that others use, too

Start = Callable[..., Box]


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """Where the box is: a host without addresses."""
    found = lab.host("n-box")
    found.remove(f"{found.ipv4}/24", f"{found.ipv6}/64")
    return found


@pytest.fixture(scope="module")
def router(lab: Lab) -> Host:
    """The gateway of its networks, and their DHCP server."""
    found = lab.host("n-router")
    found.add("10.5.0.1/24", "10.6.0.1/24", "fd05::1/64", "fd06::1/64")
    return found


@pytest.fixture
def start(host: Host) -> Iterator[Start]:
    """Starts a box; when the test ends, its interfaces are as before."""
    started: list[Box] = []

    def begin(network: str, system: str = "") -> Box:
        started.append(Box(host, network, system))
        return started[-1]

    yield begin
    for box in started:
        box.stop()
        host.run(["ip", "address", "flush", "dev", "eth0", "scope", "global"])
        host.run(["ip", "route", "flush", "proto", "73"])
        host.run(["ip", "-6", "route", "flush", "proto", "73"])


STATIC = """
[[eth0]]
ipv4 = static
address = {address}
gateway = {gateway}
ipv6 = static
address6 = {address6}
gateway6 = {gateway6}
mtu = {mtu}
routes = 10.77.0.0/16 via 10.5.0.1, fd77::/64 via fd05::1
"""


def static(
    address: str = "10.5.0.20/24",
    gateway: str = "10.5.0.1",
    address6: str = "fd05::20/64",
    gateway6: str = "fd05::1",
    mtu: int = 1400,
) -> str:
    return STATIC.format(address=address, gateway=gateway, address6=address6, gateway6=gateway6, mtu=mtu)


def test_static(host: Host, router: Host, start: Start) -> None:
    """Both families; the kernel has it all, foreign things stay, and nothing is left to do."""
    host.add("10.99.0.1/24")
    host.run(["ip", "route", "add", "10.98.0.0/24", "via", "10.99.0.2"])
    box = start(static(), "hostname = box7\ndns = 10.5.0.1, fd05::1")
    assert box.addresses() == ["10.5.0.20/24", "10.99.0.1/24", "fd05::20/64"]
    assert box.routes() == {
        ("default", "10.5.0.1", "eth0"),
        ("default", "fd05::1", "eth0"),
        ("10.77.0.0/16", "10.5.0.1", "eth0"),
        ("fd77::/64", "fd05::1", "eth0"),
        ("10.98.0.0/24", "10.99.0.2", "eth0"),
    }
    assert ip(host, "link", "show", "eth0")[0]["mtu"] == 1400
    assert (box.run / "resolv.conf").read_text() == "nameserver 10.5.0.1\nnameserver fd05::1\n"
    assert box.command("plan") == {"changes": [], "refused": []}
    shown = box.command("show")
    eth0 = next(each for each in shown["interfaces"] if each["name"] == "eth0")
    origins = {each["address"]: each["origin"] for each in eth0["addresses"]}
    assert (
        origins.items()
        >= {
            "10.5.0.20/24": "configuration",
            "10.99.0.1/24": "foreign",
            "fd05::20/64": "configuration",
        }.items()
    )
    assert host.run(["nsenter", "-t", str(box.process.pid), "-u", "hostname"]).stdout == "box7\n"
    box.configure(static(address="10.5.0.20/24, 10.5.0.21/24", gateway6="fd05::2"))
    assert box.addresses() == ["10.5.0.20/24", "10.5.0.21/24", "10.99.0.1/24", "fd05::20/64"]
    assert ("default", "fd05::2", "eth0") in box.routes()
    box.configure(static(address="10.5.0.21/24"))
    assert box.addresses() == ["10.5.0.21/24", "10.99.0.1/24", "fd05::20/64"]
    box.configure("")
    assert box.addresses() == ["10.99.0.1/24"]
    assert box.routes() == {("10.98.0.0/24", "10.99.0.2", "eth0")}


def test_the_mtu_that_was(host: Host, start: Start) -> None:
    """Without `mtu` an interface has again what it had before."""
    host.run(["ip", "link", "set", "eth0", "mtu", "1490"])
    box = start(static(mtu=1400))
    assert ip(host, "link", "show", "eth0")[0]["mtu"] == 1400
    box.configure(static().replace("mtu = 1400", ""))
    assert ip(host, "link", "show", "eth0")[0]["mtu"] == 1490
    host.run(["ip", "link", "set", "eth0", "mtu", "1500"])


def test_checks(router: Host, start: Start) -> None:
    """Gateways that are there, that are not, and a network that nobody answers in."""
    box = start(static(gateway6="fd05::99"))
    found = box.checks()
    assert found["eth0 carrier"] == (True, "carrier")
    assert found["eth0 gateway 10.5.0.1"] == (True, "answers ARP")
    assert found["eth0 gateway fd05::99"] == (False, "does not answer neighbour discovery")
    box.configure(static(gateway="10.5.0.99"))
    found = box.checks()
    assert found["eth0 gateway 10.5.0.99"] == (False, "does not answer ARP")
    assert found["eth0 gateway fd05::1"] == (True, "answers neighbour discovery")


STREAM = """
import socket, sys, time
def numbers(wire):
    for number in range(100_000):
        wire.sendall(b"%d\\n" % number)
        yield
        time.sleep(0.01)
if sys.argv[1] == "serve":
    with socket.create_server(("", 7777)) as server:
        print("listens", flush=True)
        wire, _ = server.accept()
        for _ in numbers(wire):
            pass
else:
    with socket.create_connection((sys.argv[2], 7777), 10) as wire:
        for number, line in enumerate(wire.makefile("rb")):
            assert int(line) == number
            print("got", number, flush=True)
"""


def test_a_transfer_survives_the_change_of_another_address(host: Host, router: Host, start: Start) -> None:
    """The first address of a subnet goes; the kernel has taken its others along, unless told not to."""
    box = start(static(address="10.5.0.20/24, 10.5.0.21/24"))
    server = host.start([sys.executable, "-c", STREAM, "serve"], "listens", name="stream")
    client = router.start([sys.executable, "-c", STREAM, "ask", "10.5.0.21"], "got 10\n", name="stream")
    box.configure(static(address="10.5.0.21/24, 10.6.0.7/24", address6="fd05::21/64"))
    assert box.addresses() == ["10.5.0.21/24", "10.6.0.7/24", "fd05::21/64"]
    count = client.output().count("got")
    wait_for(lambda: client.output().count("got") > count + 50, "more of the stream", SLACK)
    for each in (client, server):
        each.stop()


@pytest.mark.parametrize("kind", ["macvlan", "bridge"])
def test_other_kinds_of_interface(kind: str, host: Host, router: Host, start: Start) -> None:
    """An interface that stands on another, or has others below it."""
    lower = "link add eth0m link eth0 type macvlan mode bridge"
    host.lab.ip(host.namespace, lower if kind == "macvlan" else "link add eth0m type bridge")
    try:
        if kind == "bridge":
            host.lab.ip(host.namespace, "link set eth0 master eth0m")
        box = start("[[eth0m]]\nipv4 = static\naddress = 10.5.0.30/24\ngateway = 10.5.0.1\nipv6 = off\n")
        host.lab.ip(host.namespace, "link set eth0 up")
        assert box.addresses("eth0m") == ["10.5.0.30/24"]
        wait_for(lambda: box.checks()["eth0m gateway 10.5.0.1"][0], "the gateway", SLACK)
        assert box.command("plan")["changes"] == []
    finally:
        host.lab.ip(host.namespace, "link del eth0m")


def test_vlan(host: Host, start: Start) -> None:
    """Made, and gone again; a kernel that has none tells so, and all else is set up."""
    network = static() + "[[eth0.10]]\nipv4 = static\naddress = 10.10.1.5/24\nipv6 = off\nmtu = 1300\n"
    box = start(network)
    assert "10.5.0.20/24" in box.addresses()
    if "refused: create eth0.10: VLAN 10 on eth0: Operation not supported" in box.process.output():
        return  # this kernel has none
    assert box.addresses("eth0.10") == ["10.10.1.5/24"]
    assert ip(host, "link", "show", "eth0.10")[0]["mtu"] == 1300
    assert box.command("plan")["changes"] == []
    box.configure(static())
    assert "eth0.10" not in [each["ifname"] for each in ip(host, "link", "show")]


def test_a_link_that_this_box_has_made_goes(host: Host, start: Start) -> None:
    """It is known by its group; others of its kind stay."""
    made = ("link add eth0.7 type veth peer name peer7", "link set eth0.7 group 73")
    host.lab.ip(host.namespace, *made, "link add eth0.8 type veth peer name peer8")
    start(static())
    names = [each["ifname"] for each in ip(host, "link", "show")]
    assert "eth0.7" not in names
    assert "eth0.8" in names
    host.lab.ip(host.namespace, "link del eth0.8")


def test_nothing_configured(host: Host, start: Start) -> None:
    """The default manages nothing, and writes nothing."""
    host.add("10.99.0.1/24")
    box = start("")
    assert "made:" not in box.process.output()
    assert box.addresses() == ["10.99.0.1/24"]
    assert sorted(path.name for path in box.run.iterdir()) == []
    assert box.checks() == {}


def test_apply_without_the_daemon(host: Host, start: Start) -> None:
    box = start("")
    box.stop()
    network = "[[eth0]]\nipv4 = static\naddress = 10.5.0.40/24\nipv6 = off\n"
    text = box.configuration.read_text().replace("[network]\n", f"[network]\n{network}")
    box.configuration.write_text(text)
    plan = box.command("plan")
    assert "add 10.5.0.40/24 to eth0" in plan["changes"]
    assert box.command("apply", "--here") == plan
    assert box.addresses() == ["10.5.0.40/24"]
    assert box.command("apply", "--here") == {"changes": [], "refused": []}


def test_what_others_took_away_comes_back(host: Host, start: Start) -> None:
    box = start(static())
    host.remove("10.5.0.20/24")
    assert [each for each in box.command("plan")["changes"] if each.startswith("add 10.5.0.20/24")]
    box.configure(static())
    assert "10.5.0.20/24" in box.addresses()


def test_random_pairs(host: Host) -> None:
    """One configuration after another, on the kernel: each is reached, and then nothing is left to do."""
    argv = [sys.executable, "-m", "tests.netns.random_pairs", "30"]
    host.lab.ip(host.namespace, "link add eth1 type veth peer name other0", "link set other0 up")
    try:
        done = host.run(argv, timeout=120.0, folder=REPOSITORY)
    finally:
        host.lab.ip(host.namespace, "link del eth1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "pairs: 30" in done.stdout
