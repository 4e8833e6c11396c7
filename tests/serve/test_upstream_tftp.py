"""Clusters that speak TFTP badly: what a phone gets is the whole file, or the news that it is not
(tftp.md 3c, rows 49 to 55).
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator

import pytest

from tests.serve.conftest import StartProxy, sound
from tests.serve.phone import ack, data, error, fetch, oack
from tests.serve.proxy import Proxy, Settings
from tests.serve.upstreams import ADDRESS, Asked, Outcome, TftpAnswer, TftpUpstream, Tid, ask_both

BODY = random.Random(10).randbytes(3000)
BUDGET = 1.0  # s
SLACK = 4.0  # s, for two cores that others use as well
SETTINGS: Settings = {"lookup": {"budget": BUDGET}, "cache": {"size": "1M", "memory": "1M"}}
NOT_FOUND, UNAVAILABLE = 1, 0


def plain(tid: Tid, asked: Asked) -> None:
    """A server that knows no options."""
    tid.give(BODY)


def agreed(*options: str, blksize: int = 512) -> TftpAnswer:
    """A server that takes these."""

    def answer(tid: Tid, asked: Asked) -> None:
        assert tid.agree(*options) == ack(0)
        tid.give(BODY, blksize=blksize)

    return answer


def window(tid: Tid, asked: Asked) -> None:
    """Blocks of 64 bytes, eight at a time, the third of the second window lost at first."""
    blocks = [data(number + 1, BODY[number * 64 : number * 64 + 64]) for number in range(len(BODY) // 64 + 1)]
    assert tid.agree("blksize", "64", "windowsize", "8") == ack(0)
    for block in blocks[:8]:
        tid.send(block)
    assert tid.receive() == ack(8)
    for block in blocks[8:10] + blocks[11:16]:
        tid.send(block)
    assert tid.receive() == ack(10)
    for first in range(10, len(blocks), 8):
        for block in blocks[first : first + 8]:
            tid.send(block)
        while tid.receive() != ack(min(first + 8, len(blocks))):
            pass


def too_much(*options: str) -> TftpAnswer:
    """An OACK that goes beyond what was asked: told so, and asked again without options."""

    def answer(tid: Tid, asked: Asked) -> None:
        if not asked.fields:
            tid.give(BODY)
            return
        assert tid.agree(*options)[:4] == error(8)[:4]

    return answer


def stubborn(tid: Tid, asked: Asked) -> None:
    """An OACK even for a request without options."""
    tid.send(oack("blksize", "1024"))


def says(*datagrams: bytes) -> TftpAnswer:
    """These, and nothing more."""

    def answer(tid: Tid, asked: Asked) -> None:
        for datagram in datagrams:
            tid.send(datagram)

    return answer


def stays(*datagrams: bytes) -> TftpAnswer:
    """These, and the port stays open."""

    def answer(tid: Tid, asked: Asked) -> None:
        for datagram in datagrams:
            tid.send(datagram)
        while tid.receive():
            pass

    return answer


def without_options(tid: Tid, asked: Asked) -> None:
    """A server that refuses requests with options."""
    if asked.fields:
        tid.send(error(8, b"what is that?"))
    else:
        tid.give(BODY)


def from_another_address(tid: Tid, asked: Asked) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.1.9", 0))
        wire.sendto(data(1, b"forged"), tid.client)


def from_two_ports(tid: Tid, asked: Asked) -> None:
    """The first port that answers is the one; what the other says counts for nothing, not even an ERROR."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((ADDRESS, 0))
        tid.send(data(1, BODY[:512]))
        assert tid.receive() == ack(1)
        for forged in (data(2, b"forged"), error(1), error(0), data(2, bytes(512))):
            wire.sendto(forged, tid.client)
        tid.give(BODY, 2)


def with_noise(tid: Tid, asked: Asked) -> None:
    """Each block twice, and between them what is no packet, too long, too old or too new."""
    blocks = len(BODY) // 512 + 1
    for number in range(1, blocks + 1):
        block = data(number, BODY[(number - 1) * 512 : number * 512])
        tid.send(b"")
        tid.send(b"\0\3")
        tid.send(b"\0\x09junk")
        tid.send(data(number, bytes(600)))
        tid.send(data(number + 2, b"new"))
        if number > 2:
            tid.send(data(number - 2, b"old"))
        tid.send(block)
        while tid.receive() != ack(number):
            pass
        if number < blocks:
            tid.send(block)


def endless(tid: Tid, asked: Asked) -> None:
    number = 0
    while True:
        number += 1
        tid.send(data(number, bytes(512)))
        while (answer := tid.receive()) != ack(number):
            if answer[:2] == b"\0\5":
                return


def breaks_off(code: int) -> TftpAnswer:
    def answer(tid: Tid, asked: Asked) -> None:
        tid.send(data(1, BODY[:512]))
        assert tid.receive() == ack(1)
        tid.send(error(code, b"sorry"))

    return answer


ROWS: list[tuple[str, TftpAnswer, Outcome]] = [
    ("no options", plain, BODY),
    ("tsize", agreed("tsize", "3000"), BODY),
    ("blksize", agreed("blksize", "1000", blksize=1000), BODY),
    ("all", agreed("tsize", "3000", "blksize", "1428", "windowsize", "1", blksize=1428), BODY),
    ("window with a loss", window, BODY),
    ("no server for options", without_options, BODY),
    ("50 option that was not asked for", too_much("timeout", "1"), BODY),
    ("50 larger blksize", too_much("blksize", "9000"), BODY),
    ("50 larger window", too_much("windowsize", "64"), BODY),
    ("50 blksize of nothing", too_much("blksize", "0"), BODY),
    ("50 blksize that is no number", too_much("blksize", "much"), BODY),
    ("50 for no option at all", stubborn, UNAVAILABLE),
    ("49 from two ports", from_two_ports, BODY),
    ("noise", with_noise, BODY),
    ("51 ERROR 1", says(error(1, b"no such file")), NOT_FOUND),
    ("51 ERROR 0", says(error(0, b"busy \x1b[31m")), UNAVAILABLE),
    ("51 ERROR 2", says(error(2, b"no")), UNAVAILABLE),
    ("51 ERROR 4", says(error(4)), UNAVAILABLE),
    ("51 ERROR 8 for ever", says(error(8)), UNAVAILABLE),
    ("51 ERROR 1000", says(error(1000)), UNAVAILABLE),
    ("51 ERROR without a text", says(error(0)[:4]), UNAVAILABLE),
    ("51 ERROR 1 behind the first block", breaks_off(1), UNAVAILABLE),
    ("51 ERROR 0 behind the first block", breaks_off(0), UNAVAILABLE),
    ("52 tsize too small", agreed("tsize", "2999"), UNAVAILABLE),
    ("52 tsize too small by blocks", agreed("tsize", "512"), UNAVAILABLE),
    ("52 tsize too large", agreed("tsize", "3001"), UNAVAILABLE),
    ("52 tsize of nothing", agreed("tsize", "0"), UNAVAILABLE),
    ("55 tsize beyond the room", says(oack("tsize", "4000000000")), UNAVAILABLE),
    ("55 endless", endless, UNAVAILABLE),
]

SILENT: list[tuple[str, TftpAnswer]] = [
    ("silence", stays()),
    ("49 from another address", from_another_address),
    ("no packets", stays(b"", b"\0", b"\0\3\0", b"\xff" * 600, ack(0), ack(1))),
    ("a block that is too long", stays(data(1, bytes(513)))),
    ("a block of the future", stays(data(2, b"x"), data(3, b""))),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[TftpUpstream]:
    """Answers each name as its row says: "7.http" was asked of the proxy over HTTP."""

    def answer(tid: Tid, asked: Asked) -> object:
        return ROWS[int(asked.name.partition(".")[0])][1](tid, asked)

    with TftpUpstream(answer) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxy(cluster: TftpUpstream) -> Iterator[Proxy]:
    with sound({**SETTINGS, **cluster.settings()}) as proxy:
        proxy.write("local.bin", BODY)
        assert fetch(proxy.tftp, "local.bin") == BODY
        before = proxy.descriptors()
        yield proxy
        proxy.settle(before + 1, 10)  # the sockets of transfers are kept


@pytest.mark.parametrize("number", [pytest.param(number, id=row[0]) for number, row in enumerate(ROWS)])
def test_answer(number: int, proxy: Proxy, cluster: TftpUpstream) -> None:
    """What phones get of it, and what is remembered: ERROR 1 alone."""
    cluster.failures.clear()
    before = proxy.status()["held"]["negative_entries"]
    started = time.monotonic()
    outcomes = ask_both(proxy, str(number))
    assert time.monotonic() - started < BUDGET + SLACK
    wanted = ROWS[number][2]
    assert outcomes == [wanted, wanted]
    remembered = proxy.status()["held"]["negative_entries"] - before
    assert remembered == (2 if wanted == NOT_FOUND else 0)
    assert cluster.failures == []


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in SILENT])
def test_no_answer(answer: TftpAnswer, start: StartProxy) -> None:
    """Within the budget it is "not available now", and nothing is remembered of the file."""
    with TftpUpstream(answer) as cluster:
        proxy = start({**SETTINGS, **cluster.settings()})
        started = time.monotonic()
        assert ask_both(proxy, "some") == [UNAVAILABLE, UNAVAILABLE]
        assert BUDGET <= time.monotonic() - started < BUDGET + SLACK
        assert proxy.status()["held"]["negative_entries"] == 0
        proxy.settle()
        assert set(cluster.names()) == {"some.tftp", "some.http"}
        assert ask_both(proxy, "some") == [UNAVAILABLE, UNAVAILABLE]  # asked anew or not: it may be dead


def test_nobody_listens(start: StartProxy) -> None:
    """The network tells: no need to wait for the budget."""
    with TftpUpstream(plain) as cluster:
        settings = cluster.settings()
    proxy = start({**SETTINGS, "lookup": {"budget": 10}, **settings})
    started = time.monotonic()
    assert ask_both(proxy, "some") == [UNAVAILABLE, UNAVAILABLE]
    assert time.monotonic() - started < 5
