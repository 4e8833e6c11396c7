"""A site's power returns; and requests by the thousand from peers that are not there (tftp.md 3c, row 32)."""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Sequence

import pytest

from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, ack, data, rrq
from tests.serve.proxy import Proxy
from tests.serve.site import addresses, fetch_all, sockets

FILE = random.Random(15).randbytes(8192)
LARGE = random.Random(16).randbytes(64 * 1024)
MEGABYTE = 1 << 20
GHOSTS = 5000
PERIOD = 2.0  # s from one request of a ghost to its next
QUICK = {"timeout": 0.3, "retries": 2}
"""A peer that never says anything is given up after 2.1 s."""


def test_two_thousand_phones(start: StartProxy) -> None:
    """All at once, 8 KiB each in blocks of 512 bytes, and every one has it whole."""
    proxy = start()
    proxy.write("file.bin", FILE)
    before = proxy.memory()
    for _ in range(2):
        figures = fetch_all(proxy.tftp, addresses(2000, 1), "file.bin", FILE)
        print(f"{figures}, {_peak(proxy, before)}")
        assert (figures.whole, figures.wrong) == (2000, 0)
    assert proxy.memory("VmHWM") - before < 60 * MEGABYTE
    proxy.settle()


def test_requests_that_the_kernel_drops_are_counted(start: StartProxy) -> None:
    """More than its socket holds comes while it has no turn; the kernel tells with the next that it takes."""
    proxy = start()
    proxy.write("file.bin", FILE)
    proxy.pause()
    with Phone(proxy.tftp) as phone:
        for _ in range(60_000):
            phone.send(b"no request")
    proxy.go_on()
    _patient_fetch(proxy)
    counters = proxy.counters()
    assert counters["requests_overflowed"] > 0
    all_told = counters["requests_overflowed"] + counters["dropped"]["no request"]
    assert 60_000 <= all_told <= 60_020  # the last phone's own may be among them


class Ghosts(threading.Thread):
    """Each asks every other second while they are entered, takes no answer, and is never gone."""

    def __init__(self, proxy: Proxy, wires: Sequence[socket.socket], requests: Sequence[bytes]) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self._server = proxy.tftp
        self._each = list(zip(wires, requests, strict=True))
        self._over = threading.Event()

    def __enter__(self) -> Ghosts:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        begun = time.monotonic()
        for wire, request in itertools.cycle(self._each):
            wire.sendto(request, self._server)
            self.sent += 1
            ahead = PERIOD * self.sent / len(self._each) - (time.monotonic() - begun)
            if self._over.wait(ahead) if ahead > 0.01 else self._over.is_set():
                return


def request_of(number: int) -> bytes:
    """Every second one as phones ask, the others each with a size of blocks of its own."""
    if number % 2:
        return rrq("file.bin")
    return rrq("large.bin", "blksize", str(8 + number), "windowsize", "64")


@pytest.mark.parametrize(
    ("sources", "most"),
    [(["127.2.0.1"] * GHOSTS, 512), (addresses(GHOSTS, 3), GHOSTS)],
    ids=["ports of one address", "addresses"],
)
def test_five_thousand_ghosts(sources: list[str], most: int, start: StartProxy) -> None:
    """They take little memory and never more of it, others are served meanwhile, and all is free again."""
    proxy = start({"tftp": QUICK})
    proxy.write("file.bin", FILE)
    proxy.write("large.bin", LARGE)
    before, descriptors = proxy.memory(), proxy.descriptors()
    peaks: list[int] = []
    for _ in range(2):
        times: list[float] = []
        held: list[int] = []
        requests = [request_of(number) for number in range(GHOSTS)]
        with sockets(sources) as wires, Ghosts(proxy, wires, requests) as ghosts:
            started = time.monotonic()
            while time.monotonic() - started < 1.5 * PERIOD:
                times.append(_patient_fetch(proxy))
                held.append(proxy.transfers())
        proxy.settle(timeout=5)
        peaks.append(proxy.memory("VmHWM") - before)
        print(
            f"{ghosts.sent} requests of ghosts, {max(held)} transfers at once, {_peak(proxy, before)}; "
            f"{len(times)} real phones, the slowest {max(times):.2f} s"
        )
        assert most / 2 < max(held) <= most + 1
        assert max(times) < 5
    assert peaks[0] < 20 * MEGABYTE + most * 28 * 1024
    assert peaks[1] - peaks[0] < 20 * MEGABYTE
    assert proxy.descriptors() <= descriptors + 520  # so many sockets are kept for the next transfers
    figures = fetch_all(proxy.tftp, addresses(200, 4), "file.bin", FILE, 10)
    assert figures.whole == 200


def _peak(proxy: Proxy, before: int) -> str:
    return f"memory {before // MEGABYTE} MB before, {proxy.memory('VmHWM') // MEGABYTE} MB at most"


def _patient_fetch(proxy: Proxy) -> float:
    """A phone that asks again each half second; how long it took to have the whole file."""
    started = time.monotonic()
    with Phone(proxy.tftp, "127.9.0.1") as phone:
        for _ in range(20):
            phone.ask("file.bin")
            if (first := phone.heard(0.5)) is None or first[:2] == b"\0\5":
                continue
            assert first == data(1, FILE[:512])
            phone.send(ack(1))
            assert phone.finish(FILE[:512], 1) == FILE
            return time.monotonic() - started
    raise AssertionError("a phone was not served")
