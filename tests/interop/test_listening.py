"""Listeners follow the addresses of the box, while it runs."""

from __future__ import annotations

import json
import random
import socket
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.netns.inside import inside
from tests.netns.lab import Host, Lab
from tests.netns.process import REPOSITORY, run, wait_for
from tests.netns.proxy import Cluster, Proxy
from tests.serve.phone import Phone, ack, data

pytestmark = pytest.mark.root

FILE = random.Random(71).randbytes(4000)
LATER4, LATER6 = "10.66.0.230", "fd66::230"
OTHER = "10.67.0.5"  # on another link of the box
SOON = 5.0  # s; a second is what is promised
ELSEWHERE = "not by an interface of [tftp] interfaces"

Start = Callable[..., Proxy]
WORKERS = pytest.mark.parametrize("workers", [1, 2], ids=["alone", "workers"])


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """The box, with a second link."""
    made = lab.host("listen")
    lab.ip(
        lab.namespace,
        f"link add name listen1 type veth peer name eth1 netns {made.namespace}",
        "link set dev listen1 master bridge up",
    )
    lab.ip(made.namespace, "link set eth1 up", f"address add {OTHER}/24 dev eth1")
    # Each link answers for its own addresses alone.
    sysctl(made, "ipv4/conf/all/arp_ignore", 1)
    return made


@pytest.fixture
def start(host: Host) -> Iterator[Start]:
    """Starts the box with these settings of [tftp]; it has made no mistake by the end."""
    started: list[Proxy] = []

    def begin(clusters: tuple[Cluster, ...] = (), **settings: object) -> Proxy:
        box = Proxy(host, clusters, {"tftp": settings})
        (box.store / "file.bin").write_bytes(FILE)
        started.append(box)
        return box

    yield begin
    for box in started:
        faults = box.ask("status")["counters"]["faults"]
        box.stop()
        assert faults == 0


@contextmanager
def phone_of(phone: Host, address: str) -> Iterator[Phone]:
    """A phone that asks at this address; one with a zone is the phone's own link's."""
    plain, _, zone = address.partition("%")
    with inside(phone):
        made = Phone((plain, 69, 0, socket.if_nametoindex(zone)) if zone else (plain, 69))
    with made:
        yield made


def begun(client: Phone) -> bool:
    """Whether it is answered, with the first block; it asks once."""
    try:
        client.ask("file.bin")
        return client.heard(0.5) == data(1, FILE[:512])
    except OSError:
        return False  # such as that there is no way there


def finish(client: Phone) -> bytes:
    """The rest of the file, and all of it."""
    client.send(ack(1))
    return client.finish(FILE[:512], 1)


def by_tftp(phone: Host, address: str) -> bool:
    """Whether a phone gets the file."""
    with phone_of(phone, address) as client:
        return begun(client) and finish(client) == FILE


def by_http(phone: Host, address: str) -> bool:
    client = HTTPConnection(address, 6970, timeout=0.5)
    try:
        with inside(phone):
            client.connect()
        client.request("GET", "/file.bin")
        return client.getresponse().read() == FILE
    except (OSError, HTTPException):
        return False
    finally:
        client.close()


def gets(phone: Host, address: str) -> tuple[bool, bool]:
    """Over TFTP and over HTTP."""
    return by_tftp(phone, address), by_http(phone, address)


def is_heard(phone: Host, address: str, heard: bool) -> None:
    """Wait until a phone gets the file, or does not any more, over both."""
    wait_for(lambda: gets(phone, address) == (heard, heard), f"{address} is heard: {heard}", SOON)


def listener(box: Proxy, address: str, transport: str = "tftp") -> dict[str, Any]:
    """A row of the status."""
    (row,) = [
        row
        for row in box.ask("status")["listeners"]
        if (row["address"], row["transport"]) == (address, transport)
    ]
    assert isinstance(row, dict)
    return row


def is_told(box: Proxy, address: str, interfaces: list[str], why: str) -> None:
    """Wait until both listeners of an address stand so."""
    wanted = [(bool(interfaces), interfaces, why)] * 2

    def told() -> list[tuple[bool, list[str], str]]:
        rows = [listener(box, address, transport) for transport in ("tftp", "http")]
        return [(row["listening"], row["interfaces"], row["why"]) for row in rows]

    try:
        wait_for(lambda: told() == wanted, "the status says so", SOON)
    except AssertionError:
        assert told() == wanted


def sysctl(host: Host, key: str, value: int) -> None:
    done = host.run(["sh", "-c", f"echo {value} > /proc/sys/net/{key}"])
    assert done.returncode == 0, done.stderr


def link_local(host: Host) -> str:
    """That of eth0."""
    done = host.run(["ip", "-6", "-json", "address", "show", "dev", "eth0", "scope", "link"])
    (address,) = [each["local"] for entry in json.loads(done.stdout) for each in entry["addr_info"] if each]
    return str(address)


@contextmanager
def given(host: Host, *addresses: str) -> Iterator[None]:
    """It has these addresses (with prefix length) meanwhile."""
    host.add(*addresses)
    try:
        yield
    finally:
        host.remove(*addresses)


@WORKERS
def test_an_address_comes_and_goes(workers: int, start: Start, host: Host, phone: Host) -> None:
    """It is heard as soon as it is there, at a port that takes rights; what runs at another goes on."""
    box = start(listen=f"{host.ipv4}, {LATER4}, {LATER6}", workers=workers)
    absent = "is not an address of this box"
    is_told(box, LATER4, [], f"{LATER4} {absent}")
    is_told(box, LATER6, [], f"{LATER6} {absent}")
    assert Path(f"/proc/{box.process.pid}").stat().st_uid != 0
    with phone_of(phone, host.ipv4) as running:
        wait_for(lambda: begun(running), "a transfer runs", SOON)
        for _ in range(2):
            with given(host, f"{LATER4}/24", f"{LATER6}/64"):
                for address in (LATER4, LATER6):
                    is_heard(phone, address, True)
                    is_told(box, address, ["eth0"], "")
            for address in (LATER4, LATER6):
                is_told(box, address, [], f"{address} {absent}")
        assert finish(running) == FILE
    assert gets(phone, host.ipv4) == (True, True)
    is_told(box, host.ipv4, ["eth0"], "")


def test_a_transfer_outlives_a_flap_of_its_address(start: Start, host: Host, phone: Host) -> None:
    box = start(listen=f"{host.ipv4}, {LATER4}")
    with phone_of(phone, LATER4) as running:
        with given(host, f"{LATER4}/24"):
            is_heard(phone, LATER4, True)
            assert begun(running)
        is_told(box, LATER4, [], f"{LATER4} is not an address of this box")
        with given(host, f"{LATER4}/24"):
            is_heard(phone, LATER4, True)
            running.waiting()
            assert finish(running) == FILE


def test_no_address_at_all_yet(start: Start, host: Host, phone: Host) -> None:
    """The box starts, and waits."""
    box = start(listen=LATER4)
    assert gets(phone, host.ipv4) == (False, False)
    with given(host, f"{LATER4}/24"):
        is_heard(phone, LATER4, True)
    is_told(box, LATER4, [], f"{LATER4} is not an address of this box")


@WORKERS
def test_ipv6_off_and_on(workers: int, start: Start, host: Host, phone: Host) -> None:
    box = start(workers=workers)
    everywhere = ["lo", "eth0", "eth1"]
    is_heard(phone, host.ipv6, True)
    is_told(box, "::", everywhere, "")
    for _ in range(2):
        sysctl(host, "ipv6/conf/eth0/disable_ipv6", 1)
        try:
            is_told(box, "::", ["lo", "eth1"], "IPv6 is off on eth0")
            is_heard(phone, host.ipv6, False)
            assert gets(phone, host.ipv4) == (True, True)
        finally:
            sysctl(host, "ipv6/conf/eth0/disable_ipv6", 0)
            host.add(f"{host.ipv6}/64")
        is_heard(phone, host.ipv6, True)
        is_told(box, "::", everywhere, "")


def test_ipv6_off_at_an_explicit_address(start: Start, host: Host, phone: Host) -> None:
    box = start(listen=f"{host.ipv4}, {host.ipv6}")
    is_heard(phone, host.ipv6, True)
    sysctl(host, "ipv6/conf/eth0/disable_ipv6", 1)
    try:
        is_told(box, host.ipv6, [], f"{host.ipv6} is not an address of this box; IPv6 is off on eth0")
    finally:
        sysctl(host, "ipv6/conf/eth0/disable_ipv6", 0)
        host.add(f"{host.ipv6}/64")
    is_heard(phone, host.ipv6, True)
    is_told(box, host.ipv6, ["eth0"], "")


def test_a_tentative_address_is_waited_for(lab: Lab, start: Start, host: Host, phone: Host) -> None:
    box = start(listen=f"{host.ipv4}, {LATER6}")
    why = f"{LATER6} on eth0 is tentative: not known yet to be nobody else's"
    for key, value in (("accept_dad", 1), ("dad_transmits", 3)):
        sysctl(host, f"ipv6/conf/eth0/{key}", value)
    try:
        lab.ip(host.namespace, f"address add {LATER6}/64 dev eth0")
        is_told(box, LATER6, [], why)
        wait_for(lambda: listener(box, LATER6)["listening"], "it is known to be nobody else's", 20)
        is_heard(phone, LATER6, True)
    finally:
        host.remove(f"{LATER6}/64")
        for key, value in (("accept_dad", 0), ("dad_transmits", 1)):
            sysctl(host, f"ipv6/conf/eth0/{key}", value)


def test_a_link_local_address(start: Start, host: Host, phone: Host) -> None:
    """With its zone; it goes and comes with IPv6 of its link."""
    address = link_local(host)
    box = start(listen=f"{address}%eth0")
    row = f"{address}%eth0"
    is_heard(phone, row, True)
    is_told(box, row, ["eth0"], "")
    sysctl(host, "ipv6/conf/eth0/disable_ipv6", 1)
    try:
        is_told(box, row, [], "IPv6 is off on eth0")
    finally:
        sysctl(host, "ipv6/conf/eth0/disable_ipv6", 0)
        host.add(f"{host.ipv6}/64")
    is_heard(phone, row, True)


@WORKERS
def test_interfaces(lab: Lab, workers: int, start: Start, host: Host, phone: Host) -> None:
    """Neither by another link, nor to the address of another link; a reload takes it up."""
    lab.ip(phone.namespace, f"route add {OTHER}/32 via {host.ipv4}")
    try:
        box = start(interfaces="eth0", workers=workers)
        is_heard(phone, host.ipv4, True)
        is_heard(phone, host.ipv6, True)
        is_told(box, "0.0.0.0", ["eth0"], "")
        before = box.ask("status")["counters"]["dropped"].get(ELSEWHERE, 0)
        assert gets(phone, OTHER) == (False, False)
        wait_for(
            lambda: box.ask("status")["counters"]["dropped"].get(ELSEWHERE, 0) == before + 2, "both are heard"
        )
        reconfigure(box, interfaces="eth1, eth7", workers=workers)
        is_told(box, "0.0.0.0", ["eth1"], "there is no eth7")
        is_heard(phone, host.ipv4, False)
        assert gets(phone, OTHER) == (False, False)  # it comes in by eth0
        lab.ip(phone.namespace, f"route replace {OTHER}/32 dev eth0")
        is_heard(phone, OTHER, True)
        reconfigure(box, workers=workers)
        is_heard(phone, host.ipv4, True)
        is_heard(phone, OTHER, True)
    finally:
        lab.ip(phone.namespace, f"route del {OTHER}/32")


def reconfigure(box: Proxy, **settings: object) -> None:
    """A reload with other settings of [tftp]."""
    path = box.folder / "appliance.conf"
    text, rest = path.read_text().split("[tftp]\n")
    lines = [f"{key} = {value}" for key, value in settings.items()]
    path.write_text("\n".join([f"{text}[tftp]", *lines, rest[rest.index("[clusters]") :]]))
    answer = box.ask("reload")
    assert (answer["in_force"], answer["restart"]) == (True, []), answer


def test_an_address_that_becomes_its_own(start: Start, host: Host, phone: Host) -> None:
    """The cluster that has it goes out of use at once, and comes back when the address is another's."""
    box = start((Cluster("a", (LATER4,)),))

    def out_of_use() -> str:
        return str(box.ask("status")["clusters"][0]["out_of_use"])

    for _ in range(2):
        with given(host, f"{LATER4}/24"):
            wait_for(lambda: out_of_use() == "an address of this box itself", "it is out of use", SOON)
        wait_for(lambda: out_of_use() == "", "it is in use again", SOON)


def test_with_python_out_of_reach(start: Start, host: Host, phone: Host) -> None:
    """Who has given up root may not be able to read the installation any more."""
    box = start(listen=f"{host.ipv4}, {LATER4}")
    assert Path(f"/proc/{box.process.pid}").stat().st_uid != 0
    paths = sysconfig.get_paths()
    for folder in (paths["stdlib"], paths["purelib"], str(REPOSITORY / "appliance")):
        argv = ["nsenter", "-t", str(box.process.pid), "-m", "mount", "-t", "tmpfs", "none", folder]
        done = run(argv, timeout=10)
        assert done.returncode == 0, done.stderr
    assert not Path(f"/proc/{box.process.pid}/root{REPOSITORY}/appliance/__init__.py").exists()
    with given(host, f"{LATER4}/24"):
        is_heard(phone, LATER4, True)
    is_told(box, LATER4, [], f"{LATER4} is not an address of this box")
