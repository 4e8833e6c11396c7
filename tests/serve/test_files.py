"""Files of awkward lengths, and files that change while they are sent (tftp.md 3c, rows 41 to 44)."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serve.conftest import sound
from tests.serve.phone import Phone, Refused, ack, data, fetch, oack
from tests.serve.proxy import Proxy

LARGE = 200 * 1024  # bytes: is read piece by piece
SMALL = 60 * 1024  # bytes: is read at once
HUGE = 12 * 1024 * 1024  # bytes: more than sockets hold
LONG_AGO = (1_000_000_000, 1_000_000_000)


_serial = itertools.count()


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with sound({"tftp": {"timeout": 20}}) as proxy:
        yield proxy


def _new_file(proxy: Proxy, size: int) -> tuple[Path, bytes]:
    """A file that no test has asked for, and that was not changed lately."""
    path = proxy.store / f"{next(_serial)}.bin"
    content = proxy.write(path.name, random.Random(size).randbytes(size))
    os.utime(path, LONG_AGO)
    return path, content


def _shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x" * path.stat().st_size)


def _remove(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(b"new" * path.stat().st_size)
    new.rename(path)


CHANGES = [
    (_shorten, False),
    (_empty, False),
    (_lengthen, False),
    (_rewrite, False),
    (_replace, True),
    (_remove, True),
]
Change = Callable[[Path], None]


@pytest.mark.parametrize(("change", "harmless"), CHANGES)
@pytest.mark.parametrize("taken", [1, 100, 399])
def test_41_changed_while_it_is_sent(taken: int, change: Change, harmless: bool, proxy: Proxy) -> None:
    """The old content to its end, or ERROR 0; never a short block in between."""
    path, old = _new_file(proxy, LARGE)
    with Phone(proxy.tftp) as phone:
        phone.ask(path.name)
        for number in range(1, taken + 1):
            assert phone.receive() == data(number, old[(number - 1) * 512 : number * 512])
            if number < taken:
                phone.send(ack(number))
        change(path)
        phone.send(ack(taken))
        if harmless or taken > 337:  # by then the rest has been read: 32 KiB ahead
            assert phone.finish(old[: taken * 512], taken) == old
            return
        with pytest.raises(Refused) as refused:
            phone.finish(old[: taken * 512], taken)
    assert refused.value.code == 0
    assert len(refused.value.received) % 512 == 0
    proxy.settle()
    assert proxy.records()[0]["result"] == "broken off"


@pytest.mark.parametrize(("change", "harmless"), CHANGES)
def test_41_small_files_stay_as_they_were(change: Change, harmless: bool, proxy: Proxy) -> None:
    path, old = _new_file(proxy, SMALL)
    with Phone(proxy.tftp) as phone:
        phone.ask(path.name)
        phone.receive()
        change(path)
        phone.send(ack(1))
        assert phone.finish(old[:512], 1) == old


@pytest.mark.parametrize(("change", "harmless"), CHANGES)
def test_41_changed_while_it_is_sent_over_http(change: Change, harmless: bool, proxy: Proxy) -> None:
    """The old content, or a reset before Content-Length is reached."""
    path, old = _new_file(proxy, HUGE)
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        wire.settimeout(5)
        wire.connect(proxy.http)
        wire.sendall(b"GET /%s HTTP/1.1\r\nHost:x\r\n\r\n" % path.name.encode())
        head, _, body = wire.recv(4096, socket.MSG_WAITALL).partition(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % HUGE in head
        change(path)
        received = bytearray(body)
        try:
            while len(received) < HUGE and (piece := wire.recv(1 << 20)):
                received += piece
            assert harmless
            assert received == old
        except ConnectionResetError:
            assert not harmless
            assert len(received) < HUGE


@pytest.mark.parametrize("length", [65534, 65535, 65536, 65537])
def test_42_blocks_beyond_16_bits(length: int, proxy: Proxy) -> None:
    """So many full blocks and an empty one."""
    path, body = _new_file(proxy, 8 * length)
    assert fetch(proxy.tftp, path.name, "blksize", "8", "windowsize", "64") == body


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 4096, 8 * 512, 64 * 1024, 64 * 1024 + 1])
@pytest.mark.parametrize("options", [(), ("windowsize", "8"), ("blksize", "1024", "windowsize", "3")])
def test_43_lengths(size: int, options: tuple[str, ...], proxy: Proxy) -> None:
    path, body = _new_file(proxy, size)
    assert fetch(proxy.tftp, path.name, *options) == body


def test_44_netascii_at_the_edge_of_blocks(proxy: Proxy) -> None:
    """A lone CR, and the first half of a line's end, as the last byte of a block and of the file."""
    lines = proxy.write("lines.txt", b"x" * 511 + b"\r" + b"y" * 510 + b"\n" + b"z" * 600 + b"\r")
    wire = lines.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
    with Phone(proxy.tftp) as phone:
        phone.ask("lines.txt", "tsize", "0", "blksize", "512", mode="NetASCII")
        assert phone.receive() == oack("blksize", "512")  # the size on the wire is not known
        phone.send(ack(0))
        assert phone.finish() == wire
