"""Listeners opened and closed: by what there is, by a reload, and where another program has the port."""

from __future__ import annotations

import errno
import os
import signal
import socket
from dataclasses import replace
from ipaddress import ip_interface
from typing import Any

import gevent
import pytest

from appliance.config.load import parse
from appliance.config.model import Tftp
from appliance.network.state import Held, Link, State
from appliance.report.counters import Counters
from appliance.serve import listeners
from appliance.serve.listeners import Listeners
from appliance.serve.listening import Door, Here
from appliance.serve.log import Log
from tests.netns.process import wait_for
from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, ack, data, fetch
from tests.serve.proxy import Proxy, free_port
from tests.serve.upstreams import ask_http

FILE = b"0123456789" * 100
WORKERS = pytest.mark.parametrize("workers", [1, 2], ids=["alone", "workers"])
LINKS = (Link("lo", 1, "", True, True, 65536), Link("eth0", 2, "", True, True, 1500))
FIRST, SECOND, THIRD = (Held(ip_interface(f"10.0.0.{number}/24"), "eth0") for number in (1, 2, 3))
ZONED = Held(ip_interface("fe80::1/64"), "eth0")


def tftp(listen: str, more: str = "http_port = 0") -> Tftp:
    return parse(f"version = 1\n[tftp]\nlisten = {listen}\n{more}\n".encode(), "test").tftp


class Sockets:
    """What was opened, as "number address"; `broken` are addresses that cannot be."""

    def __init__(self) -> None:
        self.open_now: dict[int, Door] = {}
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.here: Here | None = None

    def open(self, number: int, door: Door, dscp: int) -> None:
        assert number not in self.open_now
        if str(door.address) in self.broken:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self.open_now[number] = door
        self.done.append(f"open {door.address}")

    def shut(self, number: int) -> None:
        self.done.append(f"shut {self.open_now.pop(number).address}")

    def settle(self, here: Here) -> None:
        self.here = here

    def taken(self) -> list[str]:
        """What was done since the last time."""
        done, self.done = self.done, []
        return done


class Lines(Log):
    """The events of a log."""

    def __init__(self) -> None:
        super().__init__(Counters(), False)
        self.events: list[tuple[str, Any]] = []

    def event(self, event: str, **facts: str | int | float) -> None:
        self.events.append((event, facts.get("address")))

    def taken(self) -> list[tuple[str, Any]]:
        events, self.events = self.events, []
        return events


def made(listen: str) -> tuple[Listeners, Sockets, Lines]:
    sockets, log = Sockets(), Lines()
    return Listeners(sockets, tftp(listen), log), sockets, log


def state(*addresses: Held) -> State:
    return State(LINKS, addresses)


def test_addresses_come_and_go() -> None:
    """What is not concerned is left alone."""
    here, sockets, log = made("10.0.0.1, 10.0.0.2, 0.0.0.0")
    here.look(state(FIRST))
    assert sockets.taken() == ["open 10.0.0.1", "open 0.0.0.0"]
    assert log.taken() == [("listener absent", "10.0.0.2")]
    here.look(state(FIRST))
    assert (sockets.taken(), log.taken()) == ([], [])
    here.look(state(FIRST, SECOND))
    assert (sockets.taken(), log.taken()) == (["open 10.0.0.2"], [("listening", "10.0.0.2")])
    here.look(state(SECOND, THIRD))
    assert (sockets.taken(), log.taken()) == (["shut 10.0.0.1"], [("listener absent", "10.0.0.1")])
    assert [(row.address, row.listening, row.interfaces) for row in here.rows] == [
        ("10.0.0.1", False, ()),
        ("10.0.0.2", True, ("eth0",)),
        ("0.0.0.0", True, ("eth0",)),
    ]
    assert sockets.here is not None
    assert sockets.here.has(THIRD.interface.ip.packed)
    assert not sockets.here.has(FIRST.interface.ip.packed)
    here.close()
    assert sockets.taken() == []
    assert {row.why for row in here.rows} == {"closed: draining"}


def test_a_link_that_is_made_anew() -> None:
    """A socket of a link-local address is bound to the link's number."""
    here, sockets, _ = made("fe80::1%eth0")
    here.look(state(ZONED))
    here.look(State((LINKS[0], replace(LINKS[1], index=7)), (ZONED,)))
    assert sockets.taken() == ["open fe80::1%eth0", "shut fe80::1%eth0", "open fe80::1%eth0"]
    here.close()


def test_what_cannot_be_opened_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "AGAIN", 0.01)
    here, sockets, log = made("10.0.0.1, 10.0.0.2")
    sockets.broken = {"10.0.0.1"}
    here.look(state(FIRST, SECOND))
    assert [row.why for row in here.rows] == ["Address already in use", ""]
    gevent.sleep(0.05)
    assert log.taken() == [("listener absent", "10.0.0.1")]  # once, however often it is tried
    sockets.broken.clear()
    with gevent.Timeout(20):
        while len(sockets.open_now) < 2:
            gevent.sleep(0.01)
    assert [row.why for row in here.rows] == ["", ""]
    assert log.taken() == [("listening", "10.0.0.1")]
    here.close()


@pytest.mark.parametrize(
    ("listen", "broken", "hopeless"),
    [
        ("10.0.0.1", "", ""),
        ("10.0.0.9", "", ""),  # it may come
        ("10.0.0.1", "10.0.0.1", "10.0.0.1 port 69: Address already in use"),
        ("10.0.0.1, 10.0.0.9", "10.0.0.1", ""),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1", ""),
        ("0.0.0.0", "0.0.0.0", "0.0.0.0 port 69: Address already in use"),
    ],
)
def test_hopeless(listen: str, broken: str, hopeless: str) -> None:
    here, sockets, _ = made(listen)
    sockets.broken = {broken}
    here.look(state(FIRST, SECOND))
    assert here.hopeless == hopeless
    here.close()


def test_other_settings() -> None:
    here, sockets, _ = made("10.0.0.1, 10.0.0.2")
    here.configure(tftp("10.0.0.1"))
    assert sockets.taken() == []  # it is not known yet what there is
    here.look(state(FIRST, SECOND))
    here.configure(tftp("10.0.0.2, 10.0.0.1"))
    assert sockets.taken() == ["open 10.0.0.1", "open 10.0.0.2"]
    here.configure(tftp("10.0.0.2, 10.0.0.1", "port = 70\nhttp_port = 0"))
    assert sorted(sockets.taken()) == [
        f"{what} 10.0.0.{each}" for what in ("open", "shut") for each in (1, 2)
    ]
    here.configure(tftp("10.0.0.1", "port = 70\nhttp_port = 0\ninterfaces = eth1"))
    assert sorted(sockets.taken()) == ["shut 10.0.0.1", "shut 10.0.0.2"]
    assert here.rows[0].why == "10.0.0.1 is on eth0, which [tftp] interfaces does not name"
    here.close()


def rows(proxy: Proxy) -> list[tuple[str, str, int, bool]]:
    return [
        (row["transport"], row["address"], row["port"], row["listening"])
        for row in proxy.status()["listeners"]
    ]


@WORKERS
def test_a_reload_takes_up_addresses_and_ports(workers: int, start: StartProxy) -> None:
    """A transfer that runs at what is given up goes on."""
    proxy = start({"tftp": {"workers": workers}})
    proxy.write("file.bin", FILE)
    port, other = proxy.tftp[1], free_port()
    with Phone(proxy.tftp) as phone:
        wait_for(lambda: fetch(proxy.tftp, "file.bin") == FILE, "it is heard")
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        proxy.configure({"tftp": {"listen": "127.0.0.2, 127.0.0.3", "http_port": other, "workers": workers}})
        (answer,) = proxy.ask("reload")
        assert (answer["in_force"], answer["restart"]) == (True, [])
        assert rows(proxy) == [
            (transport, address, number, True)
            for address in ("127.0.0.2", "127.0.0.3")
            for transport, number in (("tftp", port), ("http", other))
        ]
        for address in ("127.0.0.2", "127.0.0.3"):
            assert fetch((address, port), "file.bin") == FILE
            assert ask_http((address, other), "file.bin") == FILE
        with Phone(proxy.tftp) as deaf:
            deaf.wire.connect(deaf.server)

            def refused() -> bool:
                try:
                    deaf.wire.send(b"\0\1file.bin\0octet\0")
                    deaf.heard(0.1)
                except ConnectionRefusedError:
                    return True
                return False

            wait_for(refused, "nobody hears at the old address")
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE
    proxy.settle()


def test_a_worker_that_is_started_again(start: StartProxy) -> None:
    """It hears at what came before it."""
    proxy = start({"tftp": {"workers": 2}})
    proxy.write("file.bin", FILE)
    wait_for(lambda: len(pids(proxy)) == 2, "all answer")
    proxy.configure({"tftp": {"listen": "127.0.0.1, 127.0.0.2", "workers": 2}})
    assert proxy.ask("reload")[0]["in_force"]
    before = pids(proxy)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(pids(proxy) - before) == 2, "others have taken their places", 20)
    sources = [f"127.8.0.{number}" for number in range(1, 21)]
    assert {fetch(("127.0.0.2", proxy.tftp[1]), "file.bin", source=each) for each in sources} == {FILE}
    assert all(worker["requests"] for worker in proxy.status()["workers"])


def pids(proxy: Proxy) -> set[int]:
    """Of the workers that answer."""
    return {worker["pid"] for worker in proxy.status()["workers"] if worker["answering"]}


@WORKERS
def test_a_port_of_another_program(workers: int, start: StartProxy) -> None:
    """It is told, and taken as soon as that lets go of it."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", port))
        proxy = start({"tftp": {"listen": "127.0.0.1, 127.0.0.2", "port": port, "workers": workers}})
        proxy.write("file.bin", FILE)
        told = [row for row in proxy.status()["listeners"] if row["why"]]
        assert [(row["address"], row["transport"], row["why"]) for row in told] == [
            ("127.0.0.2", "tftp", "Address already in use")
        ]
    wait_for(lambda: all(row[3] for row in rows(proxy)), "all are heard")
    assert fetch(("127.0.0.2", port), "file.bin") == FILE
