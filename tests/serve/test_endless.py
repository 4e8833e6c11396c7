"""Peers that never stop sending to one transfer: nobody else waits for it, and nobody else's is harmed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from tests.serve.conftest import sound
from tests.serve.phone import Phone, ack, data, error, fetch, timed_fetch
from tests.serve.proxy import Proxy

FILE = random.Random(5).randbytes(10 * 512 + 100)
MANY = 20_000  # datagrams


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """Nothing is repeated while a test looks: every datagram is an answer."""
    with sound({"tftp": {"timeout": 20}}) as proxy:
        proxy.write("file.bin", FILE)
        yield proxy


class Flood(threading.Thread):
    """Sends one datagram to one place as fast as it can, while it is entered."""

    def __init__(self, phone: Phone, datagram: bytes) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self._over = threading.Event()
        self._phone = phone
        self._datagram = datagram

    def __enter__(self) -> Flood:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        wire, tid = self._phone.wire, self._phone.tid
        while not self._over.is_set():
            for _ in range(100):
                wire.sendto(self._datagram, tid)
            self.sent += 100


@pytest.mark.parametrize(
    ("who", "junk"),
    [
        ("peer", ack(9)),
        ("peer", data(1, b"x")),
        ("peer", b""),
        ("stranger", ack(1)),
        ("stranger", error(0)),
    ],
)
def test_to_a_running_transfer(who: str, junk: bytes, proxy: Proxy) -> None:
    with Phone(proxy.tftp) as phone, Phone(proxy.tftp) as stranger:
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        stranger.tid = phone.tid
        deadline = time.monotonic() + 10
        with Flood(phone if who == "peer" else stranger, junk) as flood:
            while flood.sent < MANY and time.monotonic() < deadline:
                body, seconds = timed_fetch(proxy.tftp, "file.bin", "127.0.0.5")
                assert body == FILE
                assert seconds < 5.0
        assert flood.sent >= MANY
        assert phone.waiting() == []
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE


def test_to_a_port_that_has_served(proxy: Proxy) -> None:
    """Errors that go on coming for a transfer of the past end none of the next ones."""
    with Phone(proxy.tftp) as phone:
        assert phone.fetch("file.bin") == FILE
        with Flood(phone, error(3)):
            for _ in range(100):
                assert fetch(proxy.tftp, "file.bin", source="127.0.0.5") == FILE


def test_to_the_port_of_requests(proxy: Proxy) -> None:
    """Whatever comes there, be it answered or not."""
    for junk in (error(4), b"\0\1", b"\0\1..\0octet\0"):
        with Phone(proxy.tftp) as phone, Flood(phone, junk):
            for _ in range(5):
                body, seconds = _patient_fetch(proxy)
                assert body == FILE
                assert seconds < 10.0


def _patient_fetch(proxy: Proxy) -> tuple[bytes, float]:
    """A phone that asks again: where everybody shouts, a request can get lost."""
    started = time.monotonic()
    with Phone(proxy.tftp, "127.0.0.5") as phone:
        for _ in range(20):
            phone.ask("file.bin")
            first = phone.heard(0.1)
            if first is not None:
                assert first == data(1, FILE[:512])
                phone.send(ack(1))
                return phone.finish(FILE[:512], 1), time.monotonic() - started
    raise AssertionError("no request was heard")
