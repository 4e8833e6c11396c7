"""Files that are sent piece by piece: from the store, and from a cluster that is slow to tell."""

from __future__ import annotations

import random
import socket
import time
from contextlib import ExitStack

import pytest

from tests.serve.conftest import StartProxy
from tests.serve.phone import Phone, ack, data, fetch
from tests.serve.site import addresses
from tests.serve.upstreams import Asked, HttpUpstream, whole

MEGABYTE = 1 << 20
LARGE = random.Random(51).randbytes(400_000)
SLOW = random.Random(52).randbytes(20_000)


def test_sixty_four_at_once_take_little_memory(start: StartProxy) -> None:
    """Each in blocks of its own size, so that none can use what was read for another."""
    proxy = start()
    proxy.write("image.bin", random.Random(53).randbytes(40 * MEGABYTE))
    before = proxy.memory()
    with ExitStack() as stack:
        for number, source in enumerate(addresses(64, 1)):
            phone = stack.enter_context(Phone(proxy.tftp, source))
            phone.ask("image.bin", "blksize", str(1000 + number), "windowsize", "16")
            phone.receive()
            for window in range(12):
                phone.send(ack(16 * window))
                received = [phone.receive() for _ in range(16)]
            assert received[-1][2:4] == (16 * 12).to_bytes(2, "big")
        assert proxy.transfers() == 64
        print(f"{(proxy.memory('VmHWM') - before) / MEGABYTE:.1f} MB for 64 transfers")
        assert proxy.memory("VmHWM") - before < 40 * MEGABYTE


def test_a_forged_address_has_little_read_for_it(start: StartProxy) -> None:
    proxy = start({"tftp": {"timeout": 2, "transfers_per_client_max": 600}})
    proxy.write("large.bin", LARGE)
    before = proxy.memory()
    with ExitStack() as stack:
        for _ in range(500):
            phone = stack.enter_context(Phone(proxy.tftp))
            phone.ask("large.bin")
            assert phone.receive() == data(1, LARGE[:512])
        assert proxy.memory("VmHWM") - before < 500 * 28 * 1024
    proxy.settle(timeout=10)  # the network tells that their ports are closed


@pytest.mark.parametrize("options", [(), ("blksize", "1428"), ("blksize", "1000", "windowsize", "7")])
@pytest.mark.parametrize("mode", ["octet", "netascii"])
def test_any_size_of_blocks(start: StartProxy, options: tuple[str, ...], mode: str) -> None:
    proxy = start()
    for size in (65_537, 128_000, 131_072, 262_144, 262_145, 400_000):
        proxy.write("large.bin", LARGE[:size])
        sent = LARGE[:size]
        if mode == "netascii":
            sent = sent.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
        assert fetch(proxy.tftp, "large.bin", *options, mode=mode) == sent
        proxy.settle()


@pytest.mark.parametrize("options", [(), ("blksize", "1428", "windowsize", "4")])
@pytest.mark.parametrize("first", [0, 1, 100, 511, 512, 4096, 4097])
def test_a_cluster_that_tells_little_by_little(
    start: StartProxy, first: int, options: tuple[str, ...]
) -> None:
    """However little has come when the transfer begins, the rest is sent as it comes."""
    answer = whole(SLOW)
    head = len(answer) - len(SLOW)

    def drip(wire: socket.socket, asked: Asked) -> None:
        for begin, end in ((0, head + first), (head + first, head + 7000), (head + 7000, len(answer))):
            wire.sendall(answer[begin:end])
            time.sleep(0.1)

    with HttpUpstream(drip) as upstream:
        proxy = start(upstream.settings("east"))
        assert fetch(proxy.tftp, "slow.bin", *options) == SLOW
        proxy.settle()
