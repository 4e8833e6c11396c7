"""How a proxy ends: what runs comes to its end, nothing new begins, and what idles holds nothing up."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator

import pytest

from appliance.serve.phones import DRAIN
from tests.netns.process import wait_for
from tests.serve.browser import Browser
from tests.serve.phone import Phone, ack, data, fetch
from tests.serve.proxy import Proxy
from tests.serve.upstreams import HttpUpstream

FILE = random.Random(14).randbytes(100_000)
LARGE = random.Random(13).randbytes(16 << 20)


@pytest.fixture
def cluster() -> Iterator[HttpUpstream]:
    """Says nothing, and keeps what is asked of it waiting."""
    with HttpUpstream(lambda wire, asked: wire.recv(1)) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: HttpUpstream) -> Iterator[Proxy]:
    with Proxy({"lookup": {"budget": 1}, **cluster.settings()}) as proxy:
        proxy.write("file.bin", FILE)
        proxy.write("large.bin", LARGE)
        yield proxy


def test_with_nothing_to_do(proxy: Proxy) -> None:
    """Connections that idle, or have sent half a request, are closed."""
    with Browser(proxy.http) as idle, Browser(proxy.http) as begun:
        assert idle.get("file.bin").status == 200
        begun.send(b"GET /file.bin HT")
        wait_for(lambda: proxy.status()["held"]["http_connections"] == 2, "both are open")
        started = time.monotonic()
        assert proxy.stop() == 0
        assert time.monotonic() - started < DRAIN / 5
        assert idle.closed(1)
        assert begun.closed(1)


def test_with_answers_that_run(proxy: Proxy) -> None:
    """In both protocols; of two requests on one connection the first."""
    with Phone(proxy.tftp) as phone, Phone(proxy.tftp) as late, socket.socket() as wire:
        phone.ask("file.bin")
        assert phone.receive() == data(1, FILE[:512])
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        wire.settimeout(5)
        wire.connect(proxy.http)
        wire.sendall(b"GET /large.bin HTTP/1.1\r\nHost:x\r\n\r\n" * 2)
        received = bytearray(wire.recv(1000))
        proxy.terminate()
        wait_for(lambda: "draining" in proxy.log(), "it is about to end")
        late.ask("file.bin")
        with pytest.raises(ConnectionRefusedError):
            Browser(proxy.http)
        phone.send(ack(1))
        assert phone.finish(FILE[:512], 1) == FILE
        while piece := wire.recv(1 << 20):
            received += piece
        assert late.waiting() == []
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == LARGE
    assert proxy.stop() == 0


def test_with_a_request_that_is_held(proxy: Proxy, cluster: HttpUpstream) -> None:
    """It gets its answer, too: here that there is none."""
    with Phone(proxy.tftp) as phone, Browser(proxy.http, "127.0.0.5") as browser:
        phone.ask("remote.bin")
        browser.send(b"GET /remote.bin HTTP/1.1\r\nHost:x\r\n\r\n")
        wait_for(lambda: len(cluster.asked) == 1, "the cluster is asked")
        proxy.terminate()
        assert phone.receive()[:4] == b"\0\5\0\0"
        assert browser.reply().status == 503
    assert proxy.stop() == 0


def test_the_next_one_takes_over(proxy: Proxy) -> None:
    """Ports and socket are free at once, also after one that was killed."""
    with Browser(proxy.http) as browser:
        assert browser.get("file.bin").status == 200
        proxy.kill()
    proxy.start()
    assert fetch(proxy.tftp, "file.bin") == FILE
    assert proxy.stop() == 0
