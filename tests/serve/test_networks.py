"""What loopback cannot show: frames of 1500 bytes, zones, a firewall, boxes that ask each other."""

from __future__ import annotations

import ctypes
import functools
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.netns.lab import Host, Lab
from tests.netns.process import wait_for
from tests.netns.proxy import Cluster, Proxy
from tests.netns.wire import nft
from tests.serve.phone import Phone, Refused, ack, oack, rrq

pytestmark = pytest.mark.root

FILE = random.Random(7).randbytes(40_000)
PORT = 69
CLONE_NEWNET = 0x40000000

# What the proxy sends from a transfer's port is refused on the spot: sendto fails with EPERM.
FIREWALL = """table inet strict {
    chain output { type filter hook output priority 0; udp sport > 1024 drop; }
}
"""


def _socket(host: Host, family: socket.AddressFamily) -> socket.socket:
    """A UDP socket in a host: it stays there, whoever uses it. The thread that goes there ends there."""
    made: list[socket.socket] = []

    def make() -> None:
        with open(f"/run/netns/{host.namespace}", "rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.socket(family, socket.SOCK_DGRAM))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


@contextmanager
def _phone(lab: Lab, server: str, scope: int = 0) -> Iterator[Phone]:
    """A phone that asks this address; `scope` is the number of its link, where the address needs one."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    address = (server, PORT, 0, scope) if ":" in server else (server, PORT)
    with Phone(address, wire=_socket(lab.host("phone"), family)) as phone:
        yield phone


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Iterator[Proxy]:
    proxy = _start(lab, "box")
    yield proxy
    assert proxy.ask("status")["counters"]["faults"] == 0
    proxy.stop()


def _start(lab: Lab, host: str, clusters: tuple[Cluster, ...] = (), **settings: object) -> Proxy:
    quick = {"timeout": 0.1, "retries": 4, **settings}
    proxy = Proxy(lab.host(host), clusters, {"tftp": quick})
    (proxy.store / "file.bin").write_bytes(FILE)
    (proxy.store / "file.bin").chmod(0o644)
    return proxy


@pytest.mark.parametrize(("family", "fits"), [("ipv4", 1468), ("ipv6", 1448)])
def test_47_blocks_fit_the_link(family: str, fits: int, lab: Lab, proxy: Proxy) -> None:
    """A packet of a granted block is one frame: 1500 bytes with all its headers."""
    for asked, given in ((9000, fits), (65464, fits), (fits, fits), (fits - 1, fits - 1), (8, 8)):
        with _phone(lab, getattr(proxy.host, family)) as phone:
            phone.ask("file.bin", "blksize", str(asked))
            assert phone.receive() == oack("blksize", str(given))
            phone.send(ack(0))
            assert phone.finish(blksize=given) == FILE


def test_47_larger_blocks_where_they_are_wanted(lab: Lab) -> None:
    """Without the clamp the network cuts them, and puts them together again."""
    proxy = _start(lab, "large", mtu_clamp="no")
    try:
        for server in (proxy.host.ipv4, proxy.host.ipv6):
            with _phone(lab, server) as phone:
                phone.ask("file.bin", "blksize", "9000")
                assert phone.receive() == oack("blksize", "9000")
                phone.send(ack(0))
                assert phone.finish(blksize=9000) == FILE
    finally:
        proxy.stop()


def _link(host: Host) -> tuple[str, int]:
    """The link-local address of a host, and the number of its link."""
    shown = json.loads(host.run(["ip", "-j", "-6", "address", "show", "dev", "eth0", "scope", "link"]).stdout)
    link = next(each for each in shown if each)
    return next(each["local"] for each in link["addr_info"] if each), link["ifindex"]


def test_45_link_local(lab: Lab, proxy: Proxy) -> None:
    """Both use the address that every link has."""
    address, _ = _link(proxy.host)
    _, scope = _link(lab.host("phone"))
    with _phone(lab, address, scope) as phone:
        assert phone.fetch("file.bin", "blksize", "1024") == FILE
        assert phone.tid[0] == address
        with pytest.raises(Refused):
            phone.fetch("absent")
        assert phone.tid == phone.server


def test_45_all_nodes_of_a_link(lab: Lab, proxy: Proxy) -> None:
    """Multicast and broadcast are heard, and not answered."""
    _, scope = _link(lab.host("phone"))
    for target in ("ff02::1", "10.66.0.255"):
        with _phone(lab, target, scope) as phone:
            phone.wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            after = _to_everybody(proxy) + 4
            for sent in (rrq("file.bin"), rrq("absent"), rrq("x", mode="mail"), rrq("x", opcode=2)):
                phone.send(sent)
            wait_for(functools.partial(_heard, proxy, after), "all are heard")
            assert phone.waiting() == []


def _to_everybody(proxy: Proxy) -> int:
    return int(proxy.ask("status")["counters"]["dropped"].get("not sent to this address alone", 0))


def _heard(proxy: Proxy, count: int) -> bool:
    return _to_everybody(proxy) == count


def test_45_address_that_moves_in(lab: Lab, proxy: Proxy) -> None:
    """An address that the box takes over (VRRP) is served, and answers, like its own."""
    proxy.host.add("10.66.0.200/24")
    try:
        with _phone(lab, "10.66.0.200") as phone:
            assert phone.fetch("file.bin") == FILE
            assert phone.tid[0] == "10.66.0.200"
    finally:
        proxy.host.remove("10.66.0.200/24")


def test_48_sending_is_refused(lab: Lab, proxy: Proxy) -> None:
    """As if lost on the way: sent again when the firewall is gone. The listener never notices."""
    with _phone(lab, proxy.host.ipv4) as phone, _phone(lab, proxy.host.ipv4) as other:
        phone.ask("file.bin", "windowsize", "4")
        assert phone.receive() == oack("windowsize", "4")
        nft(proxy.host.namespace, FIREWALL)
        try:
            phone.send(ack(0))
            other.ask("file.bin")
            assert other.heard(0.15) is None
            assert phone.heard(0.15) is None
            with pytest.raises(Refused):
                other.fetch("absent")  # from the port of requests, which may send
        finally:
            nft(proxy.host.namespace, "delete table inet strict")
        other.ask("file.bin")
        assert other.finish() == FILE
        assert phone.finish(window=4) == FILE


def test_54_boxes_that_ask_each_other(lab: Lab) -> None:
    """Each finds out that asking the other leads back, and answers for itself, in every protocol."""
    left, right = lab.host("left"), lab.host("right")
    for protocol in ("tftp", "http", "auto"):
        proxies = [
            _start(lab, here.name, (Cluster("other", (there.ipv4,), protocol),))
            for here, there in ((left, right), (right, left))
        ]
        try:
            wait_for(functools.partial(_all_answer, proxies), "both answer", 20)
            for proxy in proxies:
                proxy.ask("reload")  # the first has looked before the second was there
            wait_for(functools.partial(_all_know, proxies), "both have found out")
            started = time.monotonic()
            for proxy in proxies:
                with _phone(lab, proxy.host.ipv4) as phone, pytest.raises(Refused) as refused:
                    phone.fetch(f"absent-{protocol}-{proxy.host.name}.bin")
                assert refused.value.code == 1
            assert time.monotonic() - started < 2
            for proxy in proxies:
                results = proxy.ask("status")["counters"]["results"]
                assert set(results) == {"not found"}
        finally:
            for proxy in proxies:
                proxy.stop()
        for proxy in proxies:
            asked = re.findall(r'"name": "(absent[^"]*)"', proxy.process.output())
            assert asked == [f"absent-{protocol}-{proxy.host.name}.bin"]


def _all_answer(proxies: list[Proxy]) -> bool:
    (addresses,) = zip(*(proxy.ask("status")["clusters"][0]["addresses"] for proxy in proxies), strict=True)
    return all(address["answering"] for address in addresses)


def _all_know(proxies: list[Proxy]) -> bool:
    return all(proxy.ask("status")["clusters"][0]["out_of_use"] for proxy in proxies)
