"""Peers that take places and say nothing, and clusters of which nobody can tell yet whether they answer."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import ExitStack

from tests.netns.process import wait_for
from tests.serve.browser import Browser
from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, ack, data, error, fetch, timed_fetch
from tests.serve.upstreams import Asked, HttpUpstream, whole

FILE = random.Random(23).randbytes(1100)
PLACES = 8
FEW = {"tftp": {"timeout": 20, "transfers_max": PLACES}}


def _ask(phone: Phone) -> None:
    phone.ask("file.bin")
    assert phone.receive() == data(1, FILE[:512])


def _acknowledge(phone: Phone) -> None:
    phone.send(ack(1))
    assert phone.receive() == data(2, FILE[512:1024])


def test_the_oldest_that_said_nothing_gives_way(start: StartProxy) -> None:
    proxy = start(FEW)
    proxy.write("file.bin", FILE)
    with ExitStack() as stack:
        phones = [stack.enter_context(Phone(proxy.tftp, f"127.0.1.{1 + n}")) for n in range(PLACES)]
        for phone in phones:
            _ask(phone)
        _acknowledge(phones[0])
        assert proxy.transfers() == PLACES
        content, seconds = timed_fetch(proxy.tftp, "file.bin", "127.0.2.1")
        assert content == FILE
        assert seconds < 5
        phones[1].send(ack(1))
        assert phones[1].waiting() == []  # the oldest but for the one that had acknowledged
        for phone in phones[2:]:
            _acknowledge(phone)
        for phone in (phones[0], *phones[2:]):
            phone.send(ack(2))
            assert phone.finish(FILE[:1024], 2) == FILE


def test_nobody_who_has_acknowledged_gives_way(start: StartProxy) -> None:
    proxy = start(FEW)
    proxy.write("file.bin", FILE)
    with ExitStack() as stack:
        phones = [stack.enter_context(Phone(proxy.tftp, f"127.0.1.{1 + n}")) for n in range(PLACES)]
        for phone in phones:
            _ask(phone)
            _acknowledge(phone)
        with Phone(proxy.tftp, "127.0.2.1") as late:
            late.ask("file.bin")
            assert late.receive() == error(0, b"busy")
        for phone in phones:
            phone.send(ack(2))
            assert phone.finish(FILE[:1024], 2) == FILE


def test_who_connects_on_and_on_delays_nobody(start: StartProxy) -> None:
    proxy = start()
    proxy.write("file.bin", FILE)
    enough, begun = threading.Event(), threading.Event()

    def connect() -> None:
        for count in range(5000):
            if enough.is_set():
                return
            try:
                Browser(proxy.http).reset()
            except OSError:
                continue  # its queue is full
            finally:
                if count == 50:
                    begun.set()

    flood = threading.Thread(target=connect, daemon=True)
    flood.start()
    try:
        assert begun.wait(10)
        times = [timed_fetch(proxy.tftp, "file.bin", "127.0.2.1")[1] for _ in range(10)]
    finally:
        enough.set()
        flood.join(10)
    assert max(times) < 5


def test_busy_is_not_silent(start: StartProxy) -> None:
    """While they are waited for, another has the file; `status` tells of the silent one alone."""

    def busy(wire: socket.socket, asked: Asked) -> None:
        wire.sendall(whole(b"", status="503 Busy"))

    def silent(wire: socket.socket, asked: Asked) -> None:
        wire.recv(1)

    east, north = HttpUpstream(busy), HttpUpstream(silent, "127.0.1.2")
    west = HttpUpstream(lambda wire, asked: wire.sendall(whole(FILE)), "127.0.1.3")
    with east, north, west:
        clusters = {**east.settings("east"), **north.settings("north"), **west.settings("west")}
        proxy = start({"lookup": {"budget": 1.4}, **clusters})
        assert fetch(proxy.tftp, "some.bin") == FILE
        wait_for(lambda: len(east.asked) > 1 and len(north.asked) > 0, "both were asked")
        wait_for(lambda: proxy.status()["held"]["fetches"] == 0, "nobody is asked any more")
        told = {each["name"]: each["addresses"][0]["answering"] for each in proxy.status()["clusters"]}
    assert told["east"] is not False
    assert (told["north"], told["west"]) == (False, True)
