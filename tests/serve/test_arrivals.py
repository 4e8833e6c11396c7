"""Requests by the batch and their short answers, compiled and in Python."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address

import pytest

from appliance.serve import datagrams
from tests.serve.lanes import both, load

BOTH = both("_arrivals", "arrivals_python")


@BOTH
@pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.0.3.4"), ("::", "::1")])
def test_an_answer_leaves_from_the_address_that_was_asked(module: str, wildcard: str, asked: str) -> None:
    arrivals = load(module)
    with datagrams.listen(ip_address(wildcard), 0, 46) as wire:
        port = wire.getsockname()[1]
        with socket.socket(wire.family, socket.SOCK_DGRAM) as phone:
            phone.settimeout(5)
            phone.bind(("", 0))
            for number in range(3):
                phone.sendto(b"request %d" % number, (asked, port))
            came, overflows = arrivals.receive(wire.fileno())
            assert overflows == 0
            assert [each[0] for each in came] == [b"request 0", b"request 1", b"request 2"]
            local = ip_address(asked).packed
            assert [(each[2], each[4]) for each in came] == [(local, True)] * 3
            assert {each[1][1] for each in came} == {phone.getsockname()[1]}
            assert {ip_address(each[1][0]).packed for each in came} <= {local, ip_address("127.0.0.1").packed}
            assert len(came[0][1]) == (2 if wire.family == socket.AF_INET else 4)
            arrivals.reply(wire.fileno(), [(b"answer " + each[0], *each[1:4]) for each in came])
            for number in range(3):
                answer, source = phone.recvfrom(100)
                assert (answer, source[:2]) == (b"answer request %d" % number, (asked, port))
        assert arrivals.receive(wire.fileno()) == ([], 0)


@BOTH
def test_one_answer_that_cannot_leave_holds_up_no_other(module: str) -> None:
    with (
        datagrams.listen(ip_address("127.0.0.1"), 0, 0) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        phone.settimeout(5)
        phone.bind(("127.0.0.1", 0))
        good = (b"good", phone.getsockname(), socket.inet_aton("127.0.0.1"), 1)
        bad = (b"bad", phone.getsockname(), socket.inet_aton("192.0.2.1"), 1)  # no address of ours
        load(module).reply(wire.fileno(), [bad, good, bad, *[good] * 150, bad])
        assert [phone.recv(10) for _ in range(151)] == [b"good"] * 151


@BOTH
def test_more_than_a_batch(module: str) -> None:
    with (
        datagrams.listen(ip_address("127.0.0.1"), 0, 0) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        sent = [b"%d" % number for number in range(150)]
        for each in sent:
            phone.sendto(each, wire.getsockname())
        came: list[bytes] = []
        while batch := load(module).receive(wire.fileno())[0]:
            assert len(batch) <= 64
            came += [each[0] for each in batch]
        assert came == sent


@BOTH
@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 1026, 60000])
def test_of_a_long_one_only_so_much_is_taken_that_it_is_seen_to_be_too_long(module: str, size: int) -> None:
    with (
        datagrams.listen(ip_address("127.0.0.1"), 0, 0) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        phone.sendto(bytes(size), wire.getsockname())
        assert [len(each[0]) for each in load(module).receive(wire.fileno())[0]] == [min(size, 1025)]


@BOTH
def test_what_the_kernel_drops_is_told(module: str) -> None:
    with (
        datagrams.listen(ip_address("127.0.0.1"), 0, 0) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(200):
            phone.sendto(bytes(500), wire.getsockname())
        held = 0
        while batch := load(module).receive(wire.fileno())[0]:
            held += len(batch)
        assert 0 < held < 200
        phone.sendto(b"next", wire.getsockname())
        came, overflows = load(module).receive(wire.fileno())
        assert (len(came), overflows) == (1, 200 - held)


@BOTH
def test_a_socket_that_is_none_is_an_os_error(module: str) -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError):
            load(module).receive(reading)
    finally:
        os.close(reading)
        os.close(writing)


@both("_arrivals", "arrivals_python")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_has_room_for_a_whole_site(module: str) -> None:
    with datagrams.listen(ip_address("127.0.0.1"), 0, 0) as wire:
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= datagrams.RECEIVE_BUFFER
