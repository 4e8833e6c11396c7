"""Where requests come to and from: several addresses, broadcast, both families (tftp.md 3c, row 45)."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import QUICK, StartProxy, sound
from tests.serve.phone import Phone, ack, data, error, fetch, rrq
from tests.serve.proxy import Proxy

FILE = random.Random(6).randbytes(3000)
EVERYBODY = "not sent to this address alone"


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """Listens on all addresses of both families."""
    with sound(QUICK, "0.0.0.0, ::") as proxy:
        proxy.write("file.bin", FILE)
        yield proxy


@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.9", "127.255.255.254", "::1"])
def test_answers_come_from_the_address_that_was_asked(asked: str, proxy: Proxy) -> None:
    with Phone((asked, proxy.tftp[1])) as phone:
        for sent in (rrq("absent"), rrq(".."), rrq("x", mode="mail"), rrq("x", opcode=2)):
            phone.send(sent, phone.server)
            assert phone.receive()[:2] == b"\0\5"
            assert phone.tid == phone.server
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        assert phone.tid[0] == asked
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE
        assert phone.tid[0] == asked


def test_one_port_at_two_addresses_is_two_transfers(proxy: Proxy) -> None:
    """The peer's address and port alone do not make a transfer."""
    port = proxy.tftp[1]
    with Phone(("127.0.0.9", port), "127.0.0.5") as phone:
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        first = phone.tid
        phone.send(rrq("file.bin"), ("127.0.0.10", port))
        assert phone.receive() == data(1, FILE[:512])
        assert (first[0], phone.tid[0]) == ("127.0.0.9", "127.0.0.10")
        for tid in (phone.tid, first):
            phone.send(error(0), tid)


def test_ipv4_mapped(proxy: Proxy) -> None:
    """A client of both families in one socket: on the wire it is IPv4."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        wire.bind(("::", 0))
        phone = Phone(("::ffff:127.0.0.1", proxy.tftp[1]), wire=wire)
        assert phone.fetch("file.bin") == FILE
        assert phone.tid[0] == "::ffff:127.0.0.1"
    assert proxy.records()[0]["client"] == "127.0.0.1"


@pytest.mark.parametrize("target", ["127.255.255.255", "224.0.0.1"])
def test_sent_to_everybody(target: str, proxy: Proxy) -> None:
    """Heard, counted, not answered, and nothing started (RFC 1123 section 4.2.3.4)."""
    before = proxy.counters()
    with Phone((target, proxy.tftp[1])) as phone:
        phone.wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        phone.wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for sent in (rrq("file.bin"), rrq("absent"), rrq("x", mode="mail"), rrq("x", opcode=2)):
            phone.send(sent)
        dropped = before["dropped"].get(EVERYBODY, 0) + 4
        wait_for(lambda: proxy.counters()["dropped"].get(EVERYBODY, 0) == dropped, "all four are heard")
        assert phone.waiting() == []
    assert proxy.transfers() == 0


@pytest.mark.root
def test_from_port_0(proxy: Proxy) -> None:
    """Nobody can be answered there."""
    request = rrq("file.bin")
    header = struct.pack("!HHHH", 0, proxy.tftp[1], 8 + len(request), 0)
    before = proxy.counters()["dropped"].get(EVERYBODY, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as wire:
        wire.sendto(header + request, ("127.0.0.1", 0))
    wait_for(lambda: proxy.counters()["dropped"].get(EVERYBODY, 0) == before + 1, "it is heard")
    assert proxy.transfers() == 0


def test_no_wildcard(start: StartProxy) -> None:
    """A proxy of one address is deaf at the others."""
    proxy = start(QUICK, "127.0.0.2")
    proxy.write("file.bin", FILE)
    assert fetch(proxy.tftp, "file.bin") == FILE
    with Phone(("127.0.0.1", proxy.tftp[1])) as phone:
        phone.wire.connect(phone.server)
        phone.wire.send(rrq("file.bin"))
        with pytest.raises(ConnectionRefusedError):
            phone.receive()


def test_allowed_networks(start: StartProxy) -> None:
    """Who is not of one of them gets no answer at all."""
    proxy = start({"tftp": {"allow": "127.0.0.4/30, ::1"}}, "0.0.0.0, ::")
    proxy.write("file.bin", FILE)
    port = proxy.tftp[1]
    assert fetch(("127.0.0.1", port), "file.bin", source="127.0.0.5") == FILE
    assert fetch(("::1", port), "file.bin") == FILE
    with Phone(("127.0.0.1", port), "127.0.0.8") as phone:
        for sent in (rrq("file.bin"), rrq("absent"), rrq("x", mode="mail"), rrq("x", opcode=2)):
            phone.send(sent)
        wait_for(lambda: proxy.counters()["dropped"].get("not of an allowed network") == 4, "all are heard")
        assert phone.waiting() == []
    with socket.create_connection(("127.0.0.1", proxy.http[1]), 5, ("127.0.0.8", 0)) as wire:
        assert wire.recv(100) == b""
