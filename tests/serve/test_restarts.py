"""Phones that ask anew from the port of a transfer, and files that are other ones at the same place."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.netns.process import wait_for
from tests.serve.conftest import StartProxy, sound
from tests.serve.phone import Phone, ack, data, fetch, oack
from tests.serve.proxy import Proxy
from tests.serve.upstreams import Asked, HttpUpstream, head

FILE = random.Random(21).randbytes(600)
PATIENT = {"tftp": {"timeout": 20}}
HASTY = {"tftp": {"timeout": 0.1}}


@pytest.fixture(scope="module")
def patient() -> Iterator[Proxy]:
    with sound(PATIENT) as proxy:
        proxy.write("file.bin", FILE)
        yield proxy


def _to_its_last_block(phone: Phone) -> None:
    phone.ask("file.bin")
    assert phone.receive() == data(1, FILE[:512])
    phone.send(ack(1))
    assert phone.receive() == data(2, FILE[512:])


def test_the_same_request_of_a_peer_that_answers(patient: Proxy) -> None:
    before = patient.counters()["repetitions"]
    with Phone(patient.tftp) as phone:
        _to_its_last_block(phone)
        phone.ask("file.bin")
        wait_for(lambda: patient.counters()["repetitions"] == before + 1, "it is taken for a repetition")
        assert phone.waiting() == []
        phone.send(ack(2))
    patient.settle()
    assert patient.records()[0]["result"] == "served"


def test_the_same_request_after_the_last_ack_was_lost(start: StartProxy) -> None:
    """The phone has left a repetition unanswered: it knows nothing of that transfer any more."""
    proxy = start(HASTY)
    proxy.write("file.bin", FILE)
    with Phone(proxy.tftp) as phone:
        _to_its_last_block(phone)
        old = phone.tid
        assert phone.receive() == data(2, FILE[512:])
        phone.ask("file.bin")
        answers = [phone.receive()]
        while phone.tid == old:  # a few more repetitions may have been under way
            answers.append(phone.receive())
        assert answers[-1] == data(1, FILE[:512])
        assert proxy.transfers() == 1
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE


def test_other_options_from_the_same_port(patient: Proxy) -> None:
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        old = phone.tid
        phone.ask("file.bin", "blksize", "1024")
        assert phone.receive() == oack("blksize", "1024")
        assert phone.tid != old
        assert patient.transfers() == 1
        phone.send(ack(0))
        assert phone.finish(blksize=1024) == FILE
    patient.settle()
    assert [record["result"] for record in patient.records(2)] == ["replaced by a newer request", "served"]


def _sum(packet: bytes) -> int:
    """The checksum of RFC 1071 over an even count of bytes."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _port_unreachable(sender: int, receiver: int) -> bytes:
    """ICMP type 3, code 3 (RFC 792) about a full block, both ends on 127.0.0.1."""
    here, length = socket.inet_aton("127.0.0.1"), 8 + 4 + 512
    about = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0, 64, 17, 0, here, here)
    about += struct.pack("!HHHH", sender, receiver, length, 0)
    return struct.pack("!BBHI", 3, 3, _sum(struct.pack("!BBHI", 3, 3, 0, 0) + about), 0) + about


@pytest.mark.root
@pytest.mark.parametrize("name", ["file.bin", "other.bin"])
def test_a_closed_port_that_asks_again(name: str, patient: Proxy) -> None:
    """The network says that the port is closed, and the next request of it is there already."""
    patient.write("other.bin", FILE)
    with Phone(patient.tftp) as phone:
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        old = phone.tid
        patient.pause()
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as network:
            network.sendto(_port_unreachable(old[1], phone.wire.getsockname()[1]), ("127.0.0.1", 0))
        phone.ask(name)
        patient.go_on()
        assert phone.receive() == data(1, FILE[:512])
        assert phone.tid != old
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE
    patient.settle()
    assert patient.counters()["faults"] == 0


def test_a_lost_window_while_the_cluster_is_quiet(start: StartProxy) -> None:
    """Part of a window is all there is: it comes again though the rest has not come."""
    body, more = random.Random(22).randbytes(20_000), threading.Event()

    def answer(wire: socket.socket, asked: Asked) -> None:
        wire.sendall(head(f"Content-Length: {len(body)}") + body[:2100])
        more.wait(10)
        wire.sendall(body[2100:])

    with HttpUpstream(answer) as cluster:
        proxy = start({**HASTY, **cluster.settings()})
        with Phone(proxy.tftp) as phone:
            phone.ask("some.bin", "windowsize", "8")
            assert phone.receive() == oack("windowsize", "8")
            phone.send(ack(0))
            part = [data(number, body[(number - 1) * 512 : number * 512]) for number in (1, 2, 3, 4)]
            assert [phone.receive() for _ in range(8)] == part * 2
            more.set()
            phone.send(ack(4))
            assert phone.finish(body[:2048], 4, window=8) == body


def test_rewritten_with_the_same_size_and_time(patient: Proxy) -> None:
    path = patient.store / "same.xml"
    patient.write(path.name, b"AAAA")
    before = path.stat()
    assert fetch(patient.tftp, path.name) == b"AAAA"
    patient.write(path.name, b"BBBB")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    wait_for(lambda: fetch(patient.tftp, path.name) == b"BBBB", "the new content is served", 2)
