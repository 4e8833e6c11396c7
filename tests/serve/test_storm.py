"""A site's power returns; and requests by the thousand from peers that are not there (tftp.md 3c, row 32)."""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, ack, data, rrq
from tests.serve.proxy import Proxy
from tests.serve.site import addresses, fetch_all, sockets

FILE = random.Random(15).randbytes(8192)
LARGE = random.Random(16).randbytes(64 * 1024)
MEGABYTE = 1 << 20
QUICK = {"timeout": 0.1, "retries": 2}
"""A peer that never says anything is given up after 0.7 s."""


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


class Ghosts(threading.Thread):
    """Ask once a second each while they are entered, take no answer, and are never gone."""

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
            ahead = self.sent / len(self._each) - (time.monotonic() - begun)
            if self._over.wait(ahead) if ahead > 0.01 else self._over.is_set():
                return


def plain(count: int) -> list[bytes]:
    """The same request for all."""
    return [rrq("file.bin")] * count


def blksizes(count: int) -> list[bytes]:
    """Each with a size of blocks of its own."""
    return [rrq("large.bin", "blksize", str(8 + number), "windowsize", "64") for number in range(count)]


@pytest.mark.parametrize("requests", [plain, blksizes])
@pytest.mark.parametrize(
    ("sources", "most"), [(["127.2.0.1"] * 5000, 512), (addresses(5000, 3), 5000)], ids=["ports", "addresses"]
)
def test_five_thousand_ghosts(
    sources: list[str], most: int, requests: Callable[[int], list[bytes]], start: StartProxy
) -> None:
    """They cost little, others are served meanwhile, and all is free again soon after them."""
    proxy = start({"tftp": QUICK})
    proxy.write("file.bin", FILE)
    proxy.write("large.bin", LARGE)
    before, descriptors = proxy.memory(), proxy.descriptors()
    times: list[float] = []
    held: list[int] = []
    with sockets(sources) as wires, Ghosts(proxy, wires, requests(len(wires))) as ghosts:
        started = time.monotonic()
        while time.monotonic() - started < 3 or len(times) < 10:
            times.append(_patient_fetch(proxy))
            held.append(proxy.transfers())
    proxy.settle(timeout=3)
    print(
        f"{ghosts.sent} requests in 3 s, {max(held)} transfers at once, {_peak(proxy, before)}; "
        f"{len(times)} real phones, the slowest {max(times):.2f} s"
    )
    assert 0 < max(held) <= most + 1
    assert proxy.memory("VmHWM") - before < 40 * MEGABYTE
    assert max(times) < 5
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
